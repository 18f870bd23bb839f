"""GAN (non-saturating, DCGAN networks) on MNIST.

paper: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv 1406.2661; networks of Radford,
  Metz & Chintala 2016, arXiv 1511.06434
command: python launch.py --config=configs/gan_mnist.py --workdir=runs/gan_mnist
hardware: 2 CPU cores (AMD EPYC), float32, shared with other work
time: not measured yet
metric: as evaluate.score and evaluate.counts say
reference: none yet
measured: not yet
target: not set yet
again: python launch.py --workdir=runs/gan_mnist --mode=evaluate
status: unverified
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return recipe(
        variant,
        dict(
            system="gan",
            steps=10_000,
            batch_size=64,
            average=0.999,
            data=dict(name="mnist"),
            latents=100,
            value_function="non_saturating",
            generator=dict(width=32, optimizer=adam),
            discriminator=dict(width=32, optimizer=adam, times=1, real_label=0.9),
            show=dict(every=1000, counts=dict(sample=64, interpolation=8)),
            evaluate=dict(score=5000),
        ),
        smoke=dict(
            steps=4, batch_size=16, generator=dict(width=8), discriminator=dict(width=8),
            show=dict(counts=dict(sample=16)), sample=dict(count=32), evaluate=dict(score=32),
        ),
    )  # fmt: skip
