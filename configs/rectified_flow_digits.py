"""Rectified flow on the digits of scikit-learn: straight paths from noise to data.

paper: Liu, Gong & Liu 2022, Flow Straight and Fast, arXiv 2209.03003
command: python launch.py --config=configs/rectified_flow_digits.py --workdir=runs/flow
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: 4 min 25 s of training (shared machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits (the paper: CIFAR-10 and larger images), one flow and no reflow; the network, rounds
  and averages of configs/ddpm_digits.py
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 6.66 (1.5 x real against real)
target: at most 3 times real against real
again: python launch.py --workdir=runs/flow --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/ddpm_digits.py:{variant}")
    config.schedule, config.prediction = "flow", "velocity"
    config.sampler.name, config.sampler.clip = "euler", False
    return config
