"""LSGAN on the digits of scikit-learn.

paper: Mao et al. 2017, Least Squares Generative Adversarial Networks, arXiv 1611.04076
command: python launch.py --config=configs/lsgan_digits.py --workdir=runs/lsgan_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 37 s
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits, the networks, rates (Adam 2e-4) and 64 latents of configs/gan_digits.py, and
  samples of an averaged G; the authors have LSUN at 112x112, Adam at 1e-3 and 1,024 latents
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 18.7 (4.2 x real against real)
target: at most 5 times real against real
again: python launch.py --workdir=runs/lsgan_digits --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_digits.py")


def get_config(variant=""):
    return derive(
        f"{BASE}:{variant}",
        dict(
            value_function="least_squares",
        ),
    )
