"""CoGAN on MNIST and the outlines of other MNIST digits.

paper: Liu & Tuzel 2016, Coupled Generative Adversarial Networks, arXiv 1606.07536
command: python launch.py --config=configs/cogan_mnist.py --workdir=runs/cogan_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 56 min (shared machine)
metric: agreement: share of 10,000 generated pairs in which a classifier of the digits and one of
  the outlines find the same digit; 0.1 by chance
departs: 6,000 rounds of 64 (the paper: 25,000 of 128), Adam at 1e-3 for G (2e-4), DCGAN networks
  with a dense layer, and samples of an averaged G
reference: none
measured: agreement 0.871 ± 0.003 (classifiers' accuracy on held-out images 0.986 and better);
  0.592 with convolutions alone (networks=dcgan) and both players at 2e-4
target: pairs that correspond: agreement at least 0.8
again: python launch.py --workdir=runs/cogan_mnist --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("gan_mnist.py")


def get_config(variant=""):
    return derive(
        f"{BASE}:{variant}",
        dict(
            system="cogan",
            steps=6000,
            networks="dense_dcgan",
            generator=dict(optimizer=dict(name="adam", learning_rate=1e-3, b1=0.5)),
            data=dict(name="two_domains", base="mnist"),
            show=dict(counts=dict(sample=64, interpolation=0, pairs=32)),
            evaluate=dict(agreement=10_000, score=0),
        ),
    )
