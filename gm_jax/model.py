"""The contract: a generative model is a game played with pure functions.

    GenerativeModel
        init        (key, batch, previous) -> Variables
        players     in the order they move
        functions   {name: (variables, batch, key) -> batch}     the model at work

A likelihood model is a game with one player, a GAN one with two. Everything that differs between
families is in the objectives; the trainer (`gm_jax/training`) knows this file alone.

A batch is a dict of arrays with the same leading axis: `image` [B, H, W, C] float32 in [-1, 1],
`label` [B] int32, `text` [B, T] int32 (numbers of characters), `audio` [B, T] float32 in [-1, 1],
`weight` [B, T] float32 (what each position of a sequence counts), ..., and always `index` [B]
int32, the example's position in the global batch; for `functions`, its number in the request.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from gm_jax.errors import UserError

Array = jax.Array
Batch = Mapping[str, Array]
PyTree = Any


class Field(NamedTuple):
    """What one entry of a batch looks like: the shape of one example, and how many values it takes.

    An image has 256 values a channel (evenly from -1 to 1), or 2 in black and white; a label as
    many as there are classes, a character as many as the vocabulary holds; None for real numbers.
    `symbols` are a text's symbols in the order of their numbers: its characters, or words. Entries
    of one `domain` belong together, as an image and its label map: they are flipped and cropped
    alike. Those of several domains are not paired.
    """

    shape: tuple[int, ...]
    cardinality: int | None = None
    symbols: Sequence[str] = ""
    domain: str = ""


Spec = Mapping[str, Field]


def field_of(spec: Spec, name: str) -> Field:
    """The entry a system needs. Raises UserError if the data has none of that name."""
    if name not in spec:
        raise UserError(
            f"this system needs `{name}`; this data set has {', '.join(spec)}: choose another one"
        )
    return spec[name]


def modality_of(spec: Spec) -> str:
    """The entry that a model of one kind of data is about: the first that is no label."""
    return next(name for name in spec if name != "label")


def classes_of(spec: Spec) -> int:
    """How many labels there are. Raises UserError if the data has no labels."""
    if "label" not in spec:
        raise UserError(
            "this data set has no labels: set conditional=False if the system can do without, or"
            " choose another one"
        )
    return spec["label"].cardinality


class Variables(NamedTuple):
    """All that a game changes or looks up while it is played.

    params   learned, by name of the subtree that a player owns
    state    carried from move to move and equal on all devices (batch statistics, chains, pools)
    frozen   {stage: its variables} (`Phase.stages`): read, never differentiated or donated
    opt      {player: state of its optimizer}, made by the trainer
    average  {player: moving average of what it owns}, made by the trainer for players that ask
    """

    params: dict[str, PyTree]
    state: dict[str, PyTree] = {}
    frozen: dict[str, "Variables"] = {}
    opt: dict[str, PyTree] = {}
    average: dict[str, PyTree] = {}


class Aux(NamedTuple):
    """What an objective returns beside its value.

    metrics  {name: scalar}, averaged over the devices by the trainer
    state    the top-level entries of `Variables.state` that it replaces, equal on all devices:
             make them with `replicas.mean` and `replicas.gather`, the trainer does not average them
    """

    metrics: dict[str, Array] = {}
    state: dict[str, PyTree] = {}


Objective = Callable[[Variables, Batch, Array, Array], tuple[Array, Aux]]


class Move(NamedTuple):
    """One thing a player does: a step of its optimizer down an objective, compiled as one program.

    objective  (variables, batch, key, step) -> (scalar to minimise, Aux)
    times      step -> how often it is played in this round, decided on the host
    """

    name: str
    objective: Objective
    times: Callable[[int], int] = lambda step: 1


class Player(NamedTuple):
    """Who moves: the subtrees of `params` it owns, its one optimizer (optax), its moves in order.

    average    rounds played -> decay of the moving average kept of what it owns, which moves once a
               round; None to keep none
    """

    name: str
    owns: tuple[str, ...]
    optimizer: Any
    moves: tuple[Move, ...]
    average: Callable[[Array], Array] | None = None


class GenerativeModel(NamedTuple):
    """A game: how it begins, who plays, and what the trained model can do.

    init       (key, batch, previous) -> Variables with params and state; `previous` holds the
               variables of the phase before as they ended, or None
    functions  {name: (variables, batch, key) -> batch}: sample, reconstruct, bound, ...; they read
               from the batch only what they need (`index` always, `label` where conditional)
    spec       what its functions take and give, where a later stage builds upon that: the images a
               VQ-VAE encodes, and their `code`
    """

    init: Callable[[Array, Batch, Variables | None], Variables]
    players: tuple[Player, ...]
    functions: dict[str, Callable[[Variables, Batch, Array], Batch]]
    spec: Spec = {}


class Phase(NamedTuple):
    """A stretch of training with one model on one data set; its step and optimizers start anew.

    data    the `data` part of a recipe, as `gm_jax.data.open_source` takes it
    steps   rounds to play
    stages  {name: Stage} that it builds upon; its `Variables.frozen` holds their variables
    """

    name: str
    model: GenerativeModel
    data: Any
    steps: int
    stages: Mapping[str, "Stage"] = {}


class Stage(NamedTuple):
    """What a system builds upon: an earlier model and its variables.

    variables  those of another run; or, of a stage trained first in this run, the name of the
               phase that it ends with
    """

    model: GenerativeModel
    variables: Variables | str


# What a system's file exports beside its `Settings`, as `build`:
# (settings, spec of the data, {name: Stage}) -> phases in order.
Build = Callable[[Any, Spec, Mapping[str, Stage]], tuple[Phase, ...]]


def example_keys(key: Array, batch: Batch) -> Array:
    """One key an example, [B]: noise that depends on its position in the global batch alone.

    With it, one device and eight draw the same noise for the same example.
    """
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, batch["index"])
