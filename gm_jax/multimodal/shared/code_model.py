"""What models over the codes of a first stage share: their codes, a condition, guidance.

z are the codes of the frozen first stage `stages.codes`, a workdir or a recipe; a network gives
logits of all codes from what is known of them and from y: nothing, a class or a caption. Guided as
Ho & Salimans 2022 (arXiv 2207.12598): logits (1 + w) given y - w without.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp

from gm_jax import code_tokens, conditions, games, networks
from gm_jax.code_tokens import Tokens
from gm_jax.model import Array, Batch, Phase, Variables
from gm_jax.multimodal.shared import masked
from gm_jax.networks import Network
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, at_least, at_most, schema

Share = Annotated[float, at_least(0.0), at_most(1.0)]


@schema
class Sampler:
    """From noise to codes.

    steps      rounds
    guidance   w; 0 for the conditional model as it is
    plausible  of the likeliest code's probability, the share that a code needs to be drawn at all
               when guided; 0 for no limit
    prompt     what all samples show, for a model of captions; "" for the captions of the data
    """

    steps: Annotated[int, at_least(1)] = 12
    guidance: Annotated[float, at_least(0.0)] = 0.0
    plausible: Share = 0.0
    prompt: str = ""


@schema
class Settings(Recipe):
    """A model of codes.

    condition          what the network knows besides
    condition_dropout  share of examples whose condition is hidden in training
    smoothing          share of the target that is spread over all codes
    optimizer          one of optax's
    sampler            how codes are drawn
    """

    condition: conditions.Settings = conditions.Settings()
    condition_dropout: Share = 0.1
    smoothing: Share = 0.1
    optimizer: Optimizer = adam(1e-4)
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        guidable = self.condition.name and self.condition_dropout
        if self.sampler.guidance and not guidable:
            yield (
                "sampler.guidance needs a model trained with condition.name and"
                " condition_dropout > 0: without them there is nothing to move away from"
            )
        if self.sampler.prompt and self.condition.name != "caption":
            yield "sampler.prompt needs a model trained with condition.name=caption"
        yield from masked.unguided(self.sampler)


class CodeModel(NamedTuple):
    """A network over the codes [B, N] of a first stage.

    tokens   of the first stage
    owns     the subtrees of the parameters that are trained
    init     (key, batch, previous) -> variables of the network and of its condition
    logits   (variables, batch, inputs, hidden, keys) -> [B, N, K]; the condition is hidden from the
             examples `hidden` [B], keys are of dropout
    guided   (variables, batch, inputs) -> logits [B, N, K] to draw from
    hidden   keys [B] -> the examples whose condition is hidden in training, [B]
    known    (variables, batch, hidden) -> label [B] and context [B, L, D] of what samples show
    network  which has the logits
    """

    tokens: Tokens
    owns: tuple[str, ...]
    init: Callable
    logits: Callable
    guided: Callable
    hidden: Callable
    known: Callable
    network: Network


def begin(
    settings: Settings, spec, stages, module_of: Callable, inputs: Callable,
    others: tuple[str, ...] = (),
) -> CodeModel:  # fmt: skip
    """The codes of `stages.codes`, and a network over them.

    module_of  (field "code" of the first stage, classes, dtype) -> module, called with (*inputs,
               label, keys, context)
    inputs     codes [B, N] -> an example of what the network is given before the label
    others     names of stages that the system may have besides
    """
    tokens, sampler = code_tokens.tokens(spec, stages, others), settings.sampler
    dtype = jnp.dtype(settings.dtype)
    condition = conditions.make(settings.condition, spec, dtype)
    asked = conditions.prompted(sampler.prompt, spec)
    network = Network("network", module_of(tokens.code, condition.classes, dtype))

    def logits(variables, batch, inputs, hidden, keys=None):
        label, context = condition.inputs(variables, batch, hidden)
        return network(variables, *inputs, label, keys, context)

    def guided(variables, batch, inputs):
        batch = asked(batch)
        given = logits(variables, batch, inputs, False)
        if not sampler.guidance:
            return given
        null = logits(variables, batch, inputs, True)
        return masked.guided(given, null, sampler.guidance, sampler.plausible)

    def init(key, batch, previous):
        network_key, condition_key = jax.random.split(key)
        own = condition.init(condition_key, batch)
        label, context = condition.inputs(own, batch, False)
        example = inputs(jnp.zeros((len(batch["index"]), tokens.length), jnp.int32))
        variables = networks.init(network_key[None], (network, *example, label, None, context))
        return variables._replace(params=variables.params | own.params)

    def hidden(keys):
        share = settings.condition_dropout
        return jax.vmap(lambda key: jax.random.bernoulli(key, share))(keys)

    def known(variables, batch, hidden):
        return condition.inputs(variables, asked(batch), hidden)

    owns = ("network", *condition.owns)
    return CodeModel(tokens, owns, init, logits, guided, hidden, known, network)


def functions_of(model: CodeModel, settings: Settings, drawn: Callable) -> dict[str, Callable]:
    """sample and inpaint, by drawn(variables, batch, key, codes, known) -> codes [B, N]."""

    def sample(variables, batch, key):
        """Images or films of which nothing is known; with the label asked for, if there is one."""
        nothing = jnp.zeros((len(batch["index"]), model.tokens.length), jnp.int32)
        codes = drawn(variables, batch, key, nothing, nothing > 0)
        made = {model.tokens.name: model.tokens.decode(variables, batch, key, codes)}
        return made | ({"label": batch["label"]} if settings.condition.name == "label" else {})

    def inpaint(variables, batch, key):
        """The example by the first stage, and with the second half of its codes made anew.

        [B, 2, ...]; of an image that is its lower half, of a film its later times.
        """
        z = model.tokens.encode(variables, batch, key)
        known = jnp.broadcast_to(
            jnp.arange(model.tokens.length) < model.tokens.length // 2, z.shape
        )
        return beside(model, variables, batch, key, z, drawn(variables, batch, key, z, known))

    return {"sample": sample, "inpaint": inpaint}


def beside(model: CodeModel, variables: Variables, batch: Batch, key: Array, *codes: Array) -> dict:
    """The images or films of several codes [B, N] of each example, side by side: [B, k, ...]."""
    made = [model.tokens.decode(variables, batch, key, own) for own in codes]
    return {model.tokens.name: jnp.stack(made, axis=1)}


def phase(
    name: str, model: CodeModel, moves: dict, functions: dict, settings: Settings, spec, stages
) -> tuple[Phase, ...]:
    """One player owns the network and what reads its condition, in one phase."""
    players = (games.player(name, model.owns, moves, settings, settings.average),)
    return (games.phase(settings, model.init, players, functions, spec, stages),)
