"""SRGAN after SRResNet: pictures enlarged four times.

Ledig et al. 2017 (arXiv 1609.04802). A small picture z is made of x by bicubic reduction:

    L_MSE  = E (x - G(z))^2                                          eq. 4; phase "srresnet"
    L_G    = .006 E (phi(x) - phi(G(z)))^2 + 1e-3 E -log D(G(z))     eqs. 3, 5, 6; phase "srgan"
    L_D    = E -log D(x) - log(1 - D(G(z)))                          eq. 2

SRGAN goes on with SRResNet's weights and statistics. phi is VGG19's map relu5_4 (phi_5,4), and .006
what dividing its features by 12.75 makes of squares; `stages.features` says whose features they
are. z is in [0, 1], x in [-1, 1]. In use, batch normalisation has its running statistics.
"""

from typing import Annotated

import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.model import Aux, Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn import upsampling
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import (
    Recipe,
    Restartable,
    Rule,
    arguments,
    at_least,
    one_of,
    part_of,
    schema,
)
from gm_jax.translation.shared.srresnet import Critic, SRResNet, check_critic

Weight = Annotated[float, at_least(0.0)]
FACTOR = Rule(lambda value: "" if value in (2, 4, 8) else "must be 2, 4 or 8")
CHANNELS = 3  # of what has a luminance
Enlarger = part_of(SRResNet, "features", "factor", "dtype")


@schema
class Discriminator(part_of(Critic, "dtype")):
    """The player that tells pictures from enlarged ones.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(1e-4)


@schema
class Game:
    """The second phase: the network goes on as a generator.

    steps           rounds; 0 for SRResNet alone
    value_function  what D maximises and G minimises
    adversarial     weight of G's value
    perceptual      weight of the distance of features; stages.features says whose. 0 for none
    pixels          weight of the squared error of pixels; SRGAN has none, its paper's SRGAN-MSE has
                    it in place of features
    optimizer       of G, one of optax's
    discriminator   the player that tells pictures from enlarged ones
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)] = 1
    value_function: Annotated[str, one_of(VALUE_FUNCTIONS)] = "non_saturating"
    adversarial: Weight = 1e-3
    perceptual: Weight = 0.006
    pixels: Weight = 0.0
    optimizer: Optimizer = adam(1e-4)
    discriminator: Discriminator = Discriminator()


