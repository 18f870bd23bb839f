"""VAE with two latents on the digits of scikit-learn: Kingma & Welling's manifold in minutes.

paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv 1312.6114
command: python launch.py --config=configs/vae_digits.py --workdir=runs/vae_digits
hardware: 2 CPU cores (AMD EPYC), shared machine, float32
time: 2 min
metric: bounds in nats on the 297 test digits, grey values read as probabilities of black-and-white
  draws: on the mean log-likelihood of these draws, not of the grey values. ELBO with one sample of
  z, and the importance-weighted bound with K = 500
departs: convolutions of 32 and 64 channels and a layer of 256 with ReLU, by Adam, on 8x8 digits;
  the paper has MNIST, one layer of 500 tanh and Adagrad
reference: none published
measured: ELBO -23.8 ± 0.3, importance-weighted bound -23.1 ± 0.2; fd 23.0 at N = 750 (real against
  real 4.5)
target: ELBO better than -25
again: python launch.py --workdir=runs/vae_digits --mode=evaluate
status: toy
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
            posterior=dict(
                name="gaussian", mixture=dict(components=5),
                categorical=dict(categories=10, temperature=0.5, anneal=3e-5),
            ),
            bound="elbo",
            samples=1,
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
            sample=dict(count=32), evaluate=dict(counts=dict(bound=16), score=32),
        ),
    )  # fmt: skip
