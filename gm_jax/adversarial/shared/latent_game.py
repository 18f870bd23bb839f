"""What games of a generator against a discriminator share if G's input is a latent."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.adversarial.shared.latents import PRIORS, path, truncated
from gm_jax.adversarial.shared.networks import NETWORKS, pair_of
from gm_jax.errors import UserError
from gm_jax.model import Array, Batch, Field, Phase, Spec, classes_of, example_keys, modality_of
from gm_jax.networks import Network
from gm_jax.nn.layers import NORMALIZATIONS
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, at_least, one_of, schema

FRAMES = 12  # of an interpolation
SIDE = 50  # points on each side of the square on which D's output is drawn
EXTENT = 5.0  # half the width of that square: the grid of 25 modes reaches to 4

Width = Annotated[int, at_least(1)]


@schema
class Generator:
    """The player that generates examples.

    width      channels of its last hidden map
    optimizer  one of optax's
    """

    width: Width = 64
    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Often:
    """More moves of D in some rounds, as in the code of WGAN's authors.

    times  moves in such a round
    first  how many rounds at the beginning are such
    every  every how many rounds one more is such; 0 for none
    """

    times: Annotated[int, at_least(1)] = 1
    first: Annotated[int, at_least(0)] = 0
    every: Annotated[int, at_least(0)] = 0


@schema
class Critic:
    """The player that tells real examples from generated ones.

    width      channels of its first hidden map
    optimizer  one of optax's
    times      moves per round: algorithm 1's k
    often      rounds with another number of moves
    """

    width: Width = 64
    optimizer: Optimizer = adam(2e-4, b1=0.5)
    times: Annotated[int, at_least(1)] = 1
    often: Often = Often()


@schema
class Discriminator(Critic):
    """A critic that outputs logits.

    normalization  of its hidden layers (batch), of its weights (spectral), or none
    """

    normalization: Annotated[str, one_of(NORMALIZATIONS)] = "batch"


@schema
class Settings(Recipe):
    """A generator of examples from latents, against a discriminator.

    networks       the pair of networks
    latents        size of z
    prior          of z
    generator      the player that generates examples
    discriminator  the player that tells real examples from generated ones
    remat          of residual networks: whether the backward pass computes the inside of each
                   block again, which takes less memory and more time
    """

    networks: Annotated[str, one_of(NETWORKS)] = "dcgan"
    latents: Annotated[int, at_least(1)] = 64
    prior: Annotated[str, one_of(PRIORS)] = "normal"
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()
    remat: bool = False


class Game(NamedTuple):
    """What is generated, and by which networks.

    modality, shape  the entry of the batch that is generated, and one example's shape
    classes          number of classes if both players see the label, else 0
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
    """The networks that a recipe names, for examples of the data.

    discriminator  its module; by default `logits(settings)`
    conditional    whether both players see the label

    Raises UserError if the networks do not fit the examples, or if labels are missing.
    """
    modality = modality_of(spec)
    shape, pair = spec[modality].shape, pair_of(settings.networks, settings.remat)
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
    player, pair = settings.discriminator, pair_of(settings.networks, settings.remat)
    dtype = jnp.dtype(settings.dtype)
    return pair.discriminator(player.width, outputs, player.normalization, dtype)


def latent(game: Game, key: Array, batch: Batch, truncation: float = 0.0) -> Array:
    """z for each example, [B, D]; with a truncation, all |z| are within it."""
    prior = truncated(truncation) if truncation else PRIORS[game.settings.prior]
    return prior(example_keys(key, batch), (game.settings.latents,))


def with_label(game: Game, x: Array, batch: Batch) -> tuple[Array, ...]:
    """What a player takes: x [B, ..., C], and the one-hot label if the players see labels.

    It is a second input if the networks have one; if not, it is appended to x at every position:
    Mirza & Osindero 2014 (CGAN, arXiv 1411.1784), eq. 2.
    """
    if not game.classes:
        return (x,)
    hot = jax.nn.one_hot(batch["label"], game.classes)
    if NETWORKS[game.settings.networks].takes_labels:
        return x, hot
    planes = jnp.broadcast_to(
        hot.reshape(-1, *[1] * (x.ndim - 2), game.classes), (*x.shape[:-1], game.classes)
    )
    return (jnp.concatenate([x, planes], axis=-1),)


def inputs(game: Game, key: Array, batch: Batch, truncation: float = 0.0) -> tuple[Array, ...]:
    """What the generator takes: z, and the label if it sees one."""
    return with_label(game, latent(game, key, batch, truncation), batch)


