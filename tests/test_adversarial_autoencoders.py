"""Autoencoders with critics of codes: their priors against statistics, and what critics see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses

import gm_jax
from gm_jax import data, run
from gm_jax.autoencoders.shared.code_priors import PRIORS, star, swiss_roll
from gm_jax.judging import codes

MANY = jax.random.split(jax.random.key(0), 20_000)


def test_a_star_is_of_ten_gaussians_by_deviations():
    """Centre 1.4 at 2 pi k / 10, deviation .5 along the arm and .05 across; not variances."""
    prior = star(10, 2)
    for part in (0, 3):
        z = np.asarray(prior.draw(MANY, jnp.full(len(MANY), part)))
        angle = 2 * np.pi * part / 10
        along = z @ [np.cos(angle), np.sin(angle)]
        across = z @ [-np.sin(angle), np.cos(angle)]
        np.testing.assert_allclose([along.mean(), across.mean()], [1.4, 0.0], atol=0.02)
        np.testing.assert_allclose([along.std(), across.std()], [0.5, 0.05], rtol=0.03)
        assert np.mean(prior.part_of(z) == part) > 0.97
    middle = prior.along(jnp.arange(10), jnp.full(10, 0.5))
    np.testing.assert_allclose(np.linalg.norm(middle, axis=-1), 1.4, atol=1e-5)


def test_a_swiss_roll_is_even_by_area():
    """r = 3 sqrt(u) at 4 pi sqrt(u), u in [k, k + 1) / 10: a class each, from within."""
    prior = swiss_roll(10, 2)
    for part in (0, 4, 9):
        z = np.asarray(prior.draw(MANY, jnp.full(len(MANY), part)))
        u = (np.linalg.norm(z, axis=-1) / 3.0) ** 2
        np.testing.assert_allclose(np.quantile(u, [0, 0.5, 1]) * 10 - part, [0, 0.5, 1], atol=0.02)
        angle = np.arctan2(z[:, 1], z[:, 0])
        np.testing.assert_allclose(np.cos(angle - 4 * np.pi * np.sqrt(u)), 1.0, atol=1e-4)
        assert np.mean(prior.part_of(z) == part) > 0.97


@pytest.mark.parametrize("name", PRIORS)
def test_a_part_is_drawn_through_its_axis(name):
    """Within it, quantiles along the axis rise."""
    prior = PRIORS[name](10, 2)
    path = np.stack([prior.along(jnp.arange(3), jnp.full(3, t)) for t in (0.1, 0.5, 0.9)])
    assert path.shape == (3, 3, 2) and np.all(np.linalg.norm(np.diff(path, axis=0), axis=-1) > 0.1)
    assert prior.draw(MANY[:5], jnp.zeros(5, int)).shape == (5, 2)


def test_energy_distance_by_hand():
    a, b = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 1.0]])
    between = (1 + np.sqrt(5)) / 2
    np.testing.assert_allclose(codes.energy_distance(a, b), 2 * between - 1.0)
    assert codes.energy_distance(a, a) == 0.0


def test_energy_distance_of_a_run(tmp_path):
    config = gm_jax.load_config("configs/aae_mnist.py:smoke")
    trained = run._trained(config, *_opened(config))
    results = codes.to_prior(trained, 16)
    row = results["energy_distance_to_prior"]
    assert row["value"] > row["real_against_real"] >= 0.0 and row["examples"] == 16
    assert 0.0 <= results["own_part"]["value"] <= 0.5


def _opened(config):
    """What `run._trained` takes of a run that has just begun."""
    (phase,) = gm_jax.build(config)
    batches = run.batches_of(phase, config, slice(0, config.batch_size))
    batch = jax.jit(batches.prepare)(batches.first, jax.random.key(0))
    variables = phase.model.init(jax.random.key(0), batch, None)
    devices = jax.devices()[:1]
    functions = run.mapped_functions(phase, devices)
    return phase, functions, devices, run.parallel.replicate(variables, devices)


def test_coloured_points(tmp_path):
    points = np.random.default_rng(0).normal(size=(30, 2))
    (one,) = data.show({"point": points}, tmp_path / "one")
    (many,) = data.show({"point": points, "label": np.arange(30) % 10}, tmp_path / "many")
    from PIL import Image

    grey, coloured = (np.asarray(Image.open(f).convert("RGB"), int) for f in (one, many))
    assert np.ptp(grey, axis=-1).max() == 0 and np.ptp(coloured, axis=-1).max() > 50


@pytest.mark.parametrize("recipe", ["aae_mnist", "aae_mnist_semi"])
def test_the_autoencoder_is_one_player_of_one_move_and_critics_have_no_statistics(recipe):
    """In a move without a gradient of the decoder, momentum would still move it; ports have three
    optimizers on one encoder, and batch normalisation in D."""
    config = gm_jax.load_config(f"configs/{recipe}.py:smoke")
    (phase,) = gm_jax.build(config)
    critics, autoencoder = phase.model.players
    assert autoencoder.owns == ("encoder", "decoder") and len(autoencoder.moves) == 1
    assert len(critics.moves) == 1 and not set(critics.owns) & set(autoencoder.owns)
    batch = {"image": jnp.zeros((2, 8, 8, 1))}
    assert not jax.eval_shape(phase.model.init, jax.random.key(0), batch, None).state


def test_the_published_networks_by_hand():
    counts = {
        "aae_mnist": {
            "encoder": 785_000 + 1_001_000 + 2002,
            "decoder": 3000 + 1_001_000 + 784_784,
            "discriminator": 14_000 + 1_001_000 + 1001,
        },
        "aae_mnist_semi": {
            "encoder": 785_000 + 1_001_000 + 20_020,
            "decoder": 21_000 + 1_001_000 + 784_784,
            "critic_class": 11_000 + 1_001_000 + 1001,
            "critic_style": 11_000 + 1_001_000 + 1001,
        },
    }
    for recipe, expected in counts.items():
        config = gm_jax.load_config(f"configs/{recipe}.py:published")
        config.data.update(base="npz", path=str(_images()))
        config.data.labelled = 0
        (phase,) = gm_jax.build(config)
        batch = {"image": jnp.zeros((2, 28, 28, 1))}
        params = jax.eval_shape(phase.model.init, jax.random.key(0), batch, None).params
        found = {n: sum(x.size for x in jax.tree.leaves(p)) for n, p in params.items()}
        assert found == expected


def _images():
    from sample_files import FOLDER

    path = FOLDER / "grey28.npz"
    image, label = np.zeros((20, 28, 28, 1), np.uint8), np.arange(20) % 10
    np.savez(path, image=image, label=label, test_image=image, test_label=label)
    return path


@pytest.mark.parametrize(
    ("recipe", "overrides", "message"),
    [
        ("aae_mnist", {"latents": 3}, "prior star lies in a plane, and latents is 3"),
        ("aae_mnist", {"prior": "normal"}, "labels need a prior in parts"),
        (
            "aae_mnist_semi",
            {"data.name": "digits", "data.base": "mnist", "data.labelled": 0},
            "`image_labelled`",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(recipe, overrides, message):
    refuses(recipe, overrides, message)
