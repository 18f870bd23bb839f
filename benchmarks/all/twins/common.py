"""What the twins share: a step of an optimizer with a moving average, images, time features."""

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import nn


class Task(NamedTuple):
    """What a twin is built for.

    settings  the recipe's
    values    {name: how many values an entry of the batch takes}
    batch     raw, as the recipe's data gives it
    wrap      what a loss goes through: torch.compile, or nothing
    """

    settings: dict
    values: dict[str, int]
    batch: dict[str, torch.Tensor]
    wrap: Callable[[Callable], Callable]


def to_images(raw: torch.Tensor, binarize: str = "") -> torch.Tensor:
    """uint8 [B, H, W, C] to float32 [B, C, H, W] in [-1, 1]; `redrawn` draws black or white."""
    x = raw.permute(0, 3, 1, 2).float() / 255
    if binarize == "redrawn":
        x = torch.bernoulli(x)
    return (2 * x - 1).contiguous()


def optimizer_of(settings: dict, parameters: list) -> torch.optim.Optimizer:
    """Of a recipe's `optimizer`, at its constant rate; fused where PyTorch has it."""
    arguments = {name: value for name, value in settings.items() if value is not None}
    rate = settings["learning_rate"]
    if settings["name"] == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=arguments.get("momentum", 0.0))
    adam = dict(
        lr=rate,
        betas=(arguments.get("b1", 0.9), arguments.get("b2", 0.999)),
        eps=arguments.get("eps", 1e-8),
        fused=True,
    )
    if settings["name"] == "adam":
        return torch.optim.Adam(parameters, **adam)
    matrices = [p for p in parameters if p.ndim >= 2]
    vectors = [p for p in parameters if p.ndim < 2]
    decay = arguments.get("weight_decay", 1e-4)
    groups = [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], **adam)


def count(*modules: nn.Module) -> int:
    """Learned numbers."""
    return sum(p.numel() for module in modules for p in module.parameters())


class Player:
    """Modules with an optimizer and, if `average` is a decay, a moving average."""

    def __init__(self, settings: dict, *modules: nn.Module, average: float = 0.0):
        self.parameters = [p for module in modules for p in module.parameters()]
        self.optimizer = optimizer_of(settings, self.parameters)
        self.clip_norm, self.decay = settings.get("clip_norm", 0.0), average
        self.average = [p.detach().clone() for p in self.parameters] if average else []

    def move(self, loss: Callable[[], torch.Tensor], last: bool = True) -> None:
        """A step on a loss; the average moves in the `last` step of a round."""
        gradients = torch.autograd.grad(loss(), self.parameters, materialize_grads=True)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        if self.clip_norm:
            nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self.optimizer.step()
        if self.average and last:
            with torch.no_grad():
                torch._foreach_lerp_(self.average, self.parameters, 1 - self.decay)


def rounds(*moves: Callable[[], None]) -> Callable[[int], None]:
    """Plays rounds of moves."""

    def play(number: int) -> None:
        for _ in range(number):
            for move in moves:
                move()

    return play


def sinusoids(t: torch.Tensor, features: int, shift: int, cosines_first: bool) -> torch.Tensor:
    """[B] to [B, features]: sines and cosines of t."""
    half = features // 2
    falling = torch.arange(half) * (-9.210340371976184 / (half - shift))
    angles = t[:, None] * torch.exp(falling)
    waves = [angles.sin(), angles.cos()]
    return torch.cat(waves[::-1] if cosines_first else waves, dim=-1)


def dense_chain(widths: Iterable[int]) -> nn.Sequential:
    """Dense layers with a ReLU between each two."""
    layers = [nn.Linear(*pair) for pair in itertools.pairwise(widths)]
    between = [part for one in layers[:-1] for part in (one, nn.ReLU())]
    return nn.Sequential(*between, layers[-1])
