"""Two generators between two domains: G: A -> B and F: B -> A, of a system without pairs."""

from typing import NamedTuple

import jax.numpy as jnp

from gm_jax.model import Spec, field_of
from gm_jax.networks import Network
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import arguments, part_of, schema
from gm_jax.translation.shared.resnet import ResNet, check_sides


@schema
class Generator(part_of(ResNet, "features", "levels", "dtype")):
    """The player that translates, both ways.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Discriminator(part_of(PatchGAN, "padding", "dtype", normalization="instance")):
    """The player that tells real pictures from translated ones, patch by patch.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


class TwoWays(NamedTuple):
    """G: A -> B and F: B -> A, networks of images."""

    to_b: Network
    to_a: Network

    def both(self, variables, batch):
        """G(a) and F(b)."""
        return self.to_b(variables, batch["image"]), self.to_a(variables, batch["image_b"])

    def functions(self) -> dict:
        """What is done with trained generators."""

        def translate(variables, batch, key):
            """`image_b` of `image`, and `image` of `image_b`."""
            fake_b, fake_a = self.both(variables, batch)
            return {"image_b": fake_b, "image": fake_a}

        def compare(variables, batch, key):
            """Both ways: a picture, its translation and what is made back of it, [B, 3, ...]."""
            fake_b, fake_a = self.both(variables, batch)
            ways = {
                "image": (batch["image"], fake_b, self.to_a(variables, fake_b)),
                "image_b": (batch["image_b"], fake_a, self.to_b(variables, fake_a)),
            }
            return {name: jnp.stack(shown, axis=1) for name, shown in ways.items()}

        return {"translate": translate, "compare": compare}


def two_ways(settings: Generator, spec: Spec, dtype) -> TwoWays:
    """The generators between `image` and `image_b`. Raises UserError if these do not fit them."""
    shape, shape_b = (field_of(spec, name).shape for name in ("image", "image_b"))
    for each in (shape, shape_b):
        check_sides(each)
    own = dict(arguments(settings, "optimizer"), dtype=dtype)
    return TwoWays(
        Network("to_b", ResNet(shape_b[-1], **own)), Network("to_a", ResNet(shape[-1], **own))
    )
