"""Stacked (denoising) autoencoders: layers trained one by one, then a classifier of few labels.

Vincent et al. 2010 (JMLR 11, 3371-3408), section 3.5; Bengio et al. 2007 (NIPS 19) without noise.

    h^0 = x,  h^l = sigma(W_l'h^(l-1) + c_l)                          the clean code of each layer
    L_l = -sum h log y + (1 - h) log(1 - y),  h = h^(l-1)
          y = sigma(W_l sigma(W_l'h~ + c_l) + b_l),  h~ = h with some entries set to 0
    L = -log softmax(U'h^last + u)_label                              through all layers

Phases "layer_0", "layer_1", ... see all images, each the clean codes of the layers below, which
ride along in the state. "classifier" is the last; if the data has few labelled examples beside the
others (data.name=half_labelled), it learns from those. Without pretraining it is the only one, and
starts from the same random weights. Pixels are in [0, 1].
"""

import itertools
import math
from typing import Annotated

import jax
import jax.numpy as jnp
import optax

from gm_jax import games
from gm_jax.losses.likelihoods import bernoulli, categorical
from gm_jax.model import Aux, Phase, Variables, classes_of, example_keys, field_of
from gm_jax.nn.layers import Size, product, uniform
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, at_least, at_most, schema

Share = Annotated[float, at_least(0.0), at_most(1.0)]


@schema
class Pretraining:
    """The training of each layer as an autoencoder.

    steps      rounds a layer; 0 for none
    masked     share of a layer's inputs that are set to 0, for each layer; 0 for no noise
    optimizer  one of optax's
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)] = 1
    masked: tuple[Share, ...] = (0.25, 0.25)
    optimizer: Optimizer = adam(1e-3)


@schema
class Settings(Recipe):
    """A stacked autoencoder that becomes a classifier.

    steps        rounds of the classifier
    widths       units of the layers, from the image on
    pretraining  of each layer
    slower       what the rate of the layers is multiplied with in the classifier, beside its output
    optimizer    of the classifier, one of optax's
    """

    widths: tuple[Size, ...] = (500, 500)
    pretraining: Pretraining = Pretraining()
    slower: Annotated[float, at_least(0.0)] = 1.0
    optimizer: Optimizer = adam(1e-3)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if len(self.pretraining.masked) != len(self.widths):
            yield f"pretraining.masked needs a share for each of the {len(self.widths)} widths"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A phase for each layer, then the classifier; configs/sdae_mnist.py."""
    shape, classes, own = field_of(spec, "image").shape, classes_of(spec), settings.pretraining
    sizes, dtype = (math.prod(shape), *settings.widths), jnp.dtype(settings.dtype)
    count = len(settings.widths)

    def pixels(image):
        return (image.reshape(len(image), -1) + 1.0) / 2.0

    def seen(batch):
        return pixels(batch["image"])

    def fresh(key):
        """Every layer before training: W ~ U(+-4 sqrt(6 / (in + out))), biases 0."""
        pairs = zip(jax.random.split(key, count), itertools.pairwise(sizes), strict=True)
        return [
            {"w": _weights(k, *pair), "c": jnp.zeros(pair[1]), "b": jnp.zeros(pair[0])}
            for k, pair in pairs
        ]

    def up(layer, h):
        return jax.nn.sigmoid(product(h, layer["w"], dtype) + layer["c"])

    def down(layer, h):
        """Logits of the layer below, by the same weights."""
        return product(h, layer["w"].T, dtype) + layer["b"]

    def code(layers, h):
        for layer in layers:
            h = up(layer, h)
        return h

    def of_layer(number):
        """The phase of one layer."""

        def init(key, batch, previous):
            layers = fresh(key)
            below = layers[:number] if previous is None else trained(previous)
            return Variables({"layer": layers[number]}, {"below": below})

        def denoising(variables, batch, key, step):
            layer, h = variables.params["layer"], code(variables.state["below"], seen(batch))
            kept = uniform(example_keys(key, batch), h.shape[1:]) >= own.masked[number]
            logits = down(layer, up(layer, jnp.where(kept, h, 0.0)))
            return -jnp.mean(bernoulli(h, logits)), Aux()

        def reconstruct(variables, batch, key):
            """The image, and what all layers so far make of its code, [B, 2, H, W, C]."""
            layers, x = trained(variables), seen(batch)
            y = code(layers, x)
            for layer in reversed(layers):
                y = jax.nn.sigmoid(down(layer, y))
            return {"image": 2.0 * jnp.stack([x, y], axis=1).reshape(-1, 2, *shape) - 1.0}

        player = games.player("layer", ("layer",), {"denoising": denoising}, own, settings.average)
        functions = {"reconstruct": reconstruct, **of_layers(trained)}
        made = games.phase(settings, init, (player,), functions)
        return made._replace(name=f"layer_{number}", steps=own.steps)

    def of_layers(layers):
        """What the layers can do; layers: variables -> those that are trained so far."""

        def encode(variables, batch, key):
            """The clean code of the last layer, [B, D]."""
            return {"latent": code(layers(variables), seen(batch))}

        def filters(variables, batch, key):
            """The weights of a unit of the first layer, its largest white or black."""
            w = layers(variables)[0]["w"]
            chosen = (w / jnp.max(jnp.abs(w), axis=0)).T[batch["index"] % sizes[1]]
            return {"image": chosen.reshape(-1, *shape)}

        return {"encode": encode, "filters": filters}

    def init_classifier(key, batch, previous):
        layers = fresh(key) if previous is None else trained(previous)
        head = {"w": jnp.zeros((sizes[-1], classes)), "c": jnp.zeros(classes)}
        layers = [{"w": layer["w"], "c": layer["c"]} for layer in layers]
        return Variables({"layers": layers, "head": head})

    def logits_of(variables, image):
        head, h = variables.params["head"], code(variables.params["layers"], pixels(image))
        return product(h, head["w"], dtype) + head["c"]

    def negative_log_likelihood(variables, batch, key, step):
        few = "_labelled" if "image_labelled" in spec else ""
        image, label = batch["image" + few], batch["label" + few]
        logits = logits_of(variables, image)
        wrong = jnp.argmax(logits, axis=-1) != label
        metrics = {"error": jnp.mean(wrong, dtype=logits.dtype)}
        return -jnp.mean(categorical(label, logits)), Aux(metrics)

    def classified(variables, batch, key):
        """Whether the most probable class is another than the label, and the label's log p, [B]."""
        logits = logits_of(variables, batch["image"])
        wrong = jnp.argmax(logits, axis=-1) != batch["label"]
        log_p = categorical(batch["label"], logits)
        return {"error": wrong.astype(logits.dtype), "log_likelihood": log_p}

    moves = {"negative_log_likelihood": negative_log_likelihood}
    player = games.player("classifier", ("layers", "head"), moves, settings, settings.average)
    scaled = optax.masked(optax.scale(settings.slower), {"layers": True, "head": False})
    player = player._replace(optimizer=optax.chain(player.optimizer, scaled))
    functions = {"classified": classified, **of_layers(lambda v: v.params["layers"])}
    last = games.phase(settings, init_classifier, (player,), functions)
    layers = range(count) if own.steps else ()
    return (*map(of_layer, layers), last._replace(name="classifier"))


def trained(variables: Variables) -> list:
    """The layers at the end of one's phase, from the image on."""
    return [*variables.state["below"], variables.params["layer"]]


def _weights(key, size: int, width: int):
    bound = 4.0 * math.sqrt(6.0 / (size + width))
    return jax.random.uniform(key, (size, width), minval=-bound, maxval=bound)
