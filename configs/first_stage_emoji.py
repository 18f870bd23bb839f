"""First stage of latent diffusion on emoji of 64 x 64: KL latents of 16 x 16 x 4.

paper: Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models,
  arXiv 2112.10752
command: python launch.py --config=configs/first_stage_emoji.py --workdir=runs/first_stage_emoji
  --config.data.path=FOLDER
data: emoji and their names in a folder, as gm_jax/data/emoji.py describes it
hardware: not measured yet
time: not measured yet
metric: peak signal-to-noise ratio of reconstructions of held-out emoji, in decibels
departs: emoji (the paper: OpenImages), widths of 16 to 64 with one block a level (128 to 512, two),
  no perceptual term (LPIPS), a discriminator of width 16 with two strided layers from round 3,000
  (64, three, 50,001), batches of 16 and Adam at 1e-3 (4.5e-6 for each example)
reference: none on these data
measured: not yet
target: above 22 dB; a person recognises the emoji
again: python launch.py --workdir=runs/first_stage_emoji --mode=evaluate
status: unverified

`:lpips` adds the perceptual term (VGG16's weights by configs/lpips.py).
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

LPIPS = f"{Path(__file__).parent}/lpips.py"


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="first_stage",
            steps=5000,
            batch_size=16,
            average=0.999,
            data=dict(name="emoji", path="", flip=True),
            bottleneck=dict(name="kl", weight=1e-6, channels=4),
            perceptual=0.0,
            network=dict(widths=(16, 32, 64), blocks=1, groups=8),
            discriminator=dict(
                width=16, layers=2, normalization="batch", start=3000, weight=0.5,
                optimizer=dict(name="adam", learning_rate=5e-4, b1=0.5, b2=0.9),
            ),
            optimizer=dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.9, warmup_steps=100),
            show=dict(every=1000, counts=dict(sample=0, reconstruct=32)),
            evaluate=dict(counts=dict(distortion=0), batch_size=64),
        ),
        lpips=dict(perceptual=1.0, stages=dict(features=load_config(LPIPS))),
        smoke=dict(
            steps=4, batch_size=4, data=dict(name="digits"),
            network=dict(widths=(4, 4), groups=2), discriminator=dict(width=4, layers=1, start=2),
            show=dict(counts=dict(reconstruct=4)), evaluate=dict(counts=dict(distortion=16)),
        ),
    )  # fmt: skip
