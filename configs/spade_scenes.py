"""SPADE on scenes of 64 x 64: from label maps to photographs; `:style` with an encoder of styles.

paper: Park et al. 2019, Semantic Image Synthesis with Spatially-Adaptive Normalization,
  arXiv 1903.07291
command: python launch.py --config=configs/spade_scenes.py --workdir=runs/spade_scenes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: of 1,000 held-out scenes: scores by a segmenter of photographs; L1 distance to the true
  photograph on the scale 0 to 1; contrast, the mean difference between a disc's halves, of the
  truth's
departs: 64 pixels from a first map of 4 x 4 (the paper: 256, 8 x 8), width 16 with 32 hidden
  channels (64, 128), D of two strided layers (three), whose weights begin as pix2pix's, N(0, 0.02)
  (Glorot's with a gain of 0.02), no term of VGG19's features
reference: class IoU beside pix2pix_scenes at the same budget
measured: not measured yet
target: a higher class IoU than pix2pix_scenes
again: python launch.py --workdir=runs/spade_scenes --mode=evaluate
status: unverified

`:published` has the paper's networks and terms, for pictures of 256 x 256 and their masks below
--config.data.path=FOLDER, 151 classes as in ADE20K, 50 epochs of 20,210 by 32, and VGG19's weights,
torchvision's. Its learning rates are constant (the authors': falling over the second half).
"""

from gm_jax.recipes import recipe

LAYERS = tuple(f"relu{block}_1" for block in range(1, 6))
IMPORTANCE = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def features(**own):
    """Mean absolute errors of VGG19's maps of pictures as they are, in [-1, 1]."""
    return recipe(
        "",
        dict(
            system="backbone", steps=0, batch_size=1, data=dict(name="none"), network="vgg19",
            distance="absolute", scale="none", **own,
        ),
    )  # fmt: skip


def adam(rate):
    return dict(name="adam", learning_rate=rate, b1=0.0, b2=0.9)


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="spade",
            steps=6000,
            batch_size=8,
            data=dict(name="scenes", domains=("map", "photo"), flip=True),
            value_function="hinge",
            matching=10.0,
            perceptual=0.0,
            style=False,
            kl=0.05,
            edges=False,
            generator=dict(width=16, levels=4, hidden=32, optimizer=adam(1e-4)),
            discriminator=dict(scales=2, width=16, layers=2, optimizer=adam(4e-4)),
            encoder=dict(size=64, width=16, levels=4),
            show=dict(every=500, counts=dict(sample=0, compare=16)),
            evaluate=dict(batch_size=50, translation=1000),
        ),
        style=dict(style=True),
        published=dict(
            steps=50 * 20_210 // 32,
            batch_size=32,
            data=dict(
                name="pairs", layout="masks", domains=(), classes=151, size=256, resize=286,
                crop="random",
            ),
            perceptual=10.0,
            stages=dict(features=features(layers=LAYERS, importance=IMPORTANCE)),
            generator=dict(width=64, levels=5, hidden=128),
            discriminator=dict(width=64, layers=3),
            encoder=dict(size=256, width=64, levels=6),
            evaluate=dict(translation=0),
        ),
        smoke=dict(
            steps=4, batch_size=4, data=dict(size=16), perceptual=10.0, style=True, edges=True,
            stages=dict(
                features=features(
                    weights="random", layers=LAYERS[:2], importance=(0.5, 1.0)
                )
            ),
            generator=dict(width=4, levels=2, hidden=4), discriminator=dict(width=4, layers=1),
            encoder=dict(size=3, width=4, levels=2), show=dict(counts=dict(compare=4)),
            evaluate=dict(batch_size=4, translation=8),
        ),
    )  # fmt: skip
