"""StyleGAN: what an image shows is set by styles, layer by layer; it grows as ProGAN does.

Karras et al. 2019 (arXiv 1812.04948). With w = f(z), images G(w, noise), and x the real images at
the side of a phase, mixed while layers fade in (shared/growing.py), either of

    r1       L_D = E softplus(D(G)) + E softplus(-D(x)) + gamma / 2 E |grad D(x)|^2
             L_G = E softplus(-D(G))
    wgan_gp  L_D = E [D(G) - D(x) + lambda (|grad D(x^)| - 1)^2 + epsilon D(x)^2]
             L_G = E [-D(G)],    x^ = u x + (1 - u) G,    u ~ U[0, 1) of each example

D moves before G, and both learn faster at sides of 128 pixels and more (appendix C). A share of the
images has two styles, the second from a random one of the layers that have grown. The state holds
the average of w, by which use is truncated.
"""

import dataclasses
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.adversarial.shared import style_functions, styles
from gm_jax.adversarial.shared.growing import (
    POWER_OF_TWO,
    Growing,
    Growth,
    enlarged,
    grown,
    growths,
)
from gm_jax.adversarial.shared.styles import Average, Sampler, Share
from gm_jax.losses.adversarial import log_loss, non_saturating, wasserstein
from gm_jax.losses.penalties import wgan_gp, zero_centred
from gm_jax.model import Array, Aux, Field, Phase, Variables, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import Size, uniform
from gm_jax.nn.progan import Discriminator as Critic
from gm_jax.nn.stylegan import Synthesis, noise_sides
from gm_jax.nn.stylegan2 import drawn_noise
from gm_jax.nn.stylegan2_layers import Mapping
from gm_jax.optimizers import Optimizer, adam, by_images
from gm_jax.settings import Restartable, at_least, one_of, read, schema

OBJECTIVES = ("r1", "wgan_gp")
FASTER = {128: 1.5, 256: 2.0, 512: 3.0, 1024: 3.0}  # the learning rate at these sides


@schema
class Generator:
    """The player that generates images.

    styles     size of w
    mapping    layers from z to w
    mixing     share of the images with two styles, the second from a random layer on
    optimizer  one of optax's
    """

    styles: Size = 512
    mapping: Size = 8
    mixing: Share = 0.9
    optimizer: Optimizer = adam(1e-3, b1=0.0, b2=0.99)


@schema
class Discriminator:
    """The player that tells real images from generated ones.

    group      examples whose deviation is taken together; 0 for the whole batch
    optimizer  one of optax's
    """

    group: Annotated[int, at_least(0)] = 4
    optimizer: Optimizer = adam(1e-3, b1=0.0, b2=0.99)


@schema
class Settings(Growing):
    """StyleGAN.

    objective      r1, the log loss with that penalty, or wgan_gp
    penalty        gamma, or lambda: the weight of the penalty on D's gradient
    drift          epsilon, weight of the square of D's output on real images; of wgan_gp alone
    generator      the player that generates images
    discriminator  the player that tells real images from generated ones
    average        the moving average of G
    sampler        from a latent to an image
    """

    first: Annotated[int, POWER_OF_TWO] = 8
    objective: Annotated[str, one_of(OBJECTIVES)] = "r1"
    penalty: Annotated[float, at_least(0.0)] = 10.0
    drift: Annotated[float, at_least(0.0)] = 1e-3
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()
    average: Average = Average()
    sampler: Annotated[Sampler, Restartable()] = Sampler()


