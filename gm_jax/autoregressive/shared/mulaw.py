"""The mu-law: audio as 256 symbols, finer where it is quiet. ITU-T G.711's continuous form.

f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu),  mu = 255        van den Oord et al. 2016, section 2.2
"""

import jax.numpy as jnp

from gm_jax.model import Array

MU = 255
SYMBOLS = MU + 1
SILENCE = SYMBOLS // 2  # the symbol of 0


def encode(x: Array) -> Array:
    """Audio in [-1, 1] to symbols 0..255, int32."""
    x = jnp.clip(x, -1.0, 1.0)
    compressed = jnp.sign(x) * jnp.log1p(MU * jnp.abs(x)) / jnp.log1p(MU)
    return jnp.floor((compressed + 1.0) / 2.0 * MU + 0.5).astype(jnp.int32)


def decode(symbols: Array) -> Array:
    """Symbols 0..255 to audio in [-1, 1]."""
    compressed = 2.0 * symbols.astype(jnp.float32) / MU - 1.0
    return jnp.sign(compressed) * jnp.expm1(jnp.abs(compressed) * jnp.log1p(MU)) / MU
