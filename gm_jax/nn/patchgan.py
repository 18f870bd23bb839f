"""The discriminator of patches: a map of logits, each of which sees a patch of the image.

Isola et al. 2017, pix2pix (arXiv 1611.07004), section 3.2.2 and appendix 6.1.2: the patches of
three strided layers are 70 pixels wide, of one to five 16, 34, 70, 142 and 286.
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.model import Array
from gm_jax.nn.layers import NORMALIZATIONS, BatchNorm, full_precision, instance_norm, layer
from gm_jax.settings import at_least, one_of

WEIGHTS = nn.initializers.normal(0.02)
OF_PATCHES = (*NORMALIZATIONS, "instance", "spectral_instance")


class PatchGAN(nn.Module):
    """Image [B, H, W, C] to logits [B, h, w]; with `maps` also those before them, in order.

    width          channels of the first layer; they double up to eight times as many
    layers         strided layers; two of stride 1 follow
    normalization  of all layers but the first and the last; spectral of these, too
    padding        zeros on all sides of each layer's input
    """

    width: Annotated[int, at_least(1)] = 64
    layers: Annotated[int, at_least(1)] = 3
    normalization: Annotated[str, one_of(OF_PATCHES)] = "batch"
    padding: Annotated[int, at_least(0)] = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool, maps: bool = False):
        batch, spectral = (self.normalization == name for name in ("batch", "spectral"))
        instance, both = "instance" in self.normalization, self.normalization == OF_PATCHES[-1]

        def norm(x):
            return BatchNorm(train, self.dtype)(x) if batch else instance_norm(x) if instance else x

        def conv(x, features, stride, bias, inner=False):
            module = nn.Conv(
                features, (4, 4), stride, padding=self.padding, use_bias=bias,
                kernel_init=WEIGHTS, dtype=self.dtype,
            )  # fmt: skip
            return layer(module, spectral or (both and inner), train)(x)

        x = nn.leaky_relu(conv(x, self.width, 2, bias=True), 0.2)
        found = [x]
        for level in range(1, self.layers + 1):
            stride = 2 if level < self.layers else 1
            width = self.width * min(2**level, 8)
            x = conv(x, width, stride, bias=not (batch or instance), inner=True)
            x = nn.leaky_relu(norm(x), 0.2)
            found.append(x)
        logits = full_precision(conv(x, 1, 1, bias=True)[..., 0])
        return (logits, [full_precision(x) for x in found]) if maps else logits


def paired(x: Array, y: Array) -> Array:
    """The pair that a discriminator of pairs sees, [B, H, W, C + C']."""
    return jnp.concatenate([x, y], axis=-1)
