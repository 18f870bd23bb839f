"""The deep Boltzmann machine of two hidden layers.

Salakhutdinov & Hinton 2009 (AISTATS).

    E(v, h1, h2) = -v'W1 h1 - h1'W2 h2 - b'v - c1'h1 - c2'h2
    log p(v) >= E_q log(exp(-E)) + H(q) - log Z,   q(h) = prod mu^h (1 - mu)^(1 - h)
    mu1 = sigma(W1'v + W2 mu2 + c1),   mu2 = sigma(W2'mu1 + c2)              mean field

Phases "first" and "second" train an RBM of each layer by contrastive divergence, the second on
draws of the first one's hidden units. Each will lose a neighbour that the deep machine has, and
stands in for it: the first doubles the drive of its hidden units, the second that of its visible
ones. "joint" puts them together, h1's bias the sum of both machines', and goes on with mean fields
for the data and persistent chains for the model. Doubling ends there.

v and h2 are independent given h1, so a chain is of h1 alone.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games
from gm_jax.energy.shared import annealing, machine
from gm_jax.energy.shared.annealing import Annealing
from gm_jax.energy.shared.deep_machine import DeepMachine, assembled
from gm_jax.energy.shared.machine import ENUMERABLE, Machine, flip
from gm_jax.model import Aux, Phase, Variables, example_keys
from gm_jax.nn.layers import Size
from gm_jax.optimizers import Optimizer
from gm_jax.settings import Recipe, Restartable, above, at_least, schema

Count = Annotated[int, at_least(1)]


@schema
class Layer:
    """A hidden layer, and the training of its RBM.

    units      hidden
    steps      rounds
    negatives  k, steps of Gibbs sampling from the data
    decay      weight of |W|^2 / 2
    optimizer  one of optax's
    """

    units: Size = 500
    steps: Annotated[int, at_least(1), Restartable(trains=True)] = 1
    negatives: Count = 1
    decay: Annotated[float, at_least(0.0)] = 1e-3
    optimizer: Optimizer = Optimizer(name="sgd", learning_rate=0.05)


@schema
class Sampler:
    """How a sample is drawn.

    steps  of Gibbs sampling, from the persistent chains
    """

    steps: Annotated[int, at_least(0)] = 1000


@schema
class Settings(Recipe):
    """A deep Boltzmann machine, in three phases.

    steps       rounds of the third phase, in which all layers are trained
    first       the hidden layer next to the image
    second      the hidden layer above it
    deviation   of the weights at the start
    chains      persistent
    sweeps      steps of each chain in a round
    mean_field  updates of mu1 and mu2
    decay       weight of (|W1|^2 + |W2|^2) / 2 in the third phase
    optimizer   of the third phase, one of optax's
    sampler     how a sample is drawn
    annealing   how evaluate.annealing estimates the partition function
    """

    first: Layer = Layer()
    second: Layer = Layer(units=1000, negatives=5)
    deviation: Annotated[float, above(0.0)] = 0.01
    chains: Count = 100
    sweeps: Count = 5
    mean_field: Count = 10
    decay: Annotated[float, at_least(0.0)] = 2e-4
    optimizer: Optimizer = Optimizer(name="sgd", learning_rate=1e-3)
    sampler: Annotated[Sampler, Restartable()] = Sampler()
    annealing: Annotated[Annealing, Restartable()] = Annealing()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Two machines, then the deep one; configs/dbm_mnist.py.

    Raises UserError if pixels are not in [0, 1].
    """
    image, dtype = machine.image_of(spec), jnp.dtype(settings.dtype)
    first_rbm = Machine(machine.binary(), up=2.0, dtype=dtype)
    second_rbm = Machine(machine.binary(), down=2.0, dtype=dtype)
    dbm = DeepMachine(settings.mean_field, dtype)

    def fresh(key, batch):
        """Both machines before training, and the means of the pixels."""
        keys, v = jax.random.split(key), machine.pixels(batch)
        sizes = v.shape[1], settings.first.units, settings.second.units
        first, second = (
            machine.parameters(k, *sizes[i : i + 2], settings.deviation) for i, k in enumerate(keys)
        )
        mean = jnp.mean(v, axis=0)
        return first | {"b": machine.logit(mean)}, second, mean

    def init_first(key, batch, previous):
        first, _, mean = fresh(key, batch)
        return Variables({"machine": first}, {"mean": mean})

    def init_second(key, batch, previous):
        first, second, mean = fresh(key, batch)
        if previous is not None:
            first, mean = previous.params["machine"], previous.state["mean"]
        return Variables({"machine": second}, {"mean": mean, "below": first})

    def init_joint(key, batch, previous):
        first, second, mean = fresh(key, batch)
        if previous is not None:
            first, second = previous.state["below"], previous.params["machine"]
            mean = previous.state["mean"]
        h1 = jnp.full((settings.chains, settings.first.units), 0.5)
        state = {"mean": mean, "chain": flip(jax.random.split(key, settings.chains), h1)}
        return Variables({"machine": assembled(first, second)}, state)

    def first_loss(variables, batch, key, step):
        v, own = machine.pixels(batch), settings.first
        loss = divergence(first_rbm, own, variables.params["machine"], v, example_keys(key, batch))
        return loss, Aux(state={"mean": machine.running_mean(variables.state["mean"], v, step)})

    def second_loss(variables, batch, key, step):
        v, keys = machine.pixels(batch), example_keys(key, batch)
        h1 = flip(machine.fold_in(keys, 0), first_rbm.hidden(variables.state["below"], v))
        own, params = settings.second, variables.params["machine"]
        return divergence(second_rbm, own, params, h1, machine.fold_in(keys, 1)), Aux()

    def joint_loss(variables, batch, key, step):
        params, v = variables.params["machine"], machine.pixels(batch)
        now = lax.stop_gradient(params)
        data = jnp.mean(dbm.energy(params, v, *dbm.means(now, v)))
        keys = jax.random.split(key, settings.chains)
        h1 = dbm.chain(now, keys, variables.state["chain"], settings.sweeps)
        visible, second = dbm.beside(now, h1)
        model = jnp.mean(dbm.energy(params, visible, h1, second))
        squares = jnp.sum(params["w1"] ** 2) + jnp.sum(params["w2"] ** 2)
        loss = data - model + 0.5 * settings.decay * squares
        return loss, Aux({"data": data, "model": model}, {"chain": h1})

    def of_first(variables):
        first = variables.params["machine"]
        hidden, above = settings.first.units, settings.second.units
        none = {"w": jnp.zeros((hidden, above)), "b": jnp.zeros(hidden), "c": jnp.zeros(above)}
        return assembled(first, none)

    def of_second(variables):
        return assembled(variables.state["below"], variables.params["machine"])

    def phase(name, init, loss, own, deep):
        player = games.player("machine", ("machine",), {"contrast": loss}, own, settings.average)
        uses = functions(settings, image, dbm, deep)
        made = games.phase(settings, init, (player,), uses)
        return made._replace(name=name, steps=own.steps)

    return (
        phase("first", init_first, first_loss, settings.first, of_first),
        phase("second", init_second, second_loss, settings.second, of_second),
        phase("joint", init_joint, joint_loss, settings, lambda v: v.params["machine"]),
    )


