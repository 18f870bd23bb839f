"""Whether a style can be told from a picture: by a network that no training of styles has seen."""

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax import data
from gm_jax.errors import UserError
from gm_jax.evaluation import load_inception
from gm_jax.evaluation.inception import InceptionV3
from gm_jax.losses.style import gram
from gm_jax.nn import backbones
from gm_jax.nn.backbones import Backbone
from gm_jax.trained import Trained, sample

SEED = 20_170  # of random weights: no recipe's
OF_RANDOM = "squeezenet", ("relu1_1", "fire2_2", "fire3_2")
OF_INCEPTION = ("Mixed_5b", "Mixed_5d")
SIDE = 149  # of pictures as Inception sees them: half of its own, so that maps are 16 x 16
BATCH = 50


def recognised(trained: Trained, count: int) -> dict[str, dict]:
    """`count` pictures of the split restyled: the share whose nearest style is their own.

    A style's picture is near by the Gram matrices of maps of Inception (`evaluate.weights`), or of
    a random SqueezeNet if no file is given; the name says which. Beside it stand the same share of
    the contents, copied, and chance. `_blend_k` is that of the k-th picture of `blend`.
    Raises UserError if the data has no styles.
    """
    split = trained.config.evaluate.split
    source = data.open_source(trained.phase.data, split)
    if "label_b" not in source.spec or "image_b" not in source.spec:
        raise UserError(
            f"evaluate.styles needs pictures of styles, image_b and label_b, which {source.name}"
            " does not have: choose data.name=styled"
        )
    if source.size is not None and count > source.size:
        raise UserError(f"evaluate.styles is {count}, but {split} has {source.size} examples")
    name, statistics = _judge(trained.config.evaluate.weights)
    truth = source.load(np.arange(count))
    label = truth["label_b"]
    known, first = np.unique(label, return_index=True)
    paintings = statistics(truth["image_b"][first])

    def right(images):
        return (known[_nearest(statistics(images), paintings)] == label).astype(np.float64)

    made = right(sample(trained, count, "translate", split)["image"])
    results = {f"recognised_{name}": made}
    blends = sample(trained, count, "blend", split)["image"]
    for number in range(blends.shape[1]):
        results[f"recognised_{name}_blend_{number}"] = right(blends[:, number])
    beside = {"copied": float(right(truth["image"]).mean()), "chance": 1 / len(known)}

    def row(values):
        error = float(np.std(values, ddof=1) / np.sqrt(count))
        about = {"standard_error": error, "examples": count, "split": split}
        return {"value": float(values.mean()), **about, **beside}

    return {key: row(values) for key, values in results.items()}


def _nearest(made: list[np.ndarray], paintings: list[np.ndarray]) -> np.ndarray:
    """The number of the nearest painting, [N]; each layer's distance over its mean square."""
    far = 0.0
    for x, y in zip(made, paintings, strict=True):
        far = far + ((x[:, None] - y) ** 2).mean((2, 3)) / (y**2).mean()
    return far.argmin(1)


def _judge(weights: str):
    """(name, images uint8 [N, H, W, C] -> Gram matrices [N, C', C'] of each layer)."""
    if weights:
        opened = load_inception(weights)
        name, params, maps = opened.name, opened.params, _inception
    else:
        network, layers = OF_RANDOM
        module = Backbone(backbones.NETWORKS[network], layers)
        params = module.init(jax.random.key(SEED), jnp.zeros((1, 64, 64, 3)))["params"]
        name = f"random_{network}"

        def maps(params, x):
            return list(module.apply({"params": params}, backbones.normalized(x)).values())

    program = jax.jit(lambda params, x: [gram(found) for found in maps(params, x / 127.5 - 1.0)])

    def statistics(images):
        parts = [images[n : n + BATCH] for n in range(0, len(images), BATCH)]
        found = [jax.device_get(program(params, part)) for part in parts]
        return [np.concatenate(layer) for layer in zip(*found, strict=True)]

    return name, statistics


def _inception(params, x):
    x = jax.image.resize(x, (len(x), SIDE, SIDE, 3), "bilinear")
    _, state = InceptionV3(layers=("768",)).apply(
        {"params": params}, x, mutable=["intermediates"],
        capture_intermediates=lambda module, _: module.name in OF_INCEPTION,
    )  # fmt: skip
    return [state["intermediates"][name]["__call__"][0] for name in OF_INCEPTION]
