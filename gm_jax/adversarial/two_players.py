"""What the games of a generator against a discriminator share: networks, latents, functions."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from gm_jax.adversarial import latents, tricks
from gm_jax.errors import UserError, choose, one_of
from gm_jax.model import (
    Array,
    Batch,
    GenerativeModel,
    Move,
    Phase,
    Player,
    Spec,
    classes_of,
    example_keys,
    subject_of,
)
from gm_jax.nn import dcgan, network, points, small
from gm_jax.nn.network import Network
from gm_jax.optimizers import optimizer, warmed_up
from gm_jax.recipes import fill

FRAMES = 12  # of an interpolation
SIDE = 50  # of the square of places at which a discriminator's field is drawn
EXTENT = 5.0  # half its width: the grid of 25 modes reaches to 4

# What a recipe of such a game may set, and what holds where it does not.
SETTINGS = {
    "value_function": "non_saturating",
    "networks": "dcgan",
    "latents": 64,
    "prior": "normal",
    "conditional": False,
    "generator": {
        "width": 64,
        "samples": 1,  # latents drawn for each example of the batch
        "optimizer": {"name": "adam", "learning_rate": 2e-4, "b1": 0.5},
    },
    "discriminator": {
        "width": 64,
        "normalization": "batch",
        "optimizer": {"name": "adam", "learning_rate": 2e-4, "b1": 0.5},
        "times": 1,
        # More moves in the first rounds and in every so manieth one (WGAN's authors' code).
        "often": {"times": 1, "first": 0, "every": 0},
    },
    "penalty": {"name": "", "weight": 10.0},
    "unroll": {"steps": 0, "through": True},
    "tricks": tricks.OFF,
}
# Each: (generator, discriminator, axes of an example).
NETWORKS = {
    "dcgan": (dcgan.Generator, dcgan.Discriminator, 3),
    "dense_dcgan": (
        functools.partial(dcgan.Generator, dense=True),
        functools.partial(dcgan.Discriminator, dense=True),
        3,
    ),
    "small": (small.Generator, small.Discriminator, 3),
    "points": (points.Generator, points.Discriminator, 1),
}


class Game(NamedTuple):
    """A recipe opened: what is generated, by which networks, with which settings.

    subject, shape  the entry of the batch that is generated, and one example's shape
    classes         of its label, where both players know it; else 0
    """

    settings: ConfigDict
    subject: str
    shape: tuple[int, ...]
    classes: int
    generator: Network
    discriminator: Network
    optimizers: dict


def logits(outputs: int = 1):
    """A discriminator with so many outputs, as `open_game` takes it."""

    def make(settings, shape, dtype):
        chosen, module = settings.discriminator, NETWORKS[settings.networks][1]
        return module(chosen.width, outputs, chosen.normalization, dtype)

    return make


# Settings that one game alone combines freely; others refuse them rather than pass over them.
COMBINED = ("value_function", "conditional", "penalty", "unroll", "tricks")


def open_game(
    config, spec: Spec, discriminator=logits(), defaults: dict | None = None, combines: bool = False
) -> Game:
    """The networks and optimizers that a recipe names.

    discriminator  (settings, shape of an example, dtype) -> its module
    defaults       settings that the system has beside SETTINGS, or others than there
    combines       whether the system plays whatever COMBINED says

    Raises UserError on settings unknown, or a conditional game on data without labels.
    """
    defaults = {**SETTINGS, **(defaults or {})}
    settings = fill(config, defaults)
    for name in () if combines else COMBINED:
        asked, usual = (ConfigDict({name: part[name]}).to_json() for part in (settings, defaults))
        if asked != usual:  # As JSON: what a run has saved holds lists for tuples.
            raise UserError(
                f"{config.system} has its own game and takes no other {name}: leave it at"
                f" {defaults[name]}"
            )
    dtype, subject = jnp.dtype(config.dtype), subject_of(spec)
    shape = spec[subject].shape
    module, _, axes = choose("networks", settings.networks, NETWORKS)
    if axes != len(shape):
        raise UserError(
            f"networks {settings.networks} are for examples of {axes} axes, this data has {shape}:"
            " points for the plane, dcgan, dense_dcgan or small for images"
        )
    choose("prior", settings.prior, latents.PRIORS)
    one_of(
        "discriminator.normalization",
        settings.discriminator.normalization,
        dcgan.NORMALIZATIONS,
    )
    generator = module(shape, settings.generator.width, dtype)
    return Game(
        settings,
        subject,
        shape,
        classes_of(spec) if settings.conditional else 0,
        Network("generator", generator),
        Network("discriminator", discriminator(settings, shape, dtype)),
        {name: optimizer(settings[name].optimizer) for name in ("discriminator", "generator")},
    )


def noise(game: Game, key: Array, batch: Batch) -> Array:
    """z for each example, [B, D]."""
    prior = latents.PRIORS[game.settings.prior]
    return prior(example_keys(key, batch), (game.settings.latents,))


def latent(game: Game, key: Array, batch: Batch) -> Array:
    """What the generator begins with: z, and behind it the label's one-hot where it knows one."""
    return append_label(game, noise(game, key, batch), batch)


