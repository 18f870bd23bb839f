"""Make-A-Video on the shapes world: films of 16 x 16 by an unclip that learns to move.

paper: Singer et al. 2022, Make-A-Video: Text-to-Video Generation without Text-Video Data,
  arXiv 2209.14792
command: python launch.py --config=configs/make_a_video_shapes.py --workdir=runs/make_a_video_shapes
hardware: not measured yet
time: not measured yet
metric: share of 300 films, of the embeddings of first frames of unseen scenes, whose first frame
  shows the scene's size, colour and shape, and of those that keep colour and shape throughout, by
  the judge of the shapes world; interpolation: mean squared error of the frames between those given
departs: drawn films of 8 frames at 16 x 16 (the paper: 16 at 64 x 64 of the web's videos), strides
  of 1 and 2 (frame rates of 1 to 30), a U-Net of 32 to 64 features, the embedding of the first
  frame, one upsampler of images (two, one of them in time, too), Adam at 5e-4 with a cosine decay
reference: none on these data
measured: not yet
target: colour and shape kept in 0.95; made frames nearer to the truth than blended ones
again: python launch.py --workdir=runs/make_a_video_shapes --mode=evaluate
status: unverified

CLIP, prior and the model of images are configs/unclip_shapes.py, trained first in the same workdir.
To take one that is trained already: --config=configs/make_a_video_shapes.py:frozen
--config.stages.image=WORKDIR. `:between` learns the frames between every second one, 8 to 15; films
then take them by --config.stages.frames=WORKDIR, and an upsampler (configs/dalle2_shapes.py) by
--config.stages.upsampler=WORKDIR.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

IMAGE = f"{Path(__file__).parent}/unclip_shapes.py"


def get_config(variant=""):
    image = load_config(f"{IMAGE}:{'smoke' if variant == 'smoke' else ''}")
    same = {key: value for key, value in image.network.items() if key not in ("name", "dit")}
    config = recipe(
        variant,
        dict(
            system="make_a_video",
            steps=2000,
            batch_size=8,
            average=0.995,
            data={**image.data.to_dict(), "frames": 15},
            factor=image.factor,
            words=image.words,
            frames=8,
            strides=(1, 2),
            given_frames=0,
            label_dropout=0.1,
            schedule=image.schedule,
            prediction=image.prediction,
            preconditioning=image.preconditioning,
            weighting=image.weighting.to_dict(),
            network=same,
            optimizer=dict(
                name="adam", learning_rate=5e-4, warmup_steps=100, decay_steps=2000, clip_norm=1.0
            ),
            sampler=dict(
                name="heun", steps=18, spacing="karras", clip=False, guidance=1.0,
                embedding="prior",
            ),
            show=dict(every=500, counts=dict(sample=8, animate=8)),
            evaluate=dict(
                attributes=dict(sample=300, animate=300), batch_size=50, split="unseen"
            ),
        ),
        frozen=dict(stages=dict(image="runs/unclip_shapes")),
        between=dict(
            frames=15, strides=(1,), given_frames=2, batch_size=4,
            stages=dict(image="runs/unclip_shapes"),
            show=dict(counts=dict(sample=0, animate=0, fill=8)),
            evaluate=dict(
                attributes=dict(sample=0, animate=0), counts=dict(interpolation=300)
            ),
        ),
        smoke=dict(
            steps=4, batch_size=4, optimizer=dict(warmup_steps=0, decay_steps=0),
            sampler=dict(steps=2), show=dict(every=0), sample=dict(count=4),
            evaluate=dict(attributes=dict(sample=8, animate=8), batch_size=4),
        ),
    )  # fmt: skip
    if variant in ("", "smoke"):
        config.stages.image = image
    return config
