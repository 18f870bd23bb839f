"""Six paintings as the styles of one network, for photographs of scenes at 64 x 64."""

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
            steps=1500,
            batch_size=4,
            data=dict(
                name="styled", base="scenes", domains=("photo", "map"), size=64, resize=96,
                crop="random",
            ),
            content=1.0,
            style=1.0,
            content_layers=("relu3_3",),
            style_layers=STYLES[:3],
            network=dict(width=16, blocks=3),
            optimizer=dict(name="adam", learning_rate=1e-3),
            stages=dict(features=features(weights="random", narrow=4, layers=STYLES[:3])),
            show=dict(every=500, counts=dict(sample=0, compare=18, blend=6)),
            evaluate=dict(batch_size=48, styles=300, counts=dict(restyling=300)),
        ),
        published=dict(
            steps=40_000,
            batch_size=16,
            data=dict(base="folder", domains=(), size=256, resize=None),
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
