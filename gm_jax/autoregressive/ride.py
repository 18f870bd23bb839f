"""RIDE, the recurrent image density estimator of grey images; and the MCGSM alone.

Theis & Bethge 2015, Generative Image Modeling Using Spatial LSTMs (arXiv 1506.03478).

    p(x) = prod_ij p(x_ij | h_ij),    h_ij = f(x_<ij, h_i,j-1, h_i-1,j)               eq. 2, 9

x_<ij are the 12 pixels before x_ij among the two rows above and two columns on either side, f a
spatial LSTM, p(x_ij | h_ij) a mixture of conditional Gaussian scale mixtures. Only pixels that have
all twelve are modelled: the interior of an image. With no layer, p sees the twelve themselves.

Pixels v = 0..255 become real numbers, (v + u) / 256 with u uniform in [0, 1), and with those before
them z = T (x - mean), of covariance 1 in the first batch. T is triangular, so that the last entry
of z is the pixel without its linear prediction, divided by its deviation:

    log p(x_ij) = log p(z_13 | h) + log T_13,13,    bits a pixel <= 8 - log_2 p(x_ij)
"""

import math
from collections.abc import Iterator
from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games, networks
from gm_jax.autoregressive.shared.spatial_lstm import SpatialLSTM
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import sum_over_example
from gm_jax.model import Array, Aux, Phase, Variables, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.gaussian_scales import ScaleMixtures
from gm_jax.nn.layers import Size, uniform
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, arguments, at_least, part_of, schema

UP, SIDE = 2, 2  # rows above a pixel, and columns on either side, that it sees
WIDE = 2 * SIDE + 1
SEEN = UP * WIDE + SIDE
LEVELS = 256


class Ride(nn.Module):
    """log p(z_13 | z_1 .. z_12) of all pixels, [B, H, W], from z [B, H, W, 13].

    layers      spatial LSTMs; 0 for the mixture on the 12 pixels alone
    units       of each
    components  of the mixture, each with a linear prediction of its own
    scales      variances of a component
    features    directions of h whose size chooses the component and the scale
    """

    layers: Annotated[int, at_least(0)] = 1
    units: Size = 64
    components: Size = 8
    scales: Size = 4
    features: Size = 12
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.lstms = [SpatialLSTM(self.units, self.dtype) for _ in range(self.layers)]
        self.mixture = ScaleMixtures(self.components, self.scales, self.features)

    def __call__(self, z: Array) -> Array:
        x, y = z[..., :SEEN], z[..., SEEN]
        for lstm in self.lstms:
            x = lstm(x)
        return self.mixture(x, y)

    def begin(self, batch_size: int, width: int) -> list[Array]:
        """What `step` carries from pixel to pixel."""
        return [lstm.begin(batch_size, width) for lstm in self.lstms]

    def step(self, seen: list[Array], x: Array, column: Array, keys: Array) -> tuple:
        """Draws z_13 [B] of a pixel in a column, in raster order, after z_1 .. z_12 [B, 12]."""
        after = []
        for lstm, states in zip(self.lstms, seen, strict=True):
            x, states = lstm.step(x, states, column)
            after.append(states)
        return after, self.mixture.draw(x, keys)


NetworkSettings = part_of(Ride, "dtype")


@schema
class Settings(Recipe):
    """RIDE.

    network    the spatial LSTMs and the mixture
    optimizer  one of optax's
    """

    network: NetworkSettings = NetworkSettings()
    optimizer: Optimizer = adam(1e-3)

    def wrong(self) -> Iterator[str]:
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.data.binarize:
            yield 'RIDE is a density of grey values: set data.binarize=""'


