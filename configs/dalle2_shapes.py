"""DALL-E 2 on the shapes world: a caption, its CLIP embedding, a small picture, a picture.

paper: Ramesh et al. 2022, Hierarchical Text-Conditional Image Generation with CLIP Latents,
  arXiv 2204.06125
command: python launch.py --config=configs/dalle2_shapes.py --workdir=runs/dalle2_shapes
hardware: not measured yet
time: not measured yet
metric: share of samples for 1,000 captions of unseen pairs of colour and shape that show all that
  the caption says, by the judge of the shapes world
departs: one upsampler, from 16 to 32 pixels (the paper: two, from 64 to 1,024), whole pictures
  (quarter crops), noise on the small picture as in Cascaded Diffusion Models (a blur, then the
  degradations of BSR), a U-Net of 32 to 64 features (700 million parameters), Adam at 1e-3
  with a cosine decay (1.2e-4); CLIP, prior and decoder as in their own recipes
reference: none on these data; configs/dalle_shapes.py and configs/parti_shapes.py have the captions
measured: not yet
target: at least 0.80 of captions of one object, 0.40 of those of two shown right
again: python launch.py --workdir=runs/dalle2_shapes --mode=evaluate
status: unverified

One command trains CLIP (configs/clip_shapes.py), the prior (configs/unclip_prior_shapes.py), the
decoder (configs/unclip_shapes.py) and the upsampler. To take a decoder that is trained already:
--config=configs/dalle2_shapes.py:frozen --config.stages.base=WORKDIR.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

DECODER = f"{Path(__file__).parent}/unclip_shapes.py"


def get_config(variant=""):
    decoder = load_config(f"{DECODER}:{'smoke' if variant == 'smoke' else ''}")
    config = recipe(
        variant,
        dict(
            system="super_resolution",
            steps=2000,
            batch_size=32,
            average=0.999,
            factor=2,
            augmentation=0.3,
            label_dropout=0.0,
            schedule="cosine",
            times=1000,
            prediction="v",
            network=dict(width=32, multipliers=(1, 2), blocks=1, attention=()),
            optimizer=dict(
                name="adam", learning_rate=1e-3, warmup_steps=100, decay_steps=2000, clip_norm=1.0
            ),
            sampler=dict(name="ddim", steps=27, augmentation=0.05),
            show=dict(every=1000, counts=dict(sample=16, upsample=8, trajectory=0)),
            evaluate=dict(
                attributes=dict(sample=1000), counts=dict(restoration=500), split="unseen"
            ),
        ),
        {} if variant == "frozen" else dict(stages=dict(base=decoder)),
        frozen=dict(stages=dict(base="runs/unclip_shapes")),
        smoke=dict(
            steps=4, batch_size=16, network=dict(width=8),
            optimizer=dict(warmup_steps=0, decay_steps=0), sampler=dict(steps=2),
            show=dict(every=0, counts=dict(sample=4, upsample=4)), sample=dict(count=16),
            evaluate=dict(attributes=dict(sample=16), counts=dict(restoration=16)),
        ),
    )  # fmt: skip
    config.data = decoder.data  # One data set for all stages, however it is overridden.
    return config
