"""The Fréchet distance as torchmetrics has it: by the eigenvalues of the covariances' product."""

import torch

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Task


def twin(task: Task) -> Side:
    mean_a, covariance_a, mean_b, covariance_b = task.batch.values()

    @task.wrap
    def distance():
        roots = torch.linalg.eigvals(covariance_a @ covariance_b).sqrt().real.sum()
        traces = covariance_a.trace() + covariance_b.trace()
        return (mean_a - mean_b).square().sum() + traces - 2 * roots

    def play(number: int) -> None:
        for _ in range(number):
            distance()

    return Side(play, 1, 0)
