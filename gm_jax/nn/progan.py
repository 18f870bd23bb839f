"""The networks of ProGAN, which grow by one block for each doubling of the images' side.

Karras et al. 2018 (arXiv 1710.10196), table 2: of side r, maps of min(density / r, most) features.
While the layers of a new side fade in, with a share a of 0 to 1 (figure 2),

    G = (1 - a) up(toRGB_{r/2}(y_{r/2})) + a toRGB_r(y_r)
    D's map of side r/2 = (1 - a) fromRGB_{r/2}(down(x)) + a down(block_r(fromRGB_r(x)))

so a = 0 is the smaller network between two images enlarged by repeated pixels, and a = 1 the larger
one. Layers are named by their side, as a phase takes over those of the one before.
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from gm_jax import replicas
from gm_jax.model import Array
from gm_jax.nn.equalized import EqualizedConv, EqualizedDense, minibatch_deviation, pixel_norm
from gm_jax.nn.filtering import blurred
from gm_jax.nn.layers import BatchNorm, Size, doubled, full_precision, halved
from gm_jax.settings import at_least, one_of

FIRST = 4  # side of the first map
GAIN = 2**0.5  # of layers before a LeakyReLU
STATISTICS = ("", "deviation", "discrimination")


def mixed(old: Array, new: Array, share: Array | float) -> Array:
    """(1 - share) old + share new; exactly the old at 0."""
    return old + jnp.asarray(share, old.dtype) * (new - old)


def linear(
    features: int, size: int, equalized: bool, dtype, gain: float = GAIN, **options
) -> nn.Module:
    """A convolution, or of size 0 a dense layer, of weights N(0, gain^2 / fan_in) at the start.

    equalized  whether that is a factor at run time (section 4.1), or of the weights themselves
    options    use_bias (False unless given) and name
    """
    options = {"use_bias": False, "dtype": dtype, **options}
    if equalized and size:
        return EqualizedConv(features, size, gain, **options)
    if equalized:
        return EqualizedDense(features, gain, **options)
    options["kernel_init"] = nn.initializers.variance_scaling(gain**2, "fan_in", "normal")
    return nn.Conv(features, (size, size), **options) if size else nn.Dense(features, **options)


class Activation(nn.Module):
    """What follows a linear layer: a batch or layer norm, a bias, a (Leaky)ReLU, or pixel norm.

    normalization  "batch", "layer", "pixel", or "none"
    slope          of the activation below 0
    """

    normalization: str
    slope: float
    train: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.normalization == "batch":
            return nn.leaky_relu(BatchNorm(self.train, self.dtype)(x), self.slope)
        if self.normalization == "layer":
            x = layer_norm(x) * self.param("gain", nn.initializers.ones, ()).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        x = nn.leaky_relu(x + bias.astype(x.dtype), self.slope)
        return pixel_norm(x) if self.normalization == "pixel" else x


def layer_norm(x: Array, epsilon: float = 1e-4) -> Array:
    """Each example [B, ...] with mean 0 and variance 1 over all its values."""
    wide, axes = full_precision(x), tuple(range(1, x.ndim))
    wide -= jnp.mean(wide, axis=axes, keepdims=True)
    square = jnp.mean(wide**2, axis=axes, keepdims=True)
    return (wide * lax.rsqrt(square + epsilon)).astype(x.dtype)


class MinibatchDiscrimination(nn.Module):
    """[B, C] to [B, C + kernels]: with how near each example is to the others of the batch.

    Salimans et al. 2016 (arXiv 1606.03498), section 3.2: sum_j exp(-|x_i T_k - x_j T_k|_1), j not
    i, with weights of length exp(s) each and a bias of -1 at the start, as in the authors' code.
    """

    kernels: int = 100
    size: int = 5

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = x.shape[-1], self.kernels, self.size
        kernel = self.param("kernel", nn.initializers.normal(0.05), shape)
        scale = jnp.exp(self.param("log_scale", nn.initializers.zeros, shape[1:]))
        bias = self.param("bias", nn.initializers.constant(-1.0), (self.kernels,))
        length = jnp.sqrt(jnp.sum(kernel**2, axis=0))
        own = jnp.einsum("bc,cks->bks", full_precision(x), kernel * scale / length)
        apart = jnp.sum(jnp.abs(own[:, None] - replicas.gather(own)), axis=-1)
        near = jnp.sum(jnp.exp(-apart), axis=1) - 1.0  # Without itself, at a distance of 0.
        return jnp.concatenate([x, (near + bias).astype(x.dtype)], axis=-1)


class Block(nn.Module):
    """Two convolutions of 3x3, each with what follows it: [B, H, W, C] to [B, H, W, features[1]].

    features  of the first and the second one
    down      whether the second one is of a smoothed map and halved before what follows
    """

    features: tuple[int, int]
    equalized: bool
    normalization: str
    slope: float
    dtype: jnp.dtype
    down: bool = False

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        own = self.normalization, self.slope, train, self.dtype
        first, second = self.features
        x = Activation(*own)(linear(first, 3, self.equalized, self.dtype)(x))
        x = blurred(x) if self.down else x
        x = linear(second, 3, self.equalized, self.dtype)(x)
        return Activation(*own)(halved(x) if self.down else x)


class FirstBlock(nn.Module):
    """z [B, D] to the first map [B, 4, 4, features]: a dense layer and a convolution of 3x3."""

    features: int
    equalized: bool
    normalization: str
    slope: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, z: Array, train: bool) -> Array:
        own = self.normalization, self.slope, train, self.dtype
        # The gain of a 4x4 convolution on one pixel that is surrounded by zeros.
        x = linear(FIRST**2 * self.features, 0, self.equalized, self.dtype, GAIN / 4)(z)
        x = Activation(*own)(x.reshape(-1, FIRST, FIRST, self.features))
        return Activation(*own)(linear(self.features, 3, self.equalized, self.dtype)(x))


class LastBlock(nn.Module):
    """D's map [B, 4, 4, C] to [B, features[1]]: a convolution of 3x3 and a dense layer."""

    features: tuple[int, int]
    equalized: bool
    normalization: str
    slope: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for size, features in zip((3, 0), self.features, strict=True):
            x = x if size else x.reshape(len(x), -1)
            x = linear(features, size, self.equalized, self.dtype)(x)
            x = Activation(self.normalization, self.slope, dtype=self.dtype)(x)
        return x


