"""Generators of styles: how StyleGAN and StyleGAN2 draw w in training, and what can be set of it.

Karras et al. 2019 (StyleGAN, arXiv 1812.04948), section 3.1 and appendix B: a share of the images
has two styles, the second from a random layer on, and an average of w is kept for truncation.
"""

from typing import Annotated, Protocol

import jax
import jax.numpy as jnp

from gm_jax import replicas
from gm_jax.model import Array, Batch, Variables, example_keys
from gm_jax.networks import Network
from gm_jax.nn.layers import normal
from gm_jax.nn.stylegan2_layers import mixed
from gm_jax.settings import above, at_least, at_most, one_of, schema

DECAY = 0.995  # of the average of w
NOISE = ("random", "const", "none")

Share = Annotated[float, at_least(0.0), at_most(1.0)]


@schema
class Average:
    """The moving average of G, which all functions use.

    half_life  in images
    ramp       the half-life's largest share of the images seen; if not set, none
    """

    half_life: Annotated[float, above(0.0)] = 10_000.0
    ramp: Annotated[float | None, above(0.0)] = None


@schema
class Sampler:
    """From a latent to an image.

    psi     how far w may be from its average: 1 as it is, 0 the average itself
    cutoff  how many layers psi is for; if not set, all
    noise   random, another for each image; const, that of the network; or none
    label   the class of all images; if not set, the data's
    """

    psi: float = 1.0
    cutoff: Annotated[int | None, at_least(0)] = None
    noise: Annotated[str, one_of(NOISE)] = "random"
    label: Annotated[int | None, at_least(0)] = None


class Styled(Protocol):
    """A generator of images by styles.

    mapping  (variables, z [B, latents], label) -> w [B, D]
    latents  size of z
    classes  of labels; 0 if no network sees them
    shape    of an image
    layers   how many styles an image has
    """

    mapping: Network
    latents: int
    classes: int
    shape: tuple[int, int, int]
    layers: int

    def images(self, variables: Variables, styles: Array, noise: list[Array] | None) -> Array:
        """Images [B, *shape] of styles [B, layers, D] and noise maps [B or 1, h, h, 1]."""

    def maps(self, keys: Array) -> list[Array]:
        """Noise maps of each layer, by a key for each example [B]."""


def label_of(nets: Styled, batch: Batch) -> Array | None:
    """The labels [B] that the networks see, or None."""
    return batch["label"] if nets.classes else None


def latents(nets: Styled, key: Array, batch: Batch) -> Array:
    """z for each example, [B, Z]."""
    return normal(example_keys(key, batch), (nets.latents,))


def repeated(nets: Styled, w: Array) -> Array:
    """w [B, D] for every layer, [B, L, D]."""
    return jnp.repeat(w[:, None], nets.layers, axis=1)


def drawn(nets: Styled, variables: Variables, batch: Batch, key: Array, share: float):
    """Styles [B, L, D] of new latents, a share of them mixed, and the new average of w."""
    keys, label = jax.random.split(key, 3), label_of(nets, batch)
    w = nets.mapping(variables, latents(nets, keys[0], batch), label)
    mean = replicas.mean(jnp.mean(jax.lax.stop_gradient(w), axis=0))
    average = DECAY * variables.state["w_average"] + (1.0 - DECAY) * mean
    styles = repeated(nets, w)
    if share:
        other = repeated(nets, nets.mapping(variables, latents(nets, keys[1], batch), label))
        styles = mixed(styles, other, cuts(example_keys(keys[2], batch), share, nets.layers))
    return styles, {"w_average": average}


def cuts(keys: Array, share: float, layers: int) -> Array:
    """The layer from which an image has its second style, [B]; `layers` if it has one style."""

    def cut(key):
        mixing, where = jax.random.split(key)
        second = jax.random.randint(where, (), 1, layers)
        return jnp.where(jax.random.bernoulli(mixing, share), second, layers)

    return jax.vmap(cut)(keys)
