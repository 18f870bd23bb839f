"""Any painting as a style of photographs of scenes at 64 x 64."""

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
            steps=2000,
            batch_size=8,
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
