"""DDPM on Fashion-MNIST.

paper: Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv 2006.11239
command: python launch.py --config=configs/ddpm_fashion_mnist.py --workdir=runs/ddpm_fashion_mnist
hardware: 2 CPU cores (AMD EPYC), float32
time: about 35 min (shared machine, interrupted)
metric: fd_classifier_fashion_mnist: Fréchet distance of 1000 samples to 1000 training images on
  the 64 features of a small classifier of the same data (held-out accuracy .91), mean of ten
  random choices of the reals; not FID
departs: Fashion-MNIST; the rest as configs/ddpm_mnist.py
reference: 3.09, real against real at the same N (mean of ten random splits)
measured: fd 12.8 (4.1 x real against real)
target: a person recognises the samples; the score recorded
again: python launch.py --workdir=runs/ddpm_fashion_mnist --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/ddpm_mnist.py:{variant}")
    config.data.name = "fashion_mnist"
    return config
