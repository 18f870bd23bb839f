"""Denoising diffusion probabilistic models.

Ho, Jain & Abbeel 2020 (arXiv 2006.11239), with the cosine schedule of Nichol & Dhariwal 2021, the
v-prediction of Salimans & Ho 2022, DDIM sampling (Song et al. 2021) and classifier-free guidance
(Ho & Salimans 2022).

    x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps                              eq. 4
    L_simple = E || eps - eps_theta(x_t, t) ||^2,  t uniform on 1 .. T         eq. 14
    x_{t-1} ~ q(x_{t-1} | x_t, x0_hat)                                         eq. 6-7, algorithm 2
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax import games, networks
from gm_jax.diffusion.shared import samplers
from gm_jax.diffusion.shared.bound import variational_bound
from gm_jax.diffusion.shared.grids import SPACINGS
from gm_jax.diffusion.shared.prediction import PREDICTIONS
from gm_jax.diffusion.shared.schedules import SCHEDULES
from gm_jax.diffusion.shared.tables import run
from gm_jax.losses import diffusion as losses
from gm_jax.model import Aux, Phase, classes_of, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.common import normal
from gm_jax.nn.unet import UNet
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import (
    Recipe,
    Restartable,
    arguments,
    at_least,
    at_most,
    one_of,
    part_of,
    schema,
)

FRAMES = 12  # of the strip from noise to image

# Each: (grid, settings of the sampler) -> table of coefficients.
SAMPLERS = {
    "ddim": lambda grid, settings: samplers.ddim(grid, settings.eta),
    "ancestral": lambda grid, settings: samplers.ancestral(grid, settings.variance),
}
UNetSettings = part_of(UNet, "classes", "dtype")


@schema
class Sampler:
    """From noise to image; every trained model works with every sampler.

    name      the sampler
    steps     evaluations of the network
    variance  of ancestral steps and of the bound: beta_t (large) or beta~_t (small)
    eta       noise of ddim: 0 deterministic, 1 as ancestral with the small variance
    clip      whether x0_hat is kept in [-1, 1]
    guidance  w of (1 + w) conditional - w unconditional
    """

    name: Annotated[str, one_of(SAMPLERS)] = "ancestral"
    steps: Annotated[int, at_least(1)] = 50
    variance: Annotated[str, one_of(samplers.VARIANCES)] = "small"
    eta: Annotated[float, at_least(0.0), at_most(1.0)] = 0.0
    clip: bool = True
    guidance: float = 0.0


@schema
class Settings(Recipe):
    """A DDPM.

    conditional    whether the network sees the label
    label_dropout  share of labels hidden in training, for sampler.guidance
    schedule       how the noise grows with time
    times          T, the number of noise levels
    prediction     what the network predicts
    network        the U-Net
    optimizer      one of optax's
    sampler        from noise to image
    """

    conditional: bool = False
    label_dropout: Annotated[float, at_least(0.0), at_most(1.0)] = 0.0
    schedule: Annotated[str, one_of(SCHEDULES)] = "cosine"
    times: Annotated[int, at_least(2)] = 1000
    prediction: Annotated[str, one_of(PREDICTIONS)] = "noise"
    network: UNetSettings = UNetSettings()
    optimizer: Optimizer = adam(2e-4)
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.sampler.steps > self.times:
            yield f"sampler.steps {self.sampler.steps} must be in 1 .. {self.times} (times)"
        if self.sampler.guidance and not (self.conditional and self.label_dropout):
            yield (
                "sampler.guidance needs a model trained with conditional=True and label_dropout >"
                " 0: without them there is no unconditional prediction to move away from"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A U-Net trained on L_simple in one phase; configs/ddpm_digits.py."""
    shape, sampler = field_of(spec, "image").shape, settings.sampler
    classes = classes_of(spec) if settings.conditional else 0
    module = UNet(**arguments(settings.network), classes=classes, dtype=jnp.dtype(settings.dtype))
    network = Network("network", module)
    schedule = SCHEDULES[settings.schedule](settings.times)
    prediction = PREDICTIONS[settings.prediction]
    grid = SPACINGS["even"](schedule, sampler.steps)
    table = SAMPLERS[sampler.name](grid, sampler)

    def init(key, batch, previous):
        x = batch["image"]
        t = jnp.zeros(x.shape[0])
        return networks.init(key[None], (network, x, t, _labels(batch)))

    def _labels(batch, drop=False):
        """The labels [B], the null label where `drop` says so; None for an unconditional model."""
        return jnp.where(drop, classes, batch["label"]) if classes else None

    def l_simple(variables, batch, key, step):
        x0 = batch["image"]
        time_keys, noise_keys, drop_keys, dropout_keys = (
            example_keys(k, batch) for k in jax.random.split(key, 4)
        )
        t = jax.vmap(lambda k: jax.random.randint(k, (), 1, schedule.steps + 1))(time_keys)
        noise = normal(noise_keys, shape)
        alpha, sigma = _at(schedule, t)
        x_t = alpha * x0 + sigma * noise
        drop = jax.vmap(lambda k: jax.random.bernoulli(k, settings.label_dropout))(drop_keys)
        output = network(variables, x_t, t, _labels(batch, drop), dropout_keys)
        loss = losses.l_simple(prediction.target(x0, noise, alpha, sigma), output)
        return jnp.mean(loss), Aux()

    def denoiser(variables, batch):
        """x0_hat of (x_t, t), guided and clipped to the range of images."""

        def predict(x, t, labels):
            return network(variables, x, jnp.broadcast_to(t, x.shape[:1]), labels)

        def denoise(x, at):
            t = at.time
            output = predict(x, t, _labels(batch))
            if sampler.guidance:
                # (1 + w) conditional - w unconditional. Ho & Salimans 2022, eq. 6.
                output += sampler.guidance * (output - predict(x, t, _labels(batch, drop=True)))
            x0 = prediction.to_x0(output, x, at.alpha, at.sigma)
            return jnp.clip(x0, -1.0, 1.0) if sampler.clip else x0

        return denoise

    def chain(variables, batch, key, keep=()):
        start, keys = (example_keys(k, batch) for k in jax.random.split(key))

        def fresh(number):
            return normal(jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number), shape)

        return run(table, denoiser(variables, batch), normal(start, shape), fresh, keep)

    def sample(variables, batch, key):
        images = {"image": chain(variables, batch, key)[0]}
        return images | ({"label": batch["label"]} if classes else {})

    def trajectory(variables, batch, key):
        """From noise to image in FRAMES pictures, [B, FRAMES, H, W, C]."""
        frames = np.round(np.linspace(0, table.evaluations, FRAMES)).astype(int)
        return {"image": jnp.moveaxis(chain(variables, batch, key, frames)[1], 0, 1)}

    def bound(variables, batch, key):
        """The variational bound on -log p(x) (eq. 5), all T terms, in bits per dimension, [B]."""
        x0, keys = batch["image"], example_keys(key, batch)
        denoise = denoiser(variables, batch)
        nats = variational_bound(schedule, denoise, x0, keys, sampler.variance)
        return {"bits_per_dimension_bound": nats / (math.log(2.0) * math.prod(shape))}

    moves, average = {"l_simple": l_simple}, settings.average
    players = (games.player("ddpm", ("network",), moves, settings, average),)
    functions = {"sample": sample, "trajectory": trajectory, "bound": bound}
    return (games.phase(settings, init, players, functions),)


def _at(schedule, t):
    """alpha and sigma at times t [B], shaped to broadcast against images."""
    broadcast = (-1, 1, 1, 1)
    return (
        jnp.asarray(schedule.alpha)[t].reshape(broadcast),
        jnp.asarray(schedule.sigma)[t].reshape(broadcast),
    )
