"""ACGAN on MNIST.

paper: Odena, Olah & Shlens 2017, Conditional Image Synthesis with Auxiliary Classifier GANs,
  arXiv 1610.09585
command: python launch.py --config=configs/acgan_mnist.py --workdir=runs/acgan_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 6 min 47 s beside other runs
metric: agreement: share of 10,000 samples in which a small classifier of the same data finds
  the requested digit
departs: MNIST and the DCGAN networks of configs/gan_mnist.py, without dropout in D, batches of 64,
  and samples of an averaged G; the paper has ImageNet and CIFAR-10, dropout in D and batches of
  100. Adam at 2e-4 with beta1 0.5 is one of the paper's settings
reference: none
measured: agreement 0.956 ± 0.002 (classifier's accuracy 0.987); fd 21.2 at N = 5000 (18 x real
  against real)
target: agreement at least 0.95
again: python launch.py --workdir=runs/acgan_mnist --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_mnist.py")


def get_config(variant=""):
    return derive(
        f"{BASE}:{variant}",
        dict(
            system="acgan",
            steps=6000,
            show=dict(counts=dict(sample=64, classes=8)),
            evaluate=dict(agreement=10_000),
        ),
    )
