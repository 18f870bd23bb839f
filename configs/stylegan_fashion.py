"""StyleGAN on Fashion-MNIST, padded to 32 x 32 pixels, from 8 x 8 on.

paper: Karras, Laine & Aila 2019, A Style-Based Generator Architecture for Generative Adversarial
  Networks, arXiv 1812.04948
command: python launch.py --config=configs/stylegan_fashion.py --workdir=runs/stylegan_fashion
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: fd_classifier_fashion_mnist: Fréchet distance of 5000 samples to 5000 training images on
  the 64 features of a small classifier of the same data, mean of ten random choices of the reals;
  not FID
departs: maps of min(512 / r, 64) features (the paper: min(16384 / r, 512)), z and w of 64 numbers
  (512), a mapping of 2 layers (8), gamma 1 (10), batches of 32 throughout (smaller ones at larger
  sides), the sqrt 2 of the mapping after its activations, as in StyleGAN2: images are smaller and
  fewer
reference: 0.485, real against real at the same N
measured: not yet
target: at most 20 times real against real
again: python launch.py --workdir=runs/stylegan_fashion --mode=evaluate
status: unverified

`:published` has the networks and rounds of the authors' code for FFHQ at 1024 x 1024, a folder of
pictures below --config.data.path=FOLDER, and `:celeba` the objective of their CelebA-HQ, WGAN-GP.
"""

from gm_jax.recipes import recipe

FADE = 600_000 // 32  # rounds of a phase, for as many images as the paper's
FFHQ = 25_000_000 // 32  # rounds of all phases


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99, eps=1e-8)
    published = dict(
        first=8, stable=FADE, fade=FADE, steps=FFHQ - 14 * FADE,
        data=dict(name="folder", size=1024, pad=False, flip=True),
        latents=512, density=16384, most=512, penalty=10.0,
        generator=dict(styles=512, mapping=8),
        sampler=dict(psi=0.7, cutoff=8),
        evaluate=dict(score=0, metrics="fid", samples=50_000),
    )  # fmt: skip
    return recipe(
        variant,
        dict(
            system="stylegan",
            steps=6000,
            stable=1000,
            fade=1000,
            first=8,
            batch_size=32,
            data=dict(name="fashion_mnist", size=32, pad=True),
            latents=64,
            density=512,
            most=64,
            objective="r1",
            penalty=1.0,
            generator=dict(styles=64, mapping=2, mixing=0.9, optimizer=adam),
            discriminator=dict(group=4, optimizer=adam),
            average=dict(half_life=10_000.0),
            sampler=dict(psi=1.0, noise="random"),
            show=dict(
                every=1000,
                counts=dict(
                    sample=64, mixing=16, truncation=16, noise_layers=16, interpolation=4
                ),
            ),
            evaluate=dict(batch_size=100, score=5000),
        ),
        published=published,
        celeba=published | dict(objective="wgan_gp"),
        smoke=dict(
            steps=4, stable=2, fade=2, batch_size=8, first=4,
            data=dict(name="digits", size=None, pad=False),
            latents=6, density=32, most=8, generator=dict(styles=5),
            show=dict(counts=dict(
                sample=8, mixing=2, truncation=0, noise_layers=2, interpolation=0,
            )),
            evaluate=dict(batch_size=8, score=0),
        ),
    )  # fmt: skip
