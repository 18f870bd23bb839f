"""WaveNet: a causal network of dilated convolutions over the samples of a sound.

van den Oord et al. 2016, arXiv 1609.03499.

    p(x) = prod_t p(x_t | x_<t)                                               eq. 1
    f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu), in 256 steps                  section 2.2
    z = tanh(W_f * x + V_f h) sigmoid(W_g * x + V_g h)                        eq. 2, 3

A target counts only if all that the network sees of it is within the window: windows must have as
many samples of context as its receptive field. Each layer has a cache, a queue of `dilation` maps.
"""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from gm_jax import causal, games, networks, replicas
from gm_jax.autoregressive.shared import mulaw
from gm_jax.causal import of_module, sample
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Array, Aux, Phase, classes_of, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import Dense, Size, full_precision
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, arguments, at_least, part_of, schema


class GatedLayer(nn.Module):
    """z = tanh(W_f * x + V_f h) sigmoid(W_g * x + V_g h), eq. 3; a residual 1x1 and a skip 1x1.

    A convolution of two taps is a product with the position itself and the one `dilation` before
    it, so a step of the cached network is the same product with what the queue gives back. The last
    layer has no residual: no layer follows.
    """

    width: int
    skip: int
    dilation: int
    classes: int
    last: bool
    dtype: jnp.dtype

    def setup(self):
        self.taps = Dense(2 * self.width, dtype=self.dtype)
        if self.classes:
            self.condition = nn.Embed(self.classes, 2 * self.width, dtype=self.dtype)
        if not self.last:
            self.residual = Dense(self.width, dtype=self.dtype)
        self.out = Dense(self.skip, dtype=self.dtype)

    def __call__(self, x: Array, label: Array | None) -> tuple[Array, Array]:
        """All positions [B, T, width] at once: (input of the next layer, skip)."""
        past = jnp.pad(x, ((0, 0), (self.dilation, 0), (0, 0)))[:, : x.shape[1]]
        return self._gated(past, x, label)

    def step(self, queue: Array, x: Array, position: Array, label: Array | None) -> tuple:
        """One position [B, 1, width]; the queue [B, dilation, width] is a ring of the last ones."""
        slot = position % self.dilation
        past = lax.dynamic_slice_in_dim(queue, slot, 1, axis=1)
        queue = lax.dynamic_update_slice_in_dim(queue, x, slot, axis=1)
        return queue, *self._gated(past, x, label)

    def _gated(self, past, x, label):
        both = self.taps(jnp.concatenate([past, x], axis=-1))
        if self.classes:
            both = both + self.condition(label)[:, None]
        filtered, gate = jnp.split(both, 2, axis=-1)
        z = jnp.tanh(filtered) * nn.sigmoid(gate)
        return x if self.last else x + self.residual(z), self.out(z)


class Dilated(nn.Module):
    """Symbols x [B, T] to logits [B, T, symbols] of each given those before it.

    Sum of the layers' skips -> ReLU -> 1x1 -> ReLU -> 1x1, which begins at zero: the first loss is
    the logarithm of the number of symbols. If there are `classes`, the label [B] moves every gate
    (global conditioning, section 2.5).

    symbols    values of a sample
    dilations  of the layers; the network sees 1 + their sum samples back
    width      features of a layer
    skip       features of the skips and of the hidden layer after them
    classes    labels 0..classes-1; 0 for none
    """

    symbols: int
    dilations: tuple[Size, ...] = tuple(2**i for i in range(10))
    width: Size = 32
    skip: Size = 128
    classes: int = 0
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.tokens = nn.Embed(self.symbols, self.width, dtype=self.dtype)
        self.layers = [
            GatedLayer(
                self.width, self.skip, d, self.classes, i == len(self.dilations) - 1, self.dtype
            )
            for i, d in enumerate(self.dilations)
        ]
        self.hidden = Dense(self.skip, dtype=self.dtype)
        self.logits = Dense(self.symbols, kernel_init=nn.initializers.zeros, dtype=self.dtype)

    def __call__(self, x: Array, label: Array | None = None) -> Array:
        h = jnp.pad(self.tokens(x[:, :-1]), ((0, 0), (1, 0), (0, 0)))
        total = 0.0
        for layer in self.layers:
            h, skip = layer(h, label)
            total += skip
        return self._logits(total)

    def begin(self, batch_size: int, label: Array | None = None) -> tuple:
        queues = [jnp.zeros((batch_size, d, self.width), self.dtype) for d in self.dilations]
        return queues, label

    def step(self, cache: tuple, previous: Array, position: Array) -> tuple:
        queues, label = cache
        h = jnp.where(position == 0, 0.0, self.tokens(previous))[:, None]
        total, after = 0.0, []
        for layer, queue in zip(self.layers, queues, strict=True):
            queue, h, skip = layer.step(queue, h, position, label)
            after.append(queue)
            total += skip
        return (after, label), self._logits(total)[:, 0]

    def _logits(self, total):
        return full_precision(self.logits(nn.relu(self.hidden(nn.relu(total)))))


