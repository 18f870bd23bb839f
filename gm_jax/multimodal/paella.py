"""Paella: the codes of an image from random ones, in a few rounds.

Rampas, Pernias & Aubreville 2022, A Novel Sampling Scheme for Text- and Image-Conditional Image
Synthesis in Quantized Latent Spaces (arXiv 2211.07292), and the code of its authors:

    z_r = z, each code replaced with probability r by a random one,   r ~ U(0, 1)
    L = -E sum_i w_i log p(z_i | z_r, r, y) / sum_i w_i               all codes, smoothed
    w_i = 1 - (1 - noised_i) (1 - r) discount                         of the large model
    sampling: draw all codes, noise a share r_{t+1} of them again with the first noise, T rounds

z are the codes of the frozen first stage `stages.codes`, a workdir or a recipe; y is nothing, a
class or a caption. Guided as Ho & Salimans 2022: logits (1 + w) given y - w without.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax.losses.likelihoods import smoothed_categorical
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.multimodal.shared import code_model, renoised
from gm_jax.nn.code_unet import CodeUNet
from gm_jax.nn.layers import uniform
from gm_jax.nn.unet import UNet, UNetSettings
from gm_jax.optimizers import Optimizer
from gm_jax.settings import Restartable, above, arguments, at_least, schema


@schema
class Sampler(code_model.Sampler):
    """From random codes to codes.

    renoise_steps     rounds after which codes are noised again: the first ones
    temperature       of the logits in the first round
    last_temperature  that in the last round; between them it falls in equal steps
    variation         share of an image's codes that `vary` noises
    """

    renoise_steps: Annotated[int, at_least(0)] = 11
    temperature: Annotated[float, above(0.0)] = 0.7
    last_temperature: Annotated[float, above(0.0)] = 0.3
    variation: code_model.Share = 0.7


@schema
class Settings(code_model.Settings):
    """Paella.

    discount  by how much the loss of a code that is shown weighs less when little is noised; 0 for
              one weight for all
    network   the U-Net over codes
    """

    condition_dropout: code_model.Share = 0.05
    discount: code_model.Share = 0.0
    network: UNetSettings = UNetSettings()
    optimizer: Optimizer = Optimizer(
        name="adamw",
        learning_rate=1e-4,
        warmup_steps=10_000,
        clip_norm=1.0,
        arguments=dict(weight_decay=0.01),
    )
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        sampler = self.sampler
        if sampler.renoise_steps >= sampler.steps:
            yield (
                f"sampler.renoise_steps {sampler.renoise_steps} must be below sampler.steps"
                f" {sampler.steps}: what the last round draws is the answer"
            )
        if (self.condition.name == "caption") != bool(self.network.transformer_blocks):
            yield (
                "captions are read by cross-attention: condition.name=caption goes with"
                " network.transformer_blocks of 1 or more"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns the codes, in one phase; configs/paella_shapes.py."""

    def module_of(code, classes, dtype):
        own = dict(classes=classes, out_channels=code.cardinality, dtype=dtype)
        return CodeUNet(code.shape, UNet(**arguments(settings.network), **own))

    def example(codes):
        return codes, jnp.zeros(len(codes))

    model = code_model.begin(settings, spec, stages, module_of, example)
    sampler, count = settings.sampler, model.tokens.code.cardinality

    def noised_loss(variables, batch, key, step):
        share_keys, noise_keys, position_keys, hide_keys, dropout_keys = (
            example_keys(k, batch) for k in jax.random.split(key, 5)
        )
        z, hidden = model.tokens.encode(variables, batch, key), model.hidden(hide_keys)
        share = uniform(share_keys, ())
        noise = renoised.random_codes(noise_keys, model.tokens.length, count)
        shown, chosen = renoised.noised(z, noise, share, position_keys)
        outputs = model.logits(variables, batch, (shown, share), hidden, dropout_keys)
        weight = renoised.weights(chosen, share, settings.discount)
        weight = weight / jnp.sum(weight, axis=1, keepdims=True)
        loss = -jnp.mean(smoothed_categorical(z, outputs, settings.smoothing, weight))
        return loss, Aux({"accuracy": jnp.mean(jnp.argmax(outputs, axis=-1) == z)})

    def drawn(variables, batch, key, codes, known, start=1.0):
        """Codes [B, N] where they are not known, from a share `start` of random ones."""
        noise_keys, keys = (example_keys(k, batch) for k in jax.random.split(key))
        noise = renoised.random_codes(noise_keys, model.tokens.length, count)

        def of(codes, share):
            return model.guided(variables, batch, (codes, share))

        rounds = sampler.steps, sampler.renoise_steps
        temperatures = sampler.temperature, sampler.last_temperature
        return renoised.decode(of, codes, noise, known, keys, start, *rounds, temperatures)

    def vary(variables, batch, key):
        """The image by the first stage, and another of its structure: noised, and drawn again.

        [B, 2, H, W, C]. A caption is that of the image, or `sampler.prompt`.
        """
        z = model.tokens.encode(variables, batch, key)
        other = drawn(variables, batch, key, z, jnp.zeros(z.shape, bool), sampler.variation)
        return code_model.beside(model, variables, batch, key, z, other)

    functions = code_model.functions_of(model, settings, drawn) | {"vary": vary}
    moves = {"noised": noised_loss}
    return code_model.phase("paella", model, moves, functions, settings, spec, stages)
