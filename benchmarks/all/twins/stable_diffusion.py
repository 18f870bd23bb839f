"""A guided step of Stable Diffusion 1's U-Net: the network on two contexts at once, and DDIM."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Task, count
from benchmarks.all.twins.unet import UNet, norm


class Attention(nn.Module):
    def __init__(self, features: int, context: int, heads: int):
        super().__init__()
        self.q = nn.Linear(features, features, bias=False)
        self.k, self.v = (nn.Linear(context, features, bias=False) for _ in range(2))
        self.out, self.heads = nn.Linear(features, features), heads

    def forward(self, x, context):
        q, k, v = (
            y.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for y in (self.q(x), self.k(context), self.v(context))
        )
        read = F.scaled_dot_product_attention(q, k, v)
        return self.out(read.transpose(1, 2).flatten(2))


class SpatialTransformer(nn.Module):
    def __init__(self, features: int, context: int, heads: int, groups: int):
        super().__init__()
        self.norm = norm(features, groups)
        self.enter, self.leave = (nn.Linear(features, features) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(features) for _ in range(3))
        self.own = Attention(features, features, heads)
        self.cross = Attention(features, context, heads)
        self.up, self.down = nn.Linear(features, 8 * features), nn.Linear(4 * features, features)

    def forward(self, x, context):
        h = self.enter(self.norm(x).flatten(2).transpose(1, 2))
        own, cross, gated = self.norms
        y = own(h)
        h = h + self.own(y, y)
        h = h + self.cross(cross(h), context)
        values, gate = self.up(gated(h)).chunk(2, dim=2)
        h = h + self.down(values * F.gelu(gate))
        return x + self.leave(h).transpose(1, 2).reshape(x.shape)


def twin(task: Task) -> Side:
    own, batch = task.settings, task.batch
    widths, context = own["block_out_channels"], batch["context"]
    groups = own["norm_num_groups"]
    multipliers = [width / widths[0] for width in widths]

    def attention(features, depth):
        if depth is not None and depth == len(widths) - 1:
            return None
        return SpatialTransformer(features, context.shape[2], own["attention_head_dim"], groups)

    network = UNet(
        4, widths[0], multipliers, own["layers_per_block"], attention, symmetric=True,
        of_norm=(groups, 1e-5), of_time=(0, True),
    )  # fmt: skip
    network = task.wrap(network)
    start = batch["latents"].permute(0, 3, 1, 2).contiguous()

    time, alpha = torch.full((2,), 980.0), torch.tensor(0.006)

    @torch.inference_mode()
    def play(number: int) -> None:
        for _ in range(number):
            negative, output = network(torch.cat([start, start]), time, context).chunk(2)
            output = negative + own["scale"] * (output - negative)
            (start - (1 - alpha).sqrt() * output) / alpha.sqrt()

    return Side(play, len(start), count(network))
