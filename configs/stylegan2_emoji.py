"""StyleGAN2-ADA on 3,582 emoji of 64 x 64: few images, and what D sees of them augmented.

paper: Karras, Aittala, Hellsten, Laine, Lehtinen & Aila 2020, Training Generative Adversarial
  Networks with Limited Data, arXiv 2006.06676
command: python launch.py --config=configs/stylegan2_emoji.py --workdir=runs/stylegan2_emoji
  --config.data.path=FOLDER
data: as configs/first_stage_emoji.py
hardware: one of 2 CPU cores (AMD EPYC), float32
time: of the first 8,000 rounds 72 min beside other work; 2.2 rounds a second alone
metric: fd_classifier_emoji: Fréchet distance of 1600 samples to 1600 training images on the 64
  features of a small classifier of their groups; not FID
departs: maps of min(1024 / r, 64) features (the paper: min(32768 / r, 512)), z and w of 64 numbers,
  a mapping of 2 layers; p could go from 0 to 1 in 100,000 images (500,000)
reference: `:plain`, without augmentation
measured: not to its end; after 8,000 of 20,000 rounds fd 472, real against real 8.8: 53 times,
  p 0.20: round faces, people and buildings as outlines, nothing finer
target: a lower fd than `:plain`, the mean sign of D near .6, p below 1
again: python launch.py --workdir=runs/stylegan2_emoji --mode=evaluate
status: unverified

`:published` has the sizes and rates that the authors' code chooses for 256 x 256 on one GPU.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    widths = dict(base=1024, most=64)
    adam = dict(name="adam", learning_rate=2.5e-3, b1=0.0, b2=0.99, eps=1e-8)
    return recipe(
        variant,
        dict(
            system="stylegan2",
            steps=20_000,
            batch_size=16,
            data=dict(name="emoji", size=64, flip=False),
            generator=dict(
                **widths, latents=64, styles=64, mapping=2, mixing=0.9,
                path=dict(weight=2.0, every=4, shrink=2), optimizer=adam,
            ),
            discriminator=dict(
                **widths, group=4, r1=dict(gamma=2e-4 * 64**2 / 16, every=16), optimizer=adam
            ),
            average=dict(half_life=10_000.0, ramp=0.05),
            augmentation=dict(name="bgc", target=0.6, speed=100_000.0, every=4),
            show=dict(every=1000, counts=dict(sample=64, mixing=16)),
            evaluate=dict(batch_size=100, score=1600),
        ),
        plain=dict(augmentation=dict(name="")),
        published=dict(
            steps=25_000_000 // 16,
            batch_size=16,
            data=dict(name="folder", size=256),
            generator=dict(base=16384, most=512, latents=512, styles=512, clamp=256.0),
            discriminator=dict(
                base=16384, most=512, clamp=256.0, r1=dict(gamma=2e-4 * 256**2 / 16)
            ),
            average=dict(half_life=5000.0),
            augmentation=dict(speed=500_000.0),
            evaluate=dict(score=0, metrics="fid", samples=50_000),
        ),
        smoke=dict(
            steps=4, batch_size=8, data=dict(size=8), augmentation=dict(p=0.5),
            generator=dict(base=32, most=4, latents=6, styles=5),
            discriminator=dict(base=32, most=4), show=dict(counts=dict(sample=8, mixing=2)),
            evaluate=dict(batch_size=8, score=0),
        ),
    )  # fmt: skip
