"""IWAE with five draws on MNIST, binarised at each visit; `:vae` is its rival.

paper: Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders, arXiv 1509.00519
command: python launch.py --config=configs/iwae_mnist.py --workdir=runs/iwae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 17 min 17 s (`:vae` 15 min 39 s)
metric: log-likelihood in nats by importance sampling, K = 500, on all 10,000 test images, binarised
  once by a draw of their grey values; the difference to `:vae` image by image
departs: 20 latents, two layers of 500 ReLU, batches of 128 and a cosine decay over 20,000 steps;
  the paper has 50 latents, two layers of 200 tanh, batches of 20 and a staged decay over 3,280
  epochs
reference: pythae reports, on its own protocol, 89.9 nats of negative log-likelihood for a VAE and
  87.1 for an IWAE of 50 draws
measured: log-likelihood -88.59 ± 0.23, `:vae` -88.94 ± 0.23; paired difference +0.352, 95 %
  interval 0.300 to 0.405
target: better than `:vae` (the same network, draws and steps under the VAE's bound), the 95 %
  interval of the paired difference excluding zero
again: python launch.py --workdir=runs/iwae_mnist --mode=evaluate
status: toy

python launch.py --config=configs/iwae_mnist.py:vae --workdir=runs/iwae_mnist_vae trains the rival,
python benchmarks/paired.py runs/iwae_mnist runs/iwae_mnist_vae prints the paired difference.
"""

from pathlib import Path

from gm_jax.recipes import load_config


def get_config(variant=""):
    rival = variant == "vae"
    config = load_config(f"{Path(__file__).parent}/vae_mnist.py:{'' if rival else variant}")
    config.bound = "elbo" if rival else "importance"
    config.samples = 5
    if config.steps > 10:
        config.steps = config.optimizer.decay_steps = 20_000
    return config
