"""The contract: a generative model is a game played with pure functions.

    GenerativeModel
        init        (key, batch, previous) -> Variables
        players     in the order they move
        functions   {name: (variables, batch, key) -> batch}     what the trained model does

A likelihood model is a game with one player, a GAN one with two. Everything that differs between
families is in the objectives; the trainer (`gm_jax/training`) knows this file alone.

A batch is a dict of arrays with the same leading axis: `image` [B, H, W, C] float32 in [-1, 1],
`label` [B] int32, `text` [B, T] int32 (numbers of characters), `audio` [B, T] float32 in [-1, 1],
`weight` [B, T] float32 (the weight of each position of a sequence), ..., and always `index` [B]
int32, the example's position in the global batch; for `functions`, among all examples.
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

    An image has 256 values a channel (evenly from -1 to 1), or 2 in black and white; a label has
    one for each class, a character one for each entry of the vocabulary; None means real numbers.
    `symbols` are a text's symbols in the order of their numbers: its characters, or words. Entries
    of one `domain` belong together, such as an image and its label map: they are flipped and
    cropped alike. Entries of different domains are not paired. `encode` makes a string the entry's
    value, if its symbols are not words.
    """

    shape: tuple[int, ...]
    cardinality: int | None = None
    symbols: Sequence[str] = ""
    domain: str = ""
    encode: Callable[[str], Any] | None = None


Spec = Mapping[str, Field]


def field_of(spec: Spec, name: str) -> Field:
    """The entry that a system needs. Raises UserError if the data has no entry of that name."""
    if name not in spec:
        raise UserError(
            f"this system needs `{name}`; this data set has {', '.join(spec)}: choose another data"
            " set"
        )
    return spec[name]


def modality_of(spec: Spec) -> str:
    """The entry that a model of one kind of data generates: the first that is not a label."""
    return next(name for name in spec if name != "label")


def classes_of(spec: Spec) -> int:
    """The number of classes. Raises UserError if the data has no labels."""
    if "label" not in spec:
        raise UserError(
            "this data set has no labels: set conditional=False if the system can do without them,"
            " or choose another data set"
        )
    return spec["label"].cardinality


class Variables(NamedTuple):
    """Everything that a game changes or reads while it is played.

    params   learned, by the name of the subtree that a player owns
    state    carried from move to move and equal on all devices (batch statistics, chains, pools)
    frozen   {stage: its variables} (`Phase.stages`): read, never differentiated or donated
    opt      {player: state of its optimizer}, made by the trainer
    average  {player: moving average of what it owns}, made by the trainer if the player has one
    """

    params: dict[str, PyTree]
    state: dict[str, PyTree] = {}
    frozen: dict[str, "Variables"] = {}
    opt: dict[str, PyTree] = {}
    average: dict[str, PyTree] = {}


class Aux(NamedTuple):
    """What an objective returns besides its value.

    metrics  {name: scalar}, averaged over the devices by the trainer
    state    the top-level entries of `Variables.state` that it replaces, equal on all devices:
             make them with `replicas.mean` and `replicas.gather`, the trainer does not average them
    """

    metrics: dict[str, Array] = {}
    state: dict[str, PyTree] = {}


Objective = Callable[[Variables, Batch, Array, Array], tuple[Array, Aux]]


class Move(NamedTuple):
    """One step of a player's optimizer on one objective, compiled as one program.

    objective  (variables, batch, key, step) -> (scalar to minimise, Aux)
    times      step -> how often it is played in this round, decided on the host
    """

    name: str
    objective: Objective
    times: Callable[[int], int] = lambda step: 1


class Player(NamedTuple):
    """Who moves: the subtrees of `params` it owns, its optimizer (optax), its moves in order.

    average    rounds played -> decay of the moving average of what it owns, which moves once a
               round; None for no average
    """

    name: str
    owns: tuple[str, ...]
    optimizer: Any
    moves: tuple[Move, ...]
    average: Callable[[Array], Array] | None = None


class GenerativeModel(NamedTuple):
    """A game: how it starts, who plays, and what the trained model can do.

    init       (key, batch, previous) -> Variables with params and state; `previous` holds the
               variables at the end of the phase before, or None
    functions  {name: (variables, batch, key) -> batch}: sample, reconstruct, bound, ...; they read
               from the batch only what they need (`index` always, `label` if conditional).
               `encode` never reads a label: it returns each example's `code`, of symbols, or
               real numbers (`latent`, `point`, `hidden`), which can be features for a classifier
    spec       what its functions take and return, if a later stage builds on them: the images that
               a VQ-VAE encodes, and their `code`
    calibrate  averaged variables -> the entries of the state that functions find in place of those
               of training, such as batch statistics of averaged weights; None for no such entries
    """

    init: Callable[[Array, Batch, Variables | None], Variables]
    players: tuple[Player, ...]
    functions: dict[str, Callable[[Variables, Batch, Array], Batch]]
    spec: Spec = {}
    calibrate: Callable[[Variables], dict[str, PyTree]] | None = None


class Phase(NamedTuple):
    """A stretch of training with one model on one data set; its step and optimizers start afresh.

    data    the `data` part of a recipe, as `gm_jax.data.open_source` takes it
    steps   rounds to play; 0 if nothing is trained, as with published weights
    stages  {name: Stage} that it builds on; its `Variables.frozen` holds their variables
    start   stages -> the variables that `init` receives as `previous` if no phase was before it:
            published weights to go on from, or a stage's; None for nothing
    """

    name: str
    model: GenerativeModel
    data: Any
    steps: int
    stages: Mapping[str, "Stage"] = {}
    start: Callable[[Mapping[str, "Stage"]], Variables] | None = None


class Stage(NamedTuple):
    """What a system builds on: an earlier model and its variables.

    variables  those of another run; or, if this run trains the stage first, the name of the
               stage's last phase; or a function that reads them when they are needed
    late       whether only functions read it, never an objective: then it may come, go and change
               after training
    """

    model: GenerativeModel
    variables: Variables | str | Callable[[], Variables]
    late: bool = False


# What a system's file exports besides its `Settings`, as `build`:
# (settings, spec of the data, {name: Stage}) -> phases in order.
Build = Callable[[Any, Spec, Mapping[str, Stage]], tuple[Phase, ...]]


def example_keys(key: Array, batch: Batch) -> Array:
    """One key per example, [B]: its noise depends only on its position in the global batch.

    So one device and eight draw the same noise for the same example.
    """
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, batch["index"])
