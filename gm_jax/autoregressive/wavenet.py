"""WaveNet: a causal network of dilated convolutions over the samples of a sound.

van den Oord et al. 2016, arXiv 1609.03499.

    p(x) = prod_t p(x_t | x_<t)                                               eq. 1
    f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu), in 256 steps                  section 2.2
    z = tanh(W_f * x + V_f h) sigmoid(W_g * x + V_g h)                        eq. 2, 3

A target counts only where all that the network sees lies within the window: the windows must have
as many samples of context as its receptive field.
"""

import jax.numpy as jnp

from gm_jax import axis
from gm_jax.autoregressive import pixels
from gm_jax.autoregressive.causal import check_sampler, of_module, sample
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import (
    Aux,
    GenerativeModel,
    Move,
    Phase,
    Player,
    Variables,
    example_keys,
    field_of,
)
from gm_jax.nn import mulaw
from gm_jax.nn.dilated import Dilated
from gm_jax.optimizers import optimizer, warmed_up


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Dilated convolutions over mu-law symbols, told the label if `conditional`.

    configs/wavenet_fsdd.py shows the keys. Raises UserError where a window's context is shorter
    than the receptive field.
    """
    field_of(spec, "audio")
    classes = pixels.classes(config, spec)
    network = Dilated(
        mulaw.SYMBOLS, **config.network, classes=classes, dtype=jnp.dtype(config.dtype)
    )
    field = sum(config.network.dilations) + 1
    settings = dict(config.sampler)
    length = settings.pop("length")
    check_sampler(**settings)
    if config.data.context < field:
        raise UserError(
            f"data.context {config.data.context} is shorter than the network's receptive field of"
            f" {field} samples: set it to {field}, or take fewer or smaller dilations"
        )
    causal = of_module(network)

    def labels(batch):
        return batch["label"] if classes else None

    def init(key, batch, previous):
        x = mulaw.encode(batch["audio"])
        return Variables({"network": network.init(key, x, labels(batch))["params"]})

    def log_likelihood(variables, batch, weight):
        """The weighted sum over each window, in nats, [B]."""
        x = mulaw.encode(batch["audio"])
        logits = causal.apply(variables.params["network"], x, labels(batch))
        return categorical(x, logits, weight)

    def nats(variables, batch, key, step):
        """Per sample that counts: windows differ in how many do, and devices in their windows."""
        counts = batch["weight"] > 0
        number = axis.mean(jnp.mean(jnp.sum(counts, axis=1).astype(jnp.float32)))
        return -jnp.mean(log_likelihood(variables, batch, counts)) / number, Aux()

    def sample_audio(variables, batch, key):
        """`sampler.length` samples after silence as long as the receptive field, [B, T]."""
        keys = example_keys(key, batch)
        silence = jnp.full((len(keys), field), mulaw.SILENCE, jnp.int32)
        params = variables.params["network"]
        drawn = sample(causal, params, keys, field + length, labels(batch), silence, **settings)
        rate = jnp.full(len(keys), config.data.rate, jnp.int32)
        sounds = {"audio": mulaw.decode(drawn[:, field:]), "rate": rate}
        return sounds | ({"label": batch["label"]} if classes else {})

    def bound(variables, batch, key):
        """Nats per sample, [B]: over the windows of a split, the mean over its samples."""
        return {"nats_per_sample": -log_likelihood(variables, batch, batch["weight"])}

    player = Player(
        "wavenet",
        owns=("network",),
        optimizer=optimizer(config.optimizer),
        moves=(Move("nats", nats),),
        average=warmed_up(config.average),
    )
    functions = {"sample": sample_audio, "bound": bound}
    model = GenerativeModel(init, (player,), functions)
    return (Phase("train", model, config.data, config.steps),)
