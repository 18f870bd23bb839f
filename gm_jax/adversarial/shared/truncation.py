"""How a trained generator draws. Brock et al. 2019 (BigGAN, arXiv 1809.11096), section 3.1.

Truncation trades variety for quality: latents beyond a threshold are drawn again. The statistics of
batch normalisation depend on it, and on the weights: those of training are of the raw weights and
of all latents, so "standing" ones are gathered for the averaged weights and the truncation.
"""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax.adversarial.shared.latent_game import Game, inputs
from gm_jax.model import example_keys
from gm_jax.nn.statistics import standing
from gm_jax.settings import at_least, schema

SEED = 0  # of the batches of standing statistics: the same whenever a run is read


@schema
class Sampler:
    """How a trained generator draws.

    truncation  bound on |z|: what lies outside is drawn again; 0 for none
    standing    batches whose mean statistics batch normalisation uses, drawn by the averaged
                generator with this truncation; 0 for the running statistics of training
    """

    truncation: Annotated[float, at_least(0.0)] = 0.0
    standing: Annotated[int, at_least(0)] = 0


def calibration(game: Game, sampler: Sampler) -> Callable | None:
    """Averaged variables -> G's state with standing statistics; None if none are asked for.

    The batches are as large as in training, their labels uniform. The vectors of spectral
    normalisation move along, from those of the parameters to those of their average.
    """
    if not sampler.standing:
        return None
    key, label_key = jax.random.split(jax.random.key(SEED))
    shape = sampler.standing, game.settings.batch_size

    def calibrate(variables):
        index = jnp.arange(shape[0] * shape[1])
        batches = {"index": index.reshape(shape)}
        if game.classes:
            keys = example_keys(label_key, {"index": index})
            labels = jax.vmap(lambda key: jax.random.randint(key, (), 0, game.classes))(keys)
            batches["label"] = labels.reshape(shape)

        def train(state, batch):
            own = variables._replace(state={**variables.state, "generator": state})
            drawn = inputs(game, key, batch, sampler.truncation)
            return game.generator.train(own, *drawn)[1]

        return {"generator": standing(train, variables.state["generator"], batches)}

    return calibrate
