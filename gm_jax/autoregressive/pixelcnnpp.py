"""PixelCNN++.

Salimans, Karpathy, Chen & Kingma 2017 (arXiv 1701.05517): a discretised mixture of logistics for
the channels of a pixel together, from two stacks of gated residual blocks, the first half and the
second half joined by short cuts (figure 2).

    p(x | pi, mu, s) = sum_k pi_k [sigma((x + .5 - mu_k) / s_k) - sigma((x - .5 - mu_k) / s_k)]
                                                                                          eq. 2
    mu_G = mu_G + alpha x_R,   mu_B = mu_B + beta x_R + gamma x_G                         eq. 3

Departures: all maps stay at full resolution, so that a step of sampling costs one pixel; plain
weights in place of weight normalisation.

The sampler of sequences sees its channels one after the other: the logits of a position are those
of one channel's levels, given the channels before it.
"""

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.autoregressive.shared import pixels
from gm_jax.losses import logistic_mixture
from gm_jax.model import Array, Phase, classes_of, field_of
from gm_jax.nn.layers import Dense, Dropout, Rate, Size, full_precision
from gm_jax.nn.masked import MaskedConv, Pixel, Reach, RowConv, scaled, shift_down
from gm_jax.settings import arguments, part_of, schema

ABOVE, BEFORE = Reach(1, 1, 1), Reach(1, 1, 0)  # 2x3 over rows, 2x2 to the left.


class PixelCNNpp(nn.Module):
    """Symbols [B, H, W, C] to numbers of a mixture for each pixel, [B, H, W, outputs].

    Its keys [B] are for dropout; None drops nothing.

    levels   values of a symbol
    outputs  numbers of a pixel's mixture
    blocks   gated residual blocks in each half
    width    features of a block
    dropout  rate within the blocks
    classes  labels 0..classes-1 that condition every block; 0 for none
    """

    levels: int
    outputs: int
    blocks: Size = 4
    width: Size = 32
    dropout: Rate = 0.0
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.vertical = _Vertical(self.blocks, self.width, self.dropout, self.classes, self.dtype)
        self.horizontal = _Horizontal(
            self.outputs, self.blocks, self.width, self.dropout, self.classes, self.dtype
        )

    @property
    def reach(self) -> Reach:
        """The window of the image that `along` takes around a pixel."""
        return ABOVE

    def __call__(self, x: Array, label: Array | None = None, keys: Array | None = None) -> Array:
        x = self.embed(x)
        maps = tuple(shift_down(m) for m in self.vertical(x, label, False, keys))
        return self.horizontal(x, maps, label, None, keys)

    def embed(self, x: Array) -> Array:
        """Symbols [..., C] to values [..., 2 C], each with a 1, which no padding has."""
        x = scaled(x, self.levels)
        return jnp.stack([x, jnp.ones_like(x)], axis=-1).reshape(*x.shape[:-1], -1)

    def above(self, x: Array, label: Array | None, cached: bool = False) -> tuple[Array, ...]:
        """The maps that every block passes to the row below, [B, H, W, width] each."""
        return self.vertical(x, label, cached, None)

    def along(
        self, x: Array, maps: tuple[Array, ...], label: Array | None, pixel: Pixel | None = None
    ) -> Array:
        """The mixtures of the image, or of one pixel, given the maps of the rows above."""
        return self.horizontal(x, maps, label, pixel, None)


class _Vertical(nn.Module):
    blocks: int
    width: int
    dropout: float
    classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, label, cached, keys):
        def conv(features):
            return lambda y: RowConv(features, ABOVE, dtype=self.dtype)(y, cached)

        block = _block(self, conv, label, keys)
        x = conv(self.width)(x)
        maps, skips = [x], [x]
        for _ in range(self.blocks):
            x = block(x)
            maps.append(x)
            skips.append(x)
        x = skips.pop()
        for _ in range(self.blocks):
            x = block(x, skips.pop())
            maps.append(x)
        return tuple(maps)


class _Horizontal(nn.Module):
    outputs: int
    blocks: int
    width: int
    dropout: float
    classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, maps, label, pixel, keys):
        def conv(features):
            return lambda y: MaskedConv(features, BEFORE, dtype=self.dtype)(y, pixel)

        block = _block(self, conv, label, keys)
        first, *maps = maps
        x = MaskedConv(self.width, ABOVE, "A", dtype=self.dtype)(x, pixel)
        x += Dense(self.width, dtype=self.dtype)(concat_elu(first))
        skips = [x]
        for above in maps[: self.blocks]:
            x = block(x, above)
            skips.append(x)
        x = skips.pop()
        for above in maps[self.blocks :]:
            x = block(x, jnp.concatenate([above, skips.pop()], axis=-1))
        return full_precision(Dense(self.outputs, dtype=self.dtype)(nn.elu(x)))


def concat_elu(x: Array) -> Array:
    """elu of x beside elu of -x."""
    return nn.elu(jnp.concatenate([x, -x], axis=-1))


def _block(module, conv, label, keys):
    """(x, extra inputs) -> x + a sigma(b): sections 2.4 and 2.5, with `conv(features)`."""

    def block(x, extra=None):
        y = conv(module.width)(concat_elu(x))
        if extra is not None:
            y += Dense(module.width, dtype=module.dtype)(concat_elu(extra))
        y = Dropout(module.dropout)(concat_elu(y), keys)
        y = conv(2 * module.width)(y)
        if module.classes:
            embed = nn.Embed(module.classes, 2 * module.width, dtype=module.dtype)
            y += embed(label)[:, None, None]
        a, b = jnp.split(y, 2, axis=-1)
        return x + a * nn.sigmoid(b)

    return block


NetworkSettings = part_of(PixelCNNpp, "levels", "outputs", "classes", "dtype")


@schema
class Settings(pixels.Settings):
    """A PixelCNN++.

    conditional  whether the network knows the label
    components   logistics of the mixture
    network      the two stacks
    """

    conditional: bool = False
    components: Size = 5
    network: NetworkSettings = NetworkSettings()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Mixtures of logistics from two stacks in one phase; configs/pixelcnnpp_mnist.py."""
    image, components = field_of(spec, "image"), settings.components
    levels, colors = image.cardinality, image.shape[-1]
    net = PixelCNNpp(
        levels,
        logistic_mixture.parameters(components, colors),
        classes=classes_of(spec) if settings.conditional else 0,
        **arguments(settings.network),
        dtype=jnp.dtype(settings.dtype),
    )

    def logits(x, raw):
        return logistic_mixture.level_logits(scaled(x, levels), raw, components, levels)

    def nats(params, x, label, keys):
        x = x.reshape(-1, *image.shape)
        raw = net.apply({"params": params}, x, label, keys)
        return logistic_mixture.log_prob(scaled(x, levels), raw, components, levels)

    model, init = pixels.causal(net, image.shape, logits), pixels.init(net, image)
    return (pixels.phase(settings, image, model, init, settings.conditional, nats),)