def vectors(values: Array) -> Array:
    """Each interior pixel of images [B, H, W] after the 12 it sees: [B, H - 2, W - 4, 13]."""
    height, width = values.shape[1] - UP, values.shape[2] - 2 * SIDE
    return jnp.stack(
        [
            values[:, number // WIDE :, number % WIDE :][:, :height, :width]
            for number in range(SEEN + 1)
        ],
        axis=-1,
    )


def whitening(levels: Array) -> dict[str, Array]:
    """mean [13] and T [13, 13], lower triangular: T (x - mean) has covariance 1.

    The statistics are those of the pixels 0..255 of images [B, H, W] with their noise, exactly.
    """
    x = vectors((levels + 0.5) / LEVELS).reshape(-1, SEEN + 1)
    mean = jnp.mean(x, axis=0)
    noise = jnp.eye(SEEN + 1) / (12.0 * LEVELS**2)
    covariance = (x - mean).T @ (x - mean) / len(x) + noise
    factor = jnp.linalg.cholesky(covariance)
    identity = jnp.eye(SEEN + 1, dtype=factor.dtype)
    return {"mean": mean, "t": jax.scipy.linalg.solve_triangular(factor, identity, lower=True)}


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A density of each pixel after those before it, in one phase; configs/ride_photographs.py.

    Raises UserError unless the images are grey and have an interior.
    """
    height, width, channels = field_of(spec, "image").shape
    if channels != 1 or height <= UP or width <= 2 * SIDE:
        raise UserError(
            f"RIDE is a model of grey images of more than {UP} x {2 * SIDE} pixels, and these have"
            f" {height} x {width} x {channels}: set data.channels=1, or a larger data.size"
        )
    module = Ride(**arguments(settings.network), dtype=jnp.dtype(settings.dtype))
    net, interior = Network("net", module), (height - UP) * (width - 2 * SIDE)

    def levels_of(batch):
        return jnp.round((batch["image"][..., 0] + 1.0) * 127.5)

    def dequantised(batch, keys):
        levels = levels_of(batch)
        return (levels + uniform(keys, levels.shape[1:])) / LEVELS

    def init(key, batch, previous):
        first = jnp.zeros((1, 1, 1, SEEN + 1))
        own = networks.init(key[None], (net, first))
        return own._replace(state={"whitening": whitening(levels_of(batch))})

    def log_density(variables: Variables, values):
        """log p of the interior of images [B, H, W] of numbers from 0 to 1, in nats, [B]."""
        mean, t = variables.state["whitening"]["mean"], variables.state["whitening"]["t"]
        z = (vectors(values) - mean) @ t.T
        return sum_over_example(net(variables, z) + jnp.log(t[SEEN, SEEN]))

    def bits(nats):
        return math.log2(LEVELS) - nats / (interior * math.log(2.0))

    def negative_log_density(variables, batch, key, step):
        """In nats a pixel."""
        nats = log_density(variables, dequantised(batch, example_keys(key, batch)))
        return -jnp.mean(nats) / interior, Aux({"bits_per_pixel": jnp.mean(bits(nats))})

    def drawn(variables, values, given, keys):
        """Images [B, H, W] of numbers from 0 to 1 whose interior is drawn in raster order.

        given  [H, W] bool, the pixels of `values` that are kept
        """
        mean, t = variables.state["whitening"]["mean"], variables.state["whitening"]["t"]
        columns, own = values.shape[2] - 2 * SIDE, {"params": variables.params["net"]}

        def pixel(carry, position):
            values, seen = carry
            row, column = jnp.divmod(position, columns)
            window = lax.dynamic_slice(values, (0, row, column), (len(values), UP + 1, WIDE))
            before = window.reshape(len(values), -1)[:, :SEEN] - mean[:SEEN]
            here = jax.vmap(jax.random.fold_in, (0, None))(keys, position)
            x = before @ t[:SEEN, :SEEN].T
            seen, y = module.apply(own, seen, x, column, here, method="step")
            value = mean[SEEN] + (y - before @ t[SEEN, :SEEN]) / t[SEEN, SEEN]
            # No pixel is beyond black or white.
            value = jnp.clip(value, 0.0, 1.0).astype(values.dtype)
            value = jnp.where(given[row + UP, column + SIDE], window[:, UP, SIDE], value)
            at = (0, row + UP, column + SIDE)
            return (lax.dynamic_update_slice(values, value[:, None, None], at), seen), None

        seen = module.apply(own, len(values), columns, method="begin")
        positions = jnp.arange((values.shape[1] - UP) * columns)
        return lax.scan(pixel, (values, seen), positions)[0][0]

    def shown(values):
        """Numbers from 0 to 1, [B, H, W], as images in [-1, 1]."""
        return jnp.clip(jnp.floor(LEVELS * values), 0, LEVELS - 1)[..., None] / 127.5 - 1.0

    def sample(variables, batch, key):
        """Images after a margin of the mean grey, which is not part of them."""
        keys, grey = example_keys(key, batch), variables.state["whitening"]["mean"][SEEN]
        values = jnp.full((len(keys), height + UP, width + 2 * SIDE), grey)
        values = drawn(variables, values, jnp.zeros(values.shape[1:], bool), keys)
        return {"image": shown(values[:, UP:, SIDE:-SIDE])}

    def complete(variables, batch, key):
        """The image; its upper half and margin; these with the rest drawn: [B, 3, H, W, 1]."""
        row, column = jnp.arange(height)[:, None], jnp.arange(width)
        given = (row < max(UP, height // 2)) | (column < SIDE) | (column >= width - SIDE)
        drawing, noise = jax.random.split(key)
        values = dequantised(batch, example_keys(noise, batch))
        made = drawn(variables, values * given, given, example_keys(drawing, batch))
        return {"image": jnp.stack([shown(v) for v in (values, values * given, made)], axis=1)}

    def log_prob(variables, batch, key):
        """log p of the interior's grey values at least, in nats, and bits a pixel at most, [B]."""
        nats = log_density(variables, dequantised(batch, example_keys(key, batch)))
        value = nats - interior * math.log(LEVELS)
        return {"log_likelihood_bound": value, "bits_per_pixel_bound": bits(nats)}

    moves = {"negative_log_density": negative_log_density}
    players = (games.player("model", ("net",), moves, settings, settings.average),)
    functions = {"sample": sample, "complete": complete, "log_prob": log_prob}
    return (games.phase(settings, init, players, functions),)
