"""Denoising autoencoder on MNIST in grey, a quarter of the pixels masked.

paper: Vincent et al. 2008, Extracting and Composing Robust Features with Denoising Autoencoders,
  ICML; Vincent et al. 2010, JMLR 11
command: python launch.py --config=configs/dae_mnist.py --workdir=runs/dae_mnist
hardware: 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: mean squared error of the outputs for spoiled images (denoising_error), beside that of the
  spoiled images themselves (spoiled_error), all 10,000 test images, pixels in [-1, 1]
reference: none published for this setting
measured: not yet
target: a denoising_error below a tenth of the spoiled_error
again: python launch.py --workdir=runs/dae_mnist --mode=evaluate
status: unverified
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/ae_mnist.py:{variant}")
    config.corruption.update(name="masking", amount=0.25)
    config.show.counts.denoise = 32
    return config
