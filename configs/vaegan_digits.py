"""VAE-GAN on the digits of scikit-learn.

paper: Larsen et al. 2016, Autoencoding beyond pixels using a learned similarity metric,
  arXiv 1512.09300
command: python launch.py --config=configs/vaegan_digits.py --workdir=runs/vaegan_digits
hardware: 2 CPU cores (AMD EPYC), of which it had one, float32
time: 3 min 46 s, beside other work
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 17.4 (3.9 x real against real); 18.2 with the statistics of reconstructions
target: at most 5 times real against real
again: python launch.py --workdir=runs/vaegan_digits --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_digits.py")


def get_config(variant=""):
    return derive(
        f"{BASE}:{variant}",
        dict(
            system="vaegan",
            gamma=0.01,
            encoder=dict(width=32),
            show=dict(counts=dict(sample=64, reconstruct=32)),
        ),
    )
