"""Autoencoders with codes: what their papers fix beyond what holds for every game."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, opening, perturb

import gm_jax
from gm_jax.autoencoders import autoencoder, dvae
from gm_jax.autoencoders.shared.corruption import CORRUPTIONS
from gm_jax.autoencoders.shared.quantizers import Memory
from gm_jax.losses import likelihoods, quantization
from gm_jax.nn.grid import GridDecoder, GridEncoder, halved
from gm_jax.recipes import schema_of
from gm_jax.settings import read

KEY = jax.random.key(0)
ONE = jax.devices()[:1]


def begun(system, **overrides):
    """A game away from its start, and a prepared batch."""
    phase, batches, variables = opening(config(system, None, **overrides), ONE)
    batch = jax.jit(batches.prepare)(batches.first, KEY)
    return phase.model, variables._replace(params=perturb(variables.params)), batch


@pytest.mark.slow
def test_vqvae_quantises_with_the_old_codes_and_then_moves_them():
    game, variables, batch = begun("vqvae", **{"quantizer.averaged.revive_below": 0.0})
    # Sums in another order than the codes: this move changes every code.
    old = Memory(**variables.state["codebook"])
    old = old._replace(sums=old.sums[::-1])
    variables = variables._replace(state={"codebook": old._asdict()})
    objective = game.players[0].moves[0].objective
    loss, aux = jax.jit(objective)(variables, batch, KEY, 0)
    judged = game.functions["distortion"](variables, batch, KEY)
    metrics = aux.metrics
    np.testing.assert_allclose(
        metrics["reconstruction"], judged["reconstruction"].mean(), rtol=1e-5
    )
    np.testing.assert_allclose(loss, metrics["quantization"] - metrics["reconstruction"], rtol=1e-5)
    np.testing.assert_allclose(
        metrics["perplexity"],
        quantization.perplexity(quantization.usage(judged["code"], 8)),
        rtol=1e-5,
    )
    # The counts after the move are those of the codes that the old codebook gave.
    number = np.bincount(np.asarray(judged["code"]).reshape(-1), minlength=8)
    expected = 0.99 * np.asarray(old.counts) + 0.01 * number
    after = aux.state["codebook"]
    np.testing.assert_allclose(after["counts"], expected, rtol=1e-5)
    moved = variables._replace(state={"codebook": after})
    again = game.functions["distortion"](moved, batch, KEY)
    assert np.any(again["code"] != judged["code"])
    assert not np.isclose(metrics["reconstruction"], again["reconstruction"].mean(), rtol=1e-4)


@pytest.mark.slow
def test_decoding_the_codes_of_an_image_is_its_reconstruction():
    for system in ("vqvae", "vqvae2", "dvae"):
        game, variables, batch = begun(system)
        codes = game.functions["encode"](variables, batch, KEY)
        field = game.spec["code"]
        assert codes["code"].shape == (16, *field.shape)
        image = game.functions["decode"](variables, codes, KEY)["image"]
        pair = game.functions["reconstruct"](variables, batch, KEY)["image"]
        np.testing.assert_array_equal(pair[:, 0], batch["image"])
        np.testing.assert_allclose(pair[:, 1], image, atol=1e-6)
        other = {"code": (codes["code"] + 1) % field.cardinality}
        assert not np.allclose(game.functions["decode"](variables, other, KEY)["image"], image)


def test_the_bottom_code_of_vqvae2_sees_the_decoded_top_code():
    game, variables, batch = begun("vqvae2")
    encode = jax.jit(game.functions["encode"])
    codes = np.asarray(encode(variables, batch, KEY)["code"])
    assert codes.shape == (16, 4 + 16)
    # Other vectors for the same top codes: only what is decoded from them changes.
    top = variables.state["top"]
    moved = variables._replace(
        state={**variables.state, "top": {**top, "vectors": 3.0 * top["vectors"]}}
    )
    again = np.asarray(encode(moved, batch, KEY)["code"])
    params = {**variables.params, "decoder_top": jax.tree.map(
        lambda x: -3.0 * x, variables.params["decoder_top"]
    )}  # fmt: skip
    other = np.asarray(encode(variables._replace(params=params), batch, KEY)["code"])
    np.testing.assert_array_equal(codes[:, :4], other[:, :4])
    for changed in (again, other):
        assert np.any(codes[:, 4:] != changed[:, 4:])


def test_dvae_schedules_are_functions_of_the_step():
    settings = {"temperature": {"end": 1 / 16, "steps": 100}, "beta": {"end": 6.6, "steps": 50}}
    game, variables, batch = begun("dvae", **settings)
    objective = jax.jit(game.players[0].moves[0].objective)
    for step, temperature, beta in (
        (0, 1.0, 0.0),
        (25, None, 3.3),
        (50, 17 / 32, 6.6),
        (400, 1 / 16, 6.6),
    ):
        loss, aux = objective(variables, batch, KEY, step)
        metrics = aux.metrics
        np.testing.assert_allclose(metrics["beta"], beta, atol=1e-5)
        if temperature:
            np.testing.assert_allclose(metrics["temperature"], temperature, rtol=1e-5)
        np.testing.assert_allclose(
            loss, metrics["beta"] * metrics["kl"] - metrics["reconstruction"], rtol=1e-5
        )
    np.testing.assert_array_equal(loss, objective(variables, batch, KEY, 400)[0])
    assert dvae.ramp(1.0, 0.5, 10)(np.int32(10**6)) == 0.5


@pytest.mark.slow
def test_the_bound_of_the_dvae_decodes_codes_and_not_their_mixtures():
    """q is all but sure of code 3: codes that are never drawn must not be seen, however large."""
    game, variables, batch = begun("dvae")
    encoder = jax.tree.map(jnp.zeros_like, variables.params["encoder"])
    last = max(name for name in encoder if name.startswith("Conv"))
    encoder[last]["bias"] = encoder[last]["bias"].at[3].set(14.0)
    codebook, values = variables.params["codebook"], []
    for size in (0.0, 1e8):
        others = jnp.where(jnp.arange(8)[:, None] == 3, codebook, size)
        params = {**variables.params, "encoder": encoder, "codebook": others}
        values.append(game.functions["bound"](variables._replace(params=params), batch, KEY))
    np.testing.assert_array_equal(values[0]["elbo"], values[1]["elbo"])
    np.testing.assert_allclose(values[0]["kl"], 4 * np.log(8), rtol=1e-3)


def test_logit_laplace_is_a_density_and_of_grey_values_a_distribution():
    x = np.linspace(1e-6, 1 - 1e-6, 400_001)[:, None]
    for mean, log_scale in ((0.3, -1.0), (-1.0, 0.2)):
        shape = (len(x), 1)
        log_density = likelihoods.logit_laplace(
            jnp.asarray(x), jnp.full(shape, mean), jnp.full(shape, log_scale)
        )
        np.testing.assert_allclose(np.trapezoid(np.exp(log_density), x[:, 0]), 1.0, atol=2e-3)
        # Over the bins of all grey values, the mass between the mapped ends.
        noise = (jnp.arange(64.0) + 0.5) / 64.0
        images = jnp.arange(256.0) / 127.5 - 1.0
        grid = jnp.broadcast_to(images[:, None], (256, 64)).reshape(-1, 1)
        log_mass = likelihoods.grey_logit_laplace(
            grid, jnp.tile(noise, 256)[:, None], jnp.full((256 * 64, 1), mean),
            jnp.full((256 * 64, 1), log_scale),
        )  # fmt: skip
        inside = (x[:, 0] > 0.1) & (x[:, 0] < 0.9)
        expected = np.trapezoid(np.exp(log_density)[inside], x[inside, 0])
        np.testing.assert_allclose(np.exp(log_mass).sum() / 64, expected, atol=2e-3)
    pixels = jnp.linspace(0.0, 1.0, 5)
    np.testing.assert_allclose(likelihoods.map_pixels(pixels), 0.8 * pixels + 0.1, rtol=1e-6)
    np.testing.assert_allclose(
        likelihoods.unmap_pixels(likelihoods.map_pixels(pixels)), pixels, atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_denoiser_is_judged_on_the_clean_image_and_sees_the_corrupted_one(likelihood):
    game, variables, batch = begun("dae", likelihood=likelihood)
    images = game.functions["denoise"](variables, batch, KEY)["image"]
    clean, corrupted, output = images.swapaxes(0, 1)
    np.testing.assert_array_equal(clean, batch["image"])
    values = game.functions["distortion"](variables, batch, KEY)
    for name, image in (("denoising_error", output), ("corrupted_error", corrupted)):
        expected = np.mean((image - clean) ** 2, axis=(1, 2, 3))
        np.testing.assert_allclose(values[name], expected, rtol=1e-5)
    loss, _ = game.players[0].moves[0].objective(variables, batch, KEY, 0)
    if likelihood == "gaussian":
        expected = likelihoods.gaussian(clean, output, variables.params["log_variance"])
    else:
        white, share = (output + 1) / 2, (clean + 1) / 2
        expected = share * np.log(white) + (1 - share) * np.log(1 - white)
        expected = expected.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(loss, -expected.mean(), rtol=1e-5)


@pytest.mark.parametrize("name,low,high", [("masking", 0.3, 0.0), ("salt_and_pepper", 0.15, 0.15)])
def test_corruptions_change_the_share_of_pixels_that_they_say(name, low, high):
    x, keys = jnp.zeros((50, 20, 20, 1)), jax.random.split(KEY, 50)
    corrupted = CORRUPTIONS[name](x, keys, 0.3)
    for value, share in ((-1.0, low), (1.0, high), (0.0, 0.7)):
        assert abs(np.mean(corrupted == value) - share) < 0.02
    np.testing.assert_array_equal(CORRUPTIONS[name](x[9:], keys[9:], 0.3), corrupted[9:])


def test_samples_of_an_autoencoder_have_the_moments_of_its_codes():
    z = jax.random.normal(KEY, (500, 3)) @ jnp.array([[2.0, 0, 0], [1, 0.5, 0], [0, 0, 1]]) + 1.0
    moments = {"mean": jnp.zeros(3), "second": jnp.eye(3)}
    for _ in range(1000):
        moments = autoencoder.updated(moments, z)
    root = autoencoder.root_of_covariance(moments)
    np.testing.assert_allclose(moments["mean"], z.mean(0), rtol=1e-3)
    np.testing.assert_allclose(root @ root.T, np.cov(z.T, bias=True), rtol=1e-2, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("side", [8, 15])
def test_grids_fit_any_image_size(side):
    shape, widths = (side, side + 3, 3), (4, 6)
    image, grid = jnp.ones((2, *shape)), halved(shape, 2)
    encoder, decoder = GridEncoder(5, widths, 1), GridDecoder(shape, widths, 1)
    z, _ = encoder.init_with_output(KEY, image)
    assert z.shape == (2, *grid, 5)
    made, _ = decoder.init_with_output(KEY, z)
    assert made.shape == image.shape


@pytest.mark.slow
def test_perplexity_of_the_codes_over_a_split_is_reported(tmp_path):
    settings = config("vqvae", None, **{"show.every": 0, "evaluate.counts": {"distortion": 50}})
    settings.evaluate.batch_size = 16
    trained = gm_jax.train(settings, tmp_path, ONE)
    results = gm_jax.evaluate(trained, tmp_path)
    parts = list(gm_jax.apply(trained, "distortion", 50, "test"))
    codes = np.concatenate([part["code"] for part in parts])
    assert codes.shape == (50, 2, 2)
    p = np.bincount(codes.reshape(-1)) / codes.size
    p = p[p > 0]
    np.testing.assert_allclose(
        results["code_perplexity"]["value"], np.exp(-np.sum(p * np.log(p))), rtol=1e-6
    )
    assert results["code_used"]["value"] == len(p)
    assert results["squared_error"]["standard_error"] > 0
    assert "code_perplexity" in gm_jax.report(results)


@pytest.mark.parametrize(
    "system,change,message",
    [
        ("dae", {"latents": 0}, "latents is 0"),
        ("dae", {"corruption.amount": -0.1}, "corruption.amount is -0.1: it must be at least 0"),
        ("dae", {"corruption.amount": 1.5}, "amount 1.5 is the probability of masking"),
        ("vqvae", {"quantizer.averaged.decay": 1.0}, "quantizer.averaged.decay is 1.0"),
        ("vqvae", {"quantizer.averaged.epsilon": 0.0}, "epsilon is 0.0: it must be above 0"),
        ("vqvae", {"quantizer.lookup_free.temperature": 0.0}, "temperature is 0.0"),
        ("vqvae", {"quantizer.decay": 0.9}, "unknown setting quantizer.decay"),
        ("vqvae", {"network.widths": ()}, "network.widths is .*at least one width"),
        ("vqvae2", {"network.top_widths": (4, -1)}, "network.top_widths is -1"),
        ("vqvae2", {"network.widths": ("4",)}, "network.widths is '4': it must be a whole number"),
        ("dvae", {"codes.count": 0}, "codes.count is 0"),
        ("dvae", {"beta.steps": 0}, "beta.steps is 0"),
        ("dvae", {"temperature.end": 0.0}, "temperature.end is 0: it must be above 0"),
    ],
)
def test_settings_of_autoencoders_are_refused_by_name_in_one_line(system, change, message):
    settings = config(system, None, **change)
    with pytest.raises(gm_jax.UserError, match=message) as caught:
        read(schema_of(settings), settings)
    assert "\n" not in str(caught.value)
