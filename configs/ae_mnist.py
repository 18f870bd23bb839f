"""Autoencoder with 32 latents on MNIST in grey.

paper: Hinton & Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks,
  Science 313
command: python launch.py --config=configs/ae_mnist.py --workdir=runs/ae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 15 min 58 s (shared machine)
metric: mean squared error of the reconstructions of all 10,000 test images, pixels in [-1, 1]; fd
  of samples decoded from a Gaussian fitted to the codes
departs: trained whole by Adam from random weights, with ReLU and 32 codes; the paper pretrains each
  layer as an RBM, has logistic units and 30 codes, and fine-tunes by conjugate gradients
reference: Hinton & Salakhutdinov 2006 with 30 latents: a summed error of 3.00 an image, pixels in
  [0, 1], which is 0.0153 here. The first 32 principal components leave 0.0673 (measured here)
measured: squared error 0.0159; fd 172 at N = 5000 (141 x real against real)
target: a person recognises the reconstructions; squared error below 0.02
again: python launch.py --workdir=runs/ae_mnist --mode=evaluate
status: toy
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="autoencoder",
            steps=20_000,
            batch_size=128,
            data=dict(name="mnist"),
            latents=32,
            corruption=dict(name="none", amount=0.0),
            likelihood="bernoulli",
            network=dict(name="mlp", widths=(1000, 500, 250)),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=20_000),
            show=dict(every=10_000, counts=dict(sample=64, reconstruct=32)),
            evaluate=dict(counts=dict(distortion=10_000), score=5000),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(widths=(16,)), show=dict(every=0),
            sample=dict(count=32), evaluate=dict(counts=dict(distortion=16), score=32),
        ),
    )  # fmt: skip
