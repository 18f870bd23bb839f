"""The player that judges what an autoencoder makes of images."""

from typing import Annotated

from gm_jax.nn.patchgan import PatchGAN
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import at_least, part_of, schema


@schema
class Discriminator(part_of(PatchGAN, "padding", "dtype")):
    """The player that tells reconstructions from images.

    start      round from which it plays, and its judgement counts
    weight     of its judgement in the autoencoder's loss
    optimizer  one of optax's
    """

    start: Annotated[int, at_least(0)] = 0
    weight: Annotated[float, at_least(0.0)] = 0.5
    optimizer: Optimizer = adam(1e-4, b1=0.5, b2=0.9)


OWN = ("start", "weight", "optimizer")  # what is not the network's
