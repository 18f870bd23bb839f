"""No key is drawn from twice: times, noise, masks, dropout and all steps are independent."""

import contextlib
from unittest import mock

import jax
import numpy as np
import pytest
from jax.experimental import io_callback

from twins.game import KEY, also, game

DRAWS = ("bernoulli", "categorical", "gumbel", "normal", "randint", "uniform")


def keys_drawn_from(objective, *inputs):
    """The keys of all draws of an objective, each as often as it is drawn from."""
    seen = []

    def noted(draw):
        def drawn(key, *rest, **options):
            io_callback(lambda key: seen.append(bytes(np.asarray(key))), None, data(key))
            return draw(key, *rest, **options)

        return drawn

    data = jax.random.key_data
    with contextlib.ExitStack() as stack:
        for name in DRAWS:
            stack.enter_context(
                mock.patch.object(jax.random, name, noted(getattr(jax.random, name)))
            )
        jax.block_until_ready(jax.jit(objective)(*inputs))
    jax.effects_barrier()
    return seen


def names(rows):
    """The recipes of rows of parameters."""
    return [getattr(row, "values", row)[0] for row in rows]


DROPOUT = {"network.dropout": 0.2}
# What a first stage draws it draws again for the scale of latents: not among them.
RECIPES = [
    ("ddpm_digits", {"conditional": True, "label_dropout": 0.3, **DROPOUT}, 4),
    ("maskgit_mnist", DROPOUT, 4),
    also("paella_shapes", DROPOUT, 5),
    ("parti_shapes", {"sampler.guidance": 0.0, **DROPOUT}, 2),
    ("dalle_shapes", {"sampler.guidance": 0.0, "condition_dropout": 0.3, **DROPOUT}, 2),
    ("unclip_causal_prior_shapes", {"sampler.guidance": 0.0, **DROPOUT}, 2),
    ("super_resolution_digits", {"label_dropout": 0.3, **DROPOUT}, 6),
    also("make_a_video_shapes", {"sampler.guidance": 0.0, "data.frames": 5, "frames": 3}, 4),
    ("classifier_digits", {}, 3),
]


@pytest.mark.parametrize("recipe, overrides, least", RECIPES, ids=names(RECIPES))
def test_every_draw_has_a_key_of_its_own(recipe, overrides, least):
    """At least so many draws for each example, none of them by the key of another."""
    of = game(recipe, **overrides)
    for player in of.model.players:
        for move in player.moves:
            seen = keys_drawn_from(move.objective, of.variables, of.batch, KEY, 0)
            assert len(seen) >= least * len(of.batch["index"])
            assert len(set(seen)) == len(seen)


SAMPLED = [
    ("ddpm_digits", {"sampler.name": "ancestral", "sampler.steps": 5}, 5),
    ("maskgit_mnist", {"sampler.steps": 3}, 6),
    also("paella_shapes", {"sampler.steps": 3, "sampler.renoise_steps": 2}, 8),
    ("parti_shapes", {"sampler.guidance": 0.0}, 4),
    also("unclip_causal_prior_shapes", {"sampler.guidance": 0.0, "sampler.best_of": 2}, 10),
    ("super_resolution_digits", {"sampler.name": "ancestral", "sampler.steps": 5}, 6),
]


@pytest.mark.parametrize("recipe, overrides, least", SAMPLED, ids=names(SAMPLED))
def test_every_step_of_a_sample_has_a_key_of_its_own(recipe, overrides, least):
    of = game(recipe, **overrides)
    seen = keys_drawn_from(of.model.functions["sample"], of.variables, of.batch, KEY)
    assert len(seen) >= least * len(of.batch["index"])
    assert len(set(seen)) == len(seen)
