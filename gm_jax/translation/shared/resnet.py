"""CycleGAN's generator: two halvings, residual blocks, two doublings.

Zhu et al. 2017 (arXiv 1703.10593), appendix 7.2, after Johnson et al. 2016, as in the authors'
code: kernels of 7x7 and those of the blocks see the image reflected beyond its border, those of
stride 2 zeros. No convolution before an instance norm has a bias, which the norm would undo.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.layers import Size, TransposedConv, full_precision, instance_norm, reflected
from gm_jax.nn.patchgan import WEIGHTS

FACTOR = 4  # by which the blocks' map is smaller than the image


class ResNet(nn.Module):
    """Image [B, H, W, C] to an image [B, H, W, features], both in [-1, 1].

    width   channels at full size; the blocks have four times as many
    blocks  residual blocks
    """

    features: int
    width: Size = 64
    blocks: Size = 9
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(x, features, size, stride=1, padding=0, bias=False):
            return nn.Conv(
                features, (size, size), stride, padding=padding, use_bias=bias, kernel_init=WEIGHTS,
                dtype=self.dtype,
            )(x)  # fmt: skip

        x = nn.relu(instance_norm(conv(reflected(x, 3), self.width, 7)))
        for factor in (2, 4):
            x = nn.relu(instance_norm(conv(x, factor * self.width, 3, stride=2, padding=1)))
        for _ in range(self.blocks):
            h = nn.relu(instance_norm(conv(reflected(x, 1), x.shape[-1], 3)))
            x = x + instance_norm(conv(reflected(h, 1), x.shape[-1], 3))
        for factor in (2, 1):
            x = TransposedConv(
                factor * self.width, 3, use_bias=False, padding=1, kernel_init=WEIGHTS,
                dtype=self.dtype,
            )(x)  # fmt: skip
            x = nn.relu(instance_norm(x))
        return jnp.tanh(full_precision(conv(reflected(x, 3), self.features, 7, bias=True)))


def check_sides(shape: tuple[int, ...]) -> None:
    """Raises UserError if the doublings do not lead back to the image's sides."""
    if any(side % FACTOR or side < 2 * FACTOR for side in shape[:2]):
        raise UserError(
            f"images of {shape[0]}x{shape[1]} cannot be halved twice: set data.size to a multiple"
            f" of {FACTOR}, {2 * FACTOR} or more"
        )
