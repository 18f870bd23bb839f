"""VAE with two latents and a posterior of three Gaussians on MNIST, binarised at each visit.

paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv 1312.6114; draws of
  Morningstar et al. 2021, Automatic Differentiation Variational Inference with Mixtures,
  arXiv 2003.01687
command: python launch.py --config=configs/vae_mixture_mnist.py --workdir=runs/vae_mixture_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 22 min 33 s, beside other runs
metric: as configs/vae_mnist.py; the KL is estimated by a draw from each component
departs: as configs/vae_mnist_2d.py; the bound is the ELBO, with one draw from each component
reference: configs/vae_mnist_2d.py, the same network and steps with one Gaussian
measured: ELBO -138.1 ± 0.5 (KL 6.7), log-likelihood -135.3 ± 0.5; fd 174 at N = 5000 (146 x real
  against real): no better than one Gaussian (ELBO -137.4, log-likelihood -135.2)
target: ELBO better than vae_mnist_2d's
again: python launch.py --workdir=runs/vae_mixture_mnist --mode=evaluate
status: unverified
"""

from pathlib import Path

from gm_jax.recipes import derive


def get_config(variant=""):
    changes = dict(posterior=dict(name="mixture", mixture=dict(components=3)))
    return derive(Path(__file__).with_name(f"vae_mnist_2d.py:{variant}"), changes)