NetworkSettings = part_of(Dilated, "symbols", "classes", "dtype")


@schema
class Sampler(causal.Sampler):
    """How a sound is drawn.

    length  samples
    """

    length: Annotated[int, at_least(1)] = 4000


@schema
class Settings(Recipe):
    """A WaveNet.

    conditional  whether the network knows the label
    network      the dilated convolutions
    optimizer    one of optax's
    sampler      how a sound is drawn
    """

    conditional: bool = False
    network: NetworkSettings = NetworkSettings()
    optimizer: Optimizer = adam(1e-3)
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    @property
    def receptive_field(self) -> int:
        """How many samples before a position the network sees."""
        return sum(self.network.dilations) + 1

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        context, field = self.data.context, self.receptive_field
        if not self.network.dilations:
            yield "network.dilations is empty: the network needs a layer"
        if context < field:
            yield (
                f"data.context {context} is shorter than the network's receptive field of {field}"
                f" samples: set it to {field}, or take fewer or smaller dilations"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Dilated convolutions over mu-law symbols in one phase; configs/wavenet_fsdd.py."""
    field_of(spec, "audio")
    classes, field = classes_of(spec) if settings.conditional else 0, settings.receptive_field
    length, truncation = settings.sampler.length, arguments(settings.sampler, "length")
    module = Dilated(
        mulaw.SYMBOLS,
        **arguments(settings.network),
        classes=classes,
        dtype=jnp.dtype(settings.dtype),
    )
    network, model = Network("network", module), of_module(module)

    def labels(batch):
        return batch["label"] if classes else None

    def init(key, batch, previous):
        return networks.init(key[None], (network, mulaw.encode(batch["audio"]), labels(batch)))

    def log_likelihood(variables, batch, weight):
        """The weighted sum over each window, in nats, [B]."""
        x = mulaw.encode(batch["audio"])
        return categorical(x, network(variables, x, labels(batch)), weight)

    def nats(variables, batch, key, step):
        """Per sample that counts: windows differ in how many do, and devices in their windows."""
        counts = batch["weight"] > 0
        number = replicas.mean(jnp.mean(jnp.sum(counts, axis=1).astype(jnp.float32)))
        return -jnp.mean(log_likelihood(variables, batch, counts)) / number, Aux()

    def sample_audio(variables, batch, key):
        """`sampler.length` samples after silence as long as the receptive field, [B, T]."""
        keys = example_keys(key, batch)
        silence = jnp.full((len(keys), field), mulaw.SILENCE, jnp.int32)
        params = variables.params["network"]
        drawn = sample(model, params, keys, field + length, labels(batch), silence, **truncation)
        rate = jnp.full(len(keys), settings.data.rate, jnp.int32)
        sounds = {"audio": mulaw.decode(drawn[:, field:]), "rate": rate}
        return sounds | ({"label": batch["label"]} if classes else {})

    def bound(variables, batch, key):
        """Nats per sample, [B]: over the windows of a split, the mean over its samples."""
        return {"nats_per_sample": -log_likelihood(variables, batch, batch["weight"])}

    players = (games.player("wavenet", ("network",), {"nats": nats}, settings, settings.average),)
    return (games.phase(settings, init, players, {"sample": sample_audio, "bound": bound}),)
