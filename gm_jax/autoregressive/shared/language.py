"""What every model of text does: its game, its functions, and its prompt."""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax import causal, games, networks
from gm_jax.causal import Causal, of_module, sample
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Array, Aux, Field, Phase, example_keys
from gm_jax.networks import Network
from gm_jax.settings import Recipe, Restartable, arguments, at_least, schema


@schema
class Sampler(causal.Sampler):
    """How a text is continued.

    length  characters drawn after the prompt
    prompt  what a sample begins with
    """

    length: Annotated[int, at_least(1)] = 500
    prompt: str = ""


@schema
class Settings(Recipe):
    """A model of text.

    sampler  how a text is continued
    """

    sampler: Annotated[Sampler, Restartable()] = Sampler()


def order_wrong(order: int, settings: Settings):
    """Yields what is wrong if a window's first prediction would lack what the model sees."""
    if settings.data.context < order - 1:
        yield f"a model of order {order} sees {order - 1} characters back: set data.context to that"


def phase(
    settings: Settings, text: Field, network: Network, logits: Callable, length: int = 0
) -> Phase:
    """One phase, in which a network learns to predict the characters of a text.

    settings  of a system whose recipe has an `optimizer`, too
    logits    (variables, text [B, T], keys [B]) -> [B, T, K] of the network in training
    length    see `functions`
    """

    def init(key, batch, previous):
        return networks.init(key[None], (network, batch["text"]))

    def nats(variables, batch, key, step):
        outputs = logits(variables, batch["text"], example_keys(key, batch))
        return jnp.mean(cross_entropy(batch, outputs)), Aux()

    def params(variables):
        return variables.params[network.name]

    players = (games.player("model", (network.name,), {"nats": nats}, settings, settings.average),)
    work = functions(settings, text, of_module(network.module), params, length)
    return games.phase(settings, init, players, work)


def cross_entropy(batch, logits: Array) -> Array:
    """Nats per character of each window, [B]; characters count as the batch's `weight` says."""
    return -categorical(batch["text"], logits, batch["weight"])


def functions(
    settings: Settings, field: Field, network: Causal, params_of: Callable, length: int = 0
) -> dict[str, Callable]:
    """sample and bound of a model of text.

    params_of  variables -> what `network` takes as parameters
    length     positions the network has; 0 if its sequences have no limit

    Raises UserError if a character of the prompt is not in the vocabulary.
    """
    truncation = arguments(settings.sampler, "length", "prompt")
    prompt = encode(settings.sampler.prompt, field.symbols)
    total = settings.sampler.length + len(prompt)
    points = np.array([ord(symbol) for symbol in field.symbols], np.int32)

    def sample_text(variables, batch, key):
        """The prompt and `sampler.length` characters after it, [B, T] code points."""
        keys = example_keys(key, batch)
        start = jnp.broadcast_to(prompt, (len(keys), len(prompt)))
        window = min(total, length or total)
        drawn = onwards(network, params_of(variables), keys, total, window, start, **truncation)
        return {"text": jnp.asarray(points)[drawn]}

    def bound(variables, batch, key):
        """Nats per character, [B]: over the windows of a split, the mean over its characters."""
        logits = network.apply(params_of(variables), batch["text"], None)
        return {"nats_per_character": cross_entropy(batch, logits)}

    return {"sample": sample_text, "bound": bound}


def encode(prompt: str, symbols: str) -> np.ndarray:
    """A text as numbers of its characters in a vocabulary, [P] int32."""
    unknown = sorted(set(prompt) - set(symbols))
    if unknown:
        raise UserError(
            f"sampler.prompt has characters {''.join(unknown)!r}, which do not occur in the"
            f" training text; its characters are {symbols!r}"
        )
    return np.array([symbols.index(character) for character in prompt], np.int32)


def onwards(
    network: Causal, params, keys: Array, length: int, window: int, prompt: Array, **truncation
) -> Array:
    """`sample` of any length by a network of `window` positions, [B, length].

    When the window is full, its last half is the prompt of the next one.
    """
    prompt = prompt[:, :length]
    before, kept = prompt[:, : max(0, prompt.shape[1] - window)], window // 2
    prompt = prompt[:, before.shape[1] :]
    text = sample(network, params, keys, window, None, prompt, **truncation)

    def following(recent, number):
        fresh = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
        drawn = sample(network, params, fresh, window, None, recent, **truncation)
        return drawn[:, window - kept :], drawn[:, kept:]

    missing = length - before.shape[1] - window
    more = jnp.arange(1, 1 + -(-missing // (window - kept)))
    if not len(more):
        return jnp.concatenate([before, text], axis=1)
    _, rest = lax.scan(following, text[:, window - kept :], more)
    rest = jnp.moveaxis(rest, 0, 1).reshape(len(keys), -1)
    return jnp.concatenate([before, text, rest], axis=1)[:, :length]
