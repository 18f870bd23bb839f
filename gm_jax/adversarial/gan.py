"""Generative adversarial networks: one game of two players, many value functions.

Goodfellow et al. 2014 (arXiv 1406.2661):

    min_G max_D  E_x log D(x) + E_z log(1 - D(G(z)))                           eq. 1

A recipe chooses the rest, and what papers name is often no more than a choice:

    value_function   minimax, non_saturating, least_squares (LSGAN), wasserstein (WGAN, with
                     optimizer.clip_weights), hinge
    penalty          wgan_gp, dragan, r1, r2
    normalization    of D: batch (DCGAN), spectral (SNGAN), none
    conditional      the label enters both players (CGAN)
    unroll           G's loss is that after D's next K steps (Unrolled GAN)
    tricks           gm_jax/adversarial/tricks.py; packing is PacGAN

The discriminator plays `discriminator.times` moves a round (algorithm 1's k), the generator one.
"""

import jax
import jax.numpy as jnp

from gm_jax.adversarial import tricks
from gm_jax.adversarial.two_players import (
    append_label,
    first_output,
    functions,
    latent,
    open_game,
    phase,
)
from gm_jax.adversarial.unrolled import unroll
from gm_jax.errors import UserError, choose
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.losses.penalties import PENALTIES
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.nn import network
from gm_jax.nn.common import uniform


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A generator against a discriminator; configs/gan_ring.py shows all the keys."""
    game = open_game(config, spec, combines=True)
    settings, subject = game.settings, game.subject
    value = choose("value_function", settings.value_function, VALUE_FUNCTIONS)
    slope = choose("penalty.name", settings.penalty.name, {"": None, **PENALTIES})
    _check(settings)
    trick, packing = settings.tricks, settings.tricks.packing

    def init(key, batch, previous):
        x = tricks.pack(append_label(game, batch[subject], batch), packing)
        variables = network.begin(
            key, (game.generator, latent(game, key, batch)), (game.discriminator, x)
        )
        pool = tricks.empty_pool(trick.replay.size, game.shape) if trick.replay.size else None
        return variables._replace(state=variables.state | ({"replay": pool} if pool else {}))

    def generate(variables, z):
        return network.train(game.generator, variables, z)

    def judge(variables, x):
        """Logits [B / packing] of what D is shown, and its new state."""
        logits, state = network.train(game.discriminator, variables, x)
        return logits[:, 0], state

    def show(x, batch, keys, step):
        """What D sees of examples: with instance noise and label, several side by side."""
        if trick.noise.deviation:
            x = tricks.instance_noise(keys, x, step, **trick.noise)
        return tricks.pack(append_label(game, x, batch), packing)

    def critic_of(variables, batch):
        """Packed examples to logits, with the label's planes held fixed."""
        planes = tricks.pack(append_label(game, batch[subject], batch), packing)

        def critic(x):
            return judge(variables, jnp.concatenate([x, planes[..., x.shape[-1] :]], -1))[0]

        return critic

    def discriminator_loss(variables, batch, key, step):
        latent_key, label_key, noise_key, slope_key, pool_key = jax.random.split(key, 5)
        fakes, _ = generate(variables, latent(game, latent_key, batch))
        state = {}
        if trick.replay.size:
            fakes, state["replay"] = tricks.replay(
                pool_key, variables.state["replay"], fakes, batch, trick.replay.share
            )
        real_keys, fake_keys = (example_keys(k, batch) for k in jax.random.split(noise_key))
        seen = [show(batch[subject], batch, real_keys, step), show(fakes, batch, fake_keys, step)]
        real, fake, state["discriminator"] = _outputs(judge, variables, seen, trick)
        keys = example_keys(label_key, batch)[::packing]
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        loss = _value(value, trick, keys, real, fake)
        if slope:
            keys = example_keys(slope_key, batch)
            x = tricks.pack(batch[subject], packing)
            draws = (
                uniform(keys, (1,))[::packing, 0],
                tricks.pack(uniform(keys, game.shape), packing),
            )
            critic = critic_of(variables, batch)
            penalty = slope(critic, x, tricks.pack(fakes, packing), *draws)
            metrics["penalty"] = jnp.mean(penalty)
            loss = loss + settings.penalty.weight * penalty
        return jnp.mean(loss), Aux(metrics, state)

    def generator_loss(variables, batch, key, step):
        latent_key, noise_key = jax.random.split(key)
        count = settings.generator.samples
        fakes, state = generate(variables, latent(game, latent_key, batch, count))
        batch = jax.tree.map(lambda v: jnp.repeat(v, count, axis=0), batch)
        keys = jax.vmap(jax.random.fold_in)(example_keys(noise_key, batch), _copies(batch, count))
        fake, _ = judge(variables, show(fakes, batch, keys, step))
        return jnp.mean(value.generator(fake)), Aux(state={"generator": state})

    def unrolled_loss(variables, batch, key, step):
        """-f(theta_G, theta_D^K): the saddle's own objective, whatever the value function."""

        def loss(owned):
            params = {**variables.params, **owned}
            return discriminator_loss(variables._replace(params=params), batch, key, step)[0]

        owned = {"discriminator": variables.params["discriminator"]}
        owned = unroll(
            loss, game.optimizers["discriminator"], owned, variables.opt["discriminator"],
            settings.unroll.steps, settings.unroll.through,
        )  # fmt: skip
        value = -loss(owned)
        _, state = generate(variables, latent(game, jax.random.split(key, 5)[0], batch))
        return value, Aux(state={"generator": state})

    objectives = {
        "discriminator": discriminator_loss,
        "generator": unrolled_loss if settings.unroll.steps else generator_loss,
    }
    return (phase(game, init, objectives, functions(game, first_output(game))),)


