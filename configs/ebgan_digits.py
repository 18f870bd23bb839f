"""EBGAN with the pulling-away term on the digits of scikit-learn.

paper: Zhao, Mathieu & LeCun 2017, Energy-based Generative Adversarial Network, arXiv 1609.03126
command: python launch.py --config=configs/ebgan_digits.py --workdir=runs/ebgan_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 32 s
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID; share of
  fakes within the margin in metrics.jsonl
departs: images of 8x8 pixels, convolutional networks of 16 channels and a margin of 0.1 (the
  paper's is 20 on faces of 64x64); the energy is the mean of squares where eq. 3 has the norm;
  samples of an averaged G. The weight of the pulling-away term is the paper's
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 31.2 (7.0 x real against real)
target: at most 10 times real against real
again: python launch.py --workdir=runs/ebgan_digits --mode=evaluate
status: toy

With a stronger discriminator (width 64, Adam 1e-3, margin 0.3) all fakes exceed the margin and the
samples collapse to a few digits (fd 775 after 5000 steps). Longer training at these settings loses
modes slowly (6000 steps: fd 46.8).
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_digits.py")


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return derive(
        f"{BASE}:{variant}",
        dict(
            system="ebgan",
            steps=2500,
            code=16,
            margin=0.1,
            pulling_away=0.1,
            generator=dict(optimizer=adam),
            discriminator=dict(width=16, optimizer=adam),
        ),
    )
