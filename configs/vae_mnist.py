"""VAE with 20 latents on MNIST, binarised at each visit.

paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv 1312.6114
command: python launch.py --config=configs/vae_mnist.py --workdir=runs/vae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 12 min 37 s (shared machine)
metric: nats on all 10,000 test images, binarised once by a draw of their grey values; ELBO with
  one sample of z, log-likelihood by importance sampling with K = 500
departs: two layers of 500 ReLU on either side, Adam with a cosine decay, batches of 128, an
  averaged model; the paper has one layer of 500 tanh, Adagrad, batches of 100 and a prior on the
  weights
reference: pythae reports a VAE at 89.9 nats of negative log-likelihood, reproduced by it at 89.8;
  on its own protocol
measured: ELBO -92.9 ± 0.3 (KL 25.5), log-likelihood -88.3 ± 0.2; fd 70.7 at N = 5000 (58 x real
  against real)
target: ELBO better than -100 within 15 minutes
again: python launch.py --workdir=runs/vae_mnist --mode=evaluate
status: toy

The distance (fd_classifier_mnist, as in configs/gan_mnist.py) is that of the means of p(x|z).
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
            data=dict(name="mnist", binarize="redrawn"),
            latents=20,
            posterior=dict(
                name="gaussian", mixture=dict(components=5),
                categorical=dict(categories=10, temperature=0.5, anneal=3e-5),
            ),
            bound="elbo",
            samples=1,
            beta=1.0,
            likelihood="bernoulli",
            network=dict(name="mlp", widths=(500, 500)),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=40_000),
            importance_samples=500,
            show=dict(every=10_000, counts=dict(sample=64, reconstruct=32, manifold=400)),
            evaluate=dict(counts=dict(bound=10_000), score=5000),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(widths=(16,)), importance_samples=2,
            show=dict(every=0), sample=dict(count=32),
            evaluate=dict(counts=dict(bound=16), score=32),
        ),
    )  # fmt: skip
