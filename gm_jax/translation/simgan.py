"""SimGAN: simulated pictures refined until they look real, without pairs.

Shrivastava et al. 2017 (arXiv 1612.07828). A refiner R, a discriminator D of patches; x simulated
(`image`), y real (`image_b` of another example):

    L_R = sum over patches -log D(R(x)) + lambda |psi(R(x)) - psi(x)|_1              eqs. 3, 4
    L_D = sum over patches -log D(y) - log(1 - D(R(x)))                              eq. 2

D is the probability of being real (the paper's: of being refined). psi are the pixels, or features
of a network: `stages.features` says whose, and its distance takes the place of the norm.

First R learns lambda's term alone, then D with R as it is, then both in turn (algorithm 1). Half of
what D sees as refined are pictures that R made earlier (section 2.3).
"""

from typing import Annotated

import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.losses.likelihoods import sum_over_example
from gm_jax.model import Aux, Phase, field_of
from gm_jax.networks import Network
from gm_jax.optimizers import Optimizer, adam
from gm_jax.pools import empty_pool, history
from gm_jax.settings import Recipe, Restartable, arguments, at_least, one_of, part_of, schema
from gm_jax.translation.shared.refiner import Critic, Refiner

Rounds = Annotated[int, at_least(0), Restartable(trains=True)]
Times = Annotated[int, at_least(1)]


@schema
class RefinerPlayer(part_of(Refiner, "features", "dtype")):
    """The player that refines.

    times      K_g, its updates in a round of the game
    optimizer  one of optax's
    """

    times: Times = 2
    optimizer: Optimizer = adam(1e-3)


@schema
class Discriminator(part_of(Critic, "dtype")):
    """The player that tells real pictures from refined ones, patch by patch.

    times      K_d, its updates in a round of the game
    optimizer  one of optax's
    """

    times: Times = 1
    optimizer: Optimizer = adam(1e-3)


@schema
class Settings(Recipe):
    """SimGAN, in three phases.

    steps                rounds of the first phase, R by self-regularisation alone
    discriminator_steps  rounds of the second phase, D alone; 0 to leave it out
    game_steps           rounds of the third phase, both in turn
    value_function       what D maximises and G minimises
    regularization       lambda, weight of the sum of |R(x) - x| over pixels and channels, or of the
                         distance of stages.features, if it is there
    history              old refined pictures that D sees again; 0 for none
    refiner              the player that refines
    discriminator        the player that tells real pictures from refined ones
    """

    discriminator_steps: Rounds = 200
    game_steps: Annotated[Rounds, at_least(1)] = 10_000
    value_function: Annotated[str, one_of(VALUE_FUNCTIONS)] = "non_saturating"
    regularization: Annotated[float, at_least(0.0)] = 0.5
    history: Annotated[int, at_least(0)] = 25_600
    refiner: RefinerPlayer = RefinerPlayer()
    discriminator: Discriminator = Discriminator()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.history and (self.batch_size % 2 or self.history < self.batch_size):
            yield (
                f"half of each batch of {self.batch_size} comes out of a history of {self.history}:"
                " set an even batch_size, and a history of at least as many, or 0 for none"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A refiner against a discriminator of patches; configs/simgan_scenes.py."""
    shape, real = (field_of(spec, name).shape for name in ("image", "image_b"))
    if shape != real:
        raise UserError(
            f"image is {shape} and image_b {real}, but a refined picture is compared with what it"
            " was: set data.size, and data.channels to 1 or 3 for both"
        )
    dtype, value = jnp.dtype(settings.dtype), VALUE_FUNCTIONS[settings.value_function]
    own, other = settings.refiner, settings.discriminator
    module = Refiner(shape[-1], **arguments(own, "times", "optimizer"), dtype=dtype)
    refiner = Network("refiner", module)
    critic = Critic(**arguments(other, "times", "optimizer"), dtype=dtype)
    discriminator = Network("discriminator", critic)
    distances = games.feature_distances(stages) if "features" in stages else None

    def init(key, batch, previous):
        calls = (refiner, batch["image"]), (discriminator, batch["image_b"])
        fresh = networks.split_init(key, *calls)
        params = fresh.params | (previous.params if previous else {})
        old = {"history": empty_pool(settings.history, shape)}
        return fresh._replace(params=params, state=previous.state if previous else old)

    def changed(variables, batch, key):
        """R(x), and |psi(R(x)) - psi(x)|_1 [B]."""
        x = batch["image"]
        refined = refiner(variables, x)
        if distances is None:
            return refined, sum_over_example(jnp.abs(refined - x))
        return refined, sum(distances(variables, refined, x, key).values())

    def regularization(variables, batch, key, step):
        loss = settings.regularization * jnp.mean(changed(variables, batch, key)[1])
        return loss, Aux()

    def refiner_loss(variables, batch, key, step):
        refined, far = changed(variables, batch, key)
        logits = (discriminator(variables, image) for image in (batch["image_b"], refined))
        realism = jnp.mean(sum_over_example(value.generator(*logits)))
        loss = realism + settings.regularization * jnp.mean(far)
        return loss, Aux({"realism": realism, "change": jnp.mean(far)})

    def discriminator_loss(variables, batch, key, step):
        refined = refiner(variables, batch["image"])
        shown, old = history(key, variables.state["history"], refined, batch)
        real, fake = (discriminator(variables, image) for image in (batch["image_b"], shown))
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        loss = jnp.mean(sum_over_example(value.discriminator(real, fake)))
        return loss, Aux(metrics, {"history": old})

    def translate(variables, batch, key):
        """`image_b` of `image`: the refined picture."""
        return {"image_b": refiner(variables, batch["image"])}

    def compare(variables, batch, key):
        """A simulated picture, refined, and a real one, [B, 3, H, W, C]."""
        shown = batch["image"], refiner(variables, batch["image"]), batch["image_b"]
        return {"image": jnp.stack(shown, axis=1)}

    def player(name, part, moves):
        average = settings.average if name == "refiner" else 0.0
        return games.player(name, (name,), moves, part, average)

    def phase(name, steps, *players):
        functions = {"translate": translate, "compare": compare}
        made = games.phase(settings, init, players, functions, stages=stages)
        return made._replace(name=name, steps=steps)

    def times(part):
        return lambda step: part.times

    alone = (
        player("refiner", own, {"regularization": regularization}),
        games.untrained("discriminator"),
    )
    judging = (
        games.untrained("refiner"),
        player("discriminator", other, {"value": discriminator_loss}),
    )
    both = (
        player("refiner", own, {"value": (refiner_loss, times(own))}),
        player("discriminator", other, {"value": (discriminator_loss, times(other))}),
    )
    phases = (
        phase("refiner", settings.steps, *alone),
        phase("discriminator", settings.discriminator_steps, *judging),
        phase("game", settings.game_steps, *both),
    )
    return tuple(phase for phase in phases if phase.steps)
