"""What games of a generator against a discriminator share, when G begins with a latent."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.adversarial.shared.latents import PRIORS, path
from gm_jax.adversarial.shared.networks import NETWORKS
from gm_jax.errors import UserError
from gm_jax.model import Array, Batch, Phase, Spec, classes_of, example_keys, modality_of
from gm_jax.networks import Network
from gm_jax.nn.normalization import NORMALIZATIONS
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, at_least, one_of, schema

FRAMES = 12  # of an interpolation
SIDE = 50  # of the square of points at which a discriminator's field is drawn
EXTENT = 5.0  # half its width: the grid of 25 modes reaches to 4

Width = Annotated[int, at_least(1)]


@schema
class Generator:
    """The player that makes examples.

    width      channels of its last hidden map
    optimizer  one of optax's
    """

    width: Width = 64
    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Often:
    """More moves of D in some rounds, as WGAN's authors have it.

    times  moves in such a round
    first  so many rounds are such at the beginning
    every  and one in so many after that; 0 for none
    """

    times: Annotated[int, at_least(1)] = 1
    first: Annotated[int, at_least(0)] = 0
    every: Annotated[int, at_least(0)] = 0


@schema
class Critic:
    """The player that judges examples.

    width      channels of its first hidden map
    optimizer  one of optax's
    times      moves a round: algorithm 1's k
    often      rounds with another number of moves
    """

    width: Width = 64
    optimizer: Optimizer = adam(2e-4, b1=0.5)
    times: Annotated[int, at_least(1)] = 1
    often: Often = Often()


@schema
class Discriminator(Critic):
    """A critic of logits.

    normalization  of its hidden layers (batch), of its weights (spectral), or none
    """

    normalization: Annotated[str, one_of(NORMALIZATIONS)] = "batch"


@schema
class Settings(Recipe):
    """A generator that begins with a latent, against a discriminator.

    networks       the pair of networks
    latents        numbers of z
    prior          of z
    generator      the player that makes examples
    discriminator  the player that judges them
    """

    networks: Annotated[str, one_of(NETWORKS)] = "dcgan"
    latents: Annotated[int, at_least(1)] = 64
    prior: Annotated[str, one_of(PRIORS)] = "normal"
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()


class Game(NamedTuple):
    """A recipe opened: what is generated, and by which networks.

    modality, shape  the entry of the batch that is generated, and one example's shape
    classes          of its label, if both players know it; else 0
    """

    settings: Settings
    modality: str
    shape: tuple[int, ...]
    classes: int
    generator: Network
    discriminator: Network


def open_game(
    settings: Settings, spec: Spec, discriminator: nn.Module | None = None, conditional=False
) -> Game:
    """The networks that a recipe names, for the data at hand.

    discriminator  its module; by default `logits(settings)`
    conditional    whether both players know the label

    Raises UserError if the networks are for other examples, or if labels are missing.
    """
    modality = modality_of(spec)
    shape, pair = spec[modality].shape, NETWORKS[settings.networks]
    if pair.axes != len(shape):
        fitting = [name for name, other in NETWORKS.items() if other.axes == len(shape)]
        raise UserError(
            f"networks {settings.networks} are for examples of {pair.axes} axes, this data has"
            f" {shape}: choose {' or '.join(fitting) or 'other data'}"
        )
    generator = pair.generator(shape, settings.generator.width, jnp.dtype(settings.dtype))
    return Game(
        settings,
        modality,
        shape,
        classes_of(spec) if conditional else 0,
        Network("generator", generator),
        Network("discriminator", discriminator or logits(settings)),
    )


def logits(settings: Settings, outputs: int = 1) -> nn.Module:
    """The recipe's discriminator, of examples [B, ...] to `outputs` logits [B, outputs]."""
    own, pair = settings.discriminator, NETWORKS[settings.networks]
    return pair.discriminator(own.width, outputs, own.normalization, jnp.dtype(settings.dtype))


def noise(game: Game, key: Array, batch: Batch) -> Array:
    """z for each example, [B, D]."""
    prior = PRIORS[game.settings.prior]
    return prior(example_keys(key, batch), (game.settings.latents,))


