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

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="vae",
            steps=40_000,
            batch_size=128,
            average=0.999,
            data=dict(name="fashion_mnist"),
            latents=20,
            beta=1.0,
            likelihood="gaussian",
            network=dict(name="mlp", widths=(500, 500)),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=40_000),
            importance_samples=500,
            show=dict(every=10_000, counts=dict(sample=64, reconstruct=32, manifold=400)),
            evaluate=dict(counts=dict(bound=10_000), score=5000),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(widths=(16,)), importance_samples=2,
            show=dict(every=0), evaluate=dict(counts=dict(bound=16), score=32),
        ),
    )  # fmt: skip
