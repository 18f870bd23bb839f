"""The deep belief net: directed layers below a restricted Boltzmann machine.

Hinton, Osindero & Teh 2006 (Neural Computation 18), greedy training; Salakhutdinov & Murray 2008
(ICML), section 4.2, its likelihood.

    p(v, h1, ..., hL) = p(v | h1) p(h1 | h2) ... p(h^{L-1}, hL)        the last an RBM
    p(h^{l-1} | h^l)  = sigma(W_l h^l + b_l)
    q(h^l | h^{l-1})  = sigma(W_l'h^{l-1} + c_l)
    log p(v) >= E_q log p(v | h1) ... p(h^{L-2} | h^{L-1}) exp(-F(h^{L-1})) / q(h | v) - log Z

F and Z are the top machine's, q(h | v) the product of all q.

Phases "rbm_0", "rbm_1", ... train a layer each by contrastive divergence, of draws of q; "top" is
the last, whose persistent chains are of the model itself. Each is a belief net of the layers so
far. A sample is a chain in the top machine, then a pass down. The expectation is the mean over a
few draws of q; if the machine on top is the one below, turned round, q is exact and each draw is
log p(v).
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.energy.shared import annealing, machine, stack
from gm_jax.energy.shared.annealing import Annealing
from gm_jax.energy.shared.machine import ENUMERABLE, Machine, flip, fold_in
from gm_jax.losses.likelihoods import bernoulli
from gm_jax.model import Aux, Phase, Variables, example_keys
from gm_jax.nn.layers import Size
from gm_jax.optimizers import Optimizer
from gm_jax.settings import Recipe, Restartable, above, at_least, schema

Count = Annotated[int, at_least(1)]


@schema
class Pretraining:
    """The training of each layer below the top.

    steps      rounds a layer
    negatives  k, steps of Gibbs sampling from the data
    decay      weight of |W|^2 / 2
    optimizer  one of optax's
    """

    steps: Annotated[int, at_least(1), Restartable(trains=True)] = 1
    negatives: Count = 1
    decay: Annotated[float, at_least(0.0)] = 2e-4
    optimizer: Optimizer = Optimizer(name="sgd", learning_rate=0.05)


@schema
class Sampler:
    """How a sample is drawn.

    steps  of Gibbs sampling in the top machine, from its persistent chains
    """

    steps: Annotated[int, at_least(0)] = 1000


@schema
class Settings(Recipe):
    """A deep belief net.

    steps        rounds of the top machine
    widths       units of the hidden layers below the top, from the image on
    units        hidden units of the top machine; up to 20 let the bound's Z be exact
    pretraining  of each layer below the top
    deviation    of the weights at the start
    chains       persistent, of the top machine
    sweeps       steps of each chain in a round
    decay        weight of |W|^2 / 2 in the top machine
    optimizer    of the top machine, one of optax's
    draws        of q, by which the bound is estimated
    sampler      how a sample is drawn
    annealing    how evaluate.annealing estimates the top machine's partition function
    """

    widths: tuple[Size, ...] = (500,)
    units: Size = 2000
    pretraining: Pretraining = Pretraining()
    deviation: Annotated[float, above(0.0)] = 0.01
    chains: Count = 100
    sweeps: Count = 1
    decay: Annotated[float, at_least(0.0)] = 2e-4
    optimizer: Optimizer = Optimizer(name="sgd", learning_rate=0.05)
    draws: Annotated[int, at_least(1), Restartable()] = 20
    sampler: Annotated[Sampler, Restartable()] = Sampler()
    annealing: Annotated[Annealing, Restartable()] = Annealing()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A phase for each layer; configs/dbn_mnist.py.

    Raises UserError if pixels are not in [0, 1].
    """
    image, below = machine.image_of(spec), settings.pretraining
    rbm = Machine(machine.binary(), dtype=jnp.dtype(settings.dtype))
    sizes, last = (*settings.widths, settings.units), len(settings.widths)

    def of_layer(number):
        """The phase of one layer: those below it ride along in the state."""
        top = number == last
        own = settings if top else below

        def inputs(layers, batch, keys):
            """What the layer is trained on: pixels, or draws of q of the layer below."""
            return drawn_up(rbm, layers, keys, machine.pixels(batch))[-1]

        def init(key, batch, previous):
            fresh = stack.fresh(key, (batch["image"][0].size, *sizes), settings.deviation)
            layers = fresh[:number] if previous is None else stack.trained(previous)
            mean = jnp.mean(stack.climbed(rbm, layers, machine.pixels(batch)), axis=0)
            params = fresh[number] | {"b": machine.logit(mean)}
            state = {"below": layers, "mean": mean}
            if top:
                keys = jax.random.split(key, settings.chains)
                state["chain"] = rbm.independent(keys, params["b"])
            return Variables({"machine": params}, state)

        def contrast(variables, batch, key, step):
            params, state = variables.params["machine"], {}
            of_inputs, of_chains = jax.random.split(key)
            v = inputs(variables.state["below"], batch, example_keys(of_inputs, batch))
            if top:  # Moved by the move's key: the same on all devices.
                keys, start = jax.random.split(of_chains, settings.chains), variables.state["chain"]
                fantasy = state["chain"] = rbm.chain(params, keys, start, settings.sweeps)
            else:
                fantasy = rbm.chain(params, example_keys(of_chains, batch), v, below.negatives)
            data = jnp.mean(rbm.free_energy(params, v))
            model = jnp.mean(rbm.free_energy(params, fantasy))
            loss = data - model + 0.5 * own.decay * jnp.sum(params["w"] ** 2)
            state["mean"] = machine.running_mean(variables.state["mean"], v, step)
            return loss, Aux({"data": data, "model": model}, state)

        moves = {"contrast": contrast}
        player = games.player("machine", ("machine",), moves, own, settings.average)
        made = games.phase(
            settings, init, (player,), functions(settings, image, rbm, top, sizes[number])
        )
        return made._replace(name="top" if top else f"rbm_{number}", steps=own.steps)

    return tuple(map(of_layer, range(len(sizes))))


