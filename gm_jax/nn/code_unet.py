"""A U-Net over the codes of an image, as Paella has one (Rampas et al. 2022, arXiv 2211.07292)."""

import math

import flax.linen as nn

from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.unet import UNet

TIMES = 10_000.0  # What the U-Net's features of the level take the share of noised codes for.


class CodeUNet(nn.Module):
    """Codes [B, N] of which a share [B] is random, to logits [B, N, K] of all codes.

    Label, keys and context are as in `UNet`. It starts as the zero function: all codes are equally
    likely.
    shape  of the grid, whose N codes are read row by row
    unet   of embedded codes, with K = unet.out_channels
    """

    shape: tuple[int, ...]
    unet: UNet

    @nn.compact
    def __call__(
        self,
        x: Array,
        share: Array,
        label: Array | None = None,
        keys: Array | None = None,
        context: Array | None = None,
    ) -> Array:
        if len(self.shape) != 2:
            raise UserError(
                f"stages.codes has codes of shape {self.shape}: a U-Net over codes needs one grid,"
                " such as that of a vqvae"
            )
        unet = self.unet
        h = nn.Embed(unet.out_channels, unet.width, dtype=unet.dtype, name="codes")(x)
        h = h.reshape(-1, *self.shape, unet.width)
        outputs = unet(h, TIMES * share, label, keys, context)
        return outputs.reshape(-1, math.prod(self.shape), unet.out_channels)
