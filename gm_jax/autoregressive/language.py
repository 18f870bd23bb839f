"""What every model of text does: its game, its functions, and its prompt."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.autoregressive.causal import Causal, check_sampler, of_module, sample
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import (
    Array,
    Aux,
    Field,
    GenerativeModel,
    Move,
    Phase,
    Player,
    Variables,
    example_keys,
)
from gm_jax.optimizers import optimizer, warmed_up


def phases(
    config, spec, network: nn.Module, logits: Callable, places: int = 0
) -> tuple[Phase, ...]:
    """One phase, in which a network learns to predict the characters of a text.

    logits  (params, text [B, T], keys [B]) -> [B, T, K] of the network in training
    places  see `functions`
    """

    def init(key, batch, previous):
        return Variables({"network": network.init(key, batch["text"])["params"]})

    def nats(variables, batch, key, step):
        outputs = logits(variables.params["network"], batch["text"], example_keys(key, batch))
        return jnp.mean(cross_entropy(batch, outputs)), Aux()

    player = Player(
        "model",
        owns=("network",),
        optimizer=optimizer(config.optimizer),
        moves=(Move("nats", nats),),
        average=warmed_up(config.average),
    )
    causal = of_module(network)
    work = functions(config, spec["text"], causal, lambda v: v.params["network"], places)
    return (Phase("train", GenerativeModel(init, (player,), work), config.data, config.steps),)


def check_order(order: int, data) -> None:
    """Raises UserError where a window's first prediction would lack what the model sees."""
    if data.get("context", 1) < order - 1:
        raise UserError(
            f"a model of order {order} sees {order - 1} characters back: set data.context to that"
        )


def cross_entropy(batch, logits: Array) -> Array:
    """Nats per character of each window, [B]; characters count as the batch's `weight` says."""
    return -categorical(batch["text"], logits, batch["weight"])


def functions(
    config, field: Field, causal: Causal, params_of: Callable, places: int = 0
) -> dict[str, Callable]:
    """sample and bound of a model of text.

    params_of  variables -> what `causal` takes as parameters
    places     how many the network has; 0 where a sequence may go on for ever

    Raises UserError where the prompt has a character that the vocabulary has not.
    """
    settings = dict(config.sampler)
    check_sampler(*(settings[name] for name in ("temperature", "top_k", "top_p")))
    prompt = encode(settings.pop("prompt"), field.symbols)
    length = settings.pop("length") + len(prompt)
    points = np.array([ord(symbol) for symbol in field.symbols], np.int32)

    def sample_text(variables, batch, key):
        """The prompt and `sampler.length` characters after it, [B, T] code points."""
        keys = example_keys(key, batch)
        begun = jnp.broadcast_to(prompt, (len(keys), len(prompt)))
        size = min(length, places or length)
        drawn = onwards(causal, params_of(variables), keys, length, size, begun, **settings)
        return {"text": jnp.asarray(points)[drawn]}

    def bound(variables, batch, key):
        """Nats per character, [B]: over the windows of a split, the mean over its characters."""
        logits = causal.apply(params_of(variables), batch["text"], None)
        return {"nats_per_character": cross_entropy(batch, logits)}

    return {"sample": sample_text, "bound": bound}


def encode(prompt: str, symbols: str) -> np.ndarray:
    """A text as numbers of its characters in a vocabulary, [P] int32."""
    unknown = sorted(set(prompt) - set(symbols))
    if unknown:
        raise UserError(
            f"sampler.prompt has {''.join(unknown)!r}, which the text that the model learned from"
            f" has not; its characters are {symbols!r}"
        )
    return np.array([symbols.index(character) for character in prompt], np.int32)


def onwards(
    causal: Causal, params, keys: Array, length: int, places: int, prompt: Array, **settings
) -> Array:
    """`sample` of any length by a network of so many places, [B, length].

    When its places are full, the last half of them is the prompt of the next window.
    """
    prompt = prompt[:, :length]
    told, kept = prompt[:, : max(0, prompt.shape[1] - places)], places // 2
    text = sample(causal, params, keys, places, None, prompt[:, told.shape[1] :], **settings)

    def window(recent, number):
        fresh = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
        drawn = sample(causal, params, fresh, places, None, recent, **settings)
        return drawn[:, places - kept :], drawn[:, kept:]

    missing = length - told.shape[1] - places
    more = jnp.arange(1, 1 + -(-missing // (places - kept)))
    if not len(more):
        return jnp.concatenate([told, text], axis=1)
    _, rest = lax.scan(window, text[:, places - kept :], more)
    rest = jnp.moveaxis(rest, 0, 1).reshape(len(keys), -1)
    return jnp.concatenate([told, text, rest], axis=1)[:, :length]
