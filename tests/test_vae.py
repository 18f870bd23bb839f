"""The VAE as a model of all sixteen 2x2 binary images, so that probabilities can be added up."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from games import config

import gm_jax
from gm_jax.autoencoders import vae
from gm_jax.model import Field

EVERY = jnp.array(list(itertools.product([-1.0, 1.0], repeat=4))).reshape(16, 2, 2, 1)
BATCH = {"image": EVERY, "index": jnp.arange(16)}


def model(**overrides):
    settings = config("vae", None, **{"importance_samples": 4000, "latents": 2, **overrides})
    (phase,) = vae.build(settings, {"image": Field((2, 2, 1), 256)}, {})
    variables = phase.model.init(jax.random.key(0), BATCH, None)
    # Far from q = p(z), where a wrong posterior would pass unseen.
    shift = jax.tree.map(
        lambda x: x + 0.15 * jax.random.normal(jax.random.key(x.size), x.shape), variables.params
    )
    return phase.model, variables._replace(params=shift)


def test_importance_sampled_probabilities_of_all_images_add_up_to_one():
    """Only if z is drawn from the very q(z|x) whose density divides: sigma, not the variance."""
    game, variables = model()
    values = jax.jit(game.functions["bound"])(variables, BATCH, jax.random.key(1))
    np.testing.assert_allclose(np.exp(values["log_likelihood_4000"]).sum(), 1.0, atol=0.03)
    assert np.all(values["kl"] > 0.01)


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


def test_the_manifold_spans_the_first_two_latents_at_equal_steps_of_probability():
    game, variables = model()
    batch = {"index": jnp.arange(vae.MANIFOLD**2)}
    images = game.functions["manifold"](variables, batch, jax.random.key(0))["image"]
    assert images.shape == (400, 2, 2, 1)
    assert len(np.unique(np.round(images.reshape(400, -1), 5), axis=0)) == 400
    assert gm_jax.data.to_uint8(images).dtype == jnp.uint8
