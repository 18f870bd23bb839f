"""Texts drawn symbol by symbol through a cache of keys and values, as configs/gpt's network."""

import torch
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Task, count
from benchmarks.all.twins.gpt import Transformer


def stepped(block, x, cache, position):
    """A block on one position [B, 1, width], and its keys and values up to there."""
    b, _, width = x.shape
    joint = block.joint(block.attention_norm(x)).view(b, 1, 3, block.heads, -1)
    q, k, v = joint.permute(2, 0, 3, 1, 4)
    cache[0][:, :, position : position + 1], cache[1][:, :, position : position + 1] = k, v
    seen = (part[:, :, : position + 1] for part in cache)
    read = F.scaled_dot_product_attention(q, *seen)
    x = x + block.mix(read.transpose(1, 2).reshape(b, 1, width))
    return x + block.down(F.gelu(block.up(block.mlp_norm(x))))


def twin(task: Task) -> Side:
    own, texts = task.settings["network"], task.settings["texts"]
    network = Transformer(own["symbols"], own["length"], own)
    step = task.wrap(stepped)

    @torch.inference_mode()
    def draw():
        shape = texts, own["heads"], own["length"], own["width"] // own["heads"]
        caches = [[torch.zeros(shape), torch.zeros(shape)] for _ in network.blocks]
        h, drawn = network.start(torch.zeros(texts, 1, dtype=torch.long)), []
        for position in range(own["length"]):
            h = h + network.positions[position]
            for block, cache in zip(network.blocks, caches, strict=True):
                h = step(block, h, cache, position)
            logits = (network.norm(h) @ network.tokens.weight.T)[:, 0]
            drawn.append(torch.multinomial(logits.softmax(-1), 1))
            h = network.tokens(drawn[-1])
        return torch.cat(drawn, dim=1)

    def play(number: int) -> None:
        for _ in range(number):
            draw()

    return Side(play, texts, count(network))
