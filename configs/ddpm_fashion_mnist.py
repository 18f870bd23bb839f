"""DDPM on Fashion-MNIST.

paper: Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv 2006.11239
command: python launch.py --config=configs/ddpm_fashion_mnist.py --workdir=runs/ddpm_fashion_mnist
hardware: 2 CPU cores (AMD EPYC), float32, shared with other work
time: not measured yet
metric: as evaluate.score and evaluate.counts say
reference: none yet
measured: not yet
target: not set yet
again: python launch.py --workdir=runs/ddpm_fashion_mnist --mode=evaluate
status: unverified
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/ddpm_mnist.py:{variant}")
    config.data.name = "fashion_mnist"
    return config
