"""Generative adversarial networks.

Goodfellow et al. 2014 (arXiv 1406.2661), with the networks of Radford et al. 2016
(arXiv 1511.06434) and the one-sided soft labels of Salimans et al. 2016 (arXiv 1606.03498).

    min_G max_D  E_x log D(x) + E_z log(1 - D(G(z)))                           eq. 1

The discriminator plays `discriminator.times` moves a round (algorithm 1's k), the generator one.
Real and fake examples pass the discriminator as batches of their own, each with its own statistics.
"""

import jax
import jax.numpy as jnp

from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.model import Aux, GenerativeModel, Move, Phase, Player, Variables, example_keys
from gm_jax.nn import dcgan
from gm_jax.nn.common import normal
from gm_jax.optimizers import optimizer, warmed_up

FRAMES = 12  # of an interpolation


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A DCGAN generator against a DCGAN discriminator; configs/gan_digits.py shows the keys."""
    dtype = jnp.dtype(config.dtype)
    generator = dcgan.Generator(spec["image"].shape, config.generator.width, dtype)
    discriminator = dcgan.Discriminator(config.discriminator.width, dtype)
    value = VALUE_FUNCTIONS[config.value_function]
    real_label, latents = config.discriminator.real_label, config.latents

    def init(key, batch, previous):
        generator_key, discriminator_key = jax.random.split(key)
        g = generator.init(generator_key, jnp.zeros((2, latents)), train=True)
        d = discriminator.init(discriminator_key, batch["image"], train=True)
        return Variables(
            params={"generator": g["params"], "discriminator": d["params"]},
            state={name: v.get("batch_stats", {}) for name, v in _named(g, d)},
        )

    def generate(variables, z):
        """Images from z as training sees them, and the generator's new statistics."""
        images, new = generator.apply(
            _of(variables, "generator"), z, train=True, mutable=["batch_stats"]
        )
        return images, new.get("batch_stats", {})

    def judge(variables, images):
        """Logits [B] and the discriminator's new statistics."""
        logits, new = discriminator.apply(
            _of(variables, "discriminator"), images, train=True, mutable=["batch_stats"]
        )
        return logits, new.get("batch_stats", {})

    def latent(key, batch):
        return normal(example_keys(key, batch), (latents,))

    def discriminator_loss(variables, batch, key, step):
        fake_images, _ = generate(variables, latent(key, batch))
        real, statistics = judge(variables, batch["image"])
        fake, _ = judge(variables, fake_images)
        loss = jnp.mean(value.discriminator(real, fake, real_label))
        metrics = {"real_logit": jnp.mean(real), "fake_logit": jnp.mean(fake)}
        return loss, Aux(metrics, {"discriminator": statistics})

    def generator_loss(variables, batch, key, step):
        images, statistics = generate(variables, latent(key, batch))
        fake, _ = judge(variables, images)
        return jnp.mean(value.generator(fake)), Aux(state={"generator": statistics})

    def decode(variables, z):
        return generator.apply(_of(variables, "generator"), z, train=False)

    def sample(variables, batch, key):
        return {"image": decode(variables, latent(key, batch))}

    def interpolation(variables, batch, key):
        """Along the great circle between two latents, [B, FRAMES, H, W, C]."""
        start, end = (latent(k, batch) for k in jax.random.split(key))
        path = jax.vmap(slerp, in_axes=(None, None, 0), out_axes=1)
        z = path(start, end, jnp.linspace(0.0, 1.0, FRAMES))
        images = decode(variables, z.reshape(-1, latents))
        return {"image": images.reshape(*z.shape[:2], *images.shape[1:])}

    players = (
        Player(
            "discriminator",
            owns=("discriminator",),
            optimizer=optimizer(config.discriminator.optimizer),
            moves=(Move("value", discriminator_loss, lambda step: config.discriminator.times),),
        ),
        Player(
            "generator",
            owns=("generator",),
            optimizer=optimizer(config.generator.optimizer),
            moves=(Move("value", generator_loss),),
            average=warmed_up(config.average),
        ),
    )
    functions = {"sample": sample, "interpolation": interpolation}
    model = GenerativeModel(init, players, functions)
    return (Phase("train", model, config.data, config.steps),)


def slerp(start, end, t):
    """Spherical interpolation of vectors [B, D] at t in [0, 1]. Shoemake 1985; White 2016.

    The angle is between the directions; straight where they (nearly) coincide.
    """
    a, b = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (start, end))
    angle = jnp.arccos(jnp.clip(jnp.sum(a * b, axis=-1, keepdims=True), -1.0, 1.0))
    sine = jnp.sin(angle)
    straight = sine < 1e-6
    safe = jnp.where(straight, 1.0, sine)
    w0 = jnp.where(straight, 1.0 - t, jnp.sin((1.0 - t) * angle) / safe)
    w1 = jnp.where(straight, t, jnp.sin(t * angle) / safe)
    return w0 * start + w1 * end


def _named(g, d):
    return (("generator", g), ("discriminator", d))


def _of(variables, name):
    return {"params": variables.params[name], "batch_stats": variables.state[name]}
