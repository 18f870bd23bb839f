"""Critics at several scales, and the matching of their maps.

Wang et al. 2018, pix2pixHD (arXiv 1711.11585), section 3.2; SPADE and Everybody Dance Now have
them, too.
"""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.losses.perceptual import feature_error
from gm_jax.model import Array
from gm_jax.nn.layers import Size
from gm_jax.nn.patchgan import OF_PATCHES, PatchGAN
from gm_jax.settings import one_of


class MultiScale(nn.Module):
    """Image [B, H, W, C] to a list: for each scale, logits [B, h, w] and the maps before them.

    scales         critics; each sees the image half as large as the one before
    width          channels of a critic's first layer; they double up to eight times as many
    layers         strided layers of a critic; two of stride 1 follow
    normalization  of all layers but the first and the last
    """

    scales: Size = 2
    width: Size = 64
    layers: Size = 3
    normalization: Annotated[str, one_of(OF_PATCHES)] = "instance"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> list:
        found = []
        for _ in range(self.scales):
            critic = PatchGAN(self.width, self.layers, self.normalization, 2, self.dtype)
            found.append(critic(x, train, maps=True))
            x = halved(x)
        return found


def halved(x: Array) -> Array:
    """Means of 3 x 3 values at every second one; zeros beyond the border do not count."""
    return nn.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)), count_include_pad=False)


def judged(discriminator, variables, real: Array, fake: Array) -> tuple[list, list, dict]:
    """For each scale D's (logits, maps) of `real`, and those of `fake`, and D's new state.

    Both are seen in one batch.
    """
    scales, state = discriminator.train(variables, jnp.concatenate([fake, real]))
    fakes, reals = (
        jax.tree.map(lambda x, part=part: jnp.split(x, 2)[part], scales) for part in (0, 1)
    )
    return reals, fakes, state


def values(of, reals: list, fakes: list) -> list[Array]:
    """For each scale the mean over examples and patches of a player's loss, of(real, fake)."""
    return [
        jnp.mean(of(real[0], fake[0])) for real, fake in zip(reals, fakes, strict=True)
    ]  # fmt: skip


def matching(reals: list, fakes: list) -> Array:
    """The mean over scales of the L1 distances of D's maps, summed over layers.

    Real maps have no gradient. Wang et al. 2018, eq. 4.
    """
    pairs = zip(reals, fakes, strict=True)
    far = [feature_error(lax.stop_gradient(real[1]), fake[1], power=1) for real, fake in pairs]
    return sum(jnp.mean(each) for each in far) / len(far)
