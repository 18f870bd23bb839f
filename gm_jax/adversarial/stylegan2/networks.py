"""The networks of a recipe, and what goes through them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gm_jax import networks
from gm_jax.adversarial.stylegan2.settings import Settings
from gm_jax.errors import UserError
from gm_jax.model import Array, Variables
from gm_jax.networks import Network
from gm_jax.nn import stylegan2
from gm_jax.nn.stylegan2_layers import Mapping
from gm_jax.settings import arguments


class Networks(NamedTuple):
    """G's two parts, and D.

    latents        size of z
    styles         size of w
    classes        of labels; 0 if neither player sees them
    shape          of an image
    """

    mapping: Network
    synthesis: Network
    discriminator: Network
    latents: int
    styles: int
    classes: int
    shape: tuple[int, int, int]

    @property
    def layers(self) -> int:
        """How many styles an image has."""
        return stylegan2.layers(self.shape[0])

    def images(self, variables: Variables, styles: Array, noise: list[Array] | None) -> Array:
        """Images [B, *shape] of styles [B, layers, D] and noise maps."""
        return self.synthesis(variables, styles, noise)

    def maps(self, keys: Array) -> list[Array]:
        """Noise maps of each layer, by a key for each example [B]."""
        return stylegan2.drawn_noise(keys, stylegan2.noise_sides(self.shape[0]))


def make(settings: Settings, shape: tuple[int, int, int], classes: int) -> Networks:
    """The networks of a recipe, for images of `shape`.

    Raises UserError unless images are squares whose side is a power of two.
    """
    own, dtype = settings.generator, jnp.dtype(settings.dtype)
    side, width, channels = shape
    if side != width:
        raise UserError(f"images must be squares of 8, 16, 32, ... pixels, not {side} x {width}")
    stylegan2.levels(side)
    wide = jnp.promote_types(dtype, jnp.float32)
    synthesis = stylegan2.Synthesis(
        side, channels, own.base, own.most, own.architecture, own.clamp, dtype
    )
    critic = stylegan2.Discriminator(
        **arguments(settings.discriminator, "r1", "optimizer"), classes=classes, dtype=dtype
    )
    return Networks(
        Network("mapping", Mapping(own.styles, own.mapping, classes, wide)),
        Network("synthesis", synthesis),
        Network("discriminator", critic),
        own.latents,
        own.styles,
        classes,
        shape,
    )


def init(nets: Networks, key: Array) -> Variables:
    """Fresh parameters; the average of w is 0, and the constant noise is drawn."""
    key, noise = jax.random.split(key)
    label = jnp.zeros(1, jnp.int32)
    variables = networks.split_init(
        key,
        (nets.mapping, jnp.zeros((1, nets.latents)), label),
        (nets.synthesis, jnp.zeros((1, nets.layers, nets.styles)), None),
        (nets.discriminator, jnp.zeros((1, *nets.shape)), label),
    )
    state = {"w_average": jnp.zeros(nets.styles), "noise": nets.maps(noise[None])}
    return variables._replace(state=state)
