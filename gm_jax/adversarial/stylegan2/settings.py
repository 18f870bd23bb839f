"""What can be set of StyleGAN2."""

from typing import Annotated

from gm_jax.adversarial.shared.augmentation import Augmentation
from gm_jax.nn import stylegan2
from gm_jax.nn.layers import Size
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import (
    Recipe,
    Restartable,
    above,
    at_least,
    at_most,
    one_of,
    part_of,
    schema,
)

Weight = Annotated[float, at_least(0.0)]
Share = Annotated[float, at_least(0.0), at_most(1.0)]
NOISE = ("random", "const", "none")


@schema
class Path:
    """The path length regulariser of G.

    weight  of the penalty; 0 for none
    every   every how many rounds it is played
    shrink  one example of so many is used
    """

    weight: Weight = 2.0
    every: Annotated[int, at_least(1)] = 4
    shrink: Annotated[int, at_least(1)] = 2


@schema
class R1:
    """The penalty on D's gradient at real images.

    gamma  its weight, gamma / 2 of the squared gradient; 0 for none
    every  every how many rounds it is played
    """

    gamma: Weight = 10.0
    every: Annotated[int, at_least(1)] = 16


@schema
class Generator(part_of(stylegan2.Synthesis, "resolution", "channels", "dtype")):
    """The player that generates images.

    latents    size of z
    styles     size of w
    mapping    layers from z to w
    mixing     share of the images with two styles, the second from a random layer on
    path       the path length regulariser
    optimizer  one of optax's; its rate and b are rescaled for the regulariser's steps
    """

    latents: Size = 512
    styles: Size = 512
    mapping: Size = 8
    mixing: Share = 0.9
    path: Path = Path()
    optimizer: Optimizer = adam(2e-3, b1=0.0, b2=0.99)


@schema
class Discriminator(part_of(stylegan2.Discriminator, "classes", "dtype")):
    """The player that tells real images from generated ones.

    r1         the penalty on its gradient
    optimizer  one of optax's; its rate and b are rescaled for the penalty's steps
    """

    r1: R1 = R1()
    optimizer: Optimizer = adam(2e-3, b1=0.0, b2=0.99)


@schema
class Average:
    """The moving average of G, which all functions use.

    half_life  in images
    ramp       the half-life's largest share of the images seen; if not set, none
    """

    half_life: Annotated[float, above(0.0)] = 10_000.0
    ramp: Annotated[float | None, above(0.0)] = None


@schema
class Sampler:
    """From a latent to an image.

    psi     how far w may be from its average: 1 as it is, 0 the average itself
    cutoff  how many layers psi is for; if not set, all
    noise   random, another for each image; const, that of the network; or none
    label   the class of all images; if not set, the data's
    """

    psi: float = 1.0
    cutoff: Annotated[int | None, at_least(0)] = None
    noise: Annotated[str, one_of(NOISE)] = "random"
    label: Annotated[int | None, at_least(0)] = None


@schema
class Settings(Recipe):
    """StyleGAN2, with adaptive discriminator augmentation or without.

    steps          rounds to play; 0 to use published weights as they are
    conditional    whether the label enters both players
    weights        a network pickle of the authors, whose networks are used as they are, or trained
                   further: sizes and labels are the file's then
    generator      the player that generates images
    discriminator  the player that tells real images from generated ones
    average        the moving average of G
    augmentation   of what D sees
    sampler        from a latent to an image
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)]
    conditional: bool = False
    weights: Annotated[str, Restartable(trains=True)] = ""
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()
    average: Average = Average()
    augmentation: Augmentation = Augmentation()
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        group, batch = self.discriminator.group, self.batch_size
        if not self.steps and not self.weights:
            yield "steps is 0: give published weights, --config.weights=FILE, or train"
        if self.steps and self.discriminator.deviations and group and batch % min(group, batch):
            yield (
                f"batch_size {batch} does not divide into groups of {group} (discriminator.group)"
            )
        shrink = self.generator.path.shrink
        if self.steps and self.generator.path.weight and batch % shrink:
            yield f"batch_size {batch} does not divide by generator.path.shrink {shrink}"
