"""VAE with 20 latents of ten categories on MNIST, binarised at each visit.

paper: Jang, Gu & Poole 2017, Categorical Reparameterization with Gumbel-Softmax, arXiv 1611.01144
command: python launch.py --config=configs/vae_categorical_mnist.py
  --workdir=runs/vae_categorical_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 16 min 44 s (shared machine)
metric: as configs/vae_mnist.py; codes are drawn from q itself, not relaxed
departs: network, rates and averages as in configs/vae_mnist.py, 20,000 steps; the temperature falls
  at every step, the paper's every 500 or 1,000
reference: none published for this network and these steps
measured: ELBO -108.7 ± 0.3 (KL 18.3), log-likelihood -95.6 ± 0.3; fd 126 at N = 5000 (105 x real
  against real)
target: ELBO better than -120
again: python launch.py --workdir=runs/vae_categorical_mnist --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive


def get_config(variant=""):
    changes = dict(
        steps=20_000,
        posterior=dict(name="categorical", categorical=dict(categories=10)),
        optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=20_000),
        show=dict(counts=dict(manifold=0)),
    )
    return derive(Path(__file__).with_name(f"vae_mnist.py:{variant}"), changes)
