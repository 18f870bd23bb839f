"""The DDPM of configs/ddpm_mnist.py: Ho et al.'s U-Net and L_simple."""

import itertools
import math

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds, sinusoids, to_images


def norm(features: int) -> nn.GroupNorm:
    """At most 32 groups of at least four channels."""
    groups = max(g for g in range(1, 33) if features % g == 0 and features // g >= 4)
    return nn.GroupNorm(groups, features, eps=1e-6)


class Residual(nn.Module):
    def __init__(self, before: int, features: int, embedding: int):
        super().__init__()
        self.first_norm, self.second_norm = norm(before), norm(features)
        self.first = nn.Conv2d(before, features, 3, padding=1)
        self.second = nn.Conv2d(features, features, 3, padding=1)
        self.level = nn.Linear(embedding, features)
        same = before == features
        self.skip = nn.Identity() if same else nn.Conv2d(before, features, 1)

    def forward(self, x, embedding):
        h = self.first(F.silu(self.first_norm(x)))
        h = h + self.level(F.silu(embedding))[:, :, None, None]
        return self.skip(x) + self.second(F.silu(self.second_norm(h)))


class SelfAttention(nn.Module):
    def __init__(self, features: int, heads: int = 1):
        super().__init__()
        self.norm, self.heads = norm(features), heads
        self.joint = nn.Linear(features, 3 * features)
        self.mix = nn.Linear(features, features)

    def forward(self, x):
        b, c, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        joint = self.joint(tokens).view(b, height * width, 3, self.heads, c // self.heads)
        read = F.scaled_dot_product_attention(*joint.permute(2, 0, 3, 1, 4))
        mixed = self.mix(read.transpose(1, 2).reshape(b, height * width, c))
        return x + mixed.transpose(1, 2).view(b, c, height, width)


class UNet(nn.Module):
    def __init__(self, channels: int, side: int, settings: dict):
        super().__init__()
        width, sides = settings["width"], settings["attention"]
        widths = [width * m for m in settings["multipliers"]]
        self.width, embedding = width, 4 * width
        self.embed = nn.Sequential(
            nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.enter = nn.Conv2d(channels, width, 3, padding=1)

        def block(before, after, here):
            attention = SelfAttention(after) if here in sides else nn.Identity()
            return nn.ModuleList([Residual(before, after, embedding), attention])

        features, skips, self.down = width, [width], nn.ModuleList()
        for depth, after in enumerate(widths):
            if depth:
                self.down.append(nn.Conv2d(features, features, 3, 2))
                side = -(-side // 2)
                skips.append(features)
            for _ in range(settings["blocks"]):
                self.down.append(block(features, after, side))
                features = after
                skips.append(features)
        self.middle = nn.ModuleList(
            [Residual(features, features, embedding), SelfAttention(features),
             Residual(features, features, embedding)]
        )  # fmt: skip
        self.up = nn.ModuleList()
        for depth, after in reversed(list(enumerate(widths))):
            for _ in range(settings["blocks"] + 1):
                self.up.append(block(features + skips.pop(), after, side))
                features = after
            if depth:
                self.up.append(nn.Conv2d(features, features, 3, padding=1))
                side *= 2
        self.norm, self.leave = norm(features), nn.Conv2d(features, channels, 3, padding=1)

    def forward(self, x, t):
        embedding = self.embed(sinusoids(t, self.width, shift=1, cosines_first=False))
        x = self.enter(x)
        skips = [x]
        for part in self.down:
            if isinstance(part, nn.Conv2d):
                x = part(F.pad(x, (0, x.shape[3] % 2 + 1, 0, x.shape[2] % 2 + 1)))
            else:
                x = part[1](part[0](x, embedding))
            skips.append(x)
        first, attention, second = self.middle
        x = second(attention(first(x, embedding)), embedding)
        for part in self.up:
            if isinstance(part, nn.Conv2d):
                x = part(F.interpolate(x, skips[-1].shape[2:], mode="nearest"))
            else:
                x = part[1](part[0](torch.cat([x, skips.pop()], dim=1), embedding))
        return self.leave(F.silu(self.norm(x)))


def cosine_alphas(times: int) -> torch.Tensor:
    """abar_t for t = 1 .. T. Nichol & Dhariwal 2021, eq. 17."""
    f = [math.cos((t / times + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(times + 1)]
    betas = [min(1 - b / a, 0.999) for a, b in itertools.pairwise(f)]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), 0).float()


def twin(task: Task) -> Side:
    settings, batch = task.settings, task.batch
    raw, times = batch["image"], settings["times"]
    network = UNet(raw.shape[3], raw.shape[1], settings["network"])
    alphas = cosine_alphas(times)

    @task.wrap
    def l_simple(raw):
        x, t = to_images(raw), torch.randint(times, (len(raw),))
        noise, alpha = torch.randn_like(x), alphas[t][:, None, None, None]
        predicted = network(alpha.sqrt() * x + (1 - alpha).sqrt() * noise, t + 1.0)
        return ((noise - predicted) ** 2).mean()

    player = Player(settings["optimizer"], network, average=settings["average"])
    play = rounds(lambda: player.move(lambda: l_simple(raw)))
    return Side(play, len(raw), count(network))
