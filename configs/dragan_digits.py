"""DRAGAN on the digits of scikit-learn.

paper: Kodali et al. 2017, On Convergence and Stability of GANs, arXiv 1705.07215
command: python launch.py --config=configs/dragan_digits.py --workdir=runs/dragan_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 77 s
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: the networks of configs/gan_digits.py, without normalisation in D, and samples of an
  averaged G. The penalty's noise and weight are those of the authors' code; Adam at 1e-4 (0.5,
  0.9) is our choice
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 17.8 (4.0 x real against real)
target: at most 5 times real against real
again: python launch.py --workdir=runs/dragan_digits --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_digits.py")


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    return derive(
        f"{BASE}:{variant}",
        dict(
            steps=15_000,
            penalty=dict(name="dragan", weight=10.0),
            generator=dict(optimizer=adam),
            discriminator=dict(optimizer=adam, normalization="none"),
        ),
    )
