"""WGAN (clipped weights, five critic steps) on the digits of scikit-learn.

paper: Arjovsky, Chintala & Bottou 2017, Wasserstein GAN, arXiv 1701.07875
command: python launch.py --config=configs/wgan_digits.py --workdir=runs/wgan_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 2 min 29 s (shared machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits, the networks of configs/gan_digits.py without batch normalisation in D, 64 latents,
  and samples of an averaged G; the paper has LSUN and DCGAN's critic. Rates, clipping, five steps
  of D and the hundred at the start and every 500 rounds are those of paper and authors' code
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 18.5 (4.1 x real against real)
target: at most 5 times real against real
again: python launch.py --workdir=runs/wgan_digits --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_digits.py")


def get_config(variant=""):
    # As in the authors' framework: eps is added beside the root, not under it.
    rmsprop = dict(name="rmsprop", learning_rate=5e-5, decay=0.99, eps_in_sqrt=False)
    return derive(
        f"{BASE}:{variant}",
        dict(
            steps=15_000,
            value_function="wasserstein",
            generator=dict(optimizer=rmsprop),
            discriminator=dict(
                normalization="none",
                optimizer=dict(**rmsprop, clip_weights=0.01), times=5,
                often=dict(times=100, first=25, every=500),
            ),
        ),
    )  # fmt: skip
