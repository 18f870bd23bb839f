"""A time or noise level as features that a network can read."""

import jax.numpy as jnp
import numpy as np

from gm_jax.model import Array

FOURIER_SCALE = 16.0  # Deviation of the frequencies. Song et al. 2021 (arXiv 2011.13456), app. C.
TIME_FEATURES = ("sines_first", "cosines_first", "fourier")


def features_of(
    level: Array, features: int, name: str = "sines_first", shift: int = 1, dtype=jnp.float32
) -> Array:
    """[B] to [B, features], in float32 or in `dtype` if that is wider.

    name   sines_first or cosines_first (`sinusoidal_embedding`), or fourier (`fourier_features`)
    shift  of the sinusoids
    """
    level = level.astype(jnp.promote_types(jnp.float32, dtype))
    if name == "fourier":
        return fourier_features(level, features)
    return sinusoidal_embedding(level, features, name == "cosines_first", shift)


def sinusoidal_embedding(
    t: Array, features: int, cosines_first: bool = False, shift: int = 1
) -> Array:
    """[B] to [B, features]: sines and cosines of t, whose frequencies fall from 1 to about 1e-4.

    The i-th of n frequencies is 10000 ** (-i / (n - shift)). Published networks differ: DDPM (Ho
    et al. 2020) has sines first and shift 1; guided-diffusion, latent diffusion and DiT have
    cosines first and shift 0.
    """
    half = features // 2
    frequencies = jnp.exp(-jnp.log(10_000.0) * jnp.arange(half) / (half - shift))
    angles = t[:, None] * frequencies
    waves = jnp.sin(angles), jnp.cos(angles)
    return jnp.concatenate(waves[::-1] if cosines_first else waves, axis=-1)


def fourier_features(level: Array, features: int) -> Array:
    """[B] to [B, features]: sines and cosines at random frequencies, always the same ones.

    Their seed is fixed and NumPy's RandomState never changes its numbers, so they are no part of
    the parameters: nothing trains them, and a model reads the same features when opened again.
    """
    frequencies = np.random.RandomState(0).normal(size=features // 2) * FOURIER_SCALE
    angles = 2.0 * np.pi * level[:, None] * jnp.asarray(frequencies, level.dtype)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def one_by_one(level: Array) -> list[Array]:
    """The levels that a network is told, [B] each: of [B] the one, of [B, K] the K of them."""
    return [level] if level.ndim == 1 else list(jnp.moveaxis(level, -1, 0))
