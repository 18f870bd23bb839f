"""Denoising autoencoder with a grid of codes on MNIST in grey, a quarter of the pixels masked.

paper: Vincent et al. 2008, Extracting and Composing Robust Features with Denoising Autoencoders,
  ICML; Vincent et al. 2010, JMLR 11
command: python launch.py --config=configs/dae_mnist.py --workdir=runs/dae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 5 min 21 s beside another run
metric: mean squared error of the outputs for corrupted images (denoising_error), beside that of
  the corrupted images themselves (corrupted_error), all 10,000 test images, pixels in [-1, 1]
departs: convolutions with ReLU, and 14x14 positions with six numbers each for a code, by Adam; each
  pixel masked by itself. The paper's basic block has one layer of sigmoids with tied weights,
  trained by stochastic gradient descent, and masks a fixed number of pixels
reference: none published for this setting; the best linear map from corrupted to clean leaves
  0.0393 (least squares on 20,000 training images, clipped to [-1, 1]; measured here)
measured: denoising error 0.0077 of 0.1142, 6.7 %; squared error of clean images 0.0044. After 4,000
  steps 0.0123, 10.7 %, and 0.0084
target: a denoising_error below a tenth of the corrupted_error
again: python launch.py --workdir=runs/dae_mnist --mode=evaluate
status: toy

With dense layers of 1000, 1000 codes and batches of 128 it was 0.0210, 18 %, after 10,000 steps in
20 minutes of a shared machine, and 0.0234 of clean images: dense layers lose that of any image.
"""

from pathlib import Path

from gm_jax.recipes import derive


def get_config(variant=""):
    changes = dict(
        steps=20_000,
        batch_size=32,
        optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=20_000),
        corruption=dict(name="masking", amount=0.25),
        network=dict(name="grid", widths=(32,)),
        latents=14 * 14 * 6,  # overcomplete: it is the masking that keeps it from copying
        show=dict(counts=dict(sample=0, reconstruct=0, denoise=32)),
        evaluate=dict(score=0),  # Codes of a grid, drawn from a Gaussian, give no digits.
    )
    return derive(Path(__file__).with_name(f"ae_mnist.py:{variant}"), changes)
