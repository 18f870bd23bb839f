"""GAN (non-saturating, DCGAN networks) on Fashion-MNIST.

paper: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv 1406.2661; networks of Radford,
  Metz & Chintala 2016, arXiv 1511.06434
command: python launch.py --config=configs/gan_fashion_mnist.py --workdir=runs/gan_fashion_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 10 min 20 s beside another run
metric: fd_classifier_fashion_mnist: Fréchet distance of 5000 samples to 5000 training images on
  the 64 features of a small classifier of the same data (held-out accuracy .91), mean of ten
  random choices of the reals; not FID
departs: Fashion-MNIST and one-sided smoothing; the rest as configs/gan_mnist.py
reference: 0.54, real against real at the same N (mean of ten random splits)
measured: fd 16.6 (31 x real against real)
target: a person recognises the samples; the score recorded
again: python launch.py --workdir=runs/gan_fashion_mnist --mode=evaluate
status: toy

The label of real images is 0.9 (one-sided smoothing).
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/gan_mnist.py:{variant}")
    config.data.name = "fashion_mnist"
    config.tricks.real_label = (0.9, 0.9)
    return config
