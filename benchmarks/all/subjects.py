"""The rows of the table: for each family what is timed of this library, and its twin's file.

Every row but the last few is a recipe's own train step: `training.loop.rounds` of its last phase,
as a run plays them, on one batch that is drawn again and again. Images and texts are random, of the
shape that the recipe's data has: no row needs a file.
"""

from collections.abc import Callable
from typing import NamedTuple

DIGITS = dict(side=28, channels=1)  # MNIST's


class Subject(NamedTuple):
    """A row.

    twin     the file in twins/
    recipe   in configs/, its train step; "" for the function of functions.py that is called as
             the twin's file
    data     settings that replace the recipe's data: of random images (side, channels), random
             characters (symbols); None for a recipe whose data needs no files
    period   a multiple of it is timed: of the rounds in which lazy regularisers come once
    differs  in what the twin is not the same computation
    """

    twin: str
    recipe: str = ""
    data: dict | None = None
    period: int = 1
    differs: str = ""


SUBJECTS: dict[str, Subject] = {
    "VAE": Subject("vae", "vae_mnist", DIGITS),
    "DCGAN, a round": Subject("dcgan", "gan_mnist", DIGITS),
    "WGAN-GP, a round": Subject(
        "wgan_gp", "wgan_gp_stacked_mnist", dict(side=28, channels=3),
        differs="transposed convolutions pad the other side",
    ),
    "StyleGAN2, a round": Subject(
        "stylegan2", "stylegan2_fashion", dict(side=32, channels=1), period=16,
        differs="the rates of the lazy regularisers' optimizers are those of the others",
    ),
    "DDPM, U-Net": Subject("ddpm", "ddpm_mnist", DIGITS),
    "DiT": Subject("dit", "dit_digits", differs="the fixed embeddings of positions are random"),
    "GPT": Subject("gpt", "gpt_tinyshakespeare", dict(symbols=65)),
    "gated PixelCNN": Subject("gated_pixelcnn", "gated_pixelcnn_mnist", DIGITS),
    "VQ-VAE": Subject("vqvae", "vqvae_mnist", DIGITS),
    "CycleGAN, a round": Subject(
        "cyclegan", "cyclegan_scenes",
        differs="the pools keep their pictures in a list on the host",
    ),
    "RBM": Subject(
        "rbm", "rbm_mnist", DIGITS,
        differs="binarises before it is timed; keeps no running mean of the data",
    ),
    "Stable Diffusion, a step": Subject(
        "stable_diffusion",
        differs="both have a quarter of 1.5's features, and latents of 32 x 32",
    ),
    "Inception's features": Subject("inception"),
    "Fréchet distance": Subject("frechet", differs="768 features; eigenvalues of a product"),
    "sampling by a cache": Subject(
        "sampling", differs="a loop in Python; one generator for all texts"
    ),
}  # fmt: skip


class Side(NamedTuple):
    """One side of a row, in its own process.

    play        plays so many rounds, and waits for the last
    examples    of a round
    parameters  numbers that are learned or, if nothing is learned, read
    operations  floating-point operations of a round, if they are known
    """

    play: Callable[[int], None]
    examples: int
    parameters: int
    operations: float | None = None
