"""beta-VAE on MNIST, binarised anew at each visit: the whole KL weighs four times.

paper: Higgins et al. 2017, beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
  Framework, ICLR
command: python launch.py --config=configs/beta_vae_mnist.py --workdir=runs/beta_vae_mnist
hardware: 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: as configs/vae_mnist.py: the bound itself, with weight 1
reference: none published for this setting
measured: not yet
target: a lower KL than vae_mnist's at the same network and steps
again: python launch.py --workdir=runs/beta_vae_mnist --mode=evaluate
status: unverified
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/vae_mnist.py:{variant}")
    config.beta = 4.0
    return config
