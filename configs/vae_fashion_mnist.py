"""VAE with 20 latents on Fashion-MNIST in grey, with a Gaussian likelihood of one learned variance.

paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv 1312.6114
command: python launch.py --config=configs/vae_fashion_mnist.py --workdir=runs/vae_fashion_mnist
hardware: 2 CPU cores (AMD EPYC), shared machine, float32
time: 10 min 52 s beside another run
metric: log-densities in nats on the first 2,000 test images, grey values scaled to [-1, 1]; ELBO
  with one sample of z, log-likelihood by importance sampling with K = 500
departs: as configs/vae_mnist.py; the paper has no Fashion-MNIST, and its Gaussian decoder predicts
  a variance for each pixel
reference: none published for this likelihood
measured: ELBO 64.0 ± 7.1, log-likelihood 76.4 ± 7.0 (69.7 and 82.7 in an earlier run)
target: a person recognises the reconstructions; the bound recorded
again: python launch.py --workdir=runs/vae_fashion_mnist --mode=evaluate
status: toy

fd_classifier_fashion_mnist of its samples (means of p(x|z)): 66.4 at N = 5000, real against real
0.54.
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/vae_mnist.py:{variant}")
    config.data.update(name="fashion_mnist", binarize="")
    config.likelihood = "gaussian"
    if not variant:
        config.steps = config.optimizer.decay_steps = 20_000
        config.evaluate.counts.bound = 2000
    return config
