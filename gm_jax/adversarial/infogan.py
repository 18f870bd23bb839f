"""InfoGAN: codes that samples cannot hide.

Chen et al. 2016 (arXiv 1606.03657). z is noise and a code c = (category, continuous values); Q
shares D's body and reads the code from a sample:

    min_{G,Q} max_D  V(D, G) - lambda L_I(G, Q)                                eq. 6
    L_I = E_{c, x = G(z, c)} log Q(c|x) + H(c) <= I(c; G(z, c))                eq. 5

Q's heads are D's player's, so L_I stands in both players' losses.
"""

import math

import jax
import jax.numpy as jnp

from gm_jax.adversarial.latents import cube
from gm_jax.adversarial.two_players import (
    FRAMES,
    latent,
    logits,
    open_game,
    phase,
    unfold,
)
from gm_jax.errors import UserError
from gm_jax.losses import likelihoods
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.nn import network

SETTINGS = {"codes": {"categories": 10, "continuous": 2}, "information": 1.0}
REACH = 2.0  # continuous codes are swept from -REACH to REACH, beyond their prior's ends


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A generator with codes against D and Q in one; configs/infogan_mnist.py shows the keys."""
    game = open_game(config, spec, _heads, SETTINGS)
    codes, weight = game.settings.codes, game.settings.information
    if codes.categories < 1:
        raise UserError(f"codes.categories {codes.categories} must be 1 or more")
    entropy = math.log(codes.categories) + codes.continuous * math.log(2.0)

    def init(key, batch, previous):
        z, _, _ = draw(key, batch)
        return network.begin(key, (game.generator, z), (game.discriminator, batch[game.subject]))

    def compose(noise, category, continuous):
        hot = jax.nn.one_hot(category, codes.categories)
        return jnp.concatenate([noise, hot, continuous], axis=-1)

    def draw(key, batch):
        """z = (noise, c), the category [B] and the continuous codes [B, n] in [-1, 1]."""
        noise_key, category_key, continuous_key = jax.random.split(key, 3)
        keys = example_keys(category_key, batch)
        category = jax.vmap(lambda k: jax.random.randint(k, (), 0, codes.categories))(keys)
        continuous = cube(example_keys(continuous_key, batch), (codes.continuous,))
        noise = latent(game, noise_key, batch)
        return compose(noise, category, continuous), category, continuous

    def judge(variables, x):
        """D's logit [B], Q's logits of the category, Q's means of the others; D's state."""
        outputs, state = network.train(game.discriminator, variables, x)
        return outputs[:, 0], *jnp.split(outputs[:, 1:], [codes.categories], axis=1), state

    def information(logits, means, category, continuous):
        """log Q(c|x) + H(c), [B]; Q of the continuous codes is N(mean, 1)."""
        of_category = jnp.take_along_axis(jax.nn.log_softmax(logits), category[:, None], 1)[:, 0]
        return of_category + likelihoods.gaussian(continuous, means, 0.0) + entropy

    def play(variables, batch, key):
        """D on fakes [B], the information they carry [B], and the generator's state."""
        z, category, continuous = draw(key, batch)
        fakes, state = network.train(game.generator, variables, z)
        fake, logits, means, _ = judge(variables, fakes)
        return fake, information(logits, means, category, continuous), state

    def discriminator_loss(variables, batch, key, step):
        fake, informed, _ = play(variables, batch, key)
        real, _, _, state = judge(variables, batch[game.subject])
        loss = jnp.mean(log_loss(real, fake) - weight * informed)
        return loss, Aux({"information": jnp.mean(informed)}, {"discriminator": state})

    def generator_loss(variables, batch, key, step):
        fake, informed, state = play(variables, batch, key)
        loss = jnp.mean(non_saturating(fake) - weight * informed)
        return loss, Aux(state={"generator": state})

    def decode(variables, z):
        return network.work(game.generator, variables, z)

    def sample(variables, batch, key):
        return {game.subject: decode(variables, draw(key, batch)[0])}

    def categories(variables, batch, key):
        """Each category in turn with all else held, [B, categories, H, W, C]."""
        noise, continuous = latent(game, key, batch), draw(key, batch)[2]
        number = jnp.arange(codes.categories)

        def with_category(c):
            return compose(noise, jnp.full(len(noise), c), continuous)

        z = jax.vmap(with_category, out_axes=1)(number)
        return {game.subject: unfold(lambda z: decode(variables, z), z)}

    def sweep(variables, batch, key):
        """One continuous code from -REACH to REACH, the codes in turn: [B, FRAMES, H, W, C]."""
        noise = latent(game, key, batch)
        category = batch["index"] // codes.continuous % codes.categories
        moved = jax.nn.one_hot(batch["index"] % codes.continuous, codes.continuous)

        def at(value):
            return compose(noise, category, value * moved)

        z = jax.vmap(at, out_axes=1)(jnp.linspace(-REACH, REACH, FRAMES))
        return {game.subject: unfold(lambda z: decode(variables, z), z)}

    def cluster(variables, batch, key):
        """The category that Q sees in each example, [B], beside its label where there is one."""
        outputs = network.work(game.discriminator, variables, batch[game.subject])
        code = jnp.argmax(outputs[:, 1 : 1 + codes.categories], axis=-1)
        return {"code": code} | {name: batch[name] for name in ("label",) if name in batch}

    found = {"sample": sample, "categories": categories, "sweep": sweep, "cluster": cluster}
    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    return (phase(game, init, objectives, found),)


def _heads(settings, shape, dtype):
    """D's logit, Q's logits of the category, Q's means of the continuous codes."""
    codes = settings.codes
    return logits(1 + codes.categories + codes.continuous)(settings, shape, dtype)
