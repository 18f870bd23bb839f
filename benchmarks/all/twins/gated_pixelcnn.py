"""The gated PixelCNN of configs/gated_pixelcnn_mnist.py: two stacks, black and white."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds, to_images


def gate(x):
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class Layer(nn.Module):
    """A layer of both stacks: (vertical, horizontal) to the same."""

    def __init__(self, before: int, width: int, size: int, first: bool):
        super().__init__()
        self.half, self.first = size // 2, first
        self.down = nn.Conv2d(before, 2 * width, (self.half + 1, size))
        self.along = nn.Conv2d(before, 2 * width, (1, self.half + 1))
        self.across, self.mix = nn.Conv2d(2 * width, 2 * width, 1), nn.Conv2d(width, width, 1)
        mask = torch.ones_like(self.along.weight)
        mask[..., -1] = 0.0 if first else 1.0  # Mask A hides the pixel itself.
        self.register_buffer("mask", mask)

    def forward(self, vertical, horizontal):
        half = self.half
        above = self.down(F.pad(vertical, (half, half, half, 0)))
        along = F.conv2d(
            F.pad(horizontal, (half, 0)), self.along.weight * self.mask, self.along.bias
        )
        along = along + self.across(F.pad(above, (0, 0, 1, 0))[:, :, :-1])
        y = self.mix(gate(along))
        return gate(above), y if self.first else horizontal + y


class GatedPixelCNN(nn.Module):
    def __init__(self, levels: int, settings: dict):
        super().__init__()
        width, size = settings["width"], settings["size"]
        rest = (Layer(width, width, size, False) for _ in range(settings["layers"]))
        self.layers = nn.ModuleList([Layer(1, width, settings["first_size"], True), *rest])
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, settings["head"], 1),
            nn.ReLU(), nn.Conv2d(settings["head"], levels, 1),
        )  # fmt: skip

    def forward(self, x):
        vertical = horizontal = x
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal)
        return self.head(horizontal)


def twin(task: Task) -> Side:
    settings, raw = task.settings, task.batch["image"]
    network = GatedPixelCNN(2, settings["network"])

    @task.wrap
    def nats(raw):
        x = to_images(raw, settings["data"]["binarize"])
        symbols = (x[:, 0] > 0).long()
        return F.cross_entropy(network(x), symbols, reduction="none").sum((1, 2)).mean()

    player = Player(settings["optimizer"], network, average=settings["average"])
    play = rounds(lambda: player.move(lambda: nats(raw)))
    return Side(play, len(raw), count(network))
