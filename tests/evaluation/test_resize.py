import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gm_jax.evaluation import resize

SIZES = [(32, 32), (64, 64), (256, 256), (512, 512), (37, 501), (299, 299), (300, 298), (1, 3)]
sizes = pytest.mark.parametrize("height, width", SIZES)


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)


def bilinear_by_loops(images, positions):
    """Interpolates between the four neighbours of each place; float32, as the originals do."""
    batch, height, width, channels = images.shape
    ys, xs = positions(height), positions(width)
    out = np.zeros((batch, 299, 299, channels), np.float32)
    x = images.astype(np.float32)
    for i in range(299):
        top, down = int(ys[i]), min(int(ys[i]) + 1, height - 1)
        wy = np.float32(ys[i] - top)
        for j in range(299):
            left, right = int(xs[j]), min(int(xs[j]) + 1, width - 1)
            wx = np.float32(xs[j] - left)
            above = x[:, top, left] + (x[:, top, right] - x[:, top, left]) * wx
            below = x[:, down, left] + (x[:, down, right] - x[:, down, left]) * wx
            out[:, i, j] = above + (below - above) * wy
    return out


def tf1_positions(side):
    scale = np.float32(side) / np.float32(299)
    return [np.float32(i) * scale for i in range(299)]


def half_pixel_positions(side):
    scale = np.float32(side) / np.float32(299)
    half = np.float32(0.5)
    return [max(scale * (np.float32(i) + half) - half, np.float32(0)) for i in range(299)]


def pillow(images):
    def one(channel):
        image = Image.fromarray(channel.astype(np.float32))
        assert image.mode == "F"
        return np.asarray(image.resize((299, 299), Image.Resampling.BICUBIC))

    channels = [np.stack([one(c) for c in np.moveaxis(x, -1, 0)], axis=-1) for x in images]
    return np.stack(channels).clip(0, 255)


@sizes
def test_tf1_bilinear_against_loops(height, width):
    x = noise(height, width)
    result = jax.jit(resize.tf1_bilinear)(x)
    assert np.abs(result - bilinear_by_loops(x, tf1_positions)).max() < 1e-4


@sizes
def test_half_pixel_bilinear_against_loops(height, width):
    x = noise(height, width)
    result = jax.jit(resize.half_pixel_bilinear)(x)
    assert np.abs(result - bilinear_by_loops(x, half_pixel_positions)).max() < 1e-4


@sizes
def test_pil_bicubic_against_pillow(height, width):
    x = noise(height, width)
    assert np.abs(jax.jit(resize.pil_bicubic)(x) - pillow(x)).max() < 1e-3


@pytest.mark.parametrize("side", [32, 512])
def test_the_usual_mistakes_are_far_off(side):
    """Half-pixel centres in place of TF1's, antialiasing, and JAX's own resize."""
    x = noise(side, side)
    ours = {name: np.asarray(f(x)) for name, f in vars(resize).items() if name in NAMES}
    full = (2, 299, 299, 3)
    antialiased = np.asarray(jax.image.resize(x.astype(jnp.float32), full, "bilinear"))
    cubic = np.asarray(jax.image.resize(x.astype(jnp.float32), full, "cubic", antialias=False))
    assert np.abs(ours["tf1_bilinear"] - ours["half_pixel_bilinear"]).max() > 1
    assert np.abs(ours["tf1_bilinear"] - antialiased).max() > 1
    assert side == 32 or np.abs(ours["half_pixel_bilinear"] - antialiased).max() > 1
    assert np.abs(ours["pil_bicubic"] - cubic).max() > 1


NAMES = ("tf1_bilinear", "half_pixel_bilinear", "pil_bicubic")


def test_the_size_that_inception_takes_is_left_alone():
    x = noise(299, 299)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(resize, name)(x), x)