def divergence(rbm: Machine, own: Layer, params, v, keys):
    """The loss of a layer by itself: contrastive divergence from data v, with its decay."""
    fantasy = rbm.chain(params, keys, v, own.negatives)
    decay = 0.5 * own.decay * jnp.sum(params["w"] ** 2)
    return machine.contrast(rbm, params, v, fantasy) + decay


def functions(settings: Settings, image, dbm: DeepMachine, deep) -> dict:
    """What the machine can do; deep: variables -> its parameters, as far as they are trained."""
    units = settings.first.units

    def picture(v):
        return machine.picture(v, image.shape)

    def noise(keys):
        return flip(keys, jnp.full((len(keys), units), 0.5))

    def sample(variables, batch, key):
        """E(v | h1) at the end of a chain."""
        keys = example_keys(key, batch)
        if "chain" in variables.state:
            start = variables.state["chain"][batch["index"] % settings.chains]
        else:
            start = noise(machine.fold_in(keys, 0))
        params, keys = deep(variables), machine.fold_in(keys, 1)
        h1 = dbm.chain(params, keys, start, settings.sampler.steps)
        return {"image": picture(dbm.beside(params, h1)[0])}

    def reconstruct(variables, batch, key):
        """The image beside E(v | mu1), [B, 2, H, W, C]."""
        params, v = deep(variables), machine.pixels(batch)
        mu1, _ = dbm.means(params, v)
        return {"image": picture(jnp.stack([v, dbm.beside(params, mu1)[0]], axis=1))}

    def encode(variables, batch, key):
        """mu1 and mu2, [B, H1 + H2]."""
        mu = dbm.means(deep(variables), machine.pixels(batch))
        return {"latent": jnp.concatenate(mu, axis=-1)}

    def filters(variables, batch, key):
        """The weights of a unit of h1, the largest of all units white or black, [B, H, W, C]."""
        w = deep(variables)["w1"]
        chosen = (w / jnp.max(jnp.abs(w))).T[batch["index"] % units]
        return {"image": chosen.reshape(-1, *image.shape)}

    def unnormalised(variables, batch, key):
        """A bound on log p(v) + log Z, [B]."""
        return {"bound": dbm.bound(deep(variables), machine.pixels(batch))}

    def exact_bound(variables, batch, key):
        """A bound on log p(v) in nats with the exact Z, [B]: computes Z once a batch."""
        params = deep(variables)
        return {"bound": dbm.bound(params, machine.pixels(batch)) - dbm.log_z(params)}

    def annealed(variables, batch, key):
        """A run of AIS over h1, from independent pixels like the data, an example each, [B]."""
        params, keys = deep(variables), example_keys(key, batch)
        start = jax.tree.map(jnp.zeros_like, params)
        start["b"] = machine.logit(variables.state["mean"])

        def log_f(h1, beta):
            return dbm.log_density(annealing.between(start, params, beta), h1)

        def move(keys, h1, beta):
            return dbm.sweep(annealing.between(start, params, beta), keys, h1)

        first, path = noise(machine.fold_in(keys, 0)), annealing.betas(settings.annealing.steps)
        ratio = annealing.log_weights(log_f, move, first, path, machine.fold_in(keys, 1))
        hidden = (units + settings.second.units) * jnp.log(2.0)
        return {"log_weight": ratio + hidden + jnp.sum(jax.nn.softplus(start["b"]))}

    named = {f.__name__: f for f in (sample, encode, reconstruct, filters)}
    if image.cardinality == 2:  # Grey values have no probability.
        named |= {"unnormalised": unnormalised, "annealing": annealed}
        if units <= ENUMERABLE:
            named["bound"] = exact_bound
    return named
