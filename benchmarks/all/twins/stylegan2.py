"""The StyleGAN2 of configs/stylegan2_fashion.py, in the form of its authors' training code.

Styles scale what a convolution reads and demodulation what it puts out; filters are convolutions of
each channel. G adds images of all levels (skip), D is residual.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, to_images

HALF = 0.5**0.5
DECAY = 0.995  # of the average of w
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
KERNEL = torch.outer(TAPS, TAPS)


def activated(x, gain=1.0):
    return F.leaky_relu(x, 0.2) * (2**0.5 * gain)


def filtered(x, pads, gain=1.0, stride=1):
    """x [B, C, H, W] padded on all sides by (before, after), each channel smoothed."""
    before, after = pads
    kernel = (gain * KERNEL).expand(x.shape[1], 1, 4, 4)
    x = F.pad(x, (before, after, before, after))
    return F.conv2d(x, kernel, stride=stride, groups=x.shape[1])


def upsampled(x):
    b, c, height, width = x.shape
    spread = F.pad(x.view(b, c, height, 1, width, 1), (0, 1, 0, 0, 0, 1))
    return filtered(spread.reshape(b, c, 2 * height, 2 * width), (2, 1), gain=4.0)


class Dense(nn.Module):
    def __init__(self, before: int, features: int, rate: float = 1.0, bias: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, before) / rate)
        self.bias = nn.Parameter(torch.full((features,), bias))
        self.scale, self.rate = rate * before**-0.5, rate

    def forward(self, x):
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Conv(nn.Module):
    """An equalised convolution; `down` smooths and halves."""

    def __init__(self, before: int, features: int, size: int, bias=True, down=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, before, size, size))
        self.bias = nn.Parameter(torch.zeros(features)) if bias else None
        self.scale, self.size, self.down = (before * size**2) ** -0.5, size, down

    def forward(self, x):
        weight = self.weight * self.scale
        if not self.down:
            return F.conv2d(x, weight, self.bias, padding=self.size // 2)
        if self.size == 1:
            return F.conv2d(filtered(x, (1, 1), stride=2), weight, self.bias)
        return F.conv2d(filtered(x, (2, 2)), weight, self.bias, stride=2)


class StyledConv(nn.Module):
    def __init__(self, before: int, features: int, styles: int, up: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, before, 3, 3))
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(features))
        self.affine, self.up = Dense(styles, before, bias=1.0), up

    def forward(self, x, w):
        style = self.affine(w)
        x = x * style[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = filtered(x, (1, 1), gain=4.0)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        variance = style.square() @ self.weight.square().sum((2, 3)).T
        x = x * (variance + 1e-8).rsqrt()[:, :, None, None]
        noise = torch.randn(len(x), 1, *x.shape[2:])
        return activated(x + noise * self.strength + self.bias[:, None, None])


class ToImage(nn.Module):
    def __init__(self, before: int, channels: int, styles: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, before, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.affine, self.scale = Dense(styles, before, bias=1.0), before**-0.5

    def forward(self, x, w):
        style = self.affine(w) * self.scale
        return F.conv2d(x * style[:, :, None, None], self.weight, self.bias)


class Synthesis(nn.Module):
    def __init__(self, widths: list[int], channels: int, styles: int):
        super().__init__()
        self.const = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.convolutions = nn.ModuleList([StyledConv(widths[0], widths[0], styles, False)])
        for before, width in itertools.pairwise(widths):
            self.convolutions.append(StyledConv(before, width, styles, True))
            self.convolutions.append(StyledConv(width, width, styles, False))
        self.to_image = nn.ModuleList(ToImage(width, channels, styles) for width in widths)

    def forward(self, styles):
        """Styles [B, layers, D] to images."""
        x = self.const.expand(len(styles), *self.const.shape)
        x = self.convolutions[0](x, styles[:, 0])
        image = self.to_image[0](x, styles[:, 1])
        for level in range(1, len(self.to_image)):
            for number in (2 * level - 1, 2 * level):
                x = self.convolutions[number](x, styles[:, number])
            image = upsampled(image) + self.to_image[level](x, styles[:, 2 * level + 1])
        return image


class Level(nn.Module):
    def __init__(self, width: int, after: int):
        super().__init__()
        self.first, self.second = Conv(width, width, 3), Conv(width, after, 3, down=True)
        self.skip = Conv(width, after, 1, bias=False, down=True)

    def forward(self, x):
        y = activated(self.second(activated(self.first(x))), HALF)
        return y + self.skip(x) * HALF


class Discriminator(nn.Module):
    def __init__(self, widths: list[int], channels: int, group: int):
        super().__init__()
        down = widths[::-1]
        self.enter, self.group = Conv(channels, down[0], 1), group
        self.levels = nn.Sequential(
            *(Level(width, after) for width, after in itertools.pairwise(down))
        )
        width = down[-1]
        self.conv, self.dense = Conv(width + 1, width, 3), Dense(16 * width, width)
        self.out = Dense(width, 1)

    def forward(self, x):
        x = self.levels(activated(self.enter(x)))
        groups = x.view(self.group, -1, *x.shape[1:])
        deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        plane = deviation.repeat(self.group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        x = activated(self.conv(torch.cat([x, plane], dim=1)))
        return self.out(activated(self.dense(x.flatten(1))))[:, 0]


class Game:
    """Both players, their losses, and what they carry from round to round."""

    def __init__(self, task: Task):
        own, critic = task.settings["generator"], task.settings["discriminator"]
        raw = task.batch["image"]
        side, channels = raw.shape[1], raw.shape[3]
        sides = [4 * 2**k for k in range((side // 4).bit_length())]
        widths = [min(own["base"] // s, own["most"]) for s in sides]
        self.raw, self.own, self.r1 = raw, own, critic["r1"]
        dense = [Dense(own["styles"], own["styles"], 0.01) for _ in range(own["mapping"])]
        self.mapping, self.layers = nn.ModuleList(dense), 2 * len(sides)
        self.synthesis = Synthesis(widths, channels, own["styles"])
        self.d = Discriminator(widths, channels, critic["group"])
        self.critic = task.wrap(self.d)
        self.w_average, self.path_mean = torch.zeros(own["styles"]), torch.zeros(())

    def mapped(self, number):
        x = torch.randn(number, self.own["latents"])
        x = x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for dense in self.mapping:
            x = activated(dense(x))
        return x

    def styles(self, number):
        w, other = self.mapped(number), self.mapped(number)
        self.w_average.lerp_(w.detach().mean(0), 1 - DECAY)
        mixing = torch.rand(number) < self.own["mixing"]
        cut = torch.where(mixing, torch.randint(1, self.layers, (number,)), self.layers)
        coarse = torch.arange(self.layers)[None, :] < cut[:, None]
        return torch.where(coarse[:, :, None], w[:, None], other[:, None])

    def generator_loss(self):
        return F.softplus(-self.critic(self.synthesis(self.styles(len(self.raw))))).mean()

    def path_loss(self):
        settings = self.own["path"]
        styles = self.styles(len(self.raw) // settings["shrink"])
        images = self.synthesis(styles)
        noise = torch.randn_like(images) / images.shape[2]
        (slope,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
        lengths = (slope.square().sum(2).mean(1) + 1e-12).sqrt()
        mean = self.path_mean.lerp(lengths.mean(), 0.01)
        self.path_mean = mean.detach()
        return settings["weight"] * settings["every"] * (lengths - mean).square().mean()

    def discriminator_loss(self):
        with torch.no_grad():
            fake = self.synthesis(self.styles(len(self.raw)))
        real = self.critic(to_images(self.raw))
        return (F.softplus(self.critic(fake)) + F.softplus(-real)).mean()

    def r1_loss(self):
        x = to_images(self.raw).requires_grad_()
        # torch.compile has no second derivatives.
        (slope,) = torch.autograd.grad(self.d(x).sum(), x, create_graph=True)
        penalty = 0.5 * slope.square().sum((1, 2, 3)).mean()
        return self.r1["gamma"] * self.r1["every"] * penalty


def twin(task: Task) -> Side:
    settings, game = task.settings, Game(task)
    decay = 0.5 ** (len(game.raw) / settings["average"]["half_life"])
    networks = game.mapping, game.synthesis
    generator = Player(settings["generator"]["optimizer"], *networks, average=decay)
    discriminator = Player(settings["discriminator"]["optimizer"], game.d)
    played = 0

    def play(number: int) -> None:
        nonlocal played
        for _ in range(number):
            lazy = played % game.own["path"]["every"] == 0
            generator.move(game.generator_loss, last=not lazy)
            if lazy:
                generator.move(game.path_loss)
            discriminator.move(game.discriminator_loss)
            if played % game.r1["every"] == 0:
                discriminator.move(game.r1_loss)
            played += 1

    return Side(play, len(game.raw), count(*networks, game.d))