class Generator(nn.Module):
    """z [B, D] to images [B, side, side, channels], unbounded without `tanh`.

    side           of its images
    channels       of its images
    fading         whether the layers of that side are fading in
    density        features of a map times its side
    most           features of a map, at most
    equalized      whether the learning rate is equalised
    normalization  "pixel", "batch", or "none"
    slope          of the activations below 0
    latent_norm    whether z is normalised
    tanh           whether a tanh bounds the images
    """

    side: int
    channels: int
    fading: bool = False
    density: Size = 16384
    most: Size = 512
    equalized: bool = True
    normalization: Annotated[str, one_of(("pixel", "batch", "none"))] = "pixel"
    slope: Annotated[float, at_least(0.0)] = 0.2
    latent_norm: bool = True
    tanh: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, share: Array | float, train: bool) -> Array:
        own = self.equalized, self.normalization, self.slope, self.dtype

        def image_of(x):
            side = x.shape[1]
            name = f"to_image_{side}"
            layer = linear(
                self.channels, 1, self.equalized, self.dtype, 1.0, use_bias=True, name=name
            )
            return full_precision(layer(x))

        x = pixel_norm(z) if self.latent_norm else z
        side, features = FIRST, min(self.density // FIRST, self.most)
        x = smaller = FirstBlock(features, *own, name=f"block_{side}")(x, train)
        while side < self.side:
            side, smaller = 2 * side, x
            features = min(self.density // side, self.most)
            x = Block((features, features), *own, name=f"block_{side}")(doubled(x), train)
        image = image_of(x)
        if self.fading:
            image = mixed(doubled(image_of(smaller)), image, share)
        return jnp.tanh(image) if self.tanh else image


class Discriminator(nn.Module):
    """Images [B, side, side, channels] to outputs [B], without bound.

    side           of the images
    fading         whether the layers of that side are fading in
    density        features of a map times its side
    most           features of a map, at most
    equalized      whether the learning rate is equalised
    normalization  "layer" or "none"
    statistics     what it sees of the whole batch: the deviation of its features, minibatch
                   discrimination, or "" for nothing
    group          examples whose deviation is taken together; 0 for the whole batch
    kernels        of minibatch discrimination
    blur           whether maps are smoothed before a block's second convolution and halved before
                   its activation, as in StyleGAN, not after it
    """

    side: int
    fading: bool = False
    density: Size = 16384
    most: Size = 512
    equalized: bool = True
    normalization: Annotated[str, one_of(("layer", "none"))] = "none"
    statistics: Annotated[str, one_of(STATISTICS)] = "deviation"
    group: Annotated[int, at_least(0)] = 4
    kernels: Size = 100
    blur: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, image: Array, share: Array | float) -> Array:
        own = self.equalized, self.normalization, 0.2, self.dtype

        def features(side):
            return min(self.density // side, self.most)

        def map_of(x):
            side = x.shape[1]
            layer = linear(features(side), 1, self.equalized, self.dtype, use_bias=True,
                           name=f"from_image_{side}")  # fmt: skip
            return nn.leaky_relu(layer(x.astype(self.dtype)), 0.2)

        x, side = map_of(image), self.side
        while side > FIRST:
            wide = features(side), features(side // 2)
            x = Block(wide, *own, down=self.blur, name=f"block_{side}")(x)
            x = x if self.blur else halved(x)
            if self.fading and side == self.side:
                x = mixed(map_of(halved(image)), x, share)
            side //= 2
        if self.statistics == "deviation":
            x = jnp.concatenate([x, minibatch_deviation(x, self.group)], axis=-1)
        x = LastBlock((features(FIRST), features(FIRST // 2)), *own, name="block_4")(x)
        if self.statistics == "discrimination":
            x = MinibatchDiscrimination(self.kernels, name="discrimination")(x)
        output = linear(1, 0, self.equalized, self.dtype, 1.0, use_bias=True, name="output")(x)
        return full_precision(output)[:, 0]
