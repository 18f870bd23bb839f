"""Denoising diffusion probabilistic models.

Ho, Jain & Abbeel 2020 (arXiv 2006.11239), with the cosine schedule of Nichol & Dhariwal 2021, the
v-prediction of Salimans & Ho 2022, DDIM sampling (Song et al. 2021) and classifier-free guidance
(Ho & Salimans 2022).

    x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps                              eq. 4
    L_simple = E || eps - eps_theta(x_t, t) ||^2,  t uniform on 1 .. T         eq. 14
    x_{t-1} ~ q(x_{t-1} | x_t, x0_hat)                                         eq. 6-7, algorithm 2
"""

import math

import jax
import jax.numpy as jnp

from gm_jax.diffusion import samplers
from gm_jax.diffusion.bound import variational_bound
from gm_jax.diffusion.prediction import PREDICTIONS
from gm_jax.diffusion.schedules import SCHEDULES
from gm_jax.errors import UserError, choose, one_of
from gm_jax.losses import diffusion as losses
from gm_jax.model import (
    Aux,
    GenerativeModel,
    Move,
    Phase,
    Player,
    Variables,
    classes_of,
    example_keys,
    field_of,
)
from gm_jax.nn.common import normal
from gm_jax.nn.unet import UNet
from gm_jax.optimizers import optimizer, warmed_up

FRAMES = 12  # of the strip from noise to image


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A U-Net trained on L_simple in one phase; configs/ddpm_digits.py shows the keys."""
    shape = field_of(spec, "image").shape
    classes = classes_of(spec) if config.conditional else 0
    network = UNet(**config.network, classes=classes, dtype=jnp.dtype(config.dtype))
    schedule = choose("schedule", config.schedule, SCHEDULES)(config.times)
    prediction = choose("prediction", config.prediction, PREDICTIONS)
    table = _table(config.sampler, schedule)
    if config.sampler.guidance and not (config.conditional and config.label_dropout):
        raise UserError(
            "sampler.guidance needs a model trained with conditional=True and label_dropout > 0:"
            " without them there is no unconditional prediction to move away from"
        )

    def init(key, batch, previous):
        x = batch["image"]
        t = jnp.zeros(x.shape[0])
        return Variables({"network": network.init(key, x, t, _labels(batch))["params"]})

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
        drop = jax.vmap(lambda k: jax.random.bernoulli(k, config.label_dropout))(drop_keys)
        output = network.apply(
            {"params": variables.params["network"]}, x_t, t, _labels(batch, drop), dropout_keys
        )
        loss = losses.l_simple(prediction.target(x0, noise, alpha, sigma), output)
        return jnp.mean(loss), Aux()

    def denoiser(variables, batch):
        """x0_hat of (x_t, t), guided and clipped to the range of images."""
        guidance = config.sampler.guidance

        def predict(x, t, labels):
            times = jnp.broadcast_to(t, x.shape[:1])
            return network.apply({"params": variables.params["network"]}, x, times, labels)

        def denoise(x, t):
            output = predict(x, t, _labels(batch))
            if guidance:
                # (1 + w) conditional - w unconditional. Ho & Salimans 2022, eq. 6.
                output += guidance * (output - predict(x, t, _labels(batch, drop=True)))
            x0 = prediction.to_x0(output, x, *_at(schedule, t[None]))
            return jnp.clip(x0, -1.0, 1.0) if config.sampler.clip else x0

        return denoise

    def chain(variables, batch, key):
        start, fresh = (example_keys(k, batch) for k in jax.random.split(key))
        return samplers.run(table, denoiser(variables, batch), normal(start, shape), fresh)

    def sample(variables, batch, key):
        images = {"image": chain(variables, batch, key)[-1]}
        return images | ({"label": batch["label"]} if classes else {})

    def trajectory(variables, batch, key):
        """From noise to image in FRAMES pictures, [B, FRAMES, H, W, C]."""
        xs = chain(variables, batch, key)
        frames = jnp.round(jnp.linspace(0, len(xs) - 1, FRAMES)).astype(int)
        return {"image": jnp.moveaxis(xs[frames], 0, 1)}

    def bound(variables, batch, key):
        """The variational bound on -log p(x) (eq. 5), all T terms, in bits per dimension, [B]."""
        x0, keys = batch["image"], example_keys(key, batch)
        nats = variational_bound(
            schedule, denoiser(variables, batch), x0, keys, config.sampler.variance
        )
        return {"bits_per_dimension": nats / (math.log(2.0) * math.prod(shape))}

    player = Player(
        "ddpm",
        owns=("network",),
        optimizer=optimizer(config.optimizer),
        moves=(Move("l_simple", l_simple),),
        average=warmed_up(config.average),
    )
    functions = {"sample": sample, "trajectory": trajectory, "bound": bound}
    model = GenerativeModel(init, (player,), functions)
    return (Phase("train", model, config.data, config.steps),)


def _at(schedule, t):
    """alpha and sigma at times t [B], shaped to broadcast against images."""
    broadcast = (-1, 1, 1, 1)
    return (
        jnp.asarray(schedule.alpha)[t].reshape(broadcast),
        jnp.asarray(schedule.sigma)[t].reshape(broadcast),
    )


def _table(sampler, schedule):
    if not 1 <= sampler.steps <= schedule.steps:
        raise UserError(f"sampler.steps {sampler.steps} must be in 1 .. {schedule.steps} (times)")
    one_of("sampler.variance", sampler.variance, samplers.VARIANCES)
    choices = {
        "ddim": lambda times: samplers.ddim(schedule, times, sampler.eta),
        "ancestral": lambda times: samplers.ancestral(schedule, times, sampler.variance),
    }
    table = choose("sampler.name", sampler.name, choices)
    return table(samplers.spaced_times(schedule, sampler.steps))
