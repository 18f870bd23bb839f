"""The ladder network: a classifier that learns from few labels and many images.

Rasmus et al. 2015 (arXiv 1507.02672), with the Gaussian combinator of the authors' code.

    clean     z^l = BN(W h^{l-1}),          h^l = relu(z^l + beta)
    noisy     z~^l = BN(W h~^{l-1}) + n,    the same weights; also the input has noise
    estimate  z^^l = (z~^l - mu(u)) v(u) + mu(u),   u^l = BN(V z^^{l+1}), u^L = BN(softmax~)
    L         = -log p~(y | x~), labelled
              + sum_l lambda_l mean ((z^^l - m^l) / s^l - z^l)^2, unlabelled

m and s are the clean pass's mean and deviation of W h, and no gradient stops anywhere: the clean
units learn to be what the decoder can estimate. Labelled and unlabelled rows are normalised apart.
The trained classifier is the clean pass by statistics of `calibration` images, layer after layer.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks, replicas
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.ladder import LadderDecoder, LadderEncoder, normalised
from gm_jax.nn.layers import Size, normal
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, at_least, schema

Deviation = Annotated[float, at_least(0.0)]
Weight = Annotated[float, at_least(0.0)]


@schema
class Noise:
    """The deviations of the noise.

    input  added to pixels in [0, 1]
    inner  added to the normalised units of each layer, the top's, too
    """

    input: Deviation = 0.3
    inner: Deviation = 0.3


@schema
class Settings(Recipe):
    """A ladder network.

    widths       units of the hidden layers
    weights      lambda of each layer's cost, from the image to the top; the decoder reaches down to
                 the lowest that is not 0, and without any there is none
    noise        of the noisy pass
    calibration  the latest images, by whose statistics the trained classifier is normalised
    optimizer    one of optax's
    """

    widths: tuple[Size, ...] = (1000, 500, 250, 250, 250)
    weights: tuple[Weight, ...] = (1000.0, 10.0, 0.1, 0.1, 0.1, 0.1, 0.1)
    noise: Noise = Noise()
    calibration: Annotated[int, at_least(1)] = 20_000
    optimizer: Optimizer = adam(2e-3)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        layers = len(self.widths) + 2
        if len(self.weights) != layers:
            yield (
                f"weights are {len(self.weights)}, and widths make {layers} layers with the image"
                " and the classes: give one for each"
            )
        if self.calibration < self.batch_size:
            yield f"calibration {self.calibration} must be at least batch_size {self.batch_size}"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """An encoder and a decoder, one player; configs/ladder_mnist.py."""
    field_of(spec, "image_labelled")
    classes, weights = field_of(spec, "label_labelled").cardinality, settings.weights
    costly = [layer for layer, weight in enumerate(weights) if weight]
    dtype, kept = jnp.dtype(settings.dtype), settings.calibration
    encoder = Network("encoder", LadderEncoder(settings.widths, classes, dtype))
    decoder = Network("decoder", LadderDecoder(costly[0], dtype)) if costly else None

    def init(key, batch, previous):
        x = pixels(batch["image"])
        shapes = jax.eval_shape(lambda: encoder.module.init_with_output(key, x)[0])
        z, top = ([jnp.zeros(part.shape) for part in shapes.z], jnp.zeros(shapes.top.shape))
        calls = (encoder, x), *([(decoder, z, top)] if costly else [])
        variables = networks.split_init(key, *calls)
        seen = grey(batch["image"])[jnp.arange(kept) % len(x)]
        variables = variables._replace(state={"seen": seen})
        return variables._replace(state={"seen": seen, **calibrate(variables)})

    def calibrate(variables):
        """Statistics of the clean pass, each layer's by those of the layers below."""
        x = pixels(variables.state["seen"].astype(jnp.float32) / 127.5 - 1.0)
        return {"moments": encoder(variables, x).moments}

    def noisy(variables, x, keys):
        """The pass with noise, by keys [B]."""
        units = (x.shape[1], *settings.widths, classes)
        deviations = settings.noise.input, *(settings.noise.inner for _ in units[1:])
        own = [jax.vmap(jax.random.fold_in, (0, None))(keys, layer) for layer in range(len(units))]
        noise = [
            deviation * normal(layer, (size,))
            for deviation, layer, size in zip(deviations, own, units, strict=True)
        ]
        return encoder(variables, x, noise)

    def denoising(variables, x, keys):
        """lambda_l mean ((estimate - m) / s - z)^2 of each layer that has a cost, [B] each."""
        clean, corrupted = encoder(variables, x), noisy(variables, x, keys)
        estimates = decoder(variables, corrupted.z, corrupted.top)
        costs = {}
        for layer in costly:
            estimate = estimates[layer - costly[0]]
            if layer:  # The image is not normalised.
                estimate = normalised(estimate, clean.moments[layer - 1])
            costs[layer] = weights[layer] * jnp.mean((estimate - clean.z[layer]) ** 2, axis=-1)
        return costs

    def loss(variables, batch, key, step):
        keys = [example_keys(own, batch) for own in jax.random.split(key)]
        logits = noisy(variables, pixels(batch["image_labelled"]), keys[0]).logits
        classification = -jnp.mean(categorical(batch["label_labelled"], logits))
        x = pixels(batch["image"])
        costs = denoising(variables, x, keys[1]) if costly else {}
        metrics = {f"layer_{layer}": jnp.mean(cost) for layer, cost in costs.items()}
        metrics["classification"] = classification
        fresh = replicas.gather(grey(batch["image"]))
        latest = (step * len(fresh) + jnp.arange(len(fresh))) % kept
        seen = variables.state["seen"].at[latest].set(fresh)
        total = classification + sum(jnp.mean(cost) for cost in costs.values())
        return total, Aux(metrics, {"seen": seen})

    def logits_of(variables, batch):
        x, moments = pixels(batch["image"]), variables.state["moments"]
        return encoder(variables, x, (), moments).logits

    def classify(variables, batch, key):
        """The most probable class, [B]."""
        return {"label": jnp.argmax(logits_of(variables, batch), axis=-1)}

    def error(variables, batch, key):
        """Whether the most probable class is wrong, and log p(label | x), [B]."""
        logits, label = logits_of(variables, batch), batch["label"]
        wrong = jnp.argmax(logits, axis=-1) != label
        return {"error": wrong.astype(logits.dtype), "log_likelihood": categorical(label, logits)}

    owns = ("encoder", *(("decoder",) if costly else ()))
    players = (games.player("ladder", owns, {"loss": loss}, settings, settings.average),)
    functions = {"classify": classify, "error": error}
    return (games.phase(settings, init, players, functions, calibrate=calibrate),)


def pixels(image):
    """Images in [-1, 1] as vectors in [0, 1], [B, D]."""
    return image.reshape(len(image), -1) / 2.0 + 0.5


def grey(image):
    """Images in [-1, 1] as uint8, as they are kept."""
    return jnp.round((image + 1.0) * 127.5).astype(jnp.uint8)
