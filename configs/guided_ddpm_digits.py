"""DDPM on the digits of scikit-learn, by class, with classifier-free guidance.

paper: Ho & Salimans 2022, Classifier-Free Diffusion Guidance, arXiv 2207.12598
command: python launch.py --config=configs/guided_ddpm_digits.py --workdir=runs/guided_ddpm_digits
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: 5 min 9 s of training (shared machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits (the paper: ImageNet); the network, rounds and averages of configs/ddpm_digits.py
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 7.20 (1.6 x real against real), guidance 0.5
target: at most 3 times real against real
again: python launch.py --workdir=runs/guided_ddpm_digits --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/ddpm_digits.py:{variant}")
    config.conditional, config.label_dropout = True, 0.1
    config.sampler.guidance = 0.5
    config.show.counts.guidance = 10
    return config
