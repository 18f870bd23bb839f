"""A transformer that finds masked codes, of images or of films: MaskGIT's loss and its sampler.

Chang et al. 2022, MaskGIT: Masked Generative Image Transformer (arXiv 2202.04200):

    L = -E sum over masked i of log p(z_i | z_not_masked, y),  ceil(gamma(r) N) masked     eq. 1
    gamma(r) = cos(pi r / 2)                                                               3.3
    draw all masked codes, keep those it is surest of, gamma(t / T) N stay masked          3.2
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp

from gm_jax import replicas
from gm_jax.losses.likelihoods import smoothed_categorical
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.multimodal.shared import code_model, masked
from gm_jax.multimodal.shared.code_model import CodeModel
from gm_jax.nn.bert import Bert, BertSettings
from gm_jax.optimizers import Optimizer
from gm_jax.settings import Restartable, arguments, at_least, schema


@schema
class Sampler(code_model.Sampler):
    """From masks to codes.

    temperature  of the noise on the confidence in the first round; it falls to 0
    """

    temperature: Annotated[float, at_least(0.0)] = 4.5


@schema
class Settings(code_model.Settings):
    """A model of masked codes.

    least    share of the codes that is masked at least in training
    network  the transformer over codes
    """

    least: code_model.Share = 0.5
    network: BertSettings = BertSettings()
    optimizer: Optimizer = Optimizer(
        name="adamw",
        learning_rate=1e-4,
        arguments=dict(b1=0.9, b2=0.96, weight_decay=0.045),
    )
    sampler: Annotated[Sampler, Restartable()] = Sampler()


class MaskedCodes(NamedTuple):
    """A model of masked codes.

    model  of the first stage's codes, and the network over them
    loss   the objective
    drawn  (variables, batch, key, codes [B, N], known [B, N]) -> codes [B, N], drawn in the rounds
           of the sampler if they are not known
    """

    model: CodeModel
    loss: Callable
    drawn: Callable


def begin(settings: Settings, spec, stages, axes: bool = False) -> MaskedCodes:
    """By the stage `codes`; `axes` gives each axis of the grid positions of its own."""

    def module_of(code, classes, dtype):
        grid, own = code.shape if axes else (), arguments(settings.network)
        return Bert(code.cardinality, grid, **own, classes=classes, dtype=dtype)

    model = code_model.begin(settings, spec, stages, module_of, lambda codes: (codes,))
    sampler, mask = settings.sampler, model.tokens.code.cardinality

    def masked_loss(variables, batch, key, step):
        mask_keys, hide_keys, dropout_keys = (
            example_keys(k, batch) for k in jax.random.split(key, 3)
        )
        z, hidden = model.tokens.encode(variables, batch, key), model.hidden(hide_keys)
        chosen = masked.masks(mask_keys, model.tokens.length, settings.least)
        inputs = (jnp.where(chosen, mask, z),)
        outputs = model.logits(variables, batch, inputs, hidden, dropout_keys)
        count = replicas.mean(jnp.mean(jnp.sum(chosen, axis=1)))
        loss = -jnp.mean(smoothed_categorical(z, outputs, settings.smoothing, chosen)) / count
        right = jnp.sum(chosen & (jnp.argmax(outputs, axis=-1) == z), axis=1)
        return loss, Aux({"accuracy": jnp.mean(right) / count})

    def drawn(variables, batch, key, codes, known):
        def of(codes):
            return model.guided(variables, batch, (codes,))

        keys = example_keys(key, batch)
        return masked.decode(of, codes, known, keys, sampler.steps, mask, sampler.temperature)

    return MaskedCodes(model, masked_loss, drawn)


def phase(
    name: str, begun: MaskedCodes, functions: dict, settings: Settings, spec, stages
) -> tuple[Phase, ...]:
    """One player, in one phase."""
    moves = {"masked": begun.loss}
    return code_model.phase(name, begun.model, moves, functions, settings, spec, stages)
