"""A deep autoencoder whose layers are restricted Boltzmann machines first.

Hinton & Salakhutdinov 2006 (Science 313, 504-507).

    pretraining   an RBM for each layer, of the probabilities of the hidden units below; h is drawn
                  on the way down, v is not. The code's units are linear with noise N(0, 1)
    unrolling     x -> sigma(W'x + c) -> ... -> code -> ... -> sigma(W h + b), the decoder with the
                  same weights and the visible biases: from here on they are parameters of their own
    fine-tuning   -sum x log y + (1 - x) log(1 - y)

Phases "rbm_0", "rbm_1", ... are one a layer, "unrolled" is the last. Without pretraining it is the
only one, and starts from the same small random weights.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.energy.shared import machine, stack
from gm_jax.energy.shared.machine import Machine
from gm_jax.energy.shared.stack import trained
from gm_jax.losses.likelihoods import bernoulli
from gm_jax.model import Aux, Phase, Variables, example_keys
from gm_jax.nn.layers import product
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, above, at_least, schema

Width = Annotated[int, at_least(1)]


@schema
class Code:
    """The training of the code's layer, whose linear units need a smaller rate.

    optimizer  one of optax's
    """

    optimizer: Optimizer = Optimizer(name="sgd", learning_rate=1e-3)


@schema
class Pretraining:
    """The training of each layer as an RBM.

    steps      rounds a layer; 0 for none
    negatives  k, steps of Gibbs sampling from the data
    deviation  of the weights at the start
    decay      weight of |W|^2 / 2
    optimizer  of the layers of probabilities, one of optax's
    code       of the code's layer
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)] = 1
    negatives: Annotated[int, at_least(1)] = 1
    deviation: Annotated[float, above(0.0)] = 0.1
    decay: Annotated[float, at_least(0.0)] = 2e-4
    optimizer: Optimizer = Optimizer(name="sgd", learning_rate=0.1)
    code: Code = Code()


@schema
class Settings(Recipe):
    """A deep autoencoder.

    steps        rounds of fine-tuning
    widths       hidden units of the encoder, from the image to the code
    latents      numbers of the code
    pretraining  of each layer
    optimizer    of fine-tuning, one of optax's
    """

    widths: tuple[Width, ...] = (1000, 500, 250)
    latents: Annotated[int, at_least(1)] = 30
    pretraining: Pretraining = Pretraining()
    optimizer: Optimizer = adam(1e-3)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A phase for each layer, then all together; configs/deep_ae_mnist.py.

    Raises UserError if pixels are not in [0, 1].
    """
    image, dtype, own = machine.image_of(spec), jnp.dtype(settings.dtype), settings.pretraining
    sizes = (*settings.widths, settings.latents)
    layers = range(len(sizes))
    rbm = Machine(machine.binary(), drawn=False, dtype=dtype)

    def fresh(key, batch):
        """Every layer before training."""
        return stack.fresh(key, (batch["image"][0].size, *sizes), own.deviation)

    def of_layer(number):
        """The phase of one layer: what is below it rides along in the state."""
        top = number == layers[-1]
        this = rbm._replace(linear=top)

        def init(key, batch, previous):
            params = fresh(key, batch)
            below = params[:number] if previous is None else trained(previous)
            return Variables({"machine": params[number]}, {"below": below})

        def contrast(variables, batch, key, step):
            params, below = variables.params["machine"], variables.state["below"]
            v = stack.climbed(rbm, below, machine.pixels(batch))
            fantasy = this.chain(params, example_keys(key, batch), v, own.negatives)
            decay = 0.5 * own.decay * jnp.sum(params["w"] ** 2)
            error = jnp.mean(jnp.sum((v - fantasy) ** 2, axis=-1))
            loss = machine.contrast(this, params, v, fantasy) + decay
            return loss, Aux({"reconstruction_error": error})

        moves, part = {"contrast": contrast}, own.code if top else own
        player = games.player("machine", ("machine",), moves, part, settings.average)
        deep = functions(image, lambda variables: unrolled(trained(variables)), dtype)
        made = games.phase(settings, init, (player,), deep)
        return made._replace(name=f"rbm_{number}", steps=own.steps)

    def init_unrolled(key, batch, previous):
        return Variables(unrolled(fresh(key, batch) if previous is None else trained(previous)))

    def cross_entropy(variables, batch, key, step):
        v = machine.pixels(batch)
        return -jnp.mean(bernoulli(v, decode(variables.params, v, dtype))), Aux()

    player = games.player(
        "autoencoder", ("encoder", "decoder"), {"cross_entropy": cross_entropy}, settings,
        settings.average,
    )  # fmt: skip
    deep = functions(image, lambda variables: variables.params, dtype)
    last = games.phase(settings, init_unrolled, (player,), deep)._replace(name="unrolled")
    return (*(of_layer(number) for number in layers if own.steps), last)


def unrolled(layers: list) -> dict:
    """Machines as an encoder and, in the opposite order with transposed weights, a decoder."""
    return {
        "encoder": [{"w": layer["w"], "bias": layer["c"]} for layer in layers],
        "decoder": [{"w": layer["w"].T, "bias": layer["b"]} for layer in reversed(layers)],
    }


def layer_of(h, layer, dtype):
    """The drives of a layer's units, [B, N]."""
    return layer["bias"] + product(h, layer["w"], dtype)


def code_of(net: dict, v, dtype):
    """The codes of v [B, D], linear in the last hidden units."""
    *hidden, top = net["encoder"]
    for layer in hidden:
        v = jax.nn.sigmoid(layer_of(v, layer, dtype))
    return layer_of(v, top, dtype)


def decode(net: dict, v, dtype):
    """The logits of the reconstructions of v [B, D]."""
    h, (*hidden, last) = code_of(net, v, dtype), net["decoder"]
    for layer in hidden:
        h = jax.nn.sigmoid(layer_of(h, layer, dtype))
    return layer_of(h, last, dtype)


def functions(image, deep, dtype) -> dict:
    """What the autoencoder can do; deep: variables -> its layers, as far as there are some."""

    def encode(variables, batch, key):
        """The codes, [B, D]."""
        return {"latent": code_of(deep(variables), machine.pixels(batch), dtype)}

    def reconstruct(variables, batch, key):
        """The image beside its reconstruction, [B, 2, H, W, C]."""
        v = machine.pixels(batch)
        pair = v, jax.nn.sigmoid(decode(deep(variables), v, dtype))
        return {"image": machine.picture(jnp.stack(pair, axis=1), image.shape)}

    def distortion(variables, batch, key):
        """How far the reconstruction is from the image, [B] each.

        cross_entropy  in nats, of grey values as probabilities
        squared_error  summed over pixels in [0, 1], as in the paper
        """
        v = machine.pixels(batch)
        logits = decode(deep(variables), v, dtype)
        squares = jnp.sum((jax.nn.sigmoid(logits) - v) ** 2, axis=-1)
        return {"cross_entropy": -bernoulli(v, logits), "squared_error": squares}

    return {f.__name__: f for f in (encode, reconstruct, distortion)}