class Networks(NamedTuple):
    """G's two parts and D, as they are in one phase.

    shape  of the images of the data, which those of a smaller side are enlarged to
    """

    mapping: Network
    synthesis: Network
    discriminator: Network
    growth: Growth
    latents: int
    shape: tuple[int, int, int]
    classes: int = 0

    @property
    def layers(self) -> int:
        """How many styles an image has."""
        return len(noise_sides(self.growth.side))

    def images(self, variables: Variables, styles: Array, noise: list[Array] | None) -> Array:
        """Images [B, *shape], by the share that the state holds."""
        share = variables.state.get("share", 1.0)
        return enlarged(self.synthesis(variables, styles, noise, share), self.shape[0])

    def maps(self, keys: Array) -> list[Array]:
        """Noise maps of each layer, by a key for each example [B]."""
        return drawn_noise(keys, noise_sides(self.growth.side))


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A phase for each side, and one before in which its layers fade in; stylegan_fashion.py.

    Raises UserError if the images' side is not `first`, doubled some times.
    """
    shape = field_of(spec, "image").shape
    return tuple(_phase(settings, make(settings, shape, own)) for own in growths(settings, shape))


def make(settings: Settings, shape: tuple[int, int, int], growth: Growth) -> Networks:
    """The networks of a phase, for images of `shape`."""
    own, dtype = settings.generator, jnp.dtype(settings.dtype)
    sizes = dict(
        side=growth.side, fading=growth.fading, density=settings.density, most=settings.most,
        dtype=dtype,
    )  # fmt: skip
    mapping = Mapping(own.styles, own.mapping, dtype=jnp.promote_types(dtype, jnp.float32))
    return Networks(
        Network("mapping", mapping),
        Network("synthesis", Synthesis(channels=shape[-1], **sizes)),
        Network("discriminator", Critic(group=settings.discriminator.group, blur=True, **sizes)),
        growth,
        settings.latents,
        shape,
    )


def networks_of(trained) -> Networks:
    """The networks of a trained model, as they are in its last phase."""
    settings = read(Settings, trained.config)
    shape = trained.phase.model.spec["image"].shape
    return make(settings, shape, growths(settings, shape)[-1])


def _phase(settings: Settings, nets: Networks) -> Phase:
    """The game at one side of the images."""
    growth, width = nets.growth, settings.generator.styles

    def init(key, batch, previous):
        key, noise_key = jax.random.split(key)
        share, state = growth.share_at(0)
        x = growth.real(batch["image"], share)
        fresh = networks.split_init(
            key,
            (nets.mapping, jnp.zeros((1, nets.latents))),
            (nets.synthesis, jnp.zeros((1, nets.layers, width)), None, share),
            (nets.discriminator, x, share),
        )
        noise = nets.maps(noise_key[None])
        old = previous.state["noise"] if previous else []
        fresh = grown(fresh._replace(state={"w_average": jnp.zeros(width)}), previous)
        return fresh._replace(state=fresh.state | state | {"noise": old + noise[len(old) :]})

    def fakes(variables, batch, key, share):
        """New images at the side of the phase, and the new average of w."""
        style_key, noise_key = jax.random.split(key)
        w, state = styles.drawn(nets, variables, batch, style_key, settings.generator.mixing)
        noise = nets.maps(example_keys(noise_key, batch))
        return nets.synthesis(variables, w, noise, share), state

    def discriminator(variables, batch, key, step):
        fake_key, mix_key = jax.random.split(key)
        share, state = growth.share_at(step)
        x = growth.real(batch["image"], share)
        images, average = fakes(variables, batch, fake_key, share)

        def critic(x):
            return nets.discriminator(variables, x, share)

        true, fake = critic(x), critic(images)
        if settings.objective == "r1":
            penalty = zero_centred(critic, x)
            loss = log_loss(true, fake) + settings.penalty * penalty
        else:
            u = uniform(example_keys(mix_key, batch), ())
            penalty = wgan_gp(critic, x, images, u)
            loss = wasserstein(true, fake) + settings.penalty * penalty + settings.drift * true**2
        metrics = {"real_output": true, "fake_output": fake, "penalty": penalty}
        metrics = {name: jnp.mean(value) for name, value in metrics.items()}
        return jnp.mean(loss), Aux(metrics | state, state | average)

    def generator(variables, batch, key, step):
        share, state = growth.share_at(step)
        images, average = fakes(variables, batch, key, share)
        fake = nets.discriminator(variables, images, share)
        loss = non_saturating(fake) if settings.objective == "r1" else -fake
        return jnp.mean(loss), Aux(state=state | average)

    judge, maker = (
        dataclasses.replace(own, optimizer=_at(own.optimizer, growth.side))
        for own in (settings.discriminator, settings.generator)
    )
    players = (
        games.player("discriminator", ("discriminator",), {"value": discriminator}, judge),
        games.player("generator", ("mapping", "synthesis"), {"value": generator}, maker)._replace(
            average=by_images(
                settings.average.half_life, settings.average.ramp, settings.batch_size
            )
        ),
    )
    functions = style_functions.make(settings.sampler, nets)
    phase = games.phase(settings, init, players, functions, {"image": Field(nets.shape, 256)})
    return phase._replace(name=growth.name, steps=growth.steps)


def _at(optimizer: Optimizer, side: int) -> Optimizer:
    """A player's optimizer at one side of the images."""
    rate = optimizer.learning_rate * FASTER.get(side, 1.0)
    return dataclasses.replace(optimizer, learning_rate=rate)
