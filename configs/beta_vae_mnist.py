"""beta-VAE on MNIST, binarised at each visit: the whole KL weighs four times.

paper: Higgins et al. 2017, beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
  Framework, ICLR
command: python launch.py --config=configs/beta_vae_mnist.py --workdir=runs/beta_vae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 21 min 30 s (shared machine)
metric: as configs/vae_mnist.py: the bound itself, with weight 1
departs: network, rates and data of configs/vae_mnist.py; the paper has no MNIST but images of
  faces, chairs and shapes, convolutional networks and Adagrad or Adam
reference: none published for this setting; vae_mnist, the same network and steps with a weight of
  1: KL 25.5, log-likelihood -88.3 (measured here)
measured: KL 9.6 nats, bound -109.7 ± 0.3, log-likelihood -100.0 ± 0.3; fd 62.0 at N = 5000 (51 x
  real against real)
target: a lower KL than vae_mnist's at the same network and steps
again: python launch.py --workdir=runs/beta_vae_mnist --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    config = load_config(f"{Path(__file__).parent}/vae_mnist.py:{variant}")
    config.beta = 4.0
    return config
