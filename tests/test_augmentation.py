"""ADA's augmentations: the authors' pipeline at given draws, and what leaves an image as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfinv
from stylegan2_golden import golden, needs_golden

from gm_jax.adversarial.shared import augmentation
from gm_jax.adversarial.shared.augmentation import Augmentation, Draws

KEY = jax.random.key(0)
augmented = jax.jit(augmentation.augmented, static_argnums=2)
NEUTRAL = dict(
    flip=0.0, turn=0.0, shift=(0.0, 0.0), scale=1.0, rotation=0.0, stretch=1.0,
    rotation_after=0.0, offset=(0.0, 0.0), brightness=0.0, contrast=1.0, luma_flip=0.0, hue=0.0,
    saturation=1.0,
)  # fmt: skip
# The authors' names of changes, and ours.
NAMES = {
    "xflip": ("flip",), "rotate90": ("turn",), "xint": ("shift",), "scale": ("scale",),
    "rotate": ("rotation",), "aniso": ("stretch",), "xfrac": ("offset",),
    "brightness": ("brightness",), "contrast": ("contrast",), "lumaflip": ("luma_flip",),
    "hue": ("hue",), "saturation": ("saturation",),
    "bg": augmentation.PIXELS + augmentation.GEOMETRY, "color": augmentation.COLOUR,
    "bgc": augmentation.PIPELINES["bgc"], "bgc_grey": augmentation.PIPELINES["bgc"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def draws(values, count=1):
    """Draws of {name: value}, the rest as they leave an image."""
    rows = {n: np.broadcast_to(v, (count, *np.shape(v))) for n, v in (NEUTRAL | values).items()}
    return Draws(**{name: jnp.asarray(x, jnp.float64) for name, x in rows.items()})


def at_percentile(q):
    """Every random number at its percentile, by ABOUT.md; the last rotation is 0."""
    side, angle, normal = 2 * q - 1, (2 * q - 1) * np.pi, erfinv(2 * q - 1)
    return dict(
        flip=np.floor(2 * q), turn=np.floor(4 * q), shift=(0.125 * side,) * 2,
        scale=2 ** (0.2 * normal), rotation=angle, stretch=2 ** (0.2 * normal),
        rotation_after=0.0, offset=(0.125 * normal,) * 2, brightness=0.2 * normal,
        contrast=2 ** (0.5 * normal), luma_flip=np.floor(2 * q), hue=angle, saturation=2**normal,
    )  # fmt: skip


@needs_golden
@pytest.mark.parametrize("q", [0.2, 0.7])
@pytest.mark.parametrize("name", NAMES)
def test_changes(name, q):
    """The authors' margin depends on the draws; ours is the widest. Stored in float32."""
    made = {own: at_percentile(q)[own] for own in NAMES[name]}
    x = golden("in/augmented")
    x = x[..., :1] if name == "bgc_grey" else x
    pipeline = next(p for p in ("blit", "geom", "color", "bg", "bgc") if (
        set(NAMES[name]) <= set(augmentation.PIPELINES[p])
    ))  # fmt: skip
    y = augmented(x, draws(made), pipeline)
    np.testing.assert_allclose(y, golden(f"augment/{name}_{q}"), atol=2e-5)


@needs_golden
def test_the_filter():
    np.testing.assert_allclose(augmentation.TAPS, golden("augment/Hz_geom"), rtol=1e-6)


def images(count=4, side=8):
    return jax.random.normal(KEY, (count, side, side, 3))


def drawn(p, count=4):
    keys = jax.vmap(jax.random.fold_in, (None, 0))(KEY, jnp.arange(count))
    return augmentation.draw(keys, p, "bgc")


def test_nothing_changes_at_p_0():
    np.testing.assert_allclose(augmented(images(), drawn(0.0), "bgc"), images(), atol=1e-10)


def test_changes_come_with_probability_p_and_one_of_two_rotations():
    many, rates = drawn(0.3, 4000), {}
    for name, value in many._asdict().items():
        changed = value != np.asarray(NEUTRAL[name])
        rates[name] = np.mean(changed if changed.ndim == 1 else changed[:, 0])
    for name in ("scale", "stretch", "brightness", "contrast", "hue", "saturation", "offset"):
        np.testing.assert_allclose(rates[name], 0.3, atol=0.03)
    np.testing.assert_allclose(rates["flip"], 0.15, atol=0.02)  # Half of the flips are none.
    np.testing.assert_allclose(rates["turn"], 0.225, atol=0.03)
    either = np.mean((many.rotation != 0) | (many.rotation_after != 0))
    np.testing.assert_allclose(either, 0.3, atol=0.03)


def test_a_luma_flip_negates_the_sum_of_the_channels():
    y = augmented(images(), draws(dict(luma_flip=1.0), 4), "color")
    np.testing.assert_allclose(jnp.sum(y, -1), -jnp.sum(images(), -1), atol=1e-12)


def test_flips_and_turns_are_where_they_should_be():
    """Not exactly: the filter is not symmetric, and what a pixel holds spreads a little."""
    row, column = jnp.mgrid[:8, :8] / 8.0
    x = jnp.stack([jnp.sin(3 * row), jnp.cos(2 * column), row * column], -1)[None]
    for made, expected in (
        (dict(flip=1.0), x[:, :, ::-1]),
        (dict(turn=1.0), jnp.rot90(x, 1, (1, 2))),
        (dict(shift=(0.125, 0.0)), jnp.roll(x, 1, 2).at[:, :, 0].set(x[:, :, 1])),
    ):
        y = augmented(x, draws(made), "blit")
        assert jnp.mean(jnp.abs(y - expected)) < 0.02 < 0.04 < jnp.mean(jnp.abs(x - expected))


def test_p_follows_the_signs_and_stays_in_0_to_1():
    settings = Augmentation(name="bgc", speed=1000.0, every=4)
    state = augmentation.init(settings)
    for _ in range(3):
        state = augmentation.counted(state, jnp.array([1.0, 2.0, 3.0, 0.5]))
    kept = augmentation.adapted(settings, state, 3, 32)
    assert kept["p"] == 0.0 and kept["count"] == 3.0
    state = augmentation.adapted(settings, state, 4, 32)
    np.testing.assert_allclose(state["p"], 32 * 4 / 1000.0)  # All right: above the target.
    assert state["signs"] == state["count"] == 0.0
    wrong = augmentation.counted(state, jnp.array([1.0, -2.0, 3.0, 0.5]))  # A mean of .5.
    np.testing.assert_allclose(augmentation.adapted(settings, wrong, 8, 32)["p"], 0.0, atol=1e-6)
    for step in range(0, 400, 4):
        right = augmentation.counted(state, jnp.ones(4))
        state = augmentation.adapted(settings, right, step, 32)
    assert state["p"] == 1.0


def test_p_stays_without_a_target():
    settings = Augmentation(name="bgc", p=0.4, target=None)
    state = augmentation.counted(augmentation.init(settings), jnp.ones(4))
    np.testing.assert_allclose(augmentation.adapted(settings, state, 0, 32)["p"], 0.4, rtol=1e-6)


def test_gradients_flow_through_it():
    """G learns through what D sees, and R1 is of the images before."""
    made, step = drawn(0.8), jax.random.normal(jax.random.key(1), (4, 8, 8, 3))

    @jax.jit
    def value(x):
        return jnp.sum(augmented(x, made, "bgc") ** 2)

    slope = jnp.sum(jax.jit(jax.grad(value))(images()) * step)
    near = (value(images() + 1e-5 * step) - value(images() - 1e-5 * step)) / 2e-5
    np.testing.assert_allclose(slope, near, rtol=1e-6)
