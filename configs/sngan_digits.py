"""SNGAN (spectral normalisation, hinge) on the digits of scikit-learn.

paper: Miyato et al. 2018, Spectral Normalization for Generative Adversarial Networks,
  arXiv 1802.05957
command: python launch.py --config=configs/sngan_digits.py --workdir=runs/sngan_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 2 min 39 s (busy machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits, the networks of configs/gan_digits.py (the paper's D has seven convolutions and
  LeakyReLU 0.1), 5,000 rounds, and samples of an averaged G. The hinge, Adam at 2e-4 (0, 0.9), five
  steps of D and G's batches of 2 x 64 are those of the authors' code
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 16.5 (3.7 x real against real); 14.1 with the weights of D divided by
  their norms at the start
target: at most 5 times real against real
again: python launch.py --workdir=runs/sngan_digits --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_digits.py")


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=2e-4, b1=0.0, b2=0.9)
    return derive(
        f"{BASE}:{variant}",
        dict(
            value_function="hinge",
            generator=dict(optimizer=adam, samples=2),
            discriminator=dict(optimizer=adam, normalization="spectral", times=5),
        ),
    )
