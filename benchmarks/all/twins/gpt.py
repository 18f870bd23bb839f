"""The GPT of configs/gpt_tinyshakespeare.py."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds


class Block(nn.Module):
    def __init__(self, width: int, heads: int, bias: bool):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.mlp_norm = (nn.LayerNorm(width, bias=bias) for _ in range(2))
        self.joint = nn.Linear(width, 3 * width, bias=bias)
        self.mix = nn.Linear(width, width, bias=bias)
        self.up = nn.Linear(width, 4 * width, bias=bias)
        self.down = nn.Linear(4 * width, width, bias=bias)

    def forward(self, x):
        b, length, _ = x.shape
        joint = self.joint(self.attention_norm(x)).view(b, length, 3, self.heads, -1)
        read = F.scaled_dot_product_attention(*joint.permute(2, 0, 3, 1, 4), is_causal=True)
        x = x + self.mix(read.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.mlp_norm(x))))


class Transformer(nn.Module):
    def __init__(self, symbols: int, length: int, settings: dict):
        super().__init__()
        width, bias = settings["width"], settings["bias"]
        self.tokens, self.start = nn.Embedding(symbols, width), nn.Embedding(1, width)
        self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.Sequential(
            *(Block(width, settings["heads"], bias) for _ in range(settings["layers"]))
        )
        self.norm = nn.LayerNorm(width, bias=bias)

    def forward(self, text):
        start = self.start(torch.zeros(len(text), 1, dtype=torch.long))
        h = torch.cat([start, self.tokens(text[:, :-1])], dim=1) + self.positions
        return self.norm(self.blocks(h)) @ self.tokens.weight.T


def twin(task: Task) -> Side:
    settings, batch = task.settings, task.batch
    text, weight = batch["text"].long(), batch["weight"]
    network = Transformer(task.values["text"], text.shape[1], settings["network"])

    @task.wrap
    def nats(text, weight):
        each = F.cross_entropy(network(text).transpose(1, 2), text, reduction="none")
        return (each * weight).sum(1).mean()

    player = Player(settings["optimizer"], network, average=settings["average"])
    play = rounds(lambda: player.move(lambda: nats(text, weight)))
    return Side(play, len(text), count(network))
