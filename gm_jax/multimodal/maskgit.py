"""MaskGIT: the codes of an image, all at once, in a few rounds.

Chang et al. 2022, MaskGIT: Masked Generative Image Transformer (arXiv 2202.04200):

    L = -E sum over masked i of log p(z_i | z_not_masked, y),  ceil(gamma(r) N) masked     eq. 1
    gamma(r) = cos(pi r / 2)                                                               3.3
    draw all masked codes, keep those it is surest of, gamma(t / T) N stay masked          3.2

z are the codes of the frozen first stage `stages.codes`, a workdir or a recipe; y is nothing, a
class or a caption. Guided as Ho & Salimans 2022: logits (1 + w) given y - w without.
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import conditions, games, image_tokens, networks, replicas
from gm_jax.losses.likelihoods import smoothed_categorical
from gm_jax.model import Aux, Phase, example_keys
from gm_jax.multimodal.shared import masked
from gm_jax.networks import Network
from gm_jax.nn.bert import Bert, BertSettings
from gm_jax.optimizers import Optimizer
from gm_jax.settings import Recipe, Restartable, arguments, at_least, at_most, schema

Share = Annotated[float, at_least(0.0), at_most(1.0)]


@schema
class Sampler:
    """From masks to codes.

    steps        rounds
    temperature  of the noise on the confidence in the first round; it falls to 0
    guidance     w; 0 for the conditional model as it is
    prompt       what all samples show, for a model of captions; "" for the captions of the data
    """

    steps: Annotated[int, at_least(1)] = 12
    temperature: Annotated[float, at_least(0.0)] = 4.5
    guidance: Annotated[float, at_least(0.0)] = 0.0
    prompt: str = ""


@schema
class Settings(Recipe):
    """MaskGIT.

    condition          what the network knows besides
    condition_dropout  share of examples whose condition is hidden in training
    least              share of the codes that is masked at least in training
    smoothing          share of the target that is spread over all codes
    network            the transformer over codes
    optimizer          one of optax's
    sampler            how codes are drawn
    """

    condition: conditions.Settings = conditions.Settings()
    condition_dropout: Share = 0.1
    least: Share = 0.5
    smoothing: Share = 0.1
    network: BertSettings = BertSettings()
    optimizer: Optimizer = Optimizer(
        name="adamw",
        learning_rate=1e-4,
        arguments=dict(b1=0.9, b2=0.96, weight_decay=0.045),
    )
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


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns the codes, in one phase; configs/maskgit_mnist.py."""
    first, sampler = image_tokens.first_stage(spec, stages), settings.sampler
    code, dtype = first.model.spec["code"], jnp.dtype(settings.dtype)
    length, mask = math.prod(code.shape), code.cardinality
    condition = conditions.make(settings.condition, spec, dtype, sampler.prompt)
    own = arguments(settings.network)
    module = Bert(mask, **own, classes=condition.classes, dtype=dtype)
    network = Network("network", module)

    def at_first(name, variables, batch, key):
        """A function of the first stage, by its frozen variables."""
        return first.model.functions[name](variables.frozen["codes"], batch, key)

    def codes_of(variables, batch, key):
        return at_first("encode", variables, batch, key)["code"].reshape(-1, length)

    def logits(variables, batch, codes, hidden, keys=None):
        label, context = condition.inputs(variables, batch, hidden)
        return network(variables, codes, label, keys, context)

    def init(key, batch, previous):
        network_key, condition_key = jax.random.split(key)
        known = condition.init(condition_key, batch)
        label, context = condition.inputs(known, batch, False)
        empty = jnp.zeros((len(batch["index"]), length), jnp.int32)
        variables = networks.init(network_key[None], (network, empty, label, None, context))
        return variables._replace(params=variables.params | known.params)

    def masked_loss(variables, batch, key, step):
        mask_keys, hide_keys, dropout_keys = (
            example_keys(k, batch) for k in jax.random.split(key, 3)
        )
        z, hidden = codes_of(variables, batch, key), _coins(hide_keys, settings.condition_dropout)
        chosen = masked.masks(mask_keys, length, settings.least)
        outputs = logits(variables, batch, jnp.where(chosen, mask, z), hidden, dropout_keys)
        count = replicas.mean(jnp.mean(jnp.sum(chosen, axis=1)))
        loss = -jnp.mean(smoothed_categorical(z, outputs, settings.smoothing, chosen)) / count
        right = jnp.sum(chosen & (jnp.argmax(outputs, axis=-1) == z), axis=1)
        return loss, Aux({"accuracy": jnp.mean(right) / count})

    def drawn(variables, batch, key, codes, known):
        """Codes [B, N] where they are not known, in the rounds of the sampler."""

        def of(codes):
            given = logits(variables, batch, codes, False)
            if not sampler.guidance:
                return given
            null = logits(variables, batch, codes, True)
            return masked.guided(given, null, sampler.guidance)

        keys = example_keys(key, batch)
        return masked.decode(of, codes, known, keys, sampler.steps, mask, sampler.temperature)

    def shown(variables, batch, key, codes):
        coded = {**batch, "code": codes.reshape(-1, *code.shape)}
        return at_first("decode", variables, coded, key)["image"]

    def sample(variables, batch, key):
        """Images from masks alone; with the label that was asked for, if there is one."""
        nothing = jnp.zeros((len(batch["index"]), length), jnp.int32)
        codes = drawn(variables, batch, key, nothing, nothing > 0)
        images = {"image": shown(variables, batch, key, codes)}
        return images | ({"label": batch["label"]} if condition.classes else {})

    def inpaint(variables, batch, key):
        """The image by the first stage, and with the lower half of its codes made anew.

        [B, 2, H, W, C].
        """
        z = codes_of(variables, batch, key)
        known = jnp.broadcast_to(jnp.arange(length) < length // 2, z.shape)
        codes = z, drawn(variables, batch, key, z, known)
        return {"image": jnp.stack([shown(variables, batch, key, c) for c in codes], axis=1)}

    owns, moves = ("network", *condition.owns), {"masked": masked_loss}
    players = (games.player("maskgit", owns, moves, settings, settings.average),)
    functions = {"sample": sample, "inpaint": inpaint}
    return (games.phase(settings, init, players, functions, spec, {"codes": first}),)


def _coins(keys, share):
    return jax.vmap(lambda key: jax.random.bernoulli(key, share))(keys)
