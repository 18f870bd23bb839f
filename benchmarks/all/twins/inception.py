"""Inception v3 as FID is defined on it, with its batch norms folded into the convolutions."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Task, count


class Conv(nn.Conv2d):
    def forward(self, x):
        return F.relu(super().forward(x))


def pooled(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class Branches(nn.Module):
    """Chains of convolutions beside each other, joined; `pool` comes before the last chain.

    Each convolution is (features, kernel) with its size kept, or (features, kernel, stride) valid.
    """

    def __init__(self, before: int, *chains: list[tuple], pool=None):
        super().__init__()
        self.chains, self.pool, self.features = nn.ModuleList(), pool, 0
        for chain in chains:
            features, layers = before, []
            for after, kernel, *stride in chain:
                sides = (kernel, kernel) if isinstance(kernel, int) else kernel
                padding = 0 if stride else tuple(side // 2 for side in sides)
                layers.append(Conv(features, after, sides, *stride, padding=padding))
                features = after
            self.chains.append(nn.Sequential(*layers))
            self.features += features

    def forward(self, x):
        *most, last = self.chains
        parts = [chain(x) for chain in most]
        return torch.cat([*parts, last(self.pool(x)) if self.pool else last(x)], dim=1)


class Mixed7(nn.Module):
    """8 x 8, with chains that fork at their ends."""

    def __init__(self, before: int, pool):
        super().__init__()
        self.one, self.project, self.pool = Conv(before, 320, 1), Conv(before, 192, 1), pool
        self.three = Conv(before, 384, 1)
        self.twice = nn.Sequential(Conv(before, 448, 1), Conv(448, 384, 3, padding=1))
        self.forks = nn.ModuleList(
            Conv(384, 384, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
            for kernel in ((1, 3), (3, 1)) * 2
        )

    def forward(self, x):
        three, double = self.three(x), self.twice(x)
        forked = [f(y) for f, y in zip(self.forks, (three, three, double, double), strict=True)]
        return torch.cat([self.one(x), *forked, self.project(self.pool(x))], dim=1)


def reduced(before: int, *chains: list[tuple]) -> nn.Module:
    """Halves the sides; a maximum of the input is joined to the chains."""
    return Branches(before, *chains, [], pool=lambda x: F.max_pool2d(x, 3, 2))


def network() -> nn.Sequential:
    """Images [B, 3, 299, 299] to features [B, 2048]."""
    layers = [
        Conv(3, 32, 3, 2), Conv(32, 32, 3), Conv(32, 64, 3, padding=1), nn.MaxPool2d(3, 2),
        Conv(64, 80, 1), Conv(80, 192, 3), nn.MaxPool2d(3, 2),
    ]  # fmt: skip
    features = 192
    for last in (32, 64, 64):
        chains = [(64, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)], [(last, 1)]
        layers.append(Branches(features, *chains, pool=pooled))
        features = layers[-1].features
    layers.append(reduced(features, [(384, 3, 2)], [(64, 1), (96, 3), (96, 3, 2)]))
    features += 480
    for c in (128, 160, 160, 192):
        seven, turned = (1, 7), (7, 1)
        chains = (
            [(192, 1)], [(c, 1), (c, seven), (192, turned)],
            [(c, 1), (c, turned), (c, seven), (c, turned), (192, seven)], [(192, 1)],
        )  # fmt: skip
        layers.append(Branches(features, *chains, pool=pooled))
        features = layers[-1].features
    chains = [(192, 1), (320, 3, 2)], [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)]
    layers.append(reduced(features, *chains))
    features += 512
    layers.append(Mixed7(features, pooled))
    layers.append(Mixed7(2048, nn.MaxPool2d(3, 1, 1)))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def twin(task: Task) -> Side:
    raw, net = task.batch["image"], network()

    @task.wrap
    def features(raw):
        x = raw.permute(0, 3, 1, 2).float() / 255
        x = F.interpolate(x, (299, 299), mode="bilinear", align_corners=False)
        return net(2 * x - 1)

    @torch.inference_mode()
    def play(number: int) -> None:
        for _ in range(number):
            features(raw)

    return Side(play, len(raw), count(net))