def repeated(batch: Batch, count: int) -> Batch:
    """Each example `count` times, every copy with a place of its own in the global batch."""
    copies = jax.tree.map(lambda v: jnp.repeat(v, count, axis=0), batch)
    place = copies["index"] * count + jnp.tile(jnp.arange(count), len(batch["index"]))
    return {**copies, "index": place}


def append_label(game: Game, x: Array, batch: Batch) -> Array:
    """x [B, ..., C] with the label's one-hot behind it at every place, where the game knows labels.

    Mirza & Osindero 2014 (CGAN, arXiv 1411.1784), eq. 2.
    """
    if not game.classes:
        return x
    hot = jax.nn.one_hot(batch["label"], game.classes)
    planes = jnp.broadcast_to(
        hot.reshape(-1, *[1] * (x.ndim - 2), game.classes), (*x.shape[:-1], game.classes)
    )
    return jnp.concatenate([x, planes], axis=-1)


def first_output(game: Game):
    """What a discriminator of logits says of examples: (variables, x [B, ...]) -> [B]."""

    def judge(variables, x):
        shown = jnp.tile(x, (1,) * (x.ndim - 1) + (game.settings.tricks.packing,))
        return network.work(game.discriminator, variables, shown)[:, 0]

    return judge


def functions(game: Game, judge: Callable) -> dict:
    """The generator at work: sample, interpolation, and for points the field D lays over them.

    judge  (variables, x [B, ...]) -> [B], what D says of examples
    """

    def decode(variables, z):
        return network.work(game.generator, variables, z)

    def sample(variables, batch, key):
        """Of the label asked for, where the game knows labels: it comes along."""
        outputs = {game.subject: decode(variables, latent(game, key, batch))}
        return outputs | ({"label": batch["label"]} if game.classes else {})

    def interpolation(variables, batch, key):
        """Along the great circle between two latents of one label, [B, FRAMES, H, W, C]."""
        ends = (noise(game, k, batch) for k in jax.random.split(key))
        z = jax.vmap(lambda z: append_label(game, z, batch), 1, 1)(latents.path(*ends, FRAMES))
        return {game.subject: unfold(lambda z: decode(variables, z), z)}

    def landscape(variables, batch, key):
        """Samples, and D's output at SIDE^2 places of the plane. Takes SIDE^2 examples."""
        row, column = jnp.divmod(batch["index"] % SIDE**2, SIDE)
        place = EXTENT * (2.0 * (jnp.stack([column, row], -1) + 0.5) / SIDE - 1.0)
        field = judge(variables, place)
        return {**sample(variables, batch, key), "place": place, "field": field}

    def classes(variables, batch, key):
        """Each label in turn with the same noise, [B, classes, H, W, C]."""
        asked = jnp.arange(game.classes)
        z = jax.vmap(
            lambda c: latent(game, key, {**batch, "label": jnp.full_like(batch["index"], c)}),
            out_axes=1,
        )(asked)
        return {game.subject: unfold(lambda z: decode(variables, z), z)}

    found = {"sample": sample}
    if game.classes:
        found["classes"] = classes
    if len(game.shape) == 3:
        found["interpolation"] = interpolation
    elif not game.classes:
        found["landscape"] = landscape
    return found


def unfold(function, x: Array) -> Array:
    """A function of [B, ...] over [B, T, ...]."""
    out = function(x.reshape(-1, *x.shape[2:]))
    return out.reshape(*x.shape[:2], *out.shape[1:])


def times(game: Game):
    """step -> how often D moves in this round."""
    often = game.settings.discriminator.often

    def count(step):
        more = step < often.first or (often.every and step % often.every == 0)
        return often.times if more else game.settings.discriminator.times

    return count


def phase(game: Game, init: Callable, objectives: dict, work: dict) -> Phase:
    """The game of objectives by player, in their order; D as often as the recipe says."""

    def player(name, objective):
        generator = name == "generator"
        return Player(
            name,
            owns=(name,),
            optimizer=game.optimizers[name],
            moves=(
                Move("value", objective) if generator else Move("value", objective, times(game)),
            ),
            average=warmed_up(game.settings.average) if generator else None,
        )

    players = tuple(player(name, objective) for name, objective in objectives.items())
    model = GenerativeModel(init, players, work)
    return Phase("train", model, game.settings.data, game.settings.steps)