def first_output(game: Game, packing: int = 1):
    """The first logit of D on examples: (variables, x [B, ...]) -> [B]."""

    def output(variables, x):
        return game.discriminator(variables, repeated(x, packing))[:, 0]

    return output


def repeated(x: Array, packing: int) -> Array:
    """A pack of each example with itself, [B, ..., packing C]."""
    return jnp.tile(x, (1,) * (x.ndim - 1) + (packing,))


def functions(game: Game, output: Callable, truncation: float = 0.0) -> dict:
    """What the trained generator can do: sample, also from given latents (`generate`), and
    interpolate; for points, D's field over them.

    output      (variables, x [B, ...]) -> [B], D's output on examples
    truncation  bound on |z|; 0 for none

    Raises UserError if the recipe shows a landscape of fewer examples than its square has points.
    """

    def sample(variables, batch, key):
        """Examples, and their labels if the players see labels."""
        outputs = {game.modality: game.generator(variables, *inputs(game, key, batch, truncation))}
        return outputs | ({"label": batch["label"]} if game.classes else {})

    def draw(variables, batch, key):
        """Samples with their `latent`, [B, D]."""
        z = latent(game, key, batch, truncation)
        return {**generate(variables, {**batch, "latent": z}, key), "latent": z}

    def generate(variables, batch, key):
        """What G makes of the batch's `latent`."""
        given = with_label(game, batch["latent"], batch)
        return {game.modality: game.generator(variables, *given)}

    def interpolation(variables, batch, key):
        """Along the great circle between two latents of one label, [B, FRAMES, H, W, C]."""
        ends = (latent(game, k, batch, truncation) for k in jax.random.split(key))
        z = jax.vmap(lambda z: with_label(game, z, batch), 1, 1)(path(*ends, FRAMES))
        return {game.modality: frames(game, variables, *z)}

    def landscape(variables, batch, key):
        """Samples, and D's output at SIDE^2 points of the plane. Takes SIDE^2 examples."""
        row, column = jnp.divmod(batch["index"] % SIDE**2, SIDE)
        point = EXTENT * (2.0 * (jnp.stack([column, row], -1) + 0.5) / SIDE - 1.0)
        field = output(variables, point)
        return {**sample(variables, batch, key), "field": field, "field_point": point}

    def classes(variables, batch, key):
        """Each label in turn with the same noise, [B, classes, H, W, C]."""

        def of_class(c):
            labelled = {**batch, "label": jnp.full_like(batch["index"], c)}
            return inputs(game, key, labelled, truncation)

        z = jax.vmap(of_class, out_axes=1)(jnp.arange(game.classes))
        return {game.modality: frames(game, variables, *z)}

    functions = {"sample": sample, "draw": draw, "generate": generate}
    if game.classes:
        functions["classes"] = classes
    if len(game.shape) == 3:
        functions["interpolation"] = interpolation
    elif not game.classes:
        functions["landscape"] = landscape
        if 0 < game.settings.show.counts.get("landscape", 0) < SIDE**2:
            raise UserError(
                f"show.counts.landscape must be at least {SIDE**2}, the points at which D's output"
                " is drawn, or 0"
            )
    return functions


def spec(game: Game) -> Spec:
    """What `generate` takes besides the data's entries."""
    return {"latent": Field((game.settings.latents,))}


def frames(game: Game, variables, *z: Array) -> Array:
    """G of inputs in rows, [B, T, D] each, to [B, T, ...]."""
    x = game.generator(variables, *(part.reshape(-1, part.shape[-1]) for part in z))
    return x.reshape(*z[0].shape[:2], *x.shape[1:])


def times(settings: Critic) -> Callable[[int], int]:
    """step -> how often D moves in this round."""
    often = settings.often

    def count(step):
        more = step < often.first or (often.every and step % often.every == 0)
        return often.times if more else settings.times

    return count


def phase(
    game: Game, init: Callable, objectives: dict, functions: dict,
    average_start: int = 0, calibrate: Callable | None = None,
) -> Phase:  # fmt: skip
    """The game of two objectives {player: objective}, in order; the generator has the average.

    average_start  as `optimizers.warmed_up` takes it
    calibrate      as `GenerativeModel` has it
    """
    settings = game.settings
    moves = {
        "discriminator": (objectives["discriminator"], times(settings.discriminator)),
        "generator": objectives["generator"],
    }
    averages = {"discriminator": 0.0, "generator": settings.average}
    players = tuple(
        games.player(
            name, (name,), {"value": moves[name]}, getattr(settings, name), averages[name],
            average_start,
        )
        for name in objectives
    )  # fmt: skip
    return games.phase(settings, init, players, functions, spec(game), calibrate=calibrate)
