"""DALL-E: a text and the codes of its image as one sequence, symbol after symbol.

Ramesh et al. 2021, Zero-Shot Text-to-Image Generation (arXiv 2102.12092), section 2.2:

    log p(t, z) = sum_i log p(t_i | t_<i) + sum_i log p(z_i | t, z_<i)
    L = -(mean_i log p(t_i | ..) + 7 mean_i log p(z_i | ..)) / 8                    appendix B.2
    of n draws of z given t the one is shown that a CLIP finds nearest to t         section 2.5

z are the codes of the frozen first stage `stages.codes`, a workdir or a recipe; the CLIP is
`stages.clip`. Guided as Ho & Salimans 2022: logits (1 + w) given t - w given an empty text.
"""

import dataclasses
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from gm_jax import causal, code_tokens, conditions, games, networks
from gm_jax.causal import Causal, of_module
from gm_jax.clip_stage import check_clip, nearest
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.multimodal.shared import masked
from gm_jax.multimodal.shared.guided_causal import Sampler, guided, unranked
from gm_jax.networks import Network
from gm_jax.nn.text_image_transformer import (
    TextImageTransformer,
    TransformerSettings,
    own_symbols,
)
from gm_jax.optimizers import Optimizer
from gm_jax.settings import (
    Recipe,
    Recipes,
    Restartable,
    arguments,
    at_least,
    at_most,
    schema,
)


@schema
class Settings(Recipe):
    """DALL-E.

    image_weight       weight of a code's loss, of a text's symbol 1
    condition_dropout  share of examples whose text is empty in training
    network            the transformer over text and codes
    optimizer          one of optax's
    sampler            how codes are drawn
    """

    image_weight: Annotated[float, at_least(0.0)] = 7.0
    condition_dropout: Annotated[float, at_least(0.0), at_most(1.0)] = 0.0
    network: TransformerSettings = TransformerSettings()
    optimizer: Optimizer = Optimizer(
        name="adamw",
        learning_rate=4.5e-4,
        arguments=dict(b1=0.9, b2=0.96, eps=1e-8, weight_decay=0.045),
    )
    sampler: Annotated[Sampler, Restartable()] = Sampler()
    stages: Annotated[dict[str, Any], Recipes(late=("clip",))] = dataclasses.field(
        default_factory=dict
    )

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.sampler.guidance and not self.condition_dropout:
            yield (
                "sampler.guidance needs a model trained with condition_dropout > 0: without it"
                " there is nothing to move away from"
            )
        yield from unranked(self)
        yield from masked.unguided(self.sampler)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns texts and codes, in one phase; configs/dalle_shapes.py."""
    tokens, caption = code_tokens.tokens(spec, stages, ("clip",)), field_of(spec, "caption")
    (code, count), sampler = (tokens.code, tokens.length), settings.sampler
    _check(code, caption)
    if "clip" in stages:
        check_clip(stages["clip"], caption, spec["image"])
    (length,) = caption.shape
    module = TextImageTransformer(
        caption.cardinality, length, code.cardinality, code.shape, **arguments(settings.network),
        dtype=jnp.dtype(settings.dtype),
    )  # fmt: skip
    network, first_code = Network("transformer", module), module.first_code
    own = arguments(sampler, "guidance", "plausible", "best_of", "prompt")
    asked = conditions.prompted(sampler.prompt, spec)
    drawing = of_module(module)
    if sampler.guidance:
        away = without_text(drawing, length)
        drawing = guided(drawing, away, sampler.guidance, sampler.plausible)

    def sequence(variables, batch, key, hidden):
        """The text, empty where it is hidden [B], and the codes after it, [B, T]."""
        text = jnp.where(hidden[:, None], 0, batch["caption"])
        codes = first_code + tokens.encode(variables, batch, key)
        return jnp.concatenate([text, codes], axis=1)

    def init(key, batch, previous):
        empty = jnp.zeros((len(batch["index"]), length + count), jnp.int32)
        return networks.init(key[None], (network, empty))

    def negative_log_prob(variables, batch, key, step):
        hide_keys, dropout_keys = (example_keys(k, batch) for k in jax.random.split(key))
        share = settings.condition_dropout
        hidden = jax.vmap(lambda key: jax.random.bernoulli(key, share))(hide_keys)
        x = sequence(variables, batch, key, hidden)
        text, image = of_parts(x, network(variables, x, None, dropout_keys))
        weight = settings.image_weight
        metrics = {"nats_per_symbol": jnp.mean(text), "nats_per_code": jnp.mean(image)}
        loss = (metrics["nats_per_symbol"] + weight * metrics["nats_per_code"]) / (1.0 + weight)
        return loss, Aux(metrics)

    def of_parts(x, logits):
        """Nats per symbol of the text [B], and per code of the image [B]."""
        target = own_symbols(x, jnp.arange(x.shape[1]), caption.cardinality, length)
        parts = slice(length), slice(length, None)
        return [-categorical(target[:, p], logits[:, p]) / len(target[0, p]) for p in parts]

    def drawn(variables, batch, key):
        """Images of codes that are drawn one by one after each text."""
        keys = example_keys(key, batch)
        params = variables.params["transformer"]
        x = causal.sample(drawing, params, keys, length + count, prompt=batch["caption"], **own)
        return tokens.decode(variables, batch, key, x[:, length:] - first_code)

    def sample(variables, batch, key):
        """An image of each caption, or of the prompt: of `best_of` the nearest by CLIP."""
        pair = asked(batch)

        def draw(key):
            return drawn(variables, pair, key)

        return {tokens.name: nearest(stages, sampler.best_of, variables, pair, key, draw)}

    def likelihood(variables, batch, key):
        """Nats per symbol of the text, and per code given it, [B] each."""
        shown = jnp.zeros(len(batch["index"]), bool)
        x = sequence(variables, batch, key, shown)
        text, image = of_parts(x, network(variables, x))
        return {"nats_per_symbol": text, "nats_per_code": image}

    moves, average = {"negative_log_prob": negative_log_prob}, settings.average
    players = (games.player("dalle", ("transformer",), moves, settings, average),)
    functions = {"sample": sample, "likelihood": likelihood}
    return (games.phase(settings, init, players, functions, spec, stages),)


def without_text(own: Causal, length: int) -> Causal:
    """The network, its text of this length empty whatever it is."""

    def apply(params, x, condition):
        return own.apply(params, x.at[:, :length].set(0), condition)

    def step(params, cache, previous, position):
        return own.step(params, cache, jnp.where(position <= length, 0, previous), position)

    return Causal(apply, own.begin, step)


def _check(code, caption) -> None:
    """Raises UserError for codes without rows, and texts without a padding."""
    if len(code.shape) != 2:
        raise UserError(
            f"stages.codes has codes of shape {code.shape}: rows and columns need one grid, such"
            " as that of a vqvae"
        )
    if not caption.symbols:
        raise UserError("DALL-E reads captions as words: set data.captions=words")
