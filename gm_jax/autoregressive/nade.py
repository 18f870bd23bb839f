"""NADE, the neural autoregressive distribution estimator, of black and white images.

Larochelle & Murray 2011 (AISTATS); Uria et al. 2016 (arXiv 1605.02226), section 2.

    p(x_t = 1 | x_<t) = sigma(b_t + V_t h_t),   h_t = sigma(a_t)                          eq. 2, 3
    a_0 = c,   a_{t+1} = a_t + W_t x_t                                                    eq. 4, 5

t counts the pixels in one random order, drawn at the beginning and kept.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.autoregressive.shared import pixels
from gm_jax.causal import Causal
from gm_jax.model import Phase, Variables, field_of
from gm_jax.nn.layers import Size
from gm_jax.settings import schema


@schema
class Settings(pixels.Settings):
    """A NADE.

    units  H, of the hidden layer
    """

    units: Size = 500


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One hidden layer that is updated pixel by pixel, in one phase; configs/nade_mnist.py.

    Raises UserError if the images are not black and white.
    """
    image = field_of(spec, "image")
    pixels.check_binary(image, "NADE")
    length = math.prod(image.shape)

    def first(key, x, label):
        net_key, order_key = jax.random.split(key)
        order = jax.random.permutation(order_key, length)
        return Variables({"net": parameters(net_key, length, settings.units)}, {"order": order})

    return (pixels.phase(settings, image, causal(jnp.dtype(settings.dtype)), first),)


def parameters(key, length: int, units: int) -> dict:
    """W, V [T, H], b [T], c [H]."""
    w_key, v_key = jax.random.split(key)
    return {
        "w": jax.random.normal(w_key, (length, units)) / math.sqrt(length),
        "v": jax.random.normal(v_key, (length, units)) / math.sqrt(units),
        "b": jnp.zeros(length),
        "c": jnp.zeros(units),
    }


def causal(dtype=jnp.float32) -> Causal:
    """NADE as a network over sequences of black (0) and white (1); its cache is a_t."""

    def logits(a, v, b):
        hidden = jax.nn.sigmoid(a).astype(dtype)
        white = b + (hidden @ v.astype(dtype)).astype(b.dtype)
        return jnp.stack([jnp.zeros_like(white), white], axis=-1)

    def start(params, batch_size):
        return jnp.broadcast_to(params["c"], (batch_size, len(params["c"])))

    def apply(params, x, condition):
        def position(a, inputs):
            x_t, w, v, b = inputs
            return a + x_t[:, None] * w, logits(a, v, b)

        x = x.astype(params["w"].dtype).T
        inputs = x, params["w"], params["v"], params["b"]
        _, outputs = lax.scan(position, start(params, x.shape[1]), inputs)
        return outputs.swapaxes(0, 1)

    def begin(params, batch_size, condition):
        return start(params, batch_size)

    def step(params, a, previous, position):
        last = jnp.where(position > 0, previous, 0)[:, None]
        a = a + last * params["w"][jnp.maximum(position - 1, 0)]
        return a, logits(a, params["v"][position], params["b"][position])

    return Causal(apply, begin, step)
