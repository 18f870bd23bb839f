"""Images as sequences of symbols: what every model of pixels shares.

A network of pixels is a flax module with

    reach                                the window of its first layer (`nn.masked.Reach`)
    __call__(x [B, H, W, C], label)      outputs of all pixels, [B, H, W, C, ...]
    embed(x)                             symbols [..., C] to features [..., C D]
    above(x, label, cached)              maps [B, H, W, D] that a row passes to the row below
    along(x, maps, label, pixel)         outputs of pixels, given the maps from the rows above

`causal` makes it the `Causal` of sequences in raster order, channels innermost; `phase` makes that
a game with one player, whose loss is -log p(x), and its functions.
"""

import math
from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games, networks
from gm_jax.causal import Causal, Sampler, log_prob, sample
from gm_jax.errors import UserError
from gm_jax.model import Array, Aux, Field, Phase, example_keys
from gm_jax.networks import Network
from gm_jax.nn.masked import Pixel, scaled
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, arguments, schema


@schema
class Settings(Recipe):
    """A model of pixels.

    optimizer  one of optax's
    sampler    how a pixel's value is drawn
    """

    optimizer: Optimizer = adam(1e-3)
    sampler: Annotated[Sampler, Restartable()] = Sampler()


def causal(
    net, shape: tuple[int, int, int], finish: Callable | None = None, margin: bool = False
) -> Causal:
    """The network over images of a shape [H, W, C] as one over sequences of H W C symbols.

    A step costs one pixel (once a row, also the row above), whatever the size of the image.
    finish  (symbols [..., C], the network's output of the pixel) -> logits [..., C, K], those of a
            channel dependent on symbols of the ones before; by default they are its output
    margin  whether the network walks through one column of padding right of the image as well, as
            a direction from the right must (PixelRNN)
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
        """The maps that a row passes to the next, and its cache."""
        variables = {"params": params, **kept}
        return net.apply(variables, row, condition, True, method="above", mutable=["cache"])

    def along(params, kept, seen, maps, condition, pixel):
        variables = {"params": params, **kept}
        return net.apply(variables, seen, maps, condition, pixel, method="along", mutable=["cache"])

    def begin(params, batch_size, condition):
        depth = jax.eval_shape(embed, params, jnp.zeros(batch_size, jnp.int32)).shape[-1] * colors

        def first():
            image = jnp.zeros((batch_size, up + height, left + wide + right, depth))
            maps, rows = above(params, {}, image[:, :1, :width], condition)
            seen = image[:, : window[0], : window[1]]
            here = jax.tree.map(lambda m: m[:, :, :1], maps)
            start = Pixel(jnp.int32(0), jnp.int32(0), jnp.bool_(True), wide)
            _, pixels = along(params, {}, seen, here, condition, start)
            return {"image": image, "maps": maps, "rows": rows, "pixels": pixels}

        empty = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(first))
        symbols = jnp.zeros((batch_size, colors), jnp.int32)
        return {**empty, "symbols": symbols, "condition": condition}

    def step(params, cache, previous, position):
        features = embed(params, previous) * (position > 0)  # Nothing comes before position 0.
        image = _put(cache["image"], features, jnp.maximum(position - 1, 0), net.reach, shape)
        symbols = cache["symbols"].at[:, (position - 1) % colors].set(previous)  # Of this pixel.
        number, color = jnp.divmod(position, colors)
        row, column = jnp.divmod(number, width)
        here = Pixel(row, column, (column == 0) & (color == 0), wide)
        condition, maps, pixels = cache["condition"], cache["maps"], cache["pixels"]

        def walk(pixels, pixel):
            """The output of a pixel, and the cache after it."""
            start = (0, pixel.row, pixel.column, 0)
            seen = lax.dynamic_slice(image, start, (len(image), *window, image.shape[-1]))
            at = jax.tree.map(lambda m: lax.dynamic_slice_in_dim(m, pixel.column, 1, 2), maps)
            return along(params, pixels, seen, at, condition, pixel)

        def last_row(_):
            start = (0, up + row - 1, left, 0)
            whole = lax.dynamic_slice(image, start, (len(image), 1, width, image.shape[-1]))
            return above(params, cache["rows"], whole, condition)

        def last_margin(pixels):
            return walk(pixels, Pixel(row - 1, jnp.int32(width), jnp.bool_(False), wide))[1]

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


def _put(image, features, position, reach, shape):
    """A padded image [B, up + H, left + W + right, C D] with the features [B, D] of a position."""
    number, color = jnp.divmod(position, shape[2])
    row, column = jnp.divmod(number, shape[1])
    start = (0, reach.up + row, reach.left + column, color * features.shape[-1])
    return lax.dynamic_update_slice(image, features[:, None, None], start)


def init(net, image: Field) -> Callable:
    """(key, x [B, T], label) -> fresh variables of a network of pixels."""
    network = Network("net", net)

    def first(key, x, label):
        return networks.init(key[None], (network, x.reshape(-1, *image.shape), label))

    return first


def check_binary(image: Field, what: str) -> None:
    """Raises UserError if the images are not black and white."""
    if image.cardinality != 2:
        raise UserError(
            f'{what} is a model of black and white pixels: set data.binarize="fixed" or "redrawn"'
        )


def to_symbols(image: Array, levels: int) -> Array:
    """Images [B, H, W, C] in [-1, 1] to sequences [B, H W C] of symbols 0..levels-1."""
    values = jnp.round((image + 1.0) * ((levels - 1) / 2.0)).astype(jnp.int32)
    return values.reshape(len(image), -1)


def phase(
    settings: Settings, image: Field, model: Causal, first: Callable, conditional: bool = False,
    nats: Callable | None = None, penalty: Callable | None = None,
) -> Phase:  # fmt: skip
    """One player who minimises -log p(x) in nats.

    first        (key, x [B, T], label) -> Variables with the params `net`; if their state has an
                 `order` [T], the model reads and writes the pixels in that order
    conditional  whether `label` is the model's condition
    nats         (params, x [B, T], label, keys [B] or None) -> log p(x) [B]; by default that of the
                 logits. The keys are for dropout: None at evaluation
    penalty      params -> a scalar about the weights that the loss has besides
    """
    levels, shape = image.cardinality, image.shape
    length, sampler = math.prod(shape), arguments(settings.sampler)
    nats = nats or (lambda params, x, label, keys: log_prob(model, params, x, label))

    def label_of(batch):
        return batch["label"] if conditional else None

    def sequence(variables, batch):
        x = to_symbols(batch["image"], levels)
        return x[:, variables.state["order"]] if "order" in variables.state else x

    def arranged(variables, values):
        """Values of the positions of a sequence, [B, T], as an image [B, H, W, C]."""
        if "order" in variables.state:
            values = values[:, jnp.argsort(variables.state["order"])]
        return values.reshape(-1, *shape)

    def init(key, batch, previous):
        return first(key, to_symbols(batch["image"], levels), label_of(batch))

    def negative_log_likelihood(variables, batch, key, step):
        x, keys = sequence(variables, batch), example_keys(key, batch)
        params = variables.params["net"]
        loss = -jnp.mean(nats(params, x, label_of(batch), keys))
        metrics = {"bits_per_dimension": loss / (length * math.log(2.0))}
        return loss + (penalty(params) if penalty else 0.0), Aux(metrics)

    def drawn(variables, batch, key, prompt=None):
        keys, params = example_keys(key, batch), variables.params["net"]
        x = sample(model, params, keys, length, label_of(batch), prompt, **sampler)
        return scaled(arranged(variables, x), levels)

    def draw_images(variables, batch, key):
        """Images drawn pixel by pixel; if conditional, with the label of each."""
        images = {"image": drawn(variables, batch, key)}
        return images | ({"label": batch["label"]} if conditional else {})

    def complete(variables, batch, key):
        """The image, the first half of its sequence (the rest grey), and the completion of that.

        [B, 3, H, W, C].
        """
        prompt = sequence(variables, batch)[:, : length // 2]
        visible = arranged(variables, jnp.arange(length)[None] < length // 2)
        images = [batch["image"], batch["image"] * visible, drawn(variables, batch, key, prompt)]
        return {"image": jnp.stack(images, axis=1)}

    def log_likelihood(variables, batch, key):
        """log p(x) in nats, and -log p(x) in bits per dimension, both exact, [B]."""
        x = sequence(variables, batch)
        value = nats(variables.params["net"], x, label_of(batch), None)
        bits = -value / (length * math.log(2.0))
        return {"log_likelihood": value, "bits_per_dimension": bits}

    moves = {"negative_log_likelihood": negative_log_likelihood}
    players = (games.player("model", ("net",), moves, settings, settings.average),)
    functions = {"sample": draw_images, "complete": complete, "log_prob": log_likelihood}
    return games.phase(settings, init, players, functions)
