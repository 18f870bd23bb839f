"""VAE-GAN on the digits of scikit-learn.

paper: Larsen et al. 2016, Autoencoding beyond pixels using a learned similarity metric,
  arXiv 1512.09300
command: python launch.py --config=configs/vaegan_digits.py --workdir=runs/vaegan_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 3 min 46 s (shared machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits, the networks of configs/gan_digits.py, 64 latents, Adam at 2e-4, and averaged
  encoder and decoder; the paper has faces of 64x64 and RMSProp at 3e-4. Gamma, 0.01, is our
  choice
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
