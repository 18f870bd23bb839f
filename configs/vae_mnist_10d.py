"""VAE with ten latents on MNIST, binarised at each visit.

paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv 1312.6114
command: python launch.py --config=configs/vae_mnist_10d.py --workdir=runs/vae_mnist_10d
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 5 min 39 s (shared machine)
metric: as configs/vae_mnist.py
departs: network, rates and data as in configs/vae_mnist.py, 20,000 steps
reference: none published as a number; the paper's figure 5 shows samples
measured: ELBO -97.6 ± 0.3 (KL 19.4), log-likelihood -94.0 ± 0.3; fd 75.3 at N = 5000 (63 x real
  against real)
target: ELBO better than -110, and than that of five latents
again: python launch.py --workdir=runs/vae_mnist_10d --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive


def get_config(variant=""):
    changes = dict(latents=10, show=dict(counts=dict(manifold=0)))
    return derive(Path(__file__).with_name(f"vae_mnist_2d.py:{variant}"), changes)
