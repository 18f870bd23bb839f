"""The VQ-VAE of configs/vqvae_mnist.py, whose codes are moving averages."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds, to_images


class Residual(nn.Module):
    def __init__(self, features: int, blocks: int):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), nn.Conv2d(features, features, 3, padding=1),
                nn.ReLU(), nn.Conv2d(features, features, 1),
            )
            for _ in range(blocks)
        )  # fmt: skip

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return F.relu(x)


def encoder(channels: int, widths: list[int], blocks: int, code: int) -> nn.Sequential:
    layers, features = [], channels
    for number, width in enumerate(widths):
        layers += [nn.ReLU()] if number else []
        layers.append(nn.Conv2d(features, width, 4, 2, 1))
        features = width
    return nn.Sequential(*layers, Residual(features, blocks), nn.Conv2d(features, code, 1))


def decoder(channels: int, widths: list[int], blocks: int, code: int) -> nn.Sequential:
    layers, features = [nn.Conv2d(code, widths[-1], 3, padding=1)], widths[-1]
    layers.append(Residual(features, blocks))
    for number, width in enumerate([*widths[-2::-1], channels]):
        layers += [nn.ReLU()] if number else []
        layers.append(nn.ConvTranspose2d(features, width, 4, 2, 1))
        features = width
    return nn.Sequential(*layers)


class Codebook:
    """Codes [K, D] that follow the vectors assigned to them."""

    def __init__(self, settings: dict):
        self.vectors = torch.randn(settings["count"], settings["width"])
        self.counts, self.sums = torch.ones(settings["count"]), self.vectors.clone()
        self.own = settings["averaged"]

    def nearest(self, z):
        """The indices [N] of vectors z [N, D]."""
        return (self.vectors.square().sum(1) - 2 * z @ self.vectors.T).argmin(1)

    @torch.no_grad()
    def follow(self, z, indices):
        """The codes after a batch."""
        decay, epsilon = self.own["decay"], self.own["epsilon"]
        number = torch.bincount(indices, minlength=len(self.vectors)).float()
        total = torch.zeros_like(self.sums).index_add_(0, indices, z)
        self.counts = decay * self.counts + (1 - decay) * number
        self.sums = decay * self.sums + (1 - decay) * total
        everything = self.counts.sum()
        smoothed = (self.counts + epsilon) / (everything + len(number) * epsilon) * everything
        fresh = z[torch.randint(len(z), (len(self.vectors),))]
        dead = (self.counts < self.own["revive_below"])[:, None]
        self.vectors = torch.where(dead, fresh, self.sums / smoothed[:, None])
        self.sums = torch.where(dead, fresh, self.sums)
        self.counts = torch.where(dead[:, 0], 1.0, self.counts)


def twin(task: Task) -> Side:
    settings, raw = task.settings, task.batch["image"]
    widths, blocks = settings["network"]["widths"], settings["network"]["blocks"]
    own = raw.shape[3], widths, blocks, settings["quantizer"]["width"]
    encode, decode, codebook = encoder(*own), decoder(*own), Codebook(settings["quantizer"])
    encode, decode = task.wrap(encode), task.wrap(decode)

    def negative_bound(raw):
        x = to_images(raw, settings["data"]["binarize"])
        z = encode(x).permute(0, 2, 3, 1)
        flat = z.reshape(-1, z.shape[3])
        indices = codebook.nearest(flat.detach())
        code = codebook.vectors[indices].view(z.shape)
        commitment = (z - code).square().sum((1, 2, 3))
        passed = z + (code - z).detach()
        logits = decode(passed.permute(0, 3, 1, 2))
        nats = F.binary_cross_entropy_with_logits(logits, (x > 0).float(), reduction="none")
        codebook.follow(flat.detach(), indices)
        return (nats.sum((1, 2, 3)) + settings["quantizer"]["beta"] * commitment).mean()

    player = Player(settings["optimizer"], encode, decode, average=settings["average"])
    play = rounds(lambda: player.move(lambda: negative_bound(raw)))
    return Side(play, len(raw), count(encode, decode))
