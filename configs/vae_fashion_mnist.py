"""VAE with 20 latents on Fashion-MNIST in grey, with a Gaussian likelihood of one learned variance.

paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv 1312.6114
command: python launch.py --config=configs/vae_fashion_mnist.py --workdir=runs/vae_fashion_mnist
hardware: 2 CPU cores (AMD EPYC), float32, shared with other work
time: not measured yet
metric: as evaluate.score and evaluate.counts say
reference: none yet
measured: not yet
target: not set yet
again: python launch.py --workdir=runs/vae_fashion_mnist --mode=evaluate
status: unverified
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/vae_mnist.py:{variant}")
    config.data.update(name="fashion_mnist", binarize=False)
    config.likelihood = "gaussian"
    if not variant:
        config.steps = config.optimizer.decay_steps = 20_000
        config.evaluate.counts.bound = 2000
    return config
