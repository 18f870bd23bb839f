"""The DDPM of configs/ddpm_mnist.py: L_simple."""

import itertools
import math

import torch

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds, to_images
from benchmarks.all.twins.unet import SelfAttention, UNet


def cosine_alphas(times: int) -> torch.Tensor:
    """abar_t for t = 1 .. T. Nichol & Dhariwal 2021, eq. 17."""
    f = [math.cos((t / times + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(times + 1)]
    betas = [min(1 - b / a, 0.999) for a, b in itertools.pairwise(f)]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), 0).float()


def twin(task: Task) -> Side:
    settings, batch = task.settings, task.batch
    raw, times = batch["image"], settings["times"]
    own, (_, side, _, channels) = settings["network"], raw.shape

    def attention(features, depth):
        here = depth is None or -(-side // 2**depth) in own["attention"]
        return SelfAttention(features) if here else None

    network = UNet(channels, own["width"], own["multipliers"], own["blocks"], attention)
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
