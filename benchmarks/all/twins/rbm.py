"""The RBM of configs/rbm_mnist.py: persistent chains."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds


class Machine(nn.Module):
    def __init__(self, visible: int, hidden: int):
        super().__init__()
        self.w = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.b, self.c = (nn.Parameter(torch.zeros(n)) for n in (visible, hidden))

    def free_energy(self, v):
        return -v @ self.b - F.softplus(v @ self.w + self.c).sum(1)

    @torch.no_grad()
    def sweep(self, v):
        h = torch.bernoulli(torch.sigmoid(v @ self.w + self.c))
        return torch.bernoulli(torch.sigmoid(h @ self.w.T + self.b))


def twin(task: Task) -> Side:
    settings, raw = task.settings, task.batch["image"]
    machine = Machine(raw[0].numel(), settings["hidden"])
    chain = torch.bernoulli(torch.full((settings["negatives"]["chains"], raw[0].numel()), 0.5))
    # Binarised once, by a draw of the grey values.
    black_and_white = torch.bernoulli(raw.float() / 255)

    @task.wrap
    def contrast(v, fantasy):
        return machine.free_energy(v).mean() - machine.free_energy(fantasy).mean()

    def loss():
        nonlocal chain
        for _ in range(settings["negatives"]["steps"]):
            chain = machine.sweep(chain)
        return contrast(black_and_white.flatten(1), chain)

    player = Player(settings["optimizer"], machine)
    return Side(rounds(lambda: player.move(loss)), len(raw), count(machine))
