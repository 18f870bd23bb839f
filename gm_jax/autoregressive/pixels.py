"""Images as sequences of symbols: what every model of pixels shares.

A network of pixels is a flax module with

    reach                                the window of its first layer (`nn.masked.Reach`)
    __call__(x [B, H, W, C], label)      outputs of all pixels, [B, H, W, C, ...]
    embed(x)                             symbols [..., C] to features [..., C D]
    above(x, label, cached)              maps [B, H, W, D] that a row leaves to the row below
    along(x, maps, label, place)         outputs of pixels, given the maps from the rows above

`causal` makes of it the `Causal` of sequences in raster order, channels innermost; `phases` makes
of that a game with one player, whose loss is -log p(x), and its functions.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.autoregressive.causal import Causal, check_sampler, log_prob, sample
from gm_jax.model import (
    Array,
    Aux,
    Field,
    GenerativeModel,
    Move,
    Phase,
    Player,
    Variables,
    classes_of,
    example_keys,
    field_of,
)
from gm_jax.nn.masked import Place, scaled
from gm_jax.optimizers import optimizer, warmed_up


def causal(
    net, shape: tuple[int, int, int], finish: Callable | None = None, margin: bool = False
) -> Causal:
    """The network over images of a shape [H, W, C] as one over sequences of H W C places.

    A step costs one pixel (once a row, also the row above), whatever the size of the image.
    finish  (symbols [..., C], the network's output of the pixel) -> logits [..., C, K], those of a
            channel dependent on symbols of the ones before; by default they are its output
    margin  whether the network walks through one column of padding right of the image as well, as
            a direction from the right must (`nn.pixelrnn`)
    """
    finish = finish or (lambda x, outputs: outputs)
    height, width, colors = shape
    (up, left, right), window = net.reach, net.reach.size
    wide = width + margin

    def apply(params, x, condition):
        image = x.reshape(-1, *shape)
        outputs = finish(image, net.apply({"params": params}, image, condition))
        return outputs.reshape(x.shape[0], math.prod(shape), *outputs.shape[4:])

    def embed(params, symbols):
        return net.apply({"params": params}, symbols[:, None], method="embed")

    def above(params, kept, row, condition):
        """The maps a row leaves to the next, and what is kept of it."""
        variables = {"params": params, **kept}
        return net.apply(variables, row, condition, True, method="above", mutable=["cache"])

    def along(params, kept, seen, maps, condition, place):
        variables = {"params": params, **kept}
        return net.apply(variables, seen, maps, condition, place, method="along", mutable=["cache"])

    def begin(params, batch_size, condition):
        depth = jax.eval_shape(embed, params, jnp.zeros(batch_size, jnp.int32)).shape[-1] * colors

        def first():
            image = jnp.zeros((batch_size, up + height, left + wide + right, depth))
            maps, rows = above(params, {}, image[:, :1, :width], condition)
            seen = image[:, : window[0], : window[1]]
            here = jax.tree.map(lambda m: m[:, :, :1], maps)
            start = Place(jnp.int32(0), jnp.int32(0), jnp.bool_(True), wide)
            _, pixels = along(params, {}, seen, here, condition, start)
            return {"image": image, "maps": maps, "rows": rows, "pixels": pixels}

        empty = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(first))
        symbols = jnp.zeros((batch_size, colors), jnp.int32)
        return {**empty, "symbols": symbols, "condition": condition}

    def step(params, cache, previous, place):
        features = embed(params, previous) * (place > 0)  # Nothing comes before place 0.
        image = _put(cache["image"], features, jnp.maximum(place - 1, 0), net.reach, shape)
        symbols = cache["symbols"].at[:, (place - 1) % colors].set(previous)  # Of this pixel.
        pixel, color = jnp.divmod(place, colors)
        row, column = jnp.divmod(pixel, width)
        here = Place(row, column, (column == 0) & (color == 0), wide)
        condition, maps, pixels = cache["condition"], cache["maps"], cache["pixels"]

        def walk(pixels, place):
            """The output of a pixel, and what is kept of it."""
            start = (0, place.row, place.column, 0)
            seen = lax.dynamic_slice(image, start, (len(image), *window, image.shape[-1]))
            at = jax.tree.map(lambda m: lax.dynamic_slice_in_dim(m, place.column, 1, 2), maps)
            return along(params, pixels, seen, at, condition, place)

        def last_row(_):
            start = (0, up + row - 1, left, 0)
            whole = lax.dynamic_slice(image, start, (len(image), 1, width, image.shape[-1]))
            return above(params, cache["rows"], whole, condition)

        def last_margin(pixels):
            return walk(pixels, Place(row - 1, jnp.int32(width), jnp.bool_(False), wide))[1]

        below = here.new_row & (row > 0)
        if margin:
            pixels = lax.cond(below, last_margin, lambda kept: kept, pixels)
        maps, rows = lax.cond(below, last_row, lambda kept: kept, (maps, cache["rows"]))
        outputs, pixels = walk(pixels, here)
        outputs = finish(symbols, outputs[:, 0, 0])
        cache = {
            "image": image, "symbols": symbols, "maps": maps, "rows": rows, "pixels": pixels,
            "condition": condition,
        }  # fmt: skip
        return cache, lax.dynamic_index_in_dim(outputs, color, 1, False)

    return Causal(apply, begin, step)


def _put(image, features, place, reach, shape):
    """A padded image [B, up + H, left + W + right, C D] with the features [B, D] at a place."""
    pixel, color = jnp.divmod(place, shape[2])
    row, column = jnp.divmod(pixel, shape[1])
    start = (0, reach.up + row, reach.left + column, color * features.shape[-1])
    return lax.dynamic_update_slice(image, features[:, None, None], start)


def classes(config, spec) -> int:
    """How many labels a model is to be conditioned on; 0 where `config.conditional` is False.

    Raises UserError where the data has no labels.
    """
    return classes_of(spec) if config.conditional else 0


def init(net, image: Field) -> Callable:
    """(key, x [B, T], label) -> (parameters of a network of pixels, no state)."""

    def begin(key, x, label):
        return net.init(key, x.reshape(-1, *image.shape), label)["params"], {}

    return begin


def to_symbols(image: Array, levels: int) -> Array:
    """Images [B, H, W, C] in [-1, 1] to sequences [B, H W C] of symbols 0..levels-1."""
    values = jnp.round((image + 1.0) * ((levels - 1) / 2.0)).astype(jnp.int32)
    return values.reshape(len(image), -1)


def phases(
    config, spec, model: Causal, init: Callable, conditional: bool = False,
    nats: Callable | None = None,
) -> tuple[Phase, ...]:  # fmt: skip
    """One player who minimises -log p(x) in nats; configs/gated_pixelcnn_mnist.py shows the keys.

    init         (key, x [B, T], label) -> (params of the network, state); where the state holds an
                 `order` [T], the model reads and writes the pixels in that order
    conditional  whether `label` is the model's condition
    nats         (params, x [B, T], label, keys [B] or None) -> log p(x) [B]; by default that of the
                 logits. Keys are given where the network trains, for dropout
    """
    check_sampler(**config.sampler)
    levels, shape = field_of(spec, "image").cardinality, spec["image"].shape
    places = math.prod(shape)
    nats = nats or (lambda params, x, label, keys: log_prob(model, params, x, label))

    def label_of(batch):
        return batch["label"] if conditional else None

    def sequence(variables, batch):
        x = to_symbols(batch["image"], levels)
        return x[:, variables.state["order"]] if "order" in variables.state else x

    def arranged(variables, values):
        """One value a place of the sequence, [B, T], where it belongs in the image."""
        if "order" in variables.state:
            values = values[:, jnp.argsort(variables.state["order"])]
        return values.reshape(-1, *shape)

    def begin(key, batch, previous):
        params, state = init(key, to_symbols(batch["image"], levels), label_of(batch))
        return Variables({"net": params}, state)

    def negative_log_likelihood(variables, batch, key, step):
        x, keys = sequence(variables, batch), example_keys(key, batch)
        loss = -jnp.mean(nats(variables.params["net"], x, label_of(batch), keys))
        return loss, Aux({"bits_per_dimension": loss / (places * math.log(2.0))})

    def drawn(variables, batch, key, prompt=None):
        keys, params = example_keys(key, batch), variables.params["net"]
        x = sample(model, params, keys, places, label_of(batch), prompt, **config.sampler)
        return scaled(arranged(variables, x), levels)

    def draw_images(variables, batch, key):
        """Images drawn pixel by pixel; where conditional, beside the label they obey."""
        images = {"image": drawn(variables, batch, key)}
        return images | ({"label": batch["label"]} if conditional else {})

    def complete(variables, batch, key):
        """The image, what is given of it (the first half of its places), and that completed.

        [B, 3, H, W, C], what is not given in grey.
        """
        prompt = sequence(variables, batch)[:, : places // 2]
        told = arranged(variables, jnp.arange(places)[None] < places // 2)
        images = [batch["image"], batch["image"] * told, drawn(variables, batch, key, prompt)]
        return {"image": jnp.stack(images, axis=1)}

    def log_likelihood(variables, batch, key):
        """log p(x) in nats, and -log p(x) in bits per dimension, [B]."""
        x = sequence(variables, batch)
        value = nats(variables.params["net"], x, label_of(batch), None)
        bits = -value / (places * math.log(2.0))
        return {"log_likelihood": value, "bits_per_dimension": bits}

    player = Player(
        "model",
        owns=("net",),
        optimizer=optimizer(config.optimizer),
        moves=(Move("negative_log_likelihood", negative_log_likelihood),),
        average=warmed_up(config.average),
    )
    functions = {"sample": draw_images, "complete": complete, "log_prob": log_likelihood}
    game = GenerativeModel(begin, (player,), functions)
    return (Phase("train", game, config.data, config.steps),)
