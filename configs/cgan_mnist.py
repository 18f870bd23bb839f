"""CGAN (the label enters both players, DCGAN networks) on MNIST.

paper: Mirza & Osindero 2014, Conditional Generative Adversarial Nets, arXiv 1411.1784
command: python launch.py --config=configs/cgan_mnist.py --workdir=runs/cgan_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 8 min 22 s beside another run
metric: agreement: share of 10,000 samples in which a small classifier of the same data finds
  the requested digit
departs: DCGAN networks and Adam, the non-saturating loss with smoothed labels, and samples of an
  averaged G; the paper has perceptrons, D with maxout, and stochastic gradient descent with
  momentum and dropout
reference: none
measured: agreement 0.972 ± 0.002 (classifier's accuracy 0.987); fd 8.7 at N = 5000 (7.3 x real
  against real)
target: agreement at least 0.95
again: python launch.py --workdir=runs/cgan_mnist --mode=evaluate
status: toy

The label of real images is 0.9 (one-sided smoothing).
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_mnist.py")


def get_config(variant=""):
    return derive(
        f"{BASE}:{variant}",
        dict(
            steps=6000,
            conditional=True,
            tricks=dict(real_label=(0.9, 0.9)),
            show=dict(counts=dict(sample=64, classes=8)),
            evaluate=dict(agreement=10_000),
        ),
    )
