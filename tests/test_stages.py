"""Models in two stages: of two runs, of one, killed in either, and what cannot be built upon."""

import itertools
import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, opening, perturb

import gm_jax
from gm_jax.autoregressive import latent_prior
from gm_jax.causal import log_prob
from gm_jax.model import Field
from gm_jax.recipes import complete, derive
from gm_jax.settings import read
from gm_jax.training import loop, parallel

ONE = jax.devices()[:1]
KEY = jax.random.key(0)
QUIET = {"show.every": 0, "checkpoint.every": 3, "report.every": 2}
STAGE = {f"stages.codes.{key}": value for key, value in QUIET.items()}


def both(**overrides):
    """A VQ-VAE of four steps, then a prior of four."""
    return config("latent_prior", None, **{**QUIET, **STAGE, "conditional": True, **overrides})


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, *(parallel.to_host(t.variables) for t in (a, b)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run of both stages, never interrupted, and its workdir."""
    workdir = tmp_path_factory.mktemp("whole")
    return gm_jax.train(both(), workdir, ONE), workdir


@pytest.mark.slow
def test_the_second_stage_freezes_what_the_first_ended_with(whole):
    trained, workdir = whole
    folder = workdir / "checkpoints"
    assert sorted(f.name for f in folder.iterdir()) == ["codes_train", "train"]
    loaded = gm_jax.load(workdir, devices=ONE)
    assert_equal(trained, loaded)
    codes = trained.config.stages.codes
    alone = gm_jax.train(codes, workdir / "alone", ONE)
    jax.tree.map(
        np.testing.assert_array_equal, parallel.to_host(trained.variables.frozen["codes"]),
        parallel.to_host(alone.variables),
    )  # fmt: skip
    # As a stage of another run it gives the same prior, bit for bit.
    settings = both()
    with settings.unlocked():
        settings.stages = {"codes": str(workdir / "alone")}
    assert_equal(trained, gm_jax.train(settings, workdir / "other", ONE))
    assert_equal(trained, gm_jax.load(workdir / "other", devices=ONE))


@pytest.mark.slow
@pytest.mark.parametrize("killed_in", ["codes_train", "train"])
def test_a_run_killed_in_either_stage_ends_as_one_never_interrupted(
    killed_in, whole, tmp_path, monkeypatch
):
    rounds, train, now = loop.rounds, loop.train, []

    def watched(phase, *arguments):
        now.append(phase.name)
        return train(phase, *arguments)

    def interrupted(*arguments):
        for item in rounds(*arguments):
            if now[-1] == killed_in and item[0] == 2:
                os.kill(os.getpid(), signal.SIGINT)
            yield item

    monkeypatch.setattr(loop, "train", watched)
    monkeypatch.setattr(loop, "rounds", interrupted)
    with pytest.raises(loop.Stopped, match="stopped at step 2"):
        gm_jax.train(both(), tmp_path, ONE)
    assert gm_jax.load(tmp_path, devices=ONE).phase.name == killed_in
    monkeypatch.setattr(loop, "rounds", rounds)
    assert_equal(whole[0], gm_jax.train(both(), tmp_path, ONE))
    logs = [(folder / "metrics.jsonl").read_text() for folder in (whole[1], tmp_path)]
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_the_loss_is_minus_the_log_prior_of_the_frozen_codes_and_the_bound_adds_up():
    phase, batches, variables = opening(both(), ONE)
    game, batch = phase.model, jax.jit(batches.prepare)(batches.first, KEY)
    variables = variables._replace(params=perturb(variables.params))
    bound = jax.jit(game.functions["bound"])
    values = bound(variables, batch, KEY)
    loss, aux = game.players[0].moves[0].objective(variables, batch, KEY, 0)
    np.testing.assert_allclose(loss, -values["prior"].mean(), rtol=1e-5)
    np.testing.assert_allclose(aux.metrics["nats_per_code"], loss / 4, rtol=1e-6)
    np.testing.assert_allclose(values["bound"], values["reconstruction"] + values["prior"])
    other = bound(variables, {**batch, "label": (batch["label"] + 1) % 10}, KEY)
    np.testing.assert_array_equal(other["reconstruction"], values["reconstruction"])
    assert not np.any(other["prior"] == values["prior"])  # The class conditions all of them.


@pytest.mark.slow
@pytest.mark.parametrize("name", latent_prior.NETWORKS)
def test_probabilities_of_all_codes_add_up_to_one_for_each_class(name):
    settings = read(latent_prior.Settings, both(**{"network.name": name}))
    prior = latent_prior.prior_of(settings, Field((2, 2), 3), 2)
    codes = jnp.array(list(itertools.product(range(3), repeat=4)), jnp.int32)
    labels = jnp.zeros(81, jnp.int32)
    params = perturb(prior.init(KEY, codes, labels).params["prior"])
    totals = [np.exp(log_prob(prior.causal, params, codes, labels + k)) for k in (0, 1)]
    np.testing.assert_allclose([p.sum() for p in totals], 1.0, rtol=1e-5)
    assert not np.allclose(*totals, rtol=1e-3)


@pytest.mark.slow
def test_a_first_stage_that_goes_on_is_no_longer_the_one_built_upon(tmp_path):
    """Half trained it is taken with a warning; trained further, the prior's codes would change."""
    codes = both().stages.codes
    with codes.unlocked():
        codes.steps = 2
    gm_jax.train(codes, tmp_path / "codes", ONE)
    saved = tmp_path / "codes" / "config.json"
    saved.write_text(saved.read_text().replace('"steps": 2', '"steps": 4'))
    settings = both(**{"steps": 3})
    with settings.unlocked():
        settings.stages = {"codes": str(tmp_path / "codes")}
    with pytest.warns(RuntimeWarning, match="is at step 2 of 4: finish its training first"):
        gm_jax.train(settings, tmp_path / "prior", ONE)
    codes.steps = 4
    gm_jax.train(codes, tmp_path / "codes", ONE)
    settings.steps = 4
    for again in (
        lambda: gm_jax.load(tmp_path / "prior", devices=ONE),
        lambda: gm_jax.train(settings, tmp_path / "prior", ONE),
    ):
        with pytest.raises(gm_jax.UserError, match="has changed since the run began"):
            again()


def test_an_override_of_the_data_reaches_a_stage_with_the_same_data_and_no_other():
    shared = gm_jax.load_config("configs/vqvae_prior_mnist.py:smoke")
    stated = json.loads(shared.to_json_best_effort())
    for settings in (shared, complete(stated)):
        settings.data.name = "digits"
        assert settings.stages.codes.data.name == "digits"
    stated["stages"]["codes"]["data"]["flip"] = True
    apart = complete(stated)
    apart.data.name = "digits"
    assert apart.stages.codes.data.name == "mnist"


def test_a_recipe_derived_with_other_data_has_it_in_both_stages():
    recipe = "configs/vqvae_prior_mnist.py"
    digits, flipped = {"name": "digits"}, {"stages": {"codes": {"data": {"flip": True}}}}
    derived = derive(recipe, {"data": digits})
    assert derived.stages.codes.data == derived.data and derived.data.name == "digits"
    derived.data.path = "elsewhere"  # As the command line would.
    assert derived.stages.codes.data.path == "elsewhere"
    own = derive(recipe, {"data": digits, **flipped}).stages.codes.data
    assert own.flip and own.name == "mnist"
    frozen = derive(f"{recipe}:frozen", {"data": digits})
    assert frozen.stages.codes == "runs/vqvae_mnist" and frozen.data.name == "digits"


def workdir_of(system, folder, **overrides):
    gm_jax.train(config(system, None, **{**QUIET, "steps": 1, **overrides}), folder, ONE)
    return folder


def test_a_stage_cannot_go_on_beneath_what_was_built_upon_it(whole):
    _, workdir = whole

    def content():
        files = (path for path in workdir.rglob("*") if path.is_file() and path.name != "lock")
        return {path: path.read_bytes() for path in files}

    before = content()
    longer = both(**{"stages.codes.steps": 9})
    with pytest.raises(gm_jax.UserError, match=r"another recipe \(stages.codes.steps: 4, now 9\)"):
        gm_jax.train(longer, workdir, ONE)
    assert content() == before


@pytest.mark.slow
def test_what_cannot_be_a_first_stage_is_refused_in_one_line(digits16, tmp_path):
    vae = workdir_of("vae", tmp_path / "vae")
    large = workdir_of(
        "vqvae", tmp_path / "large", **{"data.name": "npz", "data.path": str(digits16)}
    )
    levels = workdir_of("vqvae2", tmp_path / "levels")
    cases = (
        ({}, r"needs one first stage: give --config.stages.codes=WORKDIR"),
        ({"codes": str(tmp_path)}, "is not the workdir of a run"),
        ({"codes": str(vae)}, r"a model without codes \(it has the functions sample, encode"),
        (
            {"codes": str(large)},
            r"trained on images \(16, 16, 1\) of 2 values, .* \(8, 8, 1\) of 2",
        ),
        ({"codes": str(levels)}, "a sequence of 20: set network.name=gpt"),
    )
    for stages, message in cases:
        settings = both()
        with settings.unlocked():
            settings.stages = stages
        with pytest.raises(gm_jax.UserError, match=message) as caught:
            gm_jax.train(settings, tmp_path / "prior", ONE)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "prior").exists()


@pytest.mark.slow
def test_a_transformer_learns_the_codes_of_two_levels(tmp_path):
    levels = workdir_of("vqvae2", tmp_path / "levels")
    settings = both(**{"network.name": "gpt", "network.gpt.dropout": 0.1})
    with settings.unlocked():
        settings.stages = {"codes": str(levels)}
    trained = gm_jax.train(settings, tmp_path / "prior", ONE)
    assert gm_jax.sample(trained, 5)["image"].shape == (5, 8, 8, 1)