def drawn_up(rbm: Machine, layers, keys, v) -> list:
    """v [B, D], and a draw of q for each hidden layer above it, by keys [B]."""
    units = [v]
    for number, layer in enumerate(layers):
        units.append(flip(fold_in(keys, number), rbm.hidden(layer, units[-1])))
    return units


def log_ratio(rbm: Machine, layers, units: list):
    """log p(v | h1) ... p(h^{L-2} | h^{L-1}) - log q, [B], of what `drawn_up` returns."""
    total = jnp.zeros(len(units[0]), units[0].dtype)
    for layer, low, high in zip(layers, units[:-1], units[1:], strict=True):
        down = rbm.visible_drive(layer, high)
        total += bernoulli(low, down) - bernoulli(high, rbm.hidden_drive(layer, low))
    return total


def functions(settings: Settings, image, rbm: Machine, chains: bool, hidden: int) -> dict:
    """What the belief net of the layers so far can do.

    chains  whether its top machine has some
    hidden  units of that
    """
    parts = stack.trained

    def picture(v):
        return machine.picture(v, image.shape)

    def down(layers, h):
        """E(v | h of the last of these layers): means of v, of means in between if h are means."""
        for layer in reversed(layers):
            h = rbm.visible_mean(layer, h)
        return h

    def sample(variables, batch, key):
        """E(v | h1), h1 drawn down from the end of a chain in the top machine."""
        (*below, top), keys = parts(variables), example_keys(key, batch)
        if chains:
            start = variables.state["chain"][batch["index"] % settings.chains]
        else:
            start = rbm.independent(fold_in(keys, 0), top["b"])
        h = rbm.chain(top, fold_in(keys, 1), start, settings.sampler.steps)
        if not below:  # The top machine's visible units are the pixels.
            return {"image": picture(rbm._replace(drawn=False).sweep(top, fold_in(keys, 2), h))}
        for number, layer in enumerate(reversed(below[1:])):
            h = flip(fold_in(keys, 2 + number), rbm.visible_mean(layer, h))
        return {"image": picture(rbm.visible_mean(below[0], h))}

    def encode(variables, batch, key):
        """The means of the top's hidden units, of means in between, [B, H]."""
        return {"latent": stack.climbed(rbm, parts(variables), machine.pixels(batch))}

    def reconstruct(variables, batch, key):
        """The image, and what comes down from its code by means, [B, 2, H, W, C]."""
        v, layers = machine.pixels(batch), parts(variables)
        pair = v, down(layers, stack.climbed(rbm, layers, v))
        return {"image": picture(jnp.stack(pair, axis=1))}

    def filters(variables, batch, key):
        """The weights of a unit of h1, the largest of all units white or black, [B, H, W, C]."""
        w = parts(variables)[0]["w"]
        chosen = (w / jnp.max(jnp.abs(w))).T[batch["index"] % w.shape[1]]
        return {"image": chosen.reshape(-1, *image.shape)}

    def unnormalised(variables, batch, key):
        """The bound on log p(v) + log Z, the mean over draws of q, [B]."""
        (*below, top), v = parts(variables), machine.pixels(batch)
        keys = example_keys(key, batch)

        def of_draw(number):
            units = drawn_up(rbm, below, fold_in(keys, number), v)
            return log_ratio(rbm, below, units) - rbm.free_energy(top, units[-1])

        draws = jnp.arange(settings.draws if below else 1)
        return {"bound": jnp.mean(jax.lax.map(of_draw, draws), axis=0)}

    def exact_bound(variables, batch, key):
        """The bound on log p(v) in nats with the exact Z, [B]: computes Z once a batch."""
        log_z = rbm.log_z(parts(variables)[-1])
        return {"bound": unnormalised(variables, batch, key)["bound"] - log_z}

    def annealed(variables, batch, key):
        """A run of AIS in the top machine, from independent units like its inputs, [B]."""
        start, keys = machine.logit(variables.state["mean"]), example_keys(key, batch)
        steps = settings.annealing.steps
        return {"log_weight": annealing.of_machine(rbm, parts(variables)[-1], start, keys, steps)}

    named = {f.__name__: f for f in (sample, encode, reconstruct, filters)}
    if image.cardinality == 2:  # Grey values have no probability.
        named |= {"unnormalised": unnormalised, "annealing": annealed}
        if hidden <= ENUMERABLE:
            named["bound"] = exact_bound
    return named
