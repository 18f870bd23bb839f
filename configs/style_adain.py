"""Any painting as a style: AdaIN, for photographs of scenes at 64 x 64.

paper: Huang & Belongie 2017, Arbitrary Style Transfer in Real-time with Adaptive Instance
  Normalization, arXiv 1703.06868
command: python launch.py --config=configs/style_adain.py --workdir=runs/style_adain
  --config.data.styles=STYLES, a folder of paintings, or an npz with `images` and `names`
hardware: one of 2 CPU cores (Intel Xeon), float32
time: 14 min 15 s on a busy core
metric: of 300 held-out scenes in turn in each style: share whose nearest painting, by the Gram
  matrices of another network than the encoder (evaluate.styles), is the right one; the same of
  blends from alpha 0 to 1; content and style terms beside those of the scene, of the painting and
  of noise in the picture's stead
departs: 64 pixels (the paper: 256), six paintings (some 80,000), batches of 4 (8), Adam at 1e-3
  (1e-4 falling); a random encoder, He's initial weights of a VGG19 with a quarter of its channels,
  to relu3_1 (the authors' own normalised VGG19 to relu4_1)
reference: a random guess is right for one painting of six
measured: by a random SqueezeNet's maps 0.81 ± 0.02 told (scenes as they are 0.17), with alpha 0,
  0.25, 0.5, 0.75 and 1 0.15 0.21 0.36 0.42 0.81; style 0.079 ± 0.003 (scene 2.91, noise 6.28),
  content 1.42 ± 0.04 (painting 2.05, noise 5.04). By eye the colours are a painting's, its strokes
  are not: horizontal stripes
target: more than half of the paintings told, and more than of the scenes as they are; a person
  names the painting
again: python launch.py --workdir=runs/style_adain --mode=evaluate
status: unverified

Contents of your own: --config.data.base=folder --config.data.path=FOLDER. Another picture's style:
`gm_jax.sample(trained, 8, "translate", given={"image_b": picture})`; how much of it:
--config.alpha=0.5. `:published` has the paper's networks and rounds, for the pictures in
--config.data.path=FOLDER, and VGG19's weights, torchvision's; the authors' are another file, whose
maps are scaled to a mean of 1, and their rate falls as 1 / (1 + 5e-5 step).
"""

from gm_jax.recipes import recipe

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


def features(**own):
    return recipe(
        "",
        dict(
            system="backbone", steps=0, batch_size=1, data=dict(name="none"), network="vgg19",
            distance="plain", padding="reflect", **own,
        ),
    )  # fmt: skip


def adam(rate):
    return dict(name="adam", learning_rate=rate)


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="adain",
            steps=1000,
            batch_size=4,
            data=dict(
                name="styled", base="scenes", domains=("photo", "map"), size=64, resize=96,
                crop="random",
            ),
            style=10.0,
            layers=LAYERS[:3],
            alpha=1.0,
            decoder=dict(widths=(64, 32), convolutions=(2, 2)),
            optimizer=adam(1e-3),
            stages=dict(features=features(weights="random", narrow=4, layers=LAYERS[:3])),
            show=dict(every=500, counts=dict(sample=0, compare=18, blend=6)),
            evaluate=dict(batch_size=48, styles=300, counts=dict(restyling=300)),
        ),
        published=dict(
            steps=160_000,
            batch_size=8,
            data=dict(base="folder", domains=(), size=256, resize=512),
            layers=LAYERS,
            decoder=dict(widths=(256, 128, 64), convolutions=(4, 2, 2)),
            optimizer=adam(1e-4),
            stages=dict(features=features(layers=LAYERS)),
            evaluate=dict(batch_size=8, counts=dict(restyling=0)),
        ),
        smoke=dict(
            steps=4, batch_size=4, data=dict(size=16, resize=20, styles="patterns"),
            layers=LAYERS[:2], decoder=dict(widths=(4,), convolutions=(2,)),
            stages=dict(features=features(weights="random", layers=LAYERS[:2])),
            show=dict(counts=dict(compare=4, blend=4)),
            evaluate=dict(batch_size=4, styles=12, counts=dict(restyling=8)),
        ),
    )  # fmt: skip
