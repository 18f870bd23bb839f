"""The DiT of configs/dit_digits.py."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds, sinusoids, to_images
from benchmarks.all.twins.ddpm import cosine_alphas

FEATURES = 256  # of the level


class Block(nn.Module):
    def __init__(self, width: int, heads: int, ratio: int):
        super().__init__()
        self.heads, self.width = heads, width
        self.modulation = nn.Linear(width, 6 * width)
        self.joint, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, x, c):
        parts = self.modulation(F.silu(c))[:, None].chunk(6, dim=2)
        shift, scale, gate, shift_2, scale_2, gate_2 = parts
        b, length, _ = x.shape
        joint = self.joint(modulated(x, shift, scale)).view(b, length, 3, self.heads, -1)
        read = F.scaled_dot_product_attention(*joint.permute(2, 0, 3, 1, 4))
        x = x + gate * self.mix(read.transpose(1, 2).reshape(x.shape))
        h = F.gelu(self.up(modulated(x, shift_2, scale_2)), approximate="tanh")
        return x + gate_2 * self.down(h)


def modulated(x, shift, scale):
    """A layer norm whose scale and shift are inputs."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


class DiT(nn.Module):
    def __init__(self, channels: int, side: int, classes: int, settings: dict):
        super().__init__()
        width, self.patch = settings["width"], settings["patch"]
        self.grid, pixels = side // self.patch, channels * self.patch**2
        self.patches = nn.Linear(pixels, width)
        self.register_buffer("positions", torch.randn(self.grid**2, width))  # Fixed, not learned.
        self.level = nn.Sequential(nn.Linear(FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        self.labels = nn.Embedding(classes + 1, width)
        self.blocks = nn.ModuleList(
            Block(width, settings["heads"], settings["ratio"]) for _ in range(settings["layers"])
        )
        self.modulation, self.last = nn.Linear(width, 2 * width), nn.Linear(width, pixels)

    def forward(self, x, t, label):
        h = self.patches(F.unfold(x, self.patch, stride=self.patch).transpose(1, 2))
        h = h + self.positions
        c = self.level(sinusoids(t, FEATURES, shift=0, cosines_first=True)) + self.labels(label)
        for block in self.blocks:
            h = block(h, c)
        h = modulated(h, *self.modulation(F.silu(c))[:, None].chunk(2, dim=2))
        h = self.last(h).transpose(1, 2)
        return F.fold(h, x.shape[2:], self.patch, stride=self.patch)


def twin(task: Task) -> Side:
    settings, raw, label = task.settings, task.batch["image"], task.batch["label"].long()
    times, classes = settings["times"], task.values["label"]
    network = DiT(raw.shape[3], raw.shape[1], classes, settings["network"]["dit"])
    alphas = cosine_alphas(times)

    @task.wrap
    def l_simple(raw, label):
        x, t = to_images(raw), torch.randint(times, (len(raw),))
        noise, alpha = torch.randn_like(x), alphas[t][:, None, None, None]
        label = torch.where(torch.rand(len(raw)) < settings["label_dropout"], classes, label)
        predicted = network(alpha.sqrt() * x + (1 - alpha).sqrt() * noise, t + 1.0, label)
        return ((noise - predicted) ** 2).mean()

    player = Player(settings["optimizer"], network, average=settings["average"])
    play = rounds(lambda: player.move(lambda: l_simple(raw, label)))
    return Side(play, len(raw), count(network))
