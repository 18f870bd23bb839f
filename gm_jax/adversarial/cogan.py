"""Coupled GANs: pairs of images of two domains, learned without ever seeing a pair.

Liu & Tuzel 2016 (arXiv 1606.07536), eq. 3: two games played at once, with the generators' first
layers shared and the discriminators' last. As in the paper's experiments on digits the generators
share all but the last layer: they are one network whose last layer has both domains' channels.
The losses of the two games are averaged.

A picture is translated (section 5) by the latent whose own picture is nearest to it: the best of a
few draws, then moved downhill.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from gm_jax import networks
from gm_jax.adversarial.shared.latent_game import Settings, latent, open_game, phase
from gm_jax.adversarial.shared.networks import NETWORKS, WEIGHTS
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.losses.likelihoods import sum_over_example
from gm_jax.model import Array, Aux, Phase

CANDIDATES = 32  # draws, of which the nearest is where the search for a latent begins
SEARCH, RATE = 200, 0.05  # steps of Adam, and its rate


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

    def translate(variables, batch, key):
        """`image_b` of `image`, and `image` of `image_b`: the other picture of the nearest z."""
        found = [nearest(variables, batch, k, i) for i, k in enumerate(jax.random.split(key))]
        a, b = (generator(variables, z) for z in found)
        return {"image_b": jnp.split(a, 2, axis=-1)[1], "image": jnp.split(b, 2, axis=-1)[0]}

    def nearest(variables, batch, key, domain):
        """z [B, D] whose picture in a domain (0 or 1) is nearest to the batch's, by squares."""
        true, tool = batch[("image", "image_b")[domain]], optax.adam(RATE)

        def far(z):
            made = jnp.split(generator(variables, z), 2, axis=-1)[domain]
            return sum_over_example((made - true) ** 2)

        def drawn(best, key):
            z = latent(game, key, batch)
            distance = far(z)
            nearer = distance < best[1]
            return (jnp.where(nearer[:, None], z, best[0]), jnp.minimum(distance, best[1])), None

        def moved(carry, _):
            z, memory = carry
            slope = jax.grad(lambda z: jnp.sum(far(z)))(z)  # Examples do not depend on one another.
            update, memory = tool.update(slope, memory)
            return (z + update, memory), None

        none = jnp.zeros((len(true), settings.latents)), jnp.full(len(true), jnp.inf)
        (z, _), _ = lax.scan(drawn, none, jax.random.split(key, CANDIDATES))
        (z, _), _ = lax.scan(moved, (z, tool.init(z)), length=SEARCH)
        return z

    objectives = {"discriminator": discriminator_loss, "generator": generator_loss}
    functions = {"sample": sample, "pairs": pairs, "translate": translate}
    return (phase(game, init, objectives, functions),)
