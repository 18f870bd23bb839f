"""BiGAN on MNIST: a generator, and an encoder that inverts it.

paper: Donahue, Krahenbuhl & Darrell 2017, Adversarial Feature Learning, arXiv 1605.09782
command: python launch.py --config=configs/bigan_mnist.py --workdir=runs/bigan_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 26 min (shared machine)
metric: preserved: share of the 10,000 test images in whose reconstruction G(E(x)) a small
  classifier (held-out accuracy .988) finds the digit of the image, chance .1;
  fd_classifier_mnist: Fréchet distance of 5000 samples to 5000 training images on the classifier's
  64 features, mean of ten random choices of the reals; not FID
departs: convolutional networks, normal latents, no weight decay, and averaged G and E; the
  paper's networks for MNIST are perceptrons, its latents uniform. Their number of 50 and Adam at
  2e-4 with beta1 0.5 are the paper's
reference: real against real, at the same N: fd 1.22 (mean of ten random splits)
measured: preserved 0.803 ± 0.004; fd 51.0 (42 x real against real)
target: preserved at least 0.8; the score recorded
again: python launch.py --workdir=runs/bigan_mnist --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_mnist.py")


def get_config(variant=""):
    return derive(
        f"{BASE}:{variant}",
        dict(
            system="bigan",
            stochastic=False,
            latents=50,
            encoder=dict(width=32),
            show=dict(counts=dict(sample=64, reconstruct=32)),
            evaluate=dict(preserved=10_000),
        ),
    )