def _outputs(judge, variables, seen, trick):
    """D's outputs on real and fake [B], and its state: as batches of their own, or as one."""
    if trick.joint_batches:
        outputs, state = judge(variables, jnp.concatenate(seen))
        return *jnp.split(outputs, 2), state
    (real, state), (fake, _) = (judge(variables, x) for x in seen)
    return real, fake, state


def _value(value, trick, keys, real, fake):
    """The discriminator's loss, [B], with whatever labels and flips are asked for."""
    if trick.flips:
        real, fake = tricks.flip(keys, trick.flips, real, fake)
    if not value.labelled:
        return value.discriminator(real, fake)
    keys = jax.vmap(jax.random.split)(keys)
    labels = (
        tricks.noisy_labels(keys[:, 0], *trick.real_label),
        tricks.noisy_labels(keys[:, 1], *trick.fake_label),
    )
    return value.discriminator(real, fake, *labels)


def _copies(batch, count):
    """0 .. count - 1 for the copies of each example."""
    return jnp.tile(jnp.arange(count), len(batch["index"]) // count)


def _check(settings) -> None:
    """Raises UserError on choices that do not go together."""
    batch, packing, replay = settings.batch_size, settings.tricks.packing, settings.tricks.replay
    for wrong, message in (
        (batch % packing, f"batch_size {batch} does not divide into packs of {packing}"),
        (0 < replay.size < batch, f"tricks.replay.size {replay.size} must hold a batch of {batch}"),
        (
            settings.tricks.noise.deviation and settings.tricks.noise.steps < 1,
            "tricks.noise.deviation needs tricks.noise.steps, the rounds until it has fallen to 0",
        ),
        (
            settings.unroll.steps and settings.generator.samples > 1,
            "an unrolled generator draws one latent an example: set generator.samples to 1",
        ),
    ):
        if wrong:
            raise UserError(message)
    if settings.penalty.name and settings.discriminator.normalization == "batch":
        raise UserError(
            "a penalty on each example's slope needs a discriminator without batch normalisation:"
            " set discriminator.normalization to none or spectral"
        )
    trick, labels = settings.tricks, tricks.OFF
    changed = [k for k in ("real_label", "fake_label") if tuple(trick[k]) != labels[k]]
    if changed and not VALUE_FUNCTIONS[settings.value_function].labelled:
        raise UserError(
            f"{settings.value_function} has no labels: tricks.{changed[0]} goes with minimax,"
            " non_saturating and least_squares"
        )
    chosen = settings.discriminator.optimizer
    if settings.unroll.steps and "adam" in chosen.name and not chosen.get("eps_root"):
        raise UserError(
            "unrolling differentiates through the discriminator's Adam, whose square root has no"
            " slope at 0: set discriminator.optimizer.eps_root, say to 1e-8"
        )
