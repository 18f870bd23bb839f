"""BEGAN on the digits of scikit-learn.

paper: Berthelot, Schumm & Metz 2017, BEGAN, arXiv 1703.10717
command: python launch.py --config=configs/began_digits.py --workdir=runs/began_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 2 min 29 s (shared machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID; k and the
  measure of convergence in metrics.jsonl
departs: a gamma of 1 (the paper: 0.3 to 0.7), a lambda_k of 0.01 (0.001), 16 latents (64), a
  constant rate (the paper halves it when M stalls), a DCGAN generator with batch normalisation
  where the paper's has the decoder's layers, and samples of an averaged G. U(-1, 1) and batches of
  16 are the paper's
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 46.2 (10.3 x real against real); k between 0.001 and 0.64
target: k in [0, 1]; at most 15 times real against real
again: python launch.py --workdir=runs/began_digits --mode=evaluate
status: toy

With the paper's gamma of 0.5 all samples are one digit, whose error is half that of the data (fd
878 after 20,000 steps, a code of 16, k at 0). Longer training loses modes (8,000 steps: fd 285).
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_digits.py")


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=1e-4, b1=0.5)
    return derive(
        f"{BASE}:{variant}",
        dict(
            system="began",
            batch_size=16,
            steps=3000,
            prior="uniform",
            latents=16,
            code=32,
            gamma=1.0,
            balance_rate=0.01,
            generator=dict(optimizer=adam),
            discriminator=dict(optimizer=adam),
        ),
    )
