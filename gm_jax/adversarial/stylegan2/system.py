"""StyleGAN2, with adaptive discriminator augmentation (ADA) or without.

Karras et al. 2020 (StyleGAN2, arXiv 1912.04958); Karras et al. 2020 (ADA, arXiv 2006.06676). With
w = f(z), images G(w, noise), and T the augmentation of what D sees:

    L_D = E softplus(D(T G)) + E softplus(-D(T x))           L_G = E softplus(-D(T G))
    R1  = gamma / 2  E |grad_x D(T x)|^2                     every 16th round, times 16
    PL  = weight E (|J^T y| - a)^2,  J = dG/dw, y ~ N(0, I)  every 4th round, times 4

Both terms are moves of their own, by the same optimizers, whose rate and b are rescaled for the
steps that they add. G moves before D, as in the authors' code. A share of the images has two
styles. The state holds the average of w, the running mean a, and p of the augmentation.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.adversarial.shared import augmentation, style_functions, styles
from gm_jax.adversarial.shared.styles import label_of
from gm_jax.adversarial.stylegan2 import networks, published
from gm_jax.adversarial.stylegan2.networks import Networks
from gm_jax.adversarial.stylegan2.settings import Settings
from gm_jax.errors import UserError
from gm_jax.losses import penalties
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.model import (
    Array,
    Aux,
    Batch,
    Field,
    Phase,
    Variables,
    classes_of,
    example_keys,
    field_of,
)
from gm_jax.nn.layers import normal
from gm_jax.optimizers import by_images, rescaled


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A mapping and a synthesis against a discriminator; configs/stylegan2_fashion.py."""
    opened = published.open_published(settings) if settings.weights else None
    if opened:
        settings, nets = opened.settings, opened.nets
        _check_data(nets, spec, settings)
    else:
        classes = classes_of(spec) if settings.conditional else 0
        nets = networks.make(settings, field_of(spec, "image").shape, classes)

    def init(key, batch, previous):
        fresh = networks.init(nets, key)
        own = {"path_mean": jnp.zeros(()), "augmentation": augmentation.init(settings.augmentation)}
        fresh = fresh._replace(state=fresh.state | own)
        return published.begun(fresh, previous) if previous else fresh

    players = _players(settings, Game(settings, nets)) if settings.steps else _idle()
    fields = {"image": Field(nets.shape, 256)}
    fields |= {"label": Field((), nets.classes)} if nets.classes else {}
    functions = style_functions.make(settings.sampler, nets)
    phase = games.phase(settings, init, players, functions, fields)
    return (phase._replace(start=(lambda stages: opened.read()) if opened else None),)


def _check_data(nets: Networks, spec, settings: Settings) -> None:
    """Raises UserError if published networks are trained further on data that do not fit them."""
    if settings.steps and (shape := field_of(spec, "image").shape) != nets.shape:
        raise UserError(f"{settings.weights} makes images of {nets.shape}, the data's are {shape}")
    if settings.steps and nets.classes and classes_of(spec) != nets.classes:
        raise UserError(
            f"{settings.weights} knows {nets.classes} classes, the data has {classes_of(spec)}"
        )


def _idle():
    """Players that never move, whose average is G's."""
    generator = games.untrained("mapping", "synthesis")._replace(name="generator")
    return generator._replace(average=lambda rounds: 1.0), games.untrained("discriminator")