def latent(game: Game, key: Array, batch: Batch) -> Array:
    """What the generator begins with: z, followed by the label's one-hot if it knows one."""
    return append_label(game, noise(game, key, batch), batch)


def append_label(game: Game, x: Array, batch: Batch) -> Array:
    """x [B, ..., C] with the label's one-hot appended at every position, if the game knows labels.

    Mirza & Osindero 2014 (CGAN, arXiv 1411.1784), eq. 2.
    """
    if not game.classes:
        return x
    hot = jax.nn.one_hot(batch["label"], game.classes)
    planes = jnp.broadcast_to(
        hot.reshape(-1, *[1] * (x.ndim - 2), game.classes), (*x.shape[:-1], game.classes)
    )
    return jnp.concatenate([x, planes], axis=-1)


def first_output(game: Game, packing: int = 1):
    """What a discriminator of logits says of examples: (variables, x [B, ...]) -> [B]."""

    def judge(variables, x):
        shown = jnp.tile(x, (1,) * (x.ndim - 1) + (packing,))
        return game.discriminator(variables, shown)[:, 0]

    return judge


def functions(game: Game, judge: Callable) -> dict:
    """What the trained generator can do: sample, interpolation; for points, D's field over them.

    judge  (variables, x [B, ...]) -> [B], what D says of examples
    """

    def sample(variables, batch, key):
        """Examples, and if the game knows labels, those that were asked for."""
        outputs = {game.modality: game.generator(variables, latent(game, key, batch))}
        return outputs | ({"label": batch["label"]} if game.classes else {})

    def interpolation(variables, batch, key):
        """Along the great circle between two latents of one label, [B, FRAMES, H, W, C]."""
        ends = (noise(game, k, batch) for k in jax.random.split(key))
        z = jax.vmap(lambda z: append_label(game, z, batch), 1, 1)(path(*ends, FRAMES))
        return {game.modality: frames(game, variables, z)}

    def landscape(variables, batch, key):
        """Samples, and D's output at SIDE^2 points of the plane. Takes SIDE^2 examples."""
        row, column = jnp.divmod(batch["index"] % SIDE**2, SIDE)
        point = EXTENT * (2.0 * (jnp.stack([column, row], -1) + 0.5) / SIDE - 1.0)
        field = judge(variables, point)
        return {**sample(variables, batch, key), "place": point, "field": field}

    def classes(variables, batch, key):
        """Each label in turn with the same noise, [B, classes, H, W, C]."""

        def of_class(c):
            return latent(game, key, {**batch, "label": jnp.full_like(batch["index"], c)})

        z = jax.vmap(of_class, out_axes=1)(jnp.arange(game.classes))
        return {game.modality: frames(game, variables, z)}

    found = {"sample": sample}
    if game.classes:
        found["classes"] = classes
    if len(game.shape) == 3:
        found["interpolation"] = interpolation
    elif not game.classes:
        found["landscape"] = landscape
    return found


def frames(game: Game, variables, z: Array) -> Array:
    """G of latents in rows, [B, T, D] to [B, T, ...]."""
    x = game.generator(variables, z.reshape(-1, z.shape[-1]))
    return x.reshape(*z.shape[:2], *x.shape[1:])


def times(settings: Critic) -> Callable[[int], int]:
    """step -> how often D moves in this round."""
    often = settings.often

    def count(step):
        more = step < often.first or (often.every and step % often.every == 0)
        return often.times if more else settings.times

    return count


def phase(game: Game, init: Callable, objectives: dict, functions: dict) -> Phase:
    """The game of two objectives, by player and in order; the average is of the generator."""
    settings = game.settings
    moves = {
        "discriminator": (objectives["discriminator"], times(settings.discriminator)),
        "generator": objectives["generator"],
    }
    averages = {"discriminator": 0.0, "generator": settings.average}
    players = tuple(
        games.player(name, (name,), {"value": moves[name]}, getattr(settings, name), averages[name])
        for name in objectives
    )
    return games.phase(settings, init, players, functions)
