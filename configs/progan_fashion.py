"""ProGAN on Fashion-MNIST, from 4 x 4 to 32 x 32 pixels; the rows of the paper's table 1.

paper: Karras, Aila, Laine & Lehtinen 2018, Progressive Growing of GANs for Improved Quality,
  Stability, and Variation, arXiv 1710.10196
command: python launch.py --config=configs/progan_fashion.py --workdir=runs/progan_fashion
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: Fréchet distance of 5000 samples to 5000 training images on the 64 features of a small
  classifier of the same data, mean of ten random choices of the reals; not FID
departs: Fashion-MNIST enlarged to 32 x 32 (the paper: photographs of 128 x 128 to 1024 x 1024), at
  most 64 features (512), 128 latents (512), 32,000 images a phase (600,000)
reference: 0.53, real against real at the same N on 28 x 28 pixels
measured: not yet
target: the rows d, e, f and g in the paper's order; the score recorded
again: python launch.py --workdir=runs/progan_fashion --mode=evaluate
status: unverified

Variants are the rows of table 1, each the one before with one change: `:a` WGAN-GP, `:b` growing,
`:c` small batches, `:d` revised training, `:estar` minibatch discrimination, `:e` minibatch
deviation in its stead, `:f` equalised rate, `:g` pixel norm, `:h` wider and longer. All see as many
real images. Without a variant it is `:g` with the deviation in groups of 4. `:published` has the
networks and rounds of the authors' code for CelebA-HQ at 1024 x 1024, a folder of pictures, but
batches of 16 throughout (theirs shrink to 3), and `:cifar` those for CIFAR-10.
"""

from gm_jax.recipes import recipe

ROUNDS, LAST = 2000, 6000  # of 16 images: of each phase, and of the last one


def adam(rate, b2=0.99):
    return dict(name="adam", learning_rate=rate, b1=0.0, b2=b2)


def both(generator, discriminator, rate=None, b2=0.99):
    """The settings of both players, with an optimizer if a rate is given."""
    own = {} if rate is None else dict(optimizer=adam(rate, b2))
    return dict(generator=generator | own, discriminator=discriminator | own)


def rounds(images):
    """The rounds for as many real images as in rounds of 16."""
    share = images // 16
    return dict(stable=ROUNDS // share, fade=ROUNDS // share, steps=LAST // share)


def rows():
    """The rows of table 1 by their letters."""
    g = dict(discriminator=dict(group=0))
    f = both(dict(normalization="none"), dict(group=0))
    e = both(dict(normalization="none"), dict(group=0), 1e-4) | dict(equalized=False)
    d = both(dict(normalization="none"), dict(statistics=""), 1e-4) | dict(equalized=False)
    estar = both(dict(normalization="none"), dict(statistics="discrimination"), 1e-4)
    old = both(
        dict(normalization="batch", slope=0.0, latent_norm=False, tanh=True),
        dict(normalization="layer", statistics="", times=5), 1e-4, 0.9,
    ) | dict(equalized=False, latents=32, drift=0.0)  # fmt: skip
    c = old | rounds(16 * 5) | dict(average=0.999**5)
    b = old | rounds(64 * 5) | dict(batch_size=64, average=0.999**20)
    a = b | dict(first=32, steps=(LAST + 6 * ROUNDS) // 20)
    h = g | dict(density=1024, steps=2 * LAST)
    return dict(a=a, b=b, c=c, d=d, e=e, estar=estar | dict(equalized=False), f=f, g=g, h=h)


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="progan",
            steps=LAST,
            stable=ROUNDS,
            fade=ROUNDS,
            first=4,
            batch_size=16,
            average=0.999,
            data=dict(name="fashion_mnist", size=32),
            latents=128,
            density=512,
            most=64,
            equalized=True,
            penalty=10.0,
            target=1.0,
            drift=1e-3,
            generator=dict(
                normalization="pixel", slope=0.2, latent_norm=True, tanh=False,
                optimizer=adam(1e-3),
            ),
            discriminator=dict(
                normalization="none", statistics="deviation", group=4, kernels=100, times=1,
                optimizer=adam(1e-3),
            ),
            show=dict(every=2000, counts=dict(sample=64, interpolation=8)),
            sample=dict(count=5000),
            evaluate=dict(score=5000, variation=5000),
        ),
        **rows(),
        published=dict(
            steps=337_500, stable=37_500, fade=37_500,
            data=dict(name="folder", size=1024, flip=True),
            latents=512, density=16384, most=512,
            evaluate=dict(score=0, variation=0, metrics="fid,swd,msssim"),
        ),
        cifar=dict(
            steps=600_000, stable=25_000, fade=25_000, data=dict(name="cifar10"), target=750.0,
            latents=512, density=8192, most=512,
            evaluate=dict(score=0, variation=0, metrics="fid,is"),
        ),
        smoke=dict(
            steps=4, stable=2, fade=2, batch_size=8, data=dict(name="digits", size=None),
            latents=4, density=32, most=8, show=dict(counts=dict(sample=8, interpolation=2)),
            sample=dict(count=8), evaluate=dict(score=0, variation=0),
        ),
    )  # fmt: skip
