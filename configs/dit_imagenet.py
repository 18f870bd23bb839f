"""DiT-XL/2 on the latents of ImageNet of 256 x 256, by class: both stages by one command.

paper: Peebles & Xie 2023, Scalable Diffusion Models with Transformers, arXiv 2212.09748
command: python launch.py --config=configs/dit_imagenet.py --workdir=runs/dit_imagenet
  --config.data.path=FOLDER
data: ImageNet's pictures in a folder for each class, below train/
hardware: none of ours; a run for a pod
time: not measured yet
metric: FID of 50,000 samples to the training images, tf2015 Inception
departs: the first stage is trained here, on ImageNet and without a perceptual term (the paper: that
  of Stable Diffusion)
reference: FID 2.27 with guidance 0.5 and 250 steps (the paper, table 2); for `:b4`, DiT-B/4, 68.4
  after 400,000 rounds without guidance (table 4)
measured: not yet
target: FID within 0.3 of the paper's
again: python launch.py --workdir=runs/dit_imagenet --mode=evaluate
  --config.evaluate.weights=FILE
status: unverified

`:published` samples the authors' DiT-XL/2, --config.weights=FILE, through Stable Diffusion's
autoencoder, --config.stages.first.weights=FOLDER, with --mode=sample: nothing is trained. The
authors guide three of the four channels, and this all of them.
"""

from gm_jax.nn import configurations
from gm_jax.recipes import recipe

DATA = dict(name="folder", path="", size=256, channels=3, flip=True)
# Nothing to learn from: labels in turn, or those that are given.
BLANK = dict(name="blank", size=256, channels=3, classes=1000, flip=False)
DIGITS = dict(name="digits", size=None, channels=None, flip=False)

# KL-f8 of Rombach et al. 2022, appendix E: 32x32x4 latents.
FIRST_STAGE = dict(
    system="first_stage",
    steps=250_000,
    batch_size=96,
    data=DATA,
    bottleneck=dict(name="kl", weight=1e-6, channels=4),
    network=dict(widths=(128, 256, 512, 512), blocks=2, groups=32),
    discriminator=dict(
        width=64, layers=3, start=50_001, weight=0.5,
        optimizer=dict(name="adam", learning_rate=4.3e-4, b1=0.5, b2=0.9),
    ),
    optimizer=dict(name="adam", learning_rate=4.3e-4, b1=0.5, b2=0.9),
    show=dict(every=10_000, counts=dict(sample=0, reconstruct=16)),
)  # fmt: skip


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="latent_diffusion",
            steps=7_000_000,
            batch_size=256,
            average=0.9999,
            data=DATA,
            stages=dict(first=FIRST_STAGE),
            condition=dict(name="label"),
            label_dropout=0.1,
            schedule="linear",
            times=1000,
            prediction="noise",
            objective="hybrid",
            network=dict(name="dit", dit=configurations.dit("XL", 2)),
            optimizer=dict(name="adamw", learning_rate=1e-4, weight_decay=0.0),
            sampler=dict(name="ancestral", steps=250, variance="learned", guidance=0.5),
            show=dict(every=50_000, counts=dict(sample=64, trajectory=8, reconstruct=0)),
            evaluate=dict(metrics="fid", samples=50_000),
        ),
        b4=dict(
            steps=400_000,
            network=dict(dit=configurations.dit("B", 4)),
            sampler=dict(guidance=0.0),
        ),
        published=dict(
            steps=0, batch_size=1, data=BLANK, scale=0.18215, preconditioning="from_zero",
            stages=dict(first=dict(steps=0, batch_size=1, data=BLANK)),
            sampler=dict(spacing="respaced", guidance=3.0),
            show=dict(every=0, counts=dict(sample=8, trajectory=0)),
            sample=dict(count=8), evaluate=dict(metrics="", batch_size=8),
        ),
        smoke=dict(
            steps=4, batch_size=8, data=DIGITS,
            stages=dict(
                first=dict(
                    steps=4, batch_size=8, data=DIGITS,
                    network=dict(widths=(4, 4), blocks=1, groups=2),
                    discriminator=dict(width=4, layers=1, start=2),
                    show=dict(counts=dict(reconstruct=4)),
                )
            ),
            network=dict(dit=dict(width=16, layers=2, heads=2)),
            sampler=dict(steps=4), show=dict(counts=dict(sample=8, trajectory=2)),
            sample=dict(count=8), evaluate=dict(metrics="", samples=8),
        ),
    )  # fmt: skip
