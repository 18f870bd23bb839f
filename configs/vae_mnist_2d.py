"""VAE with two latents on MNIST, binarised at each visit: the manifold of digits.

paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv 1312.6114
command: python launch.py --config=configs/vae_mnist_2d.py --workdir=runs/vae_mnist_2d
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 7 min of one core (shared machine, interrupted)
metric: as configs/vae_mnist.py; `manifold` is the paper's figure 4, digits at a square of 20 x 20
  quantiles of the prior
departs: network and rates as in configs/vae_mnist.py, 20,000 steps
reference: none published as a number; the paper's figures 4 and 5 show the manifold and samples
measured: ELBO -137.4 ± 0.5 (KL 6.8), log-likelihood -135.2 ± 0.5; fd 148 at N = 5000 (124 x real
  against real); all ten digits are on the manifold
target: ELBO better than -150; a person finds all ten digits on the manifold
again: python launch.py --workdir=runs/vae_mnist_2d --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive


def get_config(variant=""):
    changes = dict(
        steps=20_000,
        latents=2,
        optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=20_000),
    )
    return derive(Path(__file__).with_name(f"vae_mnist.py:{variant}"), changes)
