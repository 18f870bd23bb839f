"""The VAE of configs/vae_mnist.py."""

import torch
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, dense_chain, rounds, to_images


def twin(task: Task) -> Side:
    settings, batch = task.settings, task.batch
    raw, widths, latents = batch["image"], settings["network"]["widths"], settings["latents"]
    pixels = raw[0].numel()
    encoder = dense_chain([pixels, *widths, 2 * latents])
    decoder = dense_chain([latents, *widths, pixels])

    @task.wrap
    def negative_bound(raw):
        x = to_images(raw, settings["data"]["binarize"]).flatten(1)
        mean, log_variance = encoder(x).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        logits = decoder(z)
        nats = F.binary_cross_entropy_with_logits(logits, (x > 0).float(), reduction="none").sum(1)
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        return (nats + settings["beta"] * kl).mean()

    player = Player(settings["optimizer"], encoder, decoder, average=settings["average"])
    play = rounds(lambda: player.move(lambda: negative_bound(raw)))
    return Side(play, len(raw), count(encoder, decoder))
