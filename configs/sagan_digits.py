"""SAGAN on the digits of scikit-learn, by digit.

paper: Zhang et al. 2019, Self-Attention Generative Adversarial Networks, arXiv 1805.08318
command: python launch.py --config=configs/sagan_digits.py --workdir=runs/sagan_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 4 min 35 s beside other runs
metric: agreement: share of 1,000 samples in which a small classifier of the same data (held-out
  accuracy .97) finds the requested digit; fd_classifier_digits: Fréchet distance of 750 samples to
  750 training images on the 64 features of that classifier, mean of ten random choices of the
  reals; not FID
departs: digits of 8x8; the rest as configs/sagan_fashion.py
reference: 4.48, real against real at the same N (mean of ten random splits); gan_digits has 18.8
measured: agreement 0.997 ± 0.002, fd 3.38: 0.75 times real against real
target: agreement at least 0.95, fd at most 3 times real against real
again: python launch.py --workdir=runs/sagan_digits --mode=evaluate
status: toy

Rates are five times the authors', whose rounds are two hundred times as many. Of 200 samples
the median distance to the nearest training image (the root of the sum of squares, pixels from 0 to
1) is 0.99, of 200 test images 1.02: they are no copies.
"""

from pathlib import Path

from gm_jax.recipes import derive, only

BASE = Path(__file__).with_name("sagan_fashion.py")


def get_config(variant=""):
    only(variant, "smoke")
    few = variant == "smoke"
    return derive(
        f"{BASE}:{variant}",
        dict(
            data=dict(name="digits"),
            show=dict(every=1000),
            evaluate=dict(agreement=32 if few else 1000, score=32 if few else 750),
        ),
    )
