"""GAN on stacked MNIST: 1,000 modes.

paper: Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv 1611.02163, section 3.3.1
  (the data and the measure)
command: python launch.py --config=configs/gan_stacked_mnist.py --workdir=runs/gan_stacked_mnist
hardware: not yet
time: not yet
metric: modes seen by a classifier of MNIST, of 1,000, and KL(samples || uniform) over them, 26,000
  samples; D has a quarter of G's width
reference: 30.6 modes, KL 5.99 (the paper's DCGAN at D = 1/4 G)
measured: not yet
target: the modes found are recorded, whatever they are
again: python launch.py --workdir=runs/gan_stacked_mnist --mode=evaluate
status: unverified
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_mnist.py")


def get_config(variant=""):
    return derive(
        f"{BASE}:{variant}",
        dict(
            data=dict(name="stacked", base="mnist"),
            discriminator=dict(width=8),
            evaluate=dict(modes=26_000, score=0),
        ),
    )
