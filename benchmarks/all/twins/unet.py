"""The U-Net of DDPM (Ho et al. 2020) and of Stable Diffusion (Rombach et al. 2022)."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.twins.common import sinusoids


def norm(features: int, groups: int = 0, epsilon: float = 1e-6) -> nn.GroupNorm:
    """Of so many groups or, for 0, of at most 32 of at least four channels."""
    groups = groups or max(g for g in range(1, 33) if features % g == 0 and features // g >= 4)
    return nn.GroupNorm(groups, features, eps=epsilon)


class Residual(nn.Module):
    def __init__(self, before: int, features: int, embedding: int, *of_norm):
        super().__init__()
        self.first_norm, self.second_norm = norm(before, *of_norm), norm(features, *of_norm)
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

    def forward(self, x, context):
        b, c, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        joint = self.joint(tokens).view(b, height * width, 3, self.heads, c // self.heads)
        read = F.scaled_dot_product_attention(*joint.permute(2, 0, 3, 1, 4))
        mixed = self.mix(read.transpose(1, 2).reshape(b, height * width, c))
        return x + mixed.transpose(1, 2).view(b, c, height, width)


class Attended(nn.Module):
    """A residual block, and attention after it if there is one."""

    def __init__(self, residual: Residual, attention: nn.Module | None):
        super().__init__()
        self.residual, self.attention = residual, attention

    def forward(self, x, embedding, context):
        x = self.residual(x, embedding)
        return self.attention(x, context) if self.attention else x


class UNet(nn.Module):
    """(x [B, C, H, W], t [B], context) to images of the same shape.

    attention  (features, depth, None for the middle) -> what follows a block there, or None
    symmetric  whether convolutions of stride 2 pad all sides
    of_norm    groups and epsilon
    of_time    shift of the sinusoids, and whether cosines are first
    """

    def __init__(
        self, channels: int, width: int, multipliers: list[float], blocks: int,
        attention: Callable, symmetric: bool = False, of_norm: tuple = (), of_time=(1, False),
    ):  # fmt: skip
        super().__init__()
        widths, embedding = [round(width * m) for m in multipliers], 4 * width
        self.width, self.symmetric, self.of_time = width, symmetric, of_time
        self.embed = nn.Sequential(
            nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )

        def residual(before, after):
            return Residual(before, after, embedding, *of_norm)

        self.enter = nn.Conv2d(channels, width, 3, padding=1)
        features, skips, self.down = width, [width], nn.ModuleList()
        for depth, after in enumerate(widths):
            if depth:
                self.down.append(nn.Conv2d(features, features, 3, 2))
                skips.append(features)
            for _ in range(blocks):
                self.down.append(Attended(residual(features, after), attention(after, depth)))
                features = after
                skips.append(features)
        self.middle = Attended(residual(features, features), attention(features, None))
        self.last = residual(features, features)
        self.up = nn.ModuleList()
        for depth, after in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                block = residual(features + skips.pop(), after)
                self.up.append(Attended(block, attention(after, depth)))
                features = after
            if depth:
                self.up.append(nn.Conv2d(features, features, 3, padding=1))
        self.norm, self.leave = (
            norm(features, *of_norm),
            nn.Conv2d(features, channels, 3, padding=1),
        )

    def forward(self, x, t, context=None):
        embedding = self.embed(sinusoids(t, self.width, *self.of_time))
        x = self.enter(x)
        skips = [x]
        for part in self.down:
            if isinstance(part, nn.Conv2d):
                x = part(F.pad(x, self._pads(x)))
            else:
                x = part(x, embedding, context)
            skips.append(x)
        x = self.last(self.middle(x, embedding, context), embedding)
        for part in self.up:
            if isinstance(part, nn.Conv2d):
                x = part(F.interpolate(x, skips[-1].shape[2:], mode="nearest"))
            else:
                x = part(torch.cat([x, skips.pop()], dim=1), embedding, context)
        return self.leave(F.silu(self.norm(x)))

    def _pads(self, x):
        if self.symmetric:
            return 1, 1, 1, 1
        return 0, x.shape[3] % 2 + 1, 0, x.shape[2] % 2 + 1
