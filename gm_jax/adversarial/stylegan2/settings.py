"""What can be set of StyleGAN2."""

from typing import Annotated

from gm_jax.adversarial.shared.augmentation import Augmentation
from gm_jax.adversarial.shared.styles import Average, Sampler, Share
from gm_jax.nn import stylegan2
from gm_jax.nn.layers import Size
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, at_least, part_of, schema

Weight = Annotated[float, at_least(0.0)]


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
