"""EDM on the digits of scikit-learn: a denoiser of preconditioned inputs and outputs.

paper: Karras, Aittala, Aila & Laine 2022, Elucidating the Design Space of Diffusion-Based
  Generative Models, arXiv 2206.00364
command: python launch.py --config=configs/edm_digits.py --workdir=runs/edm_digits
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: 4 min 40 s of training (shared machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits (the paper: CIFAR-10 and larger images), sigma_data 0.75 (0.5), no augmentation; the
  network, rounds and averages of configs/ddpm_digits.py
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 5.79 (1.3 x real against real)
target: at most 3 times real against real
again: python launch.py --workdir=runs/edm_digits --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/ddpm_digits.py:{variant}")
    config.schedule, config.prediction, config.preconditioning = "edm", "x0", "edm"
    config.weighting.name, config.weighting.sigma_data = "edm", 0.75
    config.sampler.name, config.sampler.spacing, config.sampler.clip = "heun", "karras", False
    config.sampler.steps = min(config.sampler.steps, 18)  # 35 evaluations.
    return config
