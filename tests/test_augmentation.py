"""ADA's augmentations: the authors' pipeline at given draws, and what leaves an image as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfinv
from stylegan2_golden import golden, needs_golden

from gm_jax.adversarial.shared import augmentation
from gm_jax.adversarial.shared.augmentation import Augmentation, Draws, corruption, geometry

KEY = jax.random.key(0)
augmented = jax.jit(augmentation.augmented, static_argnums=2)
draw = jax.jit(augmentation.draw, static_argnums=(2, 3))
NEUTRAL = dict(
    flip=0.0, turn=0.0, shift=(0.0, 0.0), scale=1.0, rotation=0.0, stretch=1.0,
    rotation_after=0.0, offset=(0.0, 0.0), brightness=0.0, contrast=1.0, luma_flip=0.0, hue=0.0,
    saturation=1.0, bands=(1.0,) * 4, noise=0.0, cutout=(0.0,) * 3,
)  # fmt: skip
# The authors' names of changes, and ours.
NAMES = {
    "xflip": ("flip",), "rotate90": ("turn",), "xint": ("shift",), "scale": ("scale",),
    "rotate": ("rotation",), "aniso": ("stretch",), "xfrac": ("offset",),
    "brightness": ("brightness",), "contrast": ("contrast",), "lumaflip": ("luma_flip",),
    "hue": ("hue",), "saturation": ("saturation",), "imgfilter": ("bands",),
    "cutout": ("cutout",),
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
        bands=(2**normal,) * 4, cutout=(q, q, 0.5),
    )  # fmt: skip


@needs_golden
@pytest.mark.parametrize("q", [0.2, 0.7])
@pytest.mark.parametrize("name", NAMES)
def test_changes(name, q):
    """The authors' margin depends on the draws; ours is the widest. Stored in float32."""
    made = {own: at_percentile(q)[own] for own in NAMES[name]}
    x = golden("in/augmented_24" if name == "imgfilter" else "in/augmented")
    x = x[..., :1] if name == "bgc_grey" else x
    pipeline = next(
        p for p, names in augmentation.PIPELINES.items() if set(NAMES[name]) <= set(names)
    )
    y = augmented(x, draws(made), pipeline)
    np.testing.assert_allclose(y, golden(f"augment/{name}_{q}"), atol=2e-5)


@needs_golden
def test_the_filters():
    np.testing.assert_allclose(geometry.TAPS, golden("augment/Hz_geom"), rtol=1e-6)
    np.testing.assert_allclose(corruption.BANK, golden("augment/Hz_fbank"), atol=1e-7)


def images(count=4, side=8):
    return jax.random.normal(KEY, (count, side, side, 3))


