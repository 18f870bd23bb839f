"""pix2pix: image-to-image translation from pairs.

Isola et al. 2017 (arXiv 1611.07004):

    L_cGAN = E log D(x, y) + E log(1 - D(x, G(x, z)))                                    eq. 1
    L_L1   = E |y - G(x, z)|                                                             eq. 3
    G*     = arg min_G max_D L_cGAN + lambda L_L1                                        eq. 4

x is `image`, y `image_b`. The noise z is dropout alone, which stays on when the model is used, and
batch normalisation uses the statistics of the batch at hand: use is as training, so the batch must
be as large (`evaluate.batch_size`).
"""

from typing import Annotated

import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.losses.translation import l1
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.patchgan import PatchGAN, paired
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, arguments, at_least, one_of, part_of, schema
from gm_jax.translation.shared.unet import UNet, check_sides

Weight = Annotated[float, at_least(0.0)]


@schema
class Generator(part_of(UNet, "features", "dtype")):
    """The player that translates.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Discriminator(part_of(PatchGAN, "padding", "dtype")):
    """The player that tells real pairs from translated ones, patch by patch.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Settings(Recipe):
    """pix2pix; with adversarial=0 its baseline, which minimises the L1 distance alone.

    value_function  what D maximises and G minimises
    adversarial     weight of G's value; 0 for no discriminator
    distance        lambda, weight of the L1 distance
    generator       the player that translates
    discriminator   the player that tells real pairs from translated ones
    """

    value_function: Annotated[str, one_of(VALUE_FUNCTIONS)] = "non_saturating"
    adversarial: Weight = 1.0
    distance: Weight = 100.0
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.evaluate.batch_size != self.batch_size:
            yield (
                "pix2pix normalises by the batch at hand, in use as in training: set"
                f" evaluate.batch_size to batch_size, {self.batch_size}"
            )
        if not (self.adversarial or self.distance):
            yield "adversarial and distance are both 0: nothing would be learned"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator against a discriminator of pairs; configs/pix2pix_scenes.py."""
    shape, target = (field_of(spec, name).shape for name in ("image", "image_b"))
    check_sides(shape, settings.generator.levels)
    dtype, value = jnp.dtype(settings.dtype), VALUE_FUNCTIONS[settings.value_function]
    own, other = (arguments(p, "optimizer") for p in (settings.generator, settings.discriminator))
    generator = Network("generator", UNet(target[-1], **own, dtype=dtype))
    discriminator = Network("discriminator", PatchGAN(**other, dtype=dtype))

    def init(key, batch, previous):
        x, y = batch["image"], batch["image_b"]
        calls = [(generator, x, example_keys(key, batch)), (discriminator, paired(x, y))]
        return networks.split_init(key, *calls[: 2 if settings.adversarial else 1])

    def translated(variables, batch, key):
        """G(x, z) of [B, H, W, C], by the statistics of this batch, and its new state."""
        return generator.train(variables, batch["image"], example_keys(key, batch))

    def discriminator_loss(variables, batch, key, step):
        x, fake = batch["image"], translated(variables, batch, key)[0]
        real, state = discriminator.train(variables, paired(x, batch["image_b"]))
        fake, _ = discriminator.train(variables, paired(x, fake))
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        return jnp.mean(value.discriminator(real, fake)), Aux(metrics, {"discriminator": state})

    def generator_loss(variables, batch, key, step):
        x, y = batch["image"], batch["image_b"]
        fake, state = translated(variables, batch, key)
        distance = jnp.mean(l1(fake, y))
        metrics, loss = {"distance": distance}, settings.distance * distance
        if settings.adversarial:
            real, _ = discriminator.train(variables, paired(x, y))
            judged, _ = discriminator.train(variables, paired(x, fake))
            metrics["value"] = jnp.mean(value.generator(real, judged))
            loss += settings.adversarial * metrics["value"]
        return loss, Aux(metrics, {"generator": state})

    def translate(variables, batch, key):
        """`image_b` of `image`, with dropout, by the statistics of this batch."""
        return {"image_b": translated(variables, batch, key)[0]}

    def steady(variables, batch, key):
        """`translate` without dropout: the same image always gives the same, as videos need."""
        return {"image_b": generator.train(variables, batch["image"], None)[0]}

    def compare(variables, batch, key):
        """What is translated, its translation and the truth, [B, 3, H, W, C]."""
        shown = batch["image"], *translate(variables, batch, key).values(), batch["image_b"]
        return {"image": jnp.stack(shown, axis=1)}

    players = (
        games.player(
            "discriminator", ("discriminator",), {"value": discriminator_loss},
            settings.discriminator,
        ),
        games.player(
            "generator", ("generator",), {"value": generator_loss}, settings.generator,
            settings.average,
        ),
    )  # fmt: skip
    functions = {f.__name__: f for f in (translate, steady, compare)}
    return (
        games.phase(settings, init, players if settings.adversarial else players[1:], functions),
    )
