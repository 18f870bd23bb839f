"""What autoencoders have whose codes a critic compares with a prior.

The encoder and the decoder are one player with one optimizer: reconstruction and the critic's
judgement of the codes are one loss. Critics see codes, never images, and are not normalised.
"""

import math
from collections.abc import Callable
from typing import Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.autoencoders.shared.code_priors import PRIORS, Prior, any_part
from gm_jax.losses.likelihoods import LIKELIHOODS, Likelihood
from gm_jax.model import Array, Player, Variables, example_keys
from gm_jax.networks import Network
from gm_jax.nn.encoders import MLP, ImageMLP
from gm_jax.nn.layers import Size, normal
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, above, at_least, one_of, schema

PARTS = 10  # of a prior, if no labels say how many
FRAMES = 12  # along a part of the prior
KINDS = ("deterministic", "gaussian", "universal")


@schema
class Posterior:
    """How a code is drawn.

    name   the encoder's output itself (deterministic); a draw of a Gaussian whose mean and
           log-variance it gives, without a KL (gaussian); its output for the image and noise
           (universal)
    noise  numbers beside the image, of universal
    """

    name: Annotated[str, one_of(KINDS)] = "deterministic"
    noise: Annotated[int, at_least(1)] = 10


@schema
class Discriminator:
    """The player that tells codes from draws of the prior.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Settings(Recipe):
    """An autoencoder with a prior.

    latents        numbers of a code
    posterior      how a code is drawn
    prior          ten Gaussians in a star, a spiral, or a normal distribution
    likelihood     of the image given its code, summed over pixels
    widths         hidden units of each network
    deviation      of the normal weights at the start
    adversarial    weight of a critic's judgement beside the reconstruction
    optimizer      of the autoencoder, one of optax's
    discriminator  the critics
    """

    latents: Annotated[int, at_least(1)] = 2
    posterior: Posterior = Posterior()
    prior: Annotated[str, one_of(PRIORS)] = "star"
    likelihood: Annotated[str, one_of(LIKELIHOODS)] = "bernoulli"
    widths: tuple[Size, ...] = (1000, 1000)
    deviation: Annotated[float, above(0.0)] = 0.01
    adversarial: Annotated[float, at_least(0.0)] = 1.0
    optimizer: Optimizer = adam(2e-4, b1=0.5)
    discriminator: Discriminator = Discriminator()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if PRIORS[self.prior](PARTS, self.latents).plane and self.latents != 2:
            yield f"prior {self.prior} lies in a plane, and latents is {self.latents}: set it to 2"


class Codes(NamedTuple):
    """The networks of a code and its prior.

    encode  (variables, images, keys [B]) -> z [B, D], and what else the encoder gives, [B, others]
    draw    keys [B] -> z ~ p(z)
    wide    numbers that the encoder is given of an image
    name    of codes as outputs: points of the plane if they are
    """

    encoder: Network
    decoder: Network
    prior: Prior
    likelihood: Likelihood
    encode: Callable
    draw: Callable[[Array], Array]
    wide: int
    name: str

    def init(self, key: Array, code: int, *critics: tuple[Network, int]) -> Variables:
        """Fresh variables; the decoder is given `code` numbers, a critic those beside it."""
        given = (self.encoder, self.wide), (self.decoder, code), *critics
        calls = [(network, jnp.zeros((1, width))) for network, width in given]
        variables = networks.split_init(key, *calls)
        own = {name: jnp.zeros(()) for name in self.likelihood.learned}
        return variables._replace(params=variables.params | own)

    def images(self, variables, code):
        """Means of p(x | code)."""
        return self.likelihood.mean(self.decoder(variables, code))

    def log_prob(self, variables, x, code):
        """log p(x | code), [B]."""
        output = self.decoder(variables, code)
        return self.likelihood.log_prob(x, output, variables.params)

    @property
    def owns(self) -> tuple[str, ...]:
        """What the autoencoder's player learns."""
        return ("encoder", "decoder", *self.likelihood.learned)


def open_codes(settings: Settings, shape: tuple[int, ...], parts: int, others: int = 0) -> Codes:
    """The networks of a recipe; the encoder gives `others` numbers besides what z is drawn from."""
    latents, kind = settings.latents, settings.posterior
    prior = PRIORS[settings.prior](parts, latents)
    own = _common(settings)
    outputs = (2 if kind.name == "gaussian" else 1) * latents
    encoder = Network("encoder", MLP(others + outputs, **own))
    decoder = Network("decoder", ImageMLP(shape, **own))

    def encode(variables, x, keys):
        inputs = x.reshape(len(x), -1) / 2.0 + 0.5
        if kind.name == "universal":
            inputs = jnp.concatenate([inputs, normal(keys, (kind.noise,))], axis=-1)
        other, z = jnp.split(encoder(variables, inputs), [others], axis=-1)
        if kind.name == "gaussian":
            mean, log_variance = jnp.split(z, 2, axis=-1)
            z = mean + jnp.exp(0.5 * log_variance) * normal(keys, (latents,))
        return z, other

    def draw(keys):
        of_part, of_z = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        return prior.draw(of_z, any_part(of_part, parts))

    wide = math.prod(shape) + (kind.noise if kind.name == "universal" else 0)
    likelihood, name = LIKELIHOODS[settings.likelihood], "point" if latents == 2 else "latent"
    return Codes(encoder, decoder, prior, likelihood, encode, draw, wide, name)


def critic(settings: Settings, name: str) -> Network:
    """A network of vectors [B, D] to logits [B, 1]."""
    return Network(name, MLP(1, **_common(settings)))


def _common(settings: Settings) -> dict:
    init = nn.initializers.normal(settings.deviation)
    return dict(widths=settings.widths, kernel_init=init, dtype=jnp.dtype(settings.dtype))


def players(
    settings: Settings, codes: Codes, critics: tuple[str, ...], losses
) -> tuple[Player, ...]:
    """Critics, then the autoencoder; losses: one objective for each of the two players."""
    of_critics, of_codes = ({"value": loss} for loss in losses)
    return (
        games.player("discriminator", critics, of_critics, settings.discriminator),
        games.player("autoencoder", codes.owns, of_codes, settings, settings.average),
    )


def functions(codes: Codes) -> dict[str, Callable]:
    """What is done with codes alone."""

    def prior(variables, batch, key):
        """Draws of the prior."""
        return {codes.name: codes.draw(example_keys(key, batch))}

    def encode(variables, batch, key):
        """A draw of each example's code, and its label if it has one."""
        z, _ = codes.encode(variables, batch["image"], example_keys(key, batch))
        return {codes.name: z} | {name: batch[name] for name in ("label",) if name in batch}

    return {"prior": prior, "encode": encode}