def drawn(p, count=4, side=8):
    """Draws of all changes; 4000 of 4 x 4 pixels for what takes many."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(KEY, jnp.arange(count))
    return draw(keys, p, "bgcfnc", (side, side, 3))


def test_nothing_changes_at_p_0():
    """Nor do the bands of images that are smaller than their filters."""
    np.testing.assert_allclose(augmented(images(), drawn(0.0), "bgcfnc"), images(), atol=1e-10)


def test_changes_come_with_probability_p_and_one_of_two_rotations():
    many, rates = drawn(0.3, 4000, 4), {}
    for name, value in many._asdict().items():
        neutral = np.zeros((4, 4, 3)) if name == "noise" else np.asarray(NEUTRAL[name])
        changed = (value != neutral).reshape(len(value), -1)
        rates[name] = np.mean(changed[:, -1])
        if name == "bands":  # Each by itself.
            np.testing.assert_allclose(np.mean(changed, axis=0), 0.3, atol=0.03)
            np.testing.assert_allclose(np.mean(np.all(changed[:, :2], axis=1)), 0.09, atol=0.02)
    for name in (
        "scale", "stretch", "brightness", "contrast", "hue", "saturation", "offset", "noise",
        "cutout",
    ):  # fmt: skip
        np.testing.assert_allclose(rates[name], 0.3, atol=0.03)
    np.testing.assert_allclose(rates["flip"], 0.15, atol=0.02)  # Half of the flips are none.
    np.testing.assert_allclose(rates["turn"], 0.225, atol=0.03)
    either = np.mean((many.rotation != 0) | (many.rotation_after != 0))
    np.testing.assert_allclose(either, 0.3, atol=0.03)


def test_changes_are_as_large_as_the_authors_and_know_nothing_of_one_another():
    """Of those that are made; whether one is made says nothing about how large it is."""
    many = {name: np.asarray(x) for name, x in drawn(0.5, 4000, 4)._asdict().items()}
    columns = []
    for name, deviation in (
        ("scale", 0.2), ("stretch", 0.2), ("contrast", 0.5), ("saturation", 1.0), ("bands", 1.0),
        ("brightness", 0.2), ("offset", 0.125), ("shift", 0.125 / 3**0.5),
        ("rotation", np.pi / 3**0.5), ("rotation_after", np.pi / 3**0.5), ("hue", np.pi / 3**0.5),
    ):  # fmt: skip
        factor = name in ("scale", "stretch", "contrast", "saturation", "bands")
        values = np.log2(many[name]) if factor else many[name]
        for column in values.reshape(len(values), -1).T:
            made = column[column != 0.0]
            np.testing.assert_allclose(made.std(), deviation, rtol=0.06, err_msg=name)
            assert abs(made.mean()) < 0.1 * deviation, name
            columns.append(column)
        if name in ("shift", "rotation", "rotation_after", "hue"):  # Uniform, to its very ends.
            end = 0.125 if name == "shift" else np.pi
            assert 0.97 * end < np.abs(values).max() <= end
    for name in ("flip", "turn", "luma_flip"):
        columns.append(many[name])
    shares = np.bincount(np.int64(many["turn"]), minlength=4) / 4000
    np.testing.assert_allclose(shares, [0.625, 0.125, 0.125, 0.125], atol=0.03)
    np.testing.assert_allclose(many["luma_flip"].mean(), 0.25, atol=0.03)
    correlation = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlation).max() < 0.08


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


def frequencies(taps):
    """The gain of symmetric taps at frequencies from 0 to pi."""
    angles, reach = np.linspace(0, np.pi, 513), len(taps) // 2
    return np.cos(angles[:, None] * np.arange(-reach, reach + 1)) @ taps


def test_each_filter_of_the_bank_keeps_its_band_and_all_add_up_to_the_image():
    """Of the energy of white noise: what passes is in the filter's own octave."""
    bank = corruption.BANK
    impulse = np.zeros(43)
    impulse[21] = 1.0
    np.testing.assert_allclose(bank.sum(0), impulse, atol=1e-12)
    np.testing.assert_allclose(bank, bank[:, ::-1], atol=1e-15)
    passed = np.stack([frequencies(taps) for taps in bank])
    assert passed.min() > -1e-12 and passed.max() < 1 + 1e-12  # No band is turned round.
    edges = np.pi * np.array([0, 1 / 8, 1 / 4, 1 / 2, 1])
    octave = np.digitize(np.linspace(0, np.pi, 513), edges[1:-1])
    energy = np.array([[np.sum(p[octave == i] ** 2) for i in range(4)] for p in passed])
    np.testing.assert_array_equal(energy.argmax(1), np.arange(4))
    assert np.all(energy.diagonal() > 0.7 * energy.sum(1))


def test_bands_are_filtered_along_both_axes_and_mirrored():
    """By brute force, of images smaller and larger than the filters' reach."""
    factors = jnp.array([[1.0, 3.0, 1.0, 0.2], [2.0, 1.0, 0.5, 1.0]])
    for side in (8, 26):
        x = np.asarray(images(2, side))
        for own, f, y in zip(
            x, np.asarray(factors),
            augmented(x, draws({}, 2)._replace(bands=factors), "filter"), strict=True,
        ):  # fmt: skip
            g = np.ones(4)
            for band, power in enumerate(np.array([10, 1, 1, 1]) / 13):
                g = g * np.where(np.arange(4) == band, f[band], 1.0)
                g = g / np.sqrt(1 - power + power * f[band] ** 2)
            taps = g @ corruption.BANK
            for axis in (0, 1):
                wide = np.pad(own, [(21, 21) if i == axis else (0, 0) for i in range(3)], "reflect")
                own = np.apply_along_axis(np.convolve, axis, wide, taps, "valid")
            np.testing.assert_allclose(y, own, atol=1e-10)


