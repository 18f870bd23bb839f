"""The GAN of configs/gan_mnist.py, DCGAN's networks."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds, to_images


def halvings(side: int) -> int:
    """How often a side is halved: down to 4 to 7, or until it is odd."""
    times = 0
    while side > 4 and side % 2 == 0:
        side, times = side // 2, times + 1
    return times


def generator(latents: int, width: int, side: int, channels: int) -> nn.Sequential:
    """z [B, D] to images [B, C, H, W]."""
    levels = halvings(side)
    start, features = side >> levels, width << (levels - 1)
    layers = [
        nn.Linear(latents, features * start**2, bias=False),
        nn.Unflatten(1, (features, start, start)),
        nn.BatchNorm2d(features), nn.ReLU(),
    ]  # fmt: skip
    for level in reversed(range(levels)):
        after = width << (level - 1) if level else channels
        layers.append(nn.ConvTranspose2d(features, after, 4, 2, 1, bias=not level))
        layers += [nn.BatchNorm2d(after), nn.ReLU()] if level else [nn.Tanh()]
        features = after
    return nn.Sequential(*layers)


def discriminator(width: int, side: int, channels: int, batch_norm: bool) -> nn.Sequential:
    """Images [B, C, H, W] to logits [B, 1]."""
    layers, features, levels = [], channels, halvings(side)
    for level in range(levels):
        after, normed = width << level, batch_norm and level > 0
        layers.append(nn.Conv2d(features, after, 4, 2, 1, bias=not normed))
        layers += [nn.BatchNorm2d(after)] if normed else []
        layers.append(nn.LeakyReLU(0.2))
        features = after
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features * (side >> levels) ** 2, 1))


def twin(task: Task) -> Side:
    settings, batch = task.settings, task.batch
    raw, latents = batch["image"], settings["latents"]
    _, side, _, channels = raw.shape
    g = generator(latents, settings["generator"]["width"], side, channels)
    d = discriminator(settings["discriminator"]["width"], side, channels, True)

    @task.wrap
    def discriminator_loss(raw):
        with torch.no_grad():
            fakes = g(torch.randn(len(raw), latents))
        real, fake = d(to_images(raw)), d(fakes)
        return (F.softplus(-real) + F.softplus(fake)).mean()

    @task.wrap
    def generator_loss(raw):
        return F.softplus(-d(g(torch.randn(len(raw), latents)))).mean()

    of_d = Player(settings["discriminator"]["optimizer"], d)
    of_g = Player(settings["generator"]["optimizer"], g, average=settings["average"])
    play = rounds(
        lambda: of_d.move(lambda: discriminator_loss(raw)),
        lambda: of_g.move(lambda: generator_loss(raw)),
    )
    return Side(play, len(raw), count(g, d))
