"""Halvings, residual blocks and doublings: the generator of CycleGAN, which halves twice, and of
pix2pixHD, whose global one halves four times.

Zhu et al. 2017 (arXiv 1703.10593), appendix 7.2, after Johnson et al. 2016, and Wang et al. 2018
(arXiv 1711.11585), section 3.2, as in the authors' code: kernels of 7x7 and those of the blocks see
the image reflected beyond its border, those of stride 2 zeros. No convolution before an instance
norm has a bias, which the norm would undo.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import Size, full_precision, instance_norm, reflected
from gm_jax.nn.patchgan import WEIGHTS
from gm_jax.nn.strides import TransposedConv


class ResNet(nn.Module):
    """Image [B, H, W, C] to an image [B, H, W, features], both in [-1, 1].

    width   channels at full size; each halving doubles them
    blocks  residual blocks
    levels  halvings
    """

    features: int
    width: Size = 64
    blocks: Size = 9
    levels: Size = 2
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(x, features, size, stride=1, padding=0, bias=False):
            return nn.Conv(
                features, (size, size), stride, padding=padding, use_bias=bias, kernel_init=WEIGHTS,
                dtype=self.dtype,
            )(x)  # fmt: skip

        x = nn.relu(instance_norm(conv(reflected(x, 3), self.width, 7)))
        for level in range(1, self.levels + 1):
            x = nn.relu(instance_norm(conv(x, 2**level * self.width, 3, stride=2, padding=1)))
        for _ in range(self.blocks):
            h = nn.relu(instance_norm(conv(reflected(x, 1), x.shape[-1], 3)))
            x = x + instance_norm(conv(reflected(h, 1), x.shape[-1], 3))
        for level in reversed(range(self.levels)):
            x = TransposedConv(
                2**level * self.width, 3, use_bias=False, padding=1, kernel_init=WEIGHTS,
                dtype=self.dtype,
            )(x)  # fmt: skip
            x = nn.relu(instance_norm(x))
        return jnp.tanh(full_precision(conv(reflected(x, 3), self.features, 7, bias=True)))


def check_sides(shape: tuple[int, ...], levels: int = 2, name: str = "data.size") -> None:
    """Raises UserError if the doublings do not lead back to the sides, which `name` sets."""
    factor = 2**levels
    if any(side % factor or side < 2 * factor for side in shape[:2]):
        raise UserError(
            f"images of {shape[0]}x{shape[1]} cannot be halved {levels} times: set {name} to a"
            f" multiple of {factor}, {2 * factor} or more"
        )