def test_a_change_of_a_band_keeps_the_expected_power():
    """10 : 1 : 1 : 1; and its own share of it grows by the square of its factor."""
    power = np.array([10.0, 1.0, 1.0, 1.0]) / 13
    factors = 1.0 + 2.0 * np.eye(4)
    gains = np.asarray(corruption.gains(jnp.asarray(factors)))
    np.testing.assert_allclose(gains**2 @ power, 1.0, rtol=1e-12)
    np.testing.assert_allclose(gains / gains.min(1, keepdims=True), factors, rtol=1e-12)


def test_a_constant_image_is_the_lowest_band_and_its_gain_can_be_undone():
    """Its gain acts along the height and along the width."""
    factors = 1.0 + jnp.eye(4)
    gain = corruption.gains(factors)[:, 0]
    flat = jnp.full((4, 8, 8, 3), 0.7)
    y = augmented(flat, draws({}, 4)._replace(bands=factors), "filter")
    np.testing.assert_allclose(y / gain[:, None, None, None] ** 2, flat, rtol=1e-9)


def test_noise_is_of_each_value_and_has_its_own_deviation_in_each_image():
    made = np.asarray(drawn(1.0, 4000, 4).noise)
    levels = np.sqrt(np.mean(made**2, axis=(1, 2, 3)))
    assert made.shape == (4000, 4, 4, 3)
    np.testing.assert_allclose(np.mean(levels), 0.1 * (2 / np.pi) ** 0.5, rtol=0.1)
    np.testing.assert_allclose(np.mean(levels**2), 0.01, rtol=0.15)
    np.testing.assert_allclose(np.mean(made), 0.0, atol=2e-3)
    rows = (made / levels[:, None, None, None]).reshape(4000, -1)
    correlation = rows.T @ rows / 4000 - np.eye(48)
    assert np.abs(correlation).max() < 0.15  # No two values of an image have the same noise.
    x, own = images(), drawn(1.0).noise
    y = augmented(x, draws({}, 4)._replace(noise=own), "noise")
    np.testing.assert_allclose(y, x + own, atol=1e-12)


def test_a_cutout_is_a_rectangle_around_its_centre_and_the_rest_stays():
    x = 1.0 + jnp.abs(images(3))
    holes = jnp.array([[0.5, 0.25, 0.5], [0.0, 1.0, 0.5], [0.3, 0.6, 0.0]])
    y = augmented(x, draws({}, 3)._replace(cutout=holes), "cutout")
    gone = np.all(y == 0, axis=-1)
    expected = np.zeros((3, 8, 8), bool)
    expected[0, 0:4, 2:6] = expected[1, 6:8, 0:2] = True
    np.testing.assert_array_equal(gone, expected)
    np.testing.assert_array_equal(y[~expected], x[~expected])
    centres = drawn(1.0, 4000, 4).cutout
    np.testing.assert_array_equal(centres[:, 2], 0.5)
    np.testing.assert_allclose(np.mean(centres[:, :2], axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(np.var(centres[:, :2], axis=0), 1 / 12, rtol=0.1)


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


@pytest.mark.slow
def test_gradients_flow_through_it():
    """G learns through what D sees, and R1 is of the images before."""
    made, step = drawn(0.8), jax.random.normal(jax.random.key(1), (4, 8, 8, 3))

    @jax.jit
    def value(x):
        return jnp.sum(augmented(x, made, "bgcfnc") ** 2)

    slope = jnp.sum(jax.jit(jax.grad(value))(images()) * step)
    near = (value(images() + 1e-5 * step) - value(images() - 1e-5 * step)) / 2e-5
    np.testing.assert_allclose(slope, near, rtol=1e-6)
