"""InfoGAN on MNIST: a ten-way code and two continuous ones.

paper: Chen et al. 2016, InfoGAN, arXiv 1606.03657
command: python launch.py --config=configs/infogan_mnist.py --workdir=runs/infogan_mnist
hardware: 2 CPU cores (AMD EPYC), float32
time: 27 min (shared machine, interrupted; 14.6 rounds a second on a quiet one)
metric: clustering_accuracy: share of the 10,000 test images whose category under Q, matched one to
  one with the digits, is their digit
departs: half the channels, normal noise (the authors' code: uniform), Q with one linear layer (the
  paper: a hidden layer of 128 before it), 6,000 rounds of 64, and samples of an averaged G. The 62
  numbers of noise, the codes, lambda and both rates are the paper's
reference: 0.95 (the paper's: 5 % error when the category matches digits)
measured: clustering_accuracy 0.777; fd 11.3 at N = 5000 (9.2 x real against real)
target: the category recovers the digit; the accuracy recorded
again: python launch.py --workdir=runs/infogan_mnist --mode=evaluate
status: toy

The categories are 0, 1, 2, 3, 6 and 7, two that mix 5 and 8, and two that mix 4 and 9; the
continuous codes are slant and width. With D's and Q's heads directly on the convolutions
(networks=dcgan) the codes are strokes: clustering_accuracy 0.37.
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_mnist.py")


def get_config(variant=""):
    return derive(
        f"{BASE}:{variant}",
        dict(
            system="infogan",
            steps=6000,
            networks="dense_dcgan",
            latents=62,
            codes=dict(categories=10, continuous=2),
            information=1.0,
            generator=dict(optimizer=dict(name="adam", learning_rate=1e-3, b1=0.5)),
            show=dict(counts=dict(sample=64, interpolation=0, categories=8, sweep=8)),
            evaluate=dict(clustering=10_000),
        ),
    )
