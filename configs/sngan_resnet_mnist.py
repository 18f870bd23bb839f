"""SNGAN with residual networks and the projection discriminator on MNIST, by digit.

paper: Miyato et al. 2018, Spectral Normalization for Generative Adversarial Networks,
  arXiv 1802.05957; Miyato & Koyama 2018, cGANs with Projection Discriminator, arXiv 1802.05637
command: python launch.py --config=configs/sngan_resnet_mnist.py --workdir=runs/sngan_resnet_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 27 min beside another run and measurements
metric: agreement: share of 10,000 samples in which a small classifier of the same data finds
  the requested digit; fd_classifier_mnist: Fréchet distance of 5000 samples to 5000 training
  images on the 64 features of that classifier; not FID
departs: MNIST at 28x28, 32 features in both networks (256 in G, 128 in D), 3,000 rounds (50,000) of
  batches of 32 (64), Adam at 1e-3 (2e-4), and samples of an averaged G with batch statistics of its
  own; D moves first in a round. The networks but for their width, the hinge, Adam's (0, 0.9), its
  fall to 0, five steps of D and G's batches of twice as many are those of the authors' code
reference: none; cgan_mnist has agreement 0.973 and fd 7.3 x real against real
measured: agreement 0.9956 ± 0.0007 (the classifier's accuracy is 0.987); fd 8.45, real against real
  1.192: 7.1 times. At the authors' rate, 2e-4, nothing else changed: 0.202 ± 0.004 and 95 times: in
  3,000 steps the gains of G's conditional batch norms hardly move (their deviation over classes is
  0.04), so that a label changes little
target: agreement at least 0.95, fd below 7.3 x real against real
again: python launch.py --workdir=runs/sngan_resnet_mnist --mode=evaluate
status: toy

`:published` is the authors' conditional model of CIFAR-10, with batches of 64.
"""

from gm_jax.recipes import recipe

STEPS, CRITICS = 3000, 5


def adam(rate, steps):
    """A rate that falls to 0 in so many steps of its player."""
    decay = dict(decay_steps=steps, schedule="linear", final_rate=0.0)
    return dict(name="adam", learning_rate=rate, b1=0.0, b2=0.9, **decay)


def players(rate, steps, generator, discriminator):
    return dict(
        generator=dict(width=generator, samples=2, optimizer=adam(rate, steps)),
        discriminator=dict(
            width=discriminator, normalization="spectral", times=CRITICS,
            optimizer=adam(rate, CRITICS * steps),
        ),
    )  # fmt: skip


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="gan",
            steps=STEPS,
            batch_size=32,
            average=0.999,
            data=dict(name="mnist"),
            networks="sngan_resnet",
            conditional=True,
            latents=128,
            value_function="hinge",
            **players(1e-3, STEPS, 32, 32),
            sampler=dict(standing=16),
            show=dict(every=500, counts=dict(sample=64, interpolation=8, classes=8)),
            evaluate=dict(agreement=10_000, score=5000),
        ),
        published=dict(
            steps=50_000, batch_size=64, average=0.0, data=dict(name="cifar10"),
            **players(2e-4, 50_000, 256, 128), sampler=dict(standing=0), show=dict(every=5000),
            evaluate=dict(agreement=0, score=0, metrics="fid,is", samples=50_000),
        ),
        smoke=dict(
            steps=4, batch_size=16, **players(1e-3, 4, 4, 4), sampler=dict(standing=2),
            show=dict(counts=dict(sample=16, classes=2)), sample=dict(count=32),
            evaluate=dict(agreement=0, score=32),
        ),
    )  # fmt: skip
