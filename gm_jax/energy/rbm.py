"""The restricted Boltzmann machine, of binary or Gaussian visible units.

Hinton 2002 (Neural Computation 14), contrastive divergence; Tieleman 2008 (ICML), persistent
chains; Salakhutdinov & Murray 2008 (ICML), its likelihood.

    p(v) = exp(-F(v)) / Z,   F(v) = -log sum_h exp(-E(v, h))                 shared/machine.py
    -d log p(v) = d F(v) - E_p d F(v)

The loss is the mean of F over the data minus its mean over the ends of k steps of Gibbs sampling,
which count as constants. Its gradient is the update; its value means nothing. The chains start at
the data (cd), or go on from where they were (pcd).
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.energy.shared import annealing, machine
from gm_jax.energy.shared.annealing import Annealing
from gm_jax.energy.shared.machine import ENUMERABLE, VISIBLE, Machine
from gm_jax.model import Aux, Phase, Variables, example_keys
from gm_jax.nn.layers import Size
from gm_jax.optimizers import Optimizer
from gm_jax.settings import Recipe, Restartable, above, at_least, one_of, schema

FRAMES = (1, 2, 4, 8, 16, 32, 64, 128)  # steps of a chain that are shown


@schema
class Visible:
    """The visible units.

    name       binary units take grey values as probabilities
    deviation  s of Gaussian units, for pixels in [0, 1]
    """

    name: Annotated[str, one_of(VISIBLE)] = "binary"
    deviation: Annotated[float, above(0.0)] = 1.0


@schema
class Negatives:
    """Where the model's side of the gradient comes from.

    name    chains that start at the data (cd) or go on (pcd)
    steps   k, of Gibbs sampling in a round
    chains  of pcd
    drawn   whether chains draw the visible units, or take their means
    """

    name: Annotated[str, one_of(("cd", "pcd"))] = "pcd"
    steps: Annotated[int, at_least(1)] = 1
    chains: Annotated[int, at_least(1)] = 100
    drawn: bool = True


@schema
class Sampler:
    """How a sample is drawn.

    steps  of Gibbs sampling, from the persistent chains if there are some, else from noise
    """

    steps: Annotated[int, at_least(0)] = 1000


@schema
class Settings(Recipe):
    """An RBM.

    hidden     units; up to 20 let log p(v) be exact
    visible    the kind of the visible units
    negatives  where the model's side of the gradient comes from
    deviation  of the weights at the start
    decay      weight of |W|^2 / 2
    optimizer  one of optax's
    sampler    how a sample is drawn
    annealing  how evaluate.annealing estimates the partition function
    """

    hidden: Size = 500
    visible: Visible = Visible()
    negatives: Negatives = Negatives()
    deviation: Annotated[float, above(0.0)] = 0.01
    decay: Annotated[float, at_least(0.0)] = 0.0
    optimizer: Optimizer = Optimizer(name="sgd", learning_rate=0.05)
    sampler: Annotated[Sampler, Restartable()] = Sampler()
    annealing: Annotated[Annealing, Restartable()] = Annealing()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One machine in one phase; configs/rbm_mnist.py.

    Raises UserError if pixels are not in [0, 1].
    """
    image = machine.image_of(spec)
    units, negatives = settings.visible, settings.negatives
    visible = VISIBLE[units.name](units.deviation)
    rbm = Machine(visible, drawn=negatives.drawn, dtype=jnp.dtype(settings.dtype))
    persistent, biases_of = negatives.name == "pcd", BIASES[units.name]

    def init(key, batch, previous):
        own, first = jax.random.split(key)
        v = machine.pixels(batch)
        params = machine.parameters(own, v.shape[1], settings.hidden, settings.deviation)
        state = {"mean": jnp.mean(v, axis=0)}
        params["b"] = biases_of(state["mean"])
        if persistent:
            keys = jax.random.split(first, negatives.chains)
            state["chain"] = rbm.independent(keys, params["b"])
        return Variables({"machine": params}, state)

    def contrast(variables, batch, key, step):
        params, v = variables.params["machine"], machine.pixels(batch)
        if persistent:  # Moved by the move's key: the same on all devices.
            keys, start = jax.random.split(key, negatives.chains), variables.state["chain"]
        else:
            keys, start = example_keys(key, batch), v
        fantasy = rbm.chain(params, keys, start, negatives.steps)
        data = jnp.mean(rbm.free_energy(params, v))
        model = jnp.mean(rbm.free_energy(params, fantasy))
        loss = data - model + 0.5 * settings.decay * jnp.sum(params["w"] ** 2)
        state = {"mean": machine.running_mean(variables.state["mean"], v, step)}
        state |= {"chain": fantasy} if persistent else {}
        return loss, Aux({"data": data, "model": model}, state)

    def sample(variables, batch, key):
        """The mean of v given the hidden units at the end of a chain."""
        params, keys = variables.params["machine"], example_keys(key, batch)
        if persistent:
            start = variables.state["chain"][batch["index"] % negatives.chains]
        else:
            start = rbm.independent(machine.fold_in(keys, 0), params["b"])
        keys = machine.fold_in(keys, 1)
        v = rbm.chain(params, keys, start, settings.sampler.steps)
        return {"image": picture(rbm._replace(drawn=False).sweep(params, keys, v))}

    def chain(variables, batch, key):
        """The image, and a chain that starts at it after 1, 2, 4, ... steps, [B, T, H, W, C]."""
        params, keys = variables.params["machine"], example_keys(key, batch)
        frames, before = [machine.pixels(batch)], 0
        for steps in FRAMES:
            own = machine.fold_in(keys, steps)
            frames.append(rbm.chain(params, own, frames[-1], steps - before))
            before = steps
        return {"image": picture(jnp.stack(frames, axis=1))}

    def reconstruct(variables, batch, key):
        """The image beside E(v | E(h | v)), [B, 2, H, W, C]."""
        params, v = variables.params["machine"], machine.pixels(batch)
        pair = v, rbm.visible_mean(params, rbm.hidden(params, v))
        return {"image": picture(jnp.stack(pair, axis=1))}

    def encode(variables, batch, key):
        """E(h | v), [B, H]."""
        return {"latent": rbm.hidden(variables.params["machine"], machine.pixels(batch))}

    def filters(variables, batch, key):
        """The weights of a hidden unit, the largest of all units white or black, [B, H, W, C]."""
        w = variables.params["machine"]["w"]
        chosen = (w / jnp.max(jnp.abs(w))).T[batch["index"] % settings.hidden]
        return {"image": chosen.reshape(-1, *image.shape)}

    def free_energy(variables, batch, key):
        """F(v), [B]."""
        params = variables.params["machine"]
        return {"free_energy": rbm.free_energy(params, machine.pixels(batch))}

    def unnormalised(variables, batch, key):
        """log p(v) + log Z, [B]."""
        return {"log_likelihood": -free_energy(variables, batch, key)["free_energy"]}

    def log_prob(variables, batch, key):
        """log p(v) in nats, exact, [B]: computes Z once a batch."""
        log_z = rbm.log_z(variables.params["machine"])
        return {"log_likelihood": -free_energy(variables, batch, key)["free_energy"] - log_z}

    def annealed(variables, batch, key):
        """A run of AIS from independent units like the data, an example each, [B]."""
        params, keys = variables.params["machine"], example_keys(key, batch)
        start, steps = biases_of(variables.state["mean"]), settings.annealing.steps
        return {"log_weight": annealing.of_machine(rbm, params, start, keys, steps)}

    def picture(v):
        return machine.picture(v, image.shape)

    players = (
        games.player("machine", ("machine",), {"contrast": contrast}, settings, settings.average),
    )
    functions = {f.__name__: f for f in (sample, chain, encode, reconstruct, filters)}
    functions["free_energy"] = free_energy
    if units.name == "gaussian" or image.cardinality == 2:  # Grey values have no probability.
        functions |= {"annealing": annealed, "unnormalised": unnormalised}
        if settings.hidden <= ENUMERABLE:
            functions["log_prob"] = log_prob
    return (games.phase(settings, init, players, functions),)


# By the kind of visible units: means [D] -> the biases of independent units that have them.
BIASES = {"binary": machine.logit, "gaussian": lambda mean: mean}
