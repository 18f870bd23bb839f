"""VAE with two latents on the digits of scikit-learn: Kingma & Welling's manifold in a minute.

paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv 1312.6114
status: unverified
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="vae",
            steps=10_000,
            batch_size=128,
            data=dict(name="digits"),
            latents=2,
            beta=1.0,
            likelihood="bernoulli",
            network=dict(name="conv", widths=(32, 64)),
            optimizer=dict(name="adam", learning_rate=1e-3),
            importance_samples=500,
            show=dict(every=5000, counts=dict(sample=64, reconstruct=32, manifold=400)),
            evaluate=dict(counts=dict(bound=297), score=750),
        ),
        smoke=dict(
            steps=4, batch_size=16, importance_samples=2, show=dict(counts=dict(manifold=16)),
            evaluate=dict(counts=dict(bound=16), score=32),
        ),
    )  # fmt: skip
