"""A mixture of Bernoullis: black and white images with one discrete latent, fitted by EM.

Dempster, Laird & Rubin 1977; Bishop 2006, section 9.3.3.

    p(x) = sum_k pi_k prod_d mu_kd^x_d (1 - mu_kd)^(1 - x_d)                   eq. 9.47
    r_nk = p(k | x_n)                                                          E step, eq. 9.56
    pi_k ~ a + sum_n r_nk,   mu_k = (a + sum_n r_nk x_n) / (2 a + sum_n r_nk)  M step, eq. 9.59

a is a pseudo-count of each outcome, without which a pixel that a component has not yet seen white
can never be. With one component the pixels are independent.

The player owns no parameters. Its move adds the responsibilities of its batch to
`state["counts"]`; after `batches` of them, which should hold the data once, comes an M step.
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp
import optax

from gm_jax import games, replicas
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import bernoulli
from gm_jax.model import Array, Aux, Move, Phase, Player, Variables, example_keys, field_of
from gm_jax.settings import Recipe, above, at_least, schema


@schema
class Settings(Recipe):
    """A mixture of Bernoullis.

    components  K
    batches     of an E step: as many as hold the data once
    smoothing   a, the pseudo-count of each outcome
    """

    components: Annotated[int, at_least(1)] = 100
    batches: Annotated[int, at_least(1)] = 1
    smoothing: Annotated[float, above(0.0)] = 0.1


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Components counted by EM in one phase; configs/bernoulli_mixture_mnist.py.

    Raises UserError if the images are not black and white.
    """
    image, components = field_of(spec, "image"), settings.components
    if image.cardinality != 2:
        raise UserError(
            'a mixture of Bernoullis needs black and white pixels: set data.binarize="fixed" or'
            ' "redrawn"'
        )
    shape, size = image.shape, math.prod(image.shape)

    def white(batch):
        """Images as 0 and 1, [B, D]."""
        return (batch["image"].reshape(-1, size) + 1.0) / 2.0

    def init(key, batch, previous):
        """Components like examples of the first batch, blurred."""
        chosen, noise = jax.random.split(key)
        x = white(batch)
        rows = jax.random.choice(chosen, len(x), (components,), replace=components > len(x))
        means = 0.25 + 0.5 * x[rows]
        means = means + jax.random.uniform(noise, means.shape, minval=-0.05, maxval=0.05)
        mixture = {"shares": jnp.full(components, 1.0 / components), "means": means}
        return Variables({}, {"mixture": mixture, "counts": jax.tree.map(jnp.zeros_like, mixture)})

    def fit(variables, batch, key, step):
        mixture, counts = variables.state["mixture"], variables.state["counts"]
        x = white(batch)
        terms = log_terms(mixture, x)
        responsibilities = jax.nn.softmax(terms, axis=-1)
        seen = {"shares": jnp.sum(responsibilities, axis=0), "means": responsibilities.T @ x}
        seen = jax.tree.map(lambda n: n * replicas.size(), replicas.mean(seen))
        counts = jax.tree.map(jnp.add, counts, seen)
        whole = (step + 1) % settings.batches == 0
        fitted = maximised(counts, settings.smoothing)
        mixture = jax.tree.map(lambda new, old: jnp.where(whole, new, old), fitted, mixture)
        counts = jax.tree.map(lambda n: jnp.where(whole, 0.0, n), counts)
        loss = -jnp.mean(jax.nn.logsumexp(terms, axis=-1))
        return loss, Aux(state={"mixture": mixture, "counts": counts})

    def pictures(means):
        return 2.0 * means.reshape(-1, *shape) - 1.0

    def sample(variables, batch, key):
        """A component, then each pixel."""
        mixture = variables.state["mixture"]

        def draw(key):
            of, pixels = jax.random.split(key)
            k = jax.random.categorical(of, jnp.log(mixture["shares"]))
            return jax.random.bernoulli(pixels, mixture["means"][k])

        return {"image": pictures(jax.vmap(draw)(example_keys(key, batch)).astype(jnp.float32))}

    def show_components(variables, batch, key):
        """The means of the components, those of the largest shares first."""
        order = jnp.argsort(-variables.state["mixture"]["shares"])
        chosen = order[batch["index"] % components]
        return {"image": pictures(variables.state["mixture"]["means"][chosen])}

    def encode(variables, batch, key):
        """The likeliest component of each image."""
        terms = log_terms(variables.state["mixture"], white(batch))
        return {"code": jnp.argmax(terms, axis=-1).astype(jnp.int32)}

    def log_prob(variables, batch, key):
        """log p(x) in nats, and -log p(x) in bits per dimension, both exact, [B]."""
        value = jax.nn.logsumexp(log_terms(variables.state["mixture"], white(batch)), axis=-1)
        return {"log_likelihood": value, "bits_per_dimension": -value / (size * math.log(2.0))}

    player = Player("counter", (), optax.identity(), (Move("em", fit),))
    functions = {f.__name__: f for f in (sample, encode, log_prob)}
    functions["components"] = show_components
    return (games.phase(settings, init, (player,), functions),)


def log_terms(mixture: dict[str, Array], x: Array) -> Array:
    """log pi_k p(x | k) of images x [B, D] of 0 and 1, [B, K]."""
    logits = jnp.log(mixture["means"]) - jnp.log1p(-mixture["means"])
    constant = bernoulli(jnp.zeros_like(logits), logits)
    return x @ logits.T + constant + jnp.log(mixture["shares"])


def maximised(counts: dict[str, Array], smoothing: float) -> dict[str, Array]:
    """The M step: eq. 9.59 of what was counted, with the pseudo-count of each outcome."""
    of = counts["shares"]
    shares = (of + smoothing) / jnp.sum(of + smoothing)
    means = (counts["means"] + smoothing) / (of[:, None] + 2.0 * smoothing)
    return {"shares": shares, "means": means}