@schema
class Settings(Recipe):
    """SRGAN, in two phases.

    steps      rounds of the first phase, SRResNet by pixels
    factor     how many times larger the sides become
    network    what enlarges
    optimizer  of the first phase, one of optax's
    game       the second phase
    """

    factor: Annotated[int, FACTOR] = 4
    network: Enlarger = Enlarger()
    optimizer: Optimizer = adam(1e-4)
    game: Game = Game()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.game.steps and self.game.perceptual and "features" not in self.stages:
            yield (
                "game.perceptual compares the features of a network: say which with"
                " stages.features, a workdir or a recipe (system backbone or classifier), or set"
                " game.perceptual=0 and game.pixels=1"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player by pixels, then two by features and D; configs/srgan_scenes.py."""
    field, dtype, game = field_of(spec, "image"), jnp.dtype(settings.dtype), settings.game
    shape, small = field.shape, upsampling.small_shape(field.shape, settings.factor)
    check_critic(shape, game.discriminator.levels)
    small_of, value = upsampling.small_images(small), VALUE_FUNCTIONS[game.value_function]
    distances = games.feature_distances(stages) if "features" in stages else lambda *_: {}
    module = SRResNet(shape[-1], settings.factor, **arguments(settings.network), dtype=dtype)
    generator = Network("generator", module)
    other = arguments(game.discriminator, "optimizer")
    discriminator = Network("discriminator", Critic(**other, dtype=dtype))

    def seen(batch):
        """The small images as the network sees them, in [0, 1]."""
        return (small_of(batch) + 1.0) / 2.0

    def init_srresnet(key, batch, previous):
        return networks.init(key[None], (generator, seen(batch)))

    def init_srgan(key, batch, previous):
        calls = (generator, seen(batch)), (discriminator, batch["image"])
        fresh = networks.split_init(key, *calls)
        begun = fresh if previous is None else previous
        return fresh._replace(
            params=fresh.params | {"generator": begun.params["generator"]},
            state=fresh.state | {"generator": begun.state["generator"]},
        )

    def squares(x, y):
        return jnp.mean((x - y) ** 2)

    def pixel_loss(variables, batch, key, step):
        y, state = generator.train(variables, seen(batch))
        return squares(batch["image"], y), Aux(state={"generator": state})

    def generator_loss(variables, batch, key, step):
        x = batch["image"]
        y, state = generator.train(variables, seen(batch))
        real, fake = (discriminator.train(variables, image)[0] for image in (x, y))
        metrics = {"adversarial": jnp.mean(value.generator(real, fake)), "pixels": squares(x, y)}
        loss = game.adversarial * metrics["adversarial"] + game.pixels * metrics["pixels"]
        for name, far in (distances(variables, x, y, key) if game.perceptual else {}).items():
            metrics[name] = jnp.mean(far)
            loss += game.perceptual * metrics[name]
        return loss, Aux(metrics, {"generator": state})

    def discriminator_loss(variables, batch, key, step):
        fake, _ = generator.train(variables, seen(batch))
        real, state = discriminator.train(variables, batch["image"])
        fake, _ = discriminator.train(variables, fake)
        metrics = {"real_output": jnp.mean(real), "fake_output": jnp.mean(fake)}
        return jnp.mean(value.discriminator(real, fake)), Aux(metrics, {"discriminator": state})

    def translate(variables, batch, key):
        """The small image, `image_low` or made of `image`, enlarged."""
        return {"image": generator(variables, seen(batch))}

    def baseline(variables, batch, key):
        """What `translate` is compared with: the bicubic enlargement."""
        return {"image": upsampling.enlarged(small_of(batch), shape)}

    def reconstruct(variables, batch, key):
        """The image beside its enlarged small image, [B, 2, H, W, C]."""
        pair = batch["image"], translate(variables, batch, key)["image"]
        return {"image": jnp.stack(pair, axis=1)}

    functions = upsampling.functions(translate, shape, small)
    own = functions.pop("restoration")

    def restoration(variables, batch, key):
        """The model and bicubic enlargement against the image, [B]: ratios of signal to noise, in
        decibels, of RGB and of luminance as in published tables, and distances of features."""
        x, results = batch["image"], own(variables, batch, key)
        for name, enlarge in (("", translate), ("_cubic", baseline)):
            y = jnp.clip(enlarge(variables, batch, key)["image"], -1.0, 1.0)
            if shape[-1] == CHANNELS:
                ratio = upsampling.luminance_psnr(y, x, settings.factor)
                results[f"psnr_luminance{name}"] = ratio
            far = distances(variables, x, y, key)
            results |= {f"{of}{name}": distance for of, distance in far.items()}
        return results

    functions |= {f.__name__: f for f in (translate, baseline, reconstruct, restoration)}
    fields = {"image": field, "image_low": field._replace(shape=small)}

    def phase(name, init, players, steps):
        made = games.phase(settings, init, players, functions, fields, stages)
        return made._replace(name=name, steps=steps)

    def enlarging(loss, own):
        return games.player("generator", ("generator",), {"value": loss}, own, settings.average)

    first = phase("srresnet", init_srresnet, (enlarging(pixel_loss, settings),), settings.steps)
    judge = games.player(
        "discriminator", ("discriminator",), {"value": discriminator_loss}, game.discriminator
    )
    second = phase("srgan", init_srgan, (judge, enlarging(generator_loss, game)), game.steps)
    return (first, second) if game.steps else (first,)
