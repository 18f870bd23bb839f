"""WGAN (clipped weights, five critic steps) on the digits of scikit-learn.

paper: Arjovsky, Chintala & Bottou 2017, Wasserstein GAN, arXiv 1701.07875
command: python launch.py --config=configs/wgan_digits.py --workdir=runs/wgan_digits
hardware: 2 CPU cores (AMD EPYC), of which it had one, float32
time: 2 min 29 s, beside other work
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
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
    # As the authors' framework has it: a root of small squares is not lifted by eps.
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
