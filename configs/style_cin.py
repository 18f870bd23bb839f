"""Paintings as the styles of one network, and their blends, for photographs of scenes at 64 x 64.

paper: Dumoulin, Shlens & Kudlur 2017, A Learned Representation for Artistic Style, arXiv 1610.07629
command: python launch.py --config=configs/style_cin.py --workdir=runs/style_cin
  --config.data.styles=STYLES, a folder of paintings, or an npz with `images` and `names`
hardware: one of 2 CPU cores (Intel Xeon), float32
time: the first 745 of 3,000 rounds 7 min on a busy core
metric: of 120 held-out scenes in turn in each style: share whose nearest painting, by the Gram
  matrices of another network than the one that trained (evaluate.styles), is the right one; the
  same of blends on the way to the next style; content and style terms beside those of the scene,
  of the painting and of noise in the picture's stead
departs: 64 pixels (the paper: 256), width 16 with 3 blocks (32, 5), batches of 4 (16); a random
  network's features, He's initial weights of a VGG16 with a quarter of its channels and average
  pools, at relu1_2, relu2_2 and relu3_3 (a trained one's, to relu4_3), which know colours and
  strokes and no objects; parts of 64 x 64 of each painting at 96 (the whole); weights of content
  and style 1 and 5
reference: a random guess is right for one painting of six
measured: after 745 rounds, of 60 pictures, by a random SqueezeNet's maps: 0.50 ± 0.07 told
  (scenes as they are 0.17); of blends from its style to the next 0.50 0.50 0.33 0.22 0.17; style
  0.13 ± 0.02 (scene 5.26, noise 2.64), content 0.46 ± 0.03 (painting 0.79, noise 0.68). In
  training, scenes of one style had their light from one side
target: more than half of the paintings told, and more than of the scenes as they are
again: python launch.py --workdir=runs/style_cin --mode=evaluate
status: unverified

Contents of your own: --config.data.base=folder --config.data.path=FOLDER. `:published` has the
paper's network and rounds, for the pictures in --config.data.path=FOLDER, and VGG16's weights,
torchvision's: they see pictures scaled as ImageNet's, where the authors' see levels less their
mean, so that their weight of style, 1e-4, is 1 here, as yet untried. With
--config.evaluate.weights=FILE, Inception's, paintings are told by its maps.
"""

from gm_jax.recipes import recipe

STYLES = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")


def features(**own):
    return recipe(
        "",
        dict(
            system="backbone", steps=0, batch_size=1, data=dict(name="none"), network="vgg16",
            distance="plain", pool="average", **own,
        ),
    )  # fmt: skip


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="cin",
            steps=3000,
            batch_size=4,
            data=dict(
                name="styled", base="scenes", domains=("photo", "map"), size=64, resize=96,
                crop="random",
            ),
            content=1.0,
            style=5.0,
            content_layers=("relu3_3",),
            style_layers=STYLES[:3],
            network=dict(width=16, blocks=3),
            optimizer=dict(name="adam", learning_rate=1e-3),
            stages=dict(features=features(weights="random", narrow=4, layers=STYLES[:3])),
            show=dict(every=500, counts=dict(sample=0, compare=18, blend=6)),
            evaluate=dict(batch_size=48, styles=120, counts=dict(restyling=120)),
        ),
        published=dict(
            steps=40_000,
            batch_size=16,
            data=dict(base="folder", domains=(), size=256, resize=None),
            style=1.0,
            style_layers=STYLES,
            network=dict(width=32, blocks=5),
            stages=dict(features=features(layers=STYLES)),
            evaluate=dict(batch_size=16, counts=dict(restyling=0)),
        ),
        smoke=dict(
            steps=4, batch_size=4, data=dict(size=16, resize=20, styles="patterns"),
            network=dict(width=4, blocks=1), content_layers=("relu1_1",),
            style_layers=("relu1_1", "relu2_1"),
            stages=dict(features=features(weights="random", layers=("relu1_1", "relu2_1"))),
            show=dict(counts=dict(compare=4, blend=4)),
            evaluate=dict(batch_size=4, styles=12, counts=dict(restyling=8)),
        ),
    )  # fmt: skip
