"""The WGAN-GP of configs/wgan_gp_stacked_mnist.py, its small networks."""

import torch
from torch import nn

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds, to_images

HALVINGS = 3


def sides(side: int) -> list[int]:
    """Of the image, and of each map that is half as large, rounded up."""
    return [-(-side // 2**level) for level in range(HALVINGS + 1)]


def generator(latents: int, width: int, side: int, channels: int) -> nn.Sequential:
    """z [B, D] to images [B, C, H, W]."""
    *larger, start = sides(side)
    features = width << HALVINGS
    layers = [
        nn.Linear(latents, features * start**2), nn.Unflatten(1, (features, start, start)),
        nn.BatchNorm2d(features), nn.ReLU(),
    ]  # fmt: skip
    for level in reversed(range(HALVINGS)):
        after, even = width << level, 1 - larger[level] % 2
        layers.append(nn.ConvTranspose2d(features, after, 3, 2, 1, output_padding=even))
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
        features = after
    return nn.Sequential(*layers, nn.Conv2d(features, channels, 3, padding=1), nn.Tanh())


def critic(width: int, side: int, channels: int) -> nn.Sequential:
    """Images [B, C, H, W] to [B, 1]."""
    layers, features = [], channels
    for level in range(HALVINGS):
        layers += [nn.Conv2d(features, width << level, 3, 2, 1), nn.LeakyReLU(0.3)]
        features = width << level
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features * sides(side)[-1] ** 2, 1))


def twin(task: Task) -> Side:
    settings, raw = task.settings, task.batch["image"]
    latents, (_, side, _, channels) = settings["latents"], raw.shape
    g = generator(latents, settings["generator"]["width"], side, channels)
    d = critic(settings["discriminator"]["width"], side, channels)
    weight, times = settings["penalty"]["weight"], settings["discriminator"]["times"]

    @task.wrap
    def generate(raw):
        return g(torch.randn(len(raw), latents))

    def critic_loss(raw):
        with torch.no_grad():
            fake = generate(raw)
        real = to_images(raw)
        alpha = torch.rand(len(raw), 1, 1, 1)
        between = (alpha * real + (1 - alpha) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(d(between).sum(), between, create_graph=True)
        norm = slope.flatten(1).square().sum(1).add(1e-12).sqrt()
        return (d(fake) - d(real)).mean() + weight * ((norm - 1) ** 2).mean()

    def generator_loss(raw):
        return -d(generate(raw)).mean()

    of_d = Player(settings["discriminator"]["optimizer"], d)
    of_g = Player(settings["generator"]["optimizer"], g, average=settings["average"])
    moves = [lambda: of_d.move(lambda: critic_loss(raw))] * times
    play = rounds(*moves, lambda: of_g.move(lambda: generator_loss(raw)))
    return Side(play, len(raw), count(g, d))
