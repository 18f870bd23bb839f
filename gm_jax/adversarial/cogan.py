"""Coupled GANs: pairs of images of two domains, learned without ever seeing a pair.

Liu & Tuzel 2016 (arXiv 1606.07536), eq. 3: two games played at once, with the generators' first
layers shared and the discriminators' last. As in the paper's experiments on digits the generators
share all but the last layer: they are one network whose last layer has both domains' channels.
The losses of the two games are averaged.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from gm_jax import networks
from gm_jax.adversarial.shared.latent_game import Settings, latent, open_game, phase
from gm_jax.adversarial.shared.networks import NETWORKS, WEIGHTS
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.model import Array, Aux, Phase


class CoupledDiscriminator(nn.Module):
    """Images of both domains to logits, [B] and [B]; all layers but the first are shared.

    shared  the module of the shared layers: a discriminator of NETWORKS
    """

    shared: Callable[..., nn.Module]
    width: int
    normalization: str
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, a: Array, b: Array, train: bool) -> tuple[Array, Array]:
        # Trained runs have its parameters by this name.
        shared = self.shared(
            2 * self.width, 1, self.normalization, self.dtype, name="Discriminator_0"
        )
        outputs = []
        for domain, x in (("a", a), ("b", b)):
            first = nn.Conv(self.width, (4, 4), strides=2, kernel_init=WEIGHTS,
                            dtype=self.dtype, name=f"first_{domain}")  # fmt: skip
            outputs.append(shared(nn.leaky_relu(first(x), 0.2), train=train)[:, 0])
        return tuple(outputs)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Two coupled games; configs/cogan_mnist.py."""
    if "image_b" not in spec:
        raise UserError("CoGAN needs images of two domains: data.name=two_domains")
    height, width, channels = spec["image"].shape
    both = {"image": spec["image"]._replace(shape=(height, width, 2 * channels))}
    player, dtype = settings.discriminator, jnp.dtype(settings.dtype)
    shared = NETWORKS[settings.networks].discriminator
    critic = CoupledDiscriminator(shared, player.width, player.normalization, dtype)
    game = open_game(settings, both, critic)
    generator, discriminator = game.generator, game.discriminator

    def init(key, batch, previous):
        z = latent(game, key, batch)
        pair = batch["image"], batch["image_b"]
        return networks.split_init(key, (generator, z), (discriminator, *pair))

    def generate(variables, batch, key):
        """A pair of images, [B, H, W, C] each, and the generator's state."""
        images, state = generator.train(variables, latent(game, key, batch))
        return jnp.split(images, 2, axis=-1), state

    def discriminator_loss(variables, batch, key, step):
        fakes, _ = generate(variables, batch, key)
        pair = batch["image"], batch["image_b"]
        real, state = discriminator.train(variables, *pair)
        fake, _ = discriminator.train(variables, *fakes)
        losses = [log_loss(r, f) for r, f in zip(real, fake, strict=True)]
        return jnp.mean(sum(losses)) / 2.0, Aux(state={"discriminator": state})

    def generator_loss(variables, batch, key, step):
        fakes, state = generate(variables, batch, key)
        fake, _ = discriminator.train(variables, *fakes)
        return jnp.mean(sum(map(non_saturating, fake))) / 2.0, Aux(state={"generator": state})

    def sample(variables, batch, key):
        """Pairs: `image` of one domain and `image_b` of the other, from the same z."""
        images = generator(variables, latent(game, key, batch))
        a, b = jnp.split(images, 2, axis=-1)
        return {"image": a, "image_b": b}

    def pairs(variables, batch, key):
        """The pairs side by side, [B, 2, H, W, C]."""
        return {"image": jnp.stack(list(sample(variables, batch, key).values()), axis=1)}

    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    return (phase(game, init, objectives, {"sample": sample, "pairs": pairs}),)