class Game(NamedTuple):
    """The objectives of both players."""

    settings: Settings
    nets: Networks

    def generator(self, variables: Variables, batch: Batch, key: Array, step: Array):
        """L_G."""
        fake_key, seen_key = jax.random.split(key)
        images, state = self.fakes(variables, batch, fake_key)
        logits = self.judged(variables, images, batch, seen_key)
        return jnp.mean(non_saturating(logits)), Aux({"fake_output": jnp.mean(logits)}, state)

    def path(self, variables: Variables, batch: Batch, key: Array, step: Array):
        """PL, of one example of every `shrink`; the noise of G is that of the images."""
        own = self.settings.generator.path
        batch = {name: x[:: own.shrink] for name, x in batch.items()}
        style_key, noise_key, image_key = jax.random.split(key, 3)
        w, state = self.styles(variables, batch, style_key)
        noise = self.nets.maps(example_keys(noise_key, batch))

        def generate(w):
            return self.nets.images(variables, w, noise)

        shape = self.nets.shape
        y = normal(example_keys(image_key, batch), shape) / shape[0]
        lengths = penalties.path_lengths(generate, w, y)
        penalty, mean = penalties.path_penalty(lengths, variables.state["path_mean"])
        metrics = {"penalty": jnp.mean(penalty), "length": jnp.mean(lengths)}
        return own.weight * own.every * metrics["penalty"], Aux(
            metrics, {**state, "path_mean": mean}
        )

    def discriminator(self, variables: Variables, batch: Batch, key: Array, step: Array):
        """L_D; p of the augmentation moves after the signs of this batch are counted."""
        settings, (fake_key, seen_fake, seen_real) = self.settings, jax.random.split(key, 3)
        images, state = self.fakes(variables, batch, fake_key)
        fake = self.judged(variables, images, batch, seen_fake)
        real = self.judged(variables, batch["image"], batch, seen_real)
        seen = augmentation.counted(variables.state["augmentation"], real)
        seen = augmentation.adapted(settings.augmentation, seen, step, settings.batch_size)
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        metrics |= {"augmented": seen["p"]} if settings.augmentation.name else {}
        return jnp.mean(log_loss(real, fake)), Aux(metrics, {**state, "augmentation": seen})

    def r1(self, variables: Variables, batch: Batch, key: Array, step: Array):
        """R1, of images before their augmentation."""
        own = self.settings.discriminator.r1

        def critic(x):
            return self.judged(variables, x, batch, key)

        penalty = jnp.mean(penalties.zero_centred(critic, batch["image"]))
        return own.gamma * own.every * penalty, Aux({"penalty": penalty})

    def styles(self, variables: Variables, batch: Batch, key: Array):
        """Styles [B, L, D] of new latents, a share of them mixed, and the new average of w."""
        return styles.drawn(self.nets, variables, batch, key, self.settings.generator.mixing)

    def fakes(self, variables: Variables, batch: Batch, key: Array):
        """New images, and the new average of w."""
        style_key, noise_key = jax.random.split(key)
        w, state = self.styles(variables, batch, style_key)
        noise = self.nets.maps(example_keys(noise_key, batch))
        return self.nets.images(variables, w, noise), state

    def judged(self, variables: Variables, images: Array, batch: Batch, key: Array) -> Array:
        """D's logits [B] on images, augmented by the p of now."""
        name = self.settings.augmentation.name
        if name:
            keys, p = example_keys(key, batch), variables.state["augmentation"]["p"]
            draws = augmentation.draw(keys, p, name, images.shape[1:])
            images = augmentation.augmented(images, draws, name)
        return self.nets.discriminator(variables, images, label_of(self.nets, batch))


def _players(settings: Settings, game: Game):
    path, r1 = settings.generator.path, settings.discriminator.r1
    moves = {name: {"value": getattr(game, name)} for name in ("generator", "discriminator")}
    parts = {"generator": settings.generator, "discriminator": settings.discriminator}
    if path.weight:
        moves["generator"]["path"] = game.path, games.every(path.every)
        parts["generator"] = _lazy(settings.generator, path.every)
    if r1.gamma:
        moves["discriminator"]["r1"] = game.r1, games.every(r1.every)
        parts["discriminator"] = _lazy(settings.discriminator, r1.every)
    owns = {"generator": ("mapping", "synthesis"), "discriminator": ("discriminator",)}
    generator, discriminator = (
        games.player(name, owns[name], moves[name], parts[name]) for name in moves
    )
    average = settings.average
    decay = by_images(average.half_life, average.ramp, settings.batch_size)
    return generator._replace(average=decay), discriminator


def _lazy(part, every: int):
    """A player's part with its optimizer rescaled for a regulariser every so many rounds."""
    return dataclasses.replace(part, optimizer=rescaled(part.optimizer, every / (every + 1)))
