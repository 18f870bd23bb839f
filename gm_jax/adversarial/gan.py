"""Generative adversarial networks: one game of two players, many value functions.

Goodfellow et al. 2014 (arXiv 1406.2661):

    min_G max_D  E_x log D(x) + E_z log(1 - D(G(z)))                           eq. 1

A recipe chooses the rest; many named GANs are one such choice:

    value_function   minimax, non_saturating, least_squares (LSGAN), wasserstein (WGAN, with
                     optimizer.clip_weights), hinge
    penalty          wgan_gp, dragan, r1, r2
    normalization    of D: batch (DCGAN), spectral (SNGAN), none
    networks         as the papers have them, or for all images: adversarial/shared/networks.py,
                     resnets.py (SNGAN's ResNet, SAGAN, BigGAN)
    conditional      the label enters both players (CGAN; with residual networks by conditional
                     batch norm and projection)
    unroll           G's loss is taken after D's next K steps (Unrolled GAN)
    tricks           gm_jax/adversarial/shared/tricks.py; packing is PacGAN
    sampler          truncated latents, standing statistics (BigGAN)

The discriminator plays `discriminator.times` moves a round (algorithm 1's k), the generator one.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import networks, pools
from gm_jax.adversarial.shared import latent_game, tricks
from gm_jax.adversarial.shared.encoding import encoding
from gm_jax.adversarial.shared.latent_game import inputs, open_game, phase, with_label
from gm_jax.adversarial.shared.tricks import Tricks
from gm_jax.adversarial.shared.truncation import Sampler, calibration
from gm_jax.adversarial.shared.unrolled import unroll
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.losses.penalties import PENALTIES, orthogonal
from gm_jax.model import Aux, Batch, Phase, example_keys
from gm_jax.nn.layers import uniform
from gm_jax.optimizers import differentiable, optimizer
from gm_jax.settings import Restartable, at_least, one_of, schema


@schema
class Generator(latent_game.Generator):
    """The player that generates examples.

    samples     latents drawn for each example of the batch
    orthogonal  weight beta of orthogonal regularisation (BigGAN); 0 for none
    """

    samples: Annotated[int, at_least(1)] = 1
    orthogonal: Annotated[float, at_least(0.0)] = 0.0


@schema
class Penalty:
    """A penalty on D's gradient.

    name    of the penalty; "" for none
    weight  of the penalty in D's loss
    """

    name: Annotated[str, one_of(("", *PENALTIES))] = ""
    weight: Annotated[float, at_least(0.0)] = 10.0


@schema
class Unroll:
    """Metz et al. 2017.

    steps    steps of D that G looks ahead; 0 for none
    through  whether G's gradient flows through them
    """

    steps: Annotated[int, at_least(0)] = 0
    through: bool = True


@schema
class Settings(latent_game.Settings):
    """A generator against a discriminator.

    value_function  what D maximises and G minimises
    conditional     whether the label enters both players (CGAN)
    average_start   rounds in which G's moving average is a copy of it, before it has its decay
                    (BigGAN); 0 for a decay that rises
    penalty         on D's gradient
    unroll          Unrolled GAN
    tricks          soft labels, flips, instance noise, replay, packing (PacGAN)
    sampler         how the trained generator draws
    """

    value_function: Annotated[str, one_of(VALUE_FUNCTIONS)] = "non_saturating"
    conditional: bool = False
    average_start: Annotated[int, at_least(0)] = 0
    generator: Generator = Generator()
    penalty: Penalty = Penalty()
    unroll: Unroll = Unroll()
    tricks: Tricks = Tricks()
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        trick, batch, value = self.tricks, self.batch_size, VALUE_FUNCTIONS[self.value_function]
        off = Tricks()
        softened = (trick.real_label, trick.fake_label) != (off.real_label, off.fake_label)
        if batch % trick.packing:
            packs = f"packs of {trick.packing} (tricks.packing)"
            yield f"batch_size {batch} does not divide into {packs}"
        if 0 < trick.replay.size < batch:
            yield f"tricks.replay.size {trick.replay.size} must be at least batch_size {batch}"
        if trick.replay.size and self.conditional:
            yield "tricks.replay stores old fakes without labels: it excludes conditional=True"
        if softened and not value.labelled:
            yield (
                f"{self.value_function} has no labels: tricks.real_label and .fake_label need"
                " minimax, non_saturating or least_squares"
            )
        if self.penalty.name and self.discriminator.normalization == "batch":
            yield (
                "a penalty on each example's gradient needs a discriminator without batch"
                " normalisation: set discriminator.normalization to none or spectral"
            )
        if self.penalty.name == "dragan" and self.value_function == "wasserstein":
            yield "DRAGAN's penalty needs a D of probabilities: set penalty.name to wgan_gp"
        if self.unroll.steps and self.discriminator.optimizer.accumulate > 1:
            yield "unroll.steps are whole steps of D: set discriminator.optimizer.accumulate=1"
        if self.sampler.truncation and self.prior != "normal":
            yield "sampler.truncation is of normal latents: set prior=normal, or truncation=0"
        if self.unroll.steps and not differentiable(self.discriminator.optimizer):
            yield (
                "unrolling differentiates through the discriminator's optimizer, whose square root"
                " has no slope at 0: set discriminator.optimizer.eps_root, say to 1e-12 (Adam), or"
                " .eps_in_sqrt to True (RMSProp)"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator against a discriminator in one phase; configs/gan_ring.py."""
    game = open_game(settings, spec, conditional=settings.conditional)
    value, penalize = VALUE_FUNCTIONS[settings.value_function], PENALTIES.get(settings.penalty.name)
    trick, packing = settings.tricks, settings.tricks.packing
    generator, discriminator, modality = game.generator, game.discriminator, game.modality

    def init(key, batch, previous):
        z, x = inputs(game, key, batch), to_d(batch[modality], batch)
        variables = networks.split_init(key, (generator, *z), (discriminator, *x))
        pool = pools.empty_pool(trick.replay.size, game.shape) if trick.replay.size else None
        return variables._replace(state=variables.state | ({"replay": pool} if pool else {}))

    def to_d(x, batch):
        """D's inputs of examples: with their labels, packed."""
        return [tricks.pack(part, packing) for part in with_label(game, x, batch)]

    def critic(variables, seen):
        """D's logits [B / packing] on its inputs, and its new state."""
        logits, state = discriminator.train(variables, *seen)
        return logits[:, 0], state

    def seen_by_d(x, batch, keys, step):
        """Examples as D sees them, with instance noise."""
        if trick.noise.deviation:
            x = tricks.instance_noise(keys, x, step, trick.noise.deviation, trick.noise.steps)
        return to_d(x, batch)

    def outputs(variables, fakes, batch, key, step):
        """D's logits on real and fake examples [B / packing], with the tricks, and its state."""
        real_keys, fake_keys = (example_keys(k, batch) for k in jax.random.split(key))
        seen = [
            seen_by_d(batch[modality], batch, real_keys, step),
            seen_by_d(fakes, batch, fake_keys, step),
        ]
        if trick.joint_batches:
            both = [jnp.concatenate(parts) for parts in zip(*seen, strict=True)]
            logits, state = critic(variables, both)
            return *jnp.split(logits, 2), state
        (real, state), (fake, _) = (critic(variables, x) for x in seen)
        return real, fake, state

    def penalty_of(variables, fakes, batch, key):
        """The penalty on D's gradient, [B / packing]; labels are held fixed."""

        def of_packs(packs):
            return critic(variables, to_d(tricks.unpack(packs, packing), batch))[0]

        mix_keys, shift_keys = (example_keys(k, batch) for k in jax.random.split(key))
        return penalize(
            of_packs,
            *(tricks.pack(x, packing) for x in (batch[modality], fakes)),
            uniform(mix_keys, (1,))[::packing, 0],
            tricks.pack(uniform(shift_keys, game.shape), packing),
        )

    # Both losses draw their latents by the same key: G is unrolled over the fakes that D sees.
    def generate(variables, batch, key):
        """Examples [B, ...], G's new state, and the key for the rest of the move."""
        latent_key, key = jax.random.split(key)
        return *generator.train(variables, *inputs(game, latent_key, batch)), key

    def discriminator_loss(variables, batch, key, step):
        fakes, _, key = generate(variables, batch, key)
        return loss_against(fakes, variables, batch, key, step)

    def loss_against(fakes, variables, batch, key, step):
        label_key, noise_key, penalty_key, pool_key = jax.random.split(key, 4)
        state = {}
        if trick.replay.size:
            fakes, state["replay"] = pools.replay(
                pool_key, variables.state["replay"], fakes, batch, trick.replay.share
            )
        real, fake, state["discriminator"] = outputs(variables, fakes, batch, noise_key, step)
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        loss = _value(value, trick, example_keys(label_key, batch)[::packing], real, fake)
        if penalize:
            penalty = penalty_of(variables, fakes, batch, penalty_key)
            metrics["penalty"] = jnp.mean(penalty)
            loss = loss + settings.penalty.weight * penalty
        return jnp.mean(loss), Aux(metrics, state)

    def generator_loss(variables, batch, key, step):
        batch = _repeated(batch, settings.generator.samples)
        fakes, state, key = generate(variables, batch, key)
        real, fake, _ = outputs(variables, fakes, batch, key, step)
        loss = jnp.mean(value.generator(real, fake))
        if settings.generator.orthogonal:
            loss += settings.generator.orthogonal * orthogonal(variables.params["generator"])
        return loss, Aux(state={"generator": state})

    def unrolled_loss(variables, batch, key, step):
        """G's loss against theta_D^K, D after its next K steps (with its penalty and tricks)."""
        fakes, _, rest = generate(variables, batch, key)  # Once: K times would be K gradients of G.

        def loss(owned):
            ahead = variables._replace(params={**variables.params, **owned})
            return loss_against(fakes, ahead, batch, rest, step)[0]

        owned = unroll(
            loss,
            optimizer(settings.discriminator.optimizer),
            {"discriminator": variables.params["discriminator"]},
            variables.opt["discriminator"],
            settings.unroll.steps,
            settings.unroll.through,
        )
        ahead = variables._replace(params={**variables.params, **owned})
        return generator_loss(ahead, batch, key, step)

    objectives = {
        "discriminator": discriminator_loss,
        "generator": unrolled_loss if settings.unroll.steps else generator_loss,
    }
    sampler, output = settings.sampler, latent_game.first_output(game, packing)
    functions = latent_game.functions(game, output, sampler.truncation)
    functions |= encoding(game, packing)
    calibrate = calibration(game, sampler)
    return (phase(game, init, objectives, functions, settings.average_start, calibrate),)


def _value(value, trick, keys, real, fake):
    """The discriminator's loss, [B], with the labels and flips of the tricks."""
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


def _repeated(batch: Batch, count: int) -> Batch:
    """Each example `count` times, every copy with its own position in the global batch."""
    copies = jax.tree.map(lambda v: jnp.repeat(v, count, axis=0), batch)
    position = copies["index"] * count + jnp.tile(jnp.arange(count), len(batch["index"]))
    return {**copies, "index": position}
