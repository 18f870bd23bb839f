"""The first-order motion model on the dancers world: people moved as others move.

paper: Siarohin, Lathuiliere, Tulyakov, Ricci & Sebe 2019, First Order Motion Model for Image
  Animation, arXiv 2003.00196
command: python launch.py --config=configs/first_order_motion_dancers.py
  --workdir=runs/first_order_motion_dancers
hardware: one of 2 CPU cores, float32
time: not measured yet
metric: of 1,000 held-out pairs of moments: L1 distance of the driving frame made of the source on
  the scale 0 to 1, and how far off a trained network finds the joints, in pixels of a coordinate;
  the same of the source moved as another person moves (animate), beside the frame that exists
departs: 64 pixels, the detector at 32 and the motion at 16 (the paper: 256, 64 and 64), widths of
  16 (32 and 64), mean absolute errors of pixels at four scales for VGG19's features, maps of all
  sizes moved and joined (the bottleneck's alone), a deviation of 0.02 of the norms' first scales
reference: copying the source, which `copied` has beside each number
measured: not to its end; after 1,500 of 2,500 rounds (--config.steps=2500
  --config.optimizer.decay_steps=2500; convolutions had biases that norms undo) L1 0.0242 ± 0.0003
  (the source copied 0.0282), joints 5.04 ± 0.12 (copied 4.20, truth 0.72); animate 0.0243 and 5.02,
  absolute 0.0254 and 5.32. What should move fades: most keypoints are still in the middle of the
  body. With pixels=10 all were, after 2,000 rounds
target: L1 at most half of that of copying, joints nearer than those copied, relative motion nearer
  to the truth than absolute
again: python launch.py --workdir=runs/first_order_motion_dancers --mode=evaluate
status: unverified

`:published` has the paper's networks and terms, for pictures in trainA and trainB (two frames of a
film under one name) below --config.data.path=FOLDER, and VGG19's weights, torchvision's.

A picture moved as a film moves, both of your own: `gm_jax.sample(trained, len(frames), "animate",
given={"image": picture, "image_driver": frames[0], "image_b_driver": frames})["image_b"]`.
"""

from gm_jax.recipes import recipe

LAYERS = tuple(f"relu{block}_1" for block in range(1, 6))


def features(**own):
    """Mean absolute errors of VGG19's maps."""
    return recipe(
        "",
        dict(
            system="backbone", steps=0, batch_size=1, data=dict(name="none"), network="vgg19",
            distance="absolute", **own,
        ),
    )  # fmt: skip


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="first_order_motion",
            steps=4000,
            batch_size=8,
            data=dict(name="dancers"),
            perceptual=0.0,
            pixels=100.0,
            scales=4,
            equivariance=10.0,
            detector=dict(keypoints=10, factor=2, width=16, levels=4, widest=128),
            dense_motion=dict(factor=4, width=16, levels=4, widest=128),
            generator=dict(width=16, blocks=4, widest=64, skips=True),
            optimizer=dict(name="adam", learning_rate=1e-3, b1=0.5, decay_steps=4000),
            show=dict(every=500, counts=dict(sample=0, compare=16, transfer=16)),
            evaluate=dict(batch_size=50, translation=1000),
        ),
        published=dict(
            steps=100_000,
            batch_size=40,
            data=dict(name="pairs", layout="folders", domains=("A", "B"), size=256),
            perceptual=10.0,
            pixels=0.0,
            stages=dict(features=features(layers=LAYERS, importance=(1.0,) * len(LAYERS))),
            detector=dict(factor=4, width=32, levels=5, widest=1024),
            dense_motion=dict(factor=4, width=64, levels=5, widest=1024),
            generator=dict(width=64, blocks=6, widest=512, skips=False),
            optimizer=dict(learning_rate=2e-4, decay_steps=0),
            evaluate=dict(translation=100),
        ),
        smoke=dict(
            steps=4, batch_size=4, data=dict(size=16), perceptual=1.0, scales=2,
            stages=dict(features=features(weights="random", layers=LAYERS[:1])),
            detector=dict(keypoints=3, width=4, levels=2, widest=8),
            dense_motion=dict(factor=2, width=4, levels=2, widest=8),
            generator=dict(width=4, blocks=1, widest=8), optimizer=dict(decay_steps=4),
            show=dict(counts=dict(compare=4, transfer=4)),
            evaluate=dict(batch_size=4, translation=8),
        ),
    )  # fmt: skip
