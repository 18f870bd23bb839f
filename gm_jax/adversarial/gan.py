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
    repeated,
)
from gm_jax.adversarial.unrolled import unroll
from gm_jax.errors import UserError, choose
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.losses.penalties import PENALTIES
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.nn import network
from gm_jax.nn.common import uniform
from gm_jax.optimizers import differentiable


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

    def judge(variables, x):
        """Logits [B / packing] of what D is shown, and its new state."""
        logits, state = network.train(game.discriminator, variables, x)
        return logits[:, 0], state

    def show(x, batch, keys, step):
        """What D sees of examples: with instance noise and label, several side by side."""
        if trick.noise.deviation:
            x = tricks.instance_noise(keys, x, step, **trick.noise)
        return tricks.pack(append_label(game, x, batch), packing)

    def outputs(variables, fakes, batch, key, step):
        """D's logits on real and fake examples [B / packing] as the tricks have it, its state."""
        real_keys, fake_keys = (example_keys(k, batch) for k in jax.random.split(key))
        seen = [show(batch[subject], batch, real_keys, step), show(fakes, batch, fake_keys, step)]
        if trick.joint_batches:
            logits, state = judge(variables, jnp.concatenate(seen))
            return *jnp.split(logits, 2), state
        (real, state), (fake, _) = (judge(variables, x) for x in seen)
        return real, fake, state

    def slope_of(variables, fakes, batch, key):
        """The penalty on D's slope, [B / packing]; labels are held fixed."""

        def critic(packs):
            x = append_label(game, tricks.unpack(packs, packing), batch)
            return judge(variables, tricks.pack(x, packing))[0]

        mix_keys, shift_keys = (example_keys(k, batch) for k in jax.random.split(key))
        return slope(
            critic,
            *(tricks.pack(x, packing) for x in (batch[subject], fakes)),
            uniform(mix_keys, (1,))[::packing, 0],
            tricks.pack(uniform(shift_keys, game.shape), packing),
        )

    # Both losses draw their latents by the same key of a move's: G is unrolled over D's own fakes.
    def generate(variables, batch, key):
        """Examples [B, ...], G's new state, and the key that the rest of the move draws by."""
        latent_key, key = jax.random.split(key)
        return *network.train(game.generator, variables, latent(game, latent_key, batch)), key

    def discriminator_loss(variables, batch, key, step):
        fakes, _, key = generate(variables, batch, key)
        return loss_against(fakes, variables, batch, key, step)

    def loss_against(fakes, variables, batch, key, step):
        label_key, noise_key, slope_key, pool_key = jax.random.split(key, 4)
        state = {}
        if trick.replay.size:
            fakes, state["replay"] = tricks.replay(
                pool_key, variables.state["replay"], fakes, batch, trick.replay.share
            )
        real, fake, state["discriminator"] = outputs(variables, fakes, batch, noise_key, step)
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        loss = _value(value, trick, example_keys(label_key, batch)[::packing], real, fake)
        if slope:
            penalty = slope_of(variables, fakes, batch, slope_key)
            metrics["penalty"] = jnp.mean(penalty)
            loss = loss + settings.penalty.weight * penalty
        return jnp.mean(loss), Aux(metrics, state)

    def generator_loss(variables, batch, key, step):
        batch = repeated(batch, settings.generator.samples)
        fakes, state, key = generate(variables, batch, key)
        real, fake, _ = outputs(variables, fakes, batch, key, step)
        return jnp.mean(value.generator(real, fake)), Aux(state={"generator": state})

    def unrolled_loss(variables, batch, key, step):
        """G's loss against theta_D^K, D after its next K steps (with its penalty and tricks)."""
        fakes, _, rest = generate(variables, batch, key)  # Once: K times would be K slopes of G.

        def loss(owned):
            there = variables._replace(params={**variables.params, **owned})
            return loss_against(fakes, there, batch, rest, step)[0]

        owned = {"discriminator": variables.params["discriminator"]}
        owned = unroll(
            loss, game.optimizers["discriminator"], owned, variables.opt["discriminator"],
            settings.unroll.steps, settings.unroll.through,
        )  # fmt: skip
        ahead = variables._replace(params={**variables.params, **owned})
        return generator_loss(ahead, batch, key, step)

    objectives = {
        "discriminator": discriminator_loss,
        "generator": unrolled_loss if settings.unroll.steps else generator_loss,
    }
    return (phase(game, init, objectives, functions(game, first_output(game))),)


def _value(value, trick, keys, real, fake):
    """The discriminator's loss, [B], with whatever labels and flips are asked for."""
    flip_keys, real_keys, fake_keys = jax.vmap(lambda k: jax.random.split(k, 3), out_axes=1)(keys)
    if trick.flips:
        real, fake = tricks.flip(flip_keys, trick.flips, real, fake)
    if not value.labelled:
        return value.discriminator(real, fake)
    labels = (
        tricks.noisy_labels(real_keys, *trick.real_label),
        tricks.noisy_labels(fake_keys, *trick.fake_label),
    )
    return value.discriminator(real, fake, *labels)


def _check(settings) -> None:
    """Raises UserError on choices that do not go together."""
    trick, discriminator = settings.tricks, settings.discriminator
    batch, packing, size = settings.batch_size, trick.packing, trick.replay.size
    name, labelled = settings.value_function, VALUE_FUNCTIONS[settings.value_function].labelled
    softened = [k for k in ("real_label", "fake_label") if tuple(trick[k]) != tricks.OFF[k]]
    for wrong, message in (
        (
            packing < 1 or batch % packing,
            f"batch_size {batch} does not divide into packs of {packing} (tricks.packing)",
        ),
        (0 < size < batch, f"tricks.replay.size {size} must hold a batch of {batch}"),
        (
            size and settings.conditional,
            "tricks.replay keeps old fakes without their labels: not with conditional=True",
        ),
        (
            trick.noise.deviation and trick.noise.steps < 1,
            "tricks.noise.deviation needs tricks.noise.steps, the rounds until it has fallen to 0",
        ),
        (not 0 <= trick.flips <= 1, f"tricks.flips {trick.flips} is a share, in [0, 1]"),
        (
            softened and not labelled,
            f"{name} has no labels: tricks.real_label and .fake_label go with minimax,"
            " non_saturating and least_squares",
        ),
        (
            settings.penalty.name and discriminator.normalization == "batch",
            "a penalty on each example's slope needs a discriminator without batch normalisation:"
            " set discriminator.normalization to none or spectral",
        ),
        (
            settings.penalty.name == "dragan" and name == "wasserstein",
            "DRAGAN's penalty is for a D of probabilities: set penalty.name to wgan_gp",
        ),
        (
            settings.unroll.steps and not differentiable(discriminator.optimizer),
            "unrolling differentiates through the discriminator's optimizer, whose square root has"
            " no slope at 0: set discriminator.optimizer.eps_root, say to 1e-12 (Adam), or"
            " .eps_in_sqrt to True (RMSProp)",
        ),
    ):
        if wrong:
            raise UserError(message)
