"""ADM on ImageNet of 64 x 64, by class, as published.

paper: Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis, arXiv 2105.05233
command: python launch.py --config=configs/adm_imagenet64.py --workdir=runs/adm_imagenet64
  --config.data.path=FOLDER
data: ImageNet's pictures in a folder for each class, below train/
hardware: none of ours; a run for a pod
time: not measured yet
metric: FID of 50,000 samples to the training images, tf2015 Inception
departs: a null label (768 of 295.9 million parameters), which no training shows; pictures made
  smaller by the evaluation's filter (the paper: a box); float32 (float16)
reference: FID 2.07 with 250 steps, without guidance (the paper, table 5)
measured: not yet
target: FID within 0.3 of the paper's
again: python launch.py --workdir=runs/adm_imagenet64 --mode=evaluate
  --config.evaluate.weights=FILE
status: unverified

`:published` samples the authors' checkpoint, --config.weights=FILE --mode=sample: nothing is
trained. It has the same network but for the null label, which is not used.
"""

from gm_jax.nn import configurations
from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="ddpm",
            steps=540_000,
            batch_size=2048,
            average=0.9999,
            data=dict(name="folder", path="", size=64, channels=3, flip=True),
            conditional=True,
            schedule="cosine",
            times=1000,
            prediction="noise",
            objective="hybrid",
            network=configurations.ADM_64,
            optimizer=dict(name="adamw", learning_rate=3e-4, weight_decay=0.0),
            sampler=dict(name="ancestral", steps=250, variance="learned"),
            show=dict(every=20_000, counts=dict(sample=64, trajectory=8)),
            evaluate=dict(metrics="fid", samples=50_000),
        ),
        published=dict(
            steps=0, batch_size=1, preconditioning="from_zero", attention_order="parts",
            data=dict(name="blank", classes=1000, flip=False),
            sampler=dict(spacing="respaced"), show=dict(every=0, counts=dict(trajectory=0)),
            sample=dict(count=8), evaluate=dict(metrics="", batch_size=8),
        ),
        smoke=dict(
            steps=4, batch_size=8,
            data=dict(name="digits", size=None, channels=None, flip=False),
            network=dict(
                width=8, multipliers=(1, 2), blocks=1, attention_levels=(1,), head_width=8, groups=4
            ),
            sampler=dict(steps=4), show=dict(counts=dict(sample=8, trajectory=2)),
            sample=dict(count=8), evaluate=dict(metrics="", samples=8),
        ),
    )  # fmt: skip
