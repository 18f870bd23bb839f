"""Improved DDPM on the digits of scikit-learn: a learned variance, L_hybrid.

paper: Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, arXiv 2102.09672
command: python launch.py --config=configs/improved_ddpm_digits.py --workdir=runs/improved
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: 3 min 13 s of training (shared machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits (the paper: CIFAR-10 and ImageNet), a network without attention
  and of 32 channels, the rounds and averages of configs/ddpm_digits.py
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 5.14 (1.1 x real against real)
target: at most 3 times real against real
again: python launch.py --workdir=runs/improved --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/ddpm_digits.py:{variant}")
    config.objective = "hybrid"
    config.sampler.variance = "learned"
    return config
