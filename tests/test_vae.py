"""The VAE as a model of all sixteen 2x2 binary images, so that probabilities can be added up."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, perturb

import gm_jax
from gm_jax.autoencoders import vae
from gm_jax.model import Field
from gm_jax.settings import read

EVERY = jnp.array(list(itertools.product([-1.0, 1.0], repeat=4))).reshape(16, 2, 2, 1)
BATCH = {"image": EVERY, "index": jnp.arange(16)}


def model(values: int = 2, **overrides):
    """A VAE of 2x2 images whose pixels take `values` values, away from its start."""
    settings = config("vae", None, **{"importance_samples": 4000, "latents": 2, **overrides})
    image = Field((2, 2, 1), values)
    (phase,) = vae.build(read(vae.Settings, settings), {"image": image}, {})
    variables = phase.model.init(jax.random.key(0), BATCH, None)
    # Away from q = p(z), where a wrong posterior would go unnoticed.
    return phase.model, variables._replace(params=perturb(variables.params, 0.15))


@pytest.mark.slow
def test_importance_sampled_probabilities_of_all_images_add_up_to_one():
    """Only if z is drawn from the very q(z|x) whose density divides: sigma, not the variance."""
    game, variables = model()
    values = jax.jit(game.functions["bound"])(variables, BATCH, jax.random.key(1))
    np.testing.assert_allclose(np.exp(values["log_likelihood_4000"]).sum(), 1.0, atol=0.03)
    assert np.all(values["kl"] > 0.01)


@pytest.mark.slow
def test_the_loss_is_minus_the_bound_and_the_bound_is_below_the_likelihood():
    game, variables = model()
    objective = jax.jit(game.players[0].moves[0].objective)
    keys = jax.random.split(jax.random.key(2), 400)
    losses, aux = jax.vmap(lambda key: objective(variables, BATCH, key, 0))(keys)
    values = jax.jit(game.functions["bound"])(variables, BATCH, jax.random.key(1))
    exact = values["log_likelihood_4000"].mean()
    error = 4 * losses.std() / np.sqrt(len(losses))
    assert -losses.mean() < exact + error
    np.testing.assert_allclose(
        losses, -(aux.metrics["reconstruction"] - aux.metrics["kl"]), rtol=1e-5
    )
    np.testing.assert_allclose(aux.metrics["kl"].mean(), values["kl"].mean(), rtol=1e-5)
    heavier, _ = model(beta=4.0)
    heavy, _ = heavier.players[0].moves[0].objective(variables, BATCH, keys[0], 0)
    np.testing.assert_allclose(heavy - losses[0], 3 * aux.metrics["kl"][0], rtol=1e-4)


@pytest.mark.slow
def test_the_manifold_spans_the_first_two_latents_at_equal_steps_of_probability():
    game, variables = model()
    batch = {"index": jnp.arange(vae.MANIFOLD**2)}
    images = game.functions["manifold"](variables, batch, jax.random.key(0))["image"]
    assert images.shape == (400, 2, 2, 1)
    assert len(np.unique(np.round(images.reshape(400, -1), 5), axis=0)) == 400
    assert gm_jax.data.to_uint8(images).dtype == jnp.uint8


def test_eq_8_on_grey_values_bounds_the_mean_likelihood_of_their_draws_and_is_called_a_bound():
    grey = {"image": 2.0 * jax.random.uniform(jax.random.key(3), (8, 2, 2, 1)) - 1.0}
    grey["index"] = jnp.arange(8)
    black_and_white, variables = model(2)
    exact = jax.jit(black_and_white.functions["bound"])(variables, BATCH, jax.random.key(1))
    values = jax.jit(model(256)[0].functions["bound"])(variables, grey, jax.random.key(1))
    assert set(values) == {"elbo", "kl", "importance_bound_4000"}
    # The probability of each black-and-white image as a draw of each grey one.
    white = (grey["image"][:, None] + 1.0) / 2.0
    drawn = jnp.prod(jnp.where(EVERY > 0.0, white, 1.0 - white), axis=(2, 3, 4))
    np.testing.assert_allclose(drawn.sum(1), 1.0, rtol=1e-5)
    mean_of_draws = drawn @ exact["log_likelihood_4000"]
    gap = mean_of_draws - values["importance_bound_4000"]
    assert np.all(gap > 0.0) and np.all(gap < 1.0)
    # A density of grey values, on the other hand, is a likelihood.
    density, variables = model(256, likelihood="gaussian")
    names = jax.eval_shape(density.functions["bound"], variables, grey, jax.random.key(1))
    assert "log_likelihood_4000" in names


@pytest.mark.parametrize(
    "change,message",
    [
        ({"latents": 0}, "latents is 0: it must be at least 1"),
        ({"samples": 0}, "samples is 0"),
        ({"importance_samples": 0}, "importance_samples is 0"),
        ({"beta": -1.0}, "beta is -1.0: it must be at least 0"),
        ({"posterior.mixture.components": 0}, "posterior.mixture.components is 0"),
        ({"posterior.categorical.categories": 1}, "posterior.categorical.categories is 1"),
        ({"posterior.categorical.temperature": 0.0}, "temperature is 0.0: it must be above 0"),
        ({"posterior.componnts": 3}, "unknown setting posterior.componnts"),
        ({"beta": 4.0, "bound": "importance"}, "set beta to 1 or bound to elbo"),
        ({"network.name": "conv", "network.widths": ()}, "network: conv needs"),
        ({"network.widths": (8, 0)}, "network.widths is 0"),
    ],
)
def test_settings_of_a_vae_are_refused_by_name_in_one_line(change, message):
    with pytest.raises(gm_jax.UserError, match=message) as caught:
        read(vae.Settings, config("vae", None, **change))
    assert "\n" not in str(caught.value)
