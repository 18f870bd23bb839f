"""FVBN, the fully visible belief net of black and white images: logistic autoregression.

Frey, Hinton & Dayan 1996 (NIPS 8), section 2.2; Frey 1998.

    p(x_t = 1 | x_<t) = sigma(b_t + sum_{s<t} W_ts x_s)

t counts the pixels in raster order. -log p(x) is convex in b and W, and so is decay |W|^2, which
keeps a weight between two pixels that are never white where it is: one model is the best.
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax.autoregressive.shared import pixels
from gm_jax.causal import Causal
from gm_jax.model import Phase, Variables, field_of
from gm_jax.settings import at_least, schema


@schema
class Settings(pixels.Settings):
    """An FVBN.

    decay  weight of |W|^2, the sum of the squares of the weights that are used
    """

    decay: Annotated[float, at_least(0.0)] = 1e-5


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One logistic regression for each pixel, in one phase; configs/fvbn_mnist.py.

    Raises UserError if the images are not black and white.
    """
    image = field_of(spec, "image")
    pixels.check_binary(image, "an FVBN")
    length = math.prod(image.shape)

    def first(key, x, label):
        return Variables({"net": parameters(length)})

    def penalty(params):
        return settings.decay * jnp.sum(jnp.tril(params["w"], -1) ** 2)

    model = causal(jnp.dtype(settings.dtype))
    return (pixels.phase(settings, image, model, first, penalty=penalty),)


def parameters(length: int) -> dict:
    """W [T, T], of which what lies below the diagonal is used, and b [T]; all 0 at first."""
    return {"w": jnp.zeros((length, length)), "b": jnp.zeros(length)}


def causal(dtype=jnp.float32) -> Causal:
    """An FVBN over sequences of black (0) and white (1).

    Its cache is b + W x of the pixels so far: of a position that is still to come, its logit.
    """

    def of_white(white):
        return jnp.stack([jnp.zeros_like(white), white], axis=-1)

    def apply(params, x, condition):
        # The weights are masked: a mask on the gradient would leave what W begins with in use.
        w = jnp.tril(params["w"], -1).astype(dtype)
        return of_white(params["b"] + (x.astype(dtype) @ w.T).astype(params["b"].dtype))

    def begin(params, batch_size, condition):
        return jnp.broadcast_to(params["b"], (batch_size, len(params["b"])))

    def step(params, logits, previous, position):
        last = jnp.where(position > 0, previous, 0)[:, None]
        logits = logits + last * params["w"][:, jnp.maximum(position - 1, 0)]
        return logits, of_white(jax.lax.dynamic_index_in_dim(logits, position, 1, False))

    return Causal(apply, begin, step)
