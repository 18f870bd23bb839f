"""SAGAN (self-attention, spectral norm in both players, two rates) on Fashion-MNIST, by class.

paper: Zhang et al. 2019, Self-Attention Generative Adversarial Networks, arXiv 1805.08318
command: python launch.py --config=configs/sagan_fashion.py --workdir=runs/sagan_fashion
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: agreement: share of 10,000 samples in which a small classifier of the same data finds
  the requested class (real test images: .91); fd_classifier_fashion_mnist: Fréchet distance of 5000
  samples to 5000 training images on the 64 features of that classifier; not FID
departs: Fashion-MNIST at 28x28 with attention at 14x14 (ImageNet at 128x128, attention at 32x32),
  32 features (64), 5,000 rounds of batches of 32 (a million of 256), Adam at 5e-4 for G and 2e-3
  for D (1e-4 and 4e-4), samples of an averaged G with batch statistics of its own. Attention,
  spectral norm, conditional batch norm, projection, the hinge, Adam's (0, 0.999), and one step each
  are those of the authors' code
reference: none; FID 18.65 on ImageNet at 128x128 (the paper)
measured: not yet; configs/sagan_digits.py is
target: agreement at least 0.86
again: python launch.py --workdir=runs/sagan_fashion --mode=evaluate
status: unverified

`:published` is the paper's model of ImageNet: --config.data.path=FOLDER, pictures in a folder for
each class, below train/.
"""

from gm_jax.recipes import recipe


def players(rate, width):
    """D's rate is four times G's."""
    own, other = (dict(name="adam", learning_rate=r, b1=0.0, b2=0.999) for r in (rate, 4.0 * rate))
    return dict(
        generator=dict(width=width, optimizer=own),
        discriminator=dict(width=width, normalization="spectral", optimizer=other),
    )


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="gan",
            steps=5000,
            batch_size=32,
            average=0.999,
            data=dict(name="fashion_mnist"),
            networks="sagan",
            conditional=True,
            latents=128,
            value_function="hinge",
            **players(5e-4, 32),
            sampler=dict(standing=16),
            show=dict(every=500, counts=dict(sample=64, interpolation=8, classes=8)),
            evaluate=dict(agreement=10_000, score=5000),
        ),
        published=dict(
            steps=1_000_000, batch_size=256, average=0.0,
            data=dict(name="folder", path="", size=128, channels=3),
            **players(1e-4, 64), sampler=dict(standing=0),
            show=dict(every=10_000, counts=dict(classes=0)),
            evaluate=dict(agreement=0, score=0, metrics="fid,is", samples=50_000),
        ),
        smoke=dict(
            steps=4, batch_size=16, **players(5e-4, 4), sampler=dict(standing=2),
            show=dict(counts=dict(sample=16, classes=2)), sample=dict(count=32),
            evaluate=dict(agreement=0, score=32),
        ),
    )  # fmt: skip
