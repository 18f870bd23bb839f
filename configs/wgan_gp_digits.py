"""WGAN-GP on the digits of scikit-learn.

paper: Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv 1704.00028
command: python launch.py --config=configs/wgan_gp_digits.py --workdir=runs/wgan_gp_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 65 s
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits, the networks of configs/gan_digits.py without normalisation in D, 64 latents, and
  samples of an averaged G. Weight of the penalty, Adam and five steps of D are those of algorithm 1
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 16.8 (3.8 x real against real)
target: at most 5 times real against real
again: python launch.py --workdir=runs/wgan_gp_digits --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_digits.py")


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=1e-4, b1=0.0, b2=0.9)
    return derive(
        f"{BASE}:{variant}",
        dict(
            value_function="wasserstein",
            penalty=dict(name="wgan_gp", weight=10.0),
            generator=dict(optimizer=adam),
            discriminator=dict(optimizer=adam, times=5, normalization="none"),
        ),
    )
