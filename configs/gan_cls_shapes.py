"""GAN-INT-CLS on the shapes world: pictures of 32 x 32 of a sentence, in one pass.

paper: Reed et al. 2016, Generative Adversarial Text to Image Synthesis, arXiv 1605.05396
command: python launch.py --config=configs/gan_cls_shapes.py --workdir=runs/gan_cls_shapes
hardware: one of 2 CPU cores (Intel Xeon), float32
time: 62 min beside other runs, after configs/clip_shapes.py
metric: share of samples for 1,000 captions of the split `unseen` that show all that the caption
  says, by the judge of the shapes world; of captions of one object the same
departs: captions by our CLIP (the paper: a char-CNN-RNN, 1,024 numbers, means of four captions),
  32 pixels (64), widths of 32 (128 and 64), a moving average of G, and rates that fall linearly
  over the second half (the paper's are halved each 100 epochs)
reference: none on these data
measured: 0.208 [0.184, 0.234] shown right (captions shuffled 0.027), of one object 0.419 [0.377,
  0.463], of two none of 504; colour 0.606, size 0.513, shape 0.258. D wins in the second half: its
  loss is below 0.02, and the ground is not even
target: at least 0.80 of the captions of one object shown right
again: python launch.py --workdir=runs/gan_cls_shapes --mode=evaluate
status: unverified

The texts are read by configs/clip_shapes.py, trained first in the same workdir. To take one that is
trained already: --config=configs/gan_cls_shapes.py:frozen --config.stages.clip=WORKDIR.
`:published` has the paper's networks and epochs, of 8,855 pictures in batches of 64, for pictures
with captions below --config.data.path=FOLDER.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

CLIP = f"{Path(__file__).parent}/clip_shapes.py"


def get_config(variant=""):
    steps, published = 8000, 600 * 139

    def adam(steps):
        return dict(
            name="adam", learning_rate=2e-4, b1=0.5, schedule="linear", hold_steps=steps // 2,
            decay_steps=steps,
        )  # fmt: skip

    config = recipe(
        variant,
        dict(
            system="gan_cls",
            steps=steps,
            batch_size=64,
            average=0.999,
            mismatch=0.5,
            interpolation=True,
            generator=dict(width=32, text=64, optimizer=adam(steps)),
            discriminator=dict(width=32, text=64, optimizer=adam(steps)),
            show=dict(every=1000, counts=dict(sample=64)),
            evaluate=dict(attributes=dict(sample=1000), split="unseen"),
        ),
        frozen=dict(stages=dict(clip="runs/clip_shapes")),
        published=dict(
            steps=published, average=0.0,
            generator=dict(width=128, text=128, optimizer=adam(published)),
            discriminator=dict(width=64, text=128, optimizer=adam(published)),
            evaluate=dict(attributes=dict(sample=0), split="test"),
        ),
        smoke=dict(
            steps=4, batch_size=8, average=0.0, generator=dict(width=4, text=4),
            discriminator=dict(width=4, text=4), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(attributes=dict(sample=16)),
        ),
    )  # fmt: skip
    clip = load_config(f"{CLIP}:{'smoke' if variant == 'smoke' else ''}")
    config.data = clip.data  # One vocabulary for both stages, however it is overridden.
    if variant == "published":
        config.data.update(name="folder", size=64, held_out=())
    if variant != "frozen":
        config.stages.clip = clip
    return config
