"""Where data comes from: `open_source(config, split)` takes the `data` part of a recipe.

name        one of SOURCES, or the name of any image data set of TFDS (mnist, cifar10, ...)
path        the file or folder, of those that have one
directory   where TFDS keeps its prepared data; "" for its default ($TFDS_DATA_DIR)
binarize    "" for grey values, "fixed" or "redrawn" for black and white (`data.binary`)
"""

from gm_jax.data import audio, binary, composed, images, mixtures, text
from gm_jax.data.source import Source

# Each: (data part of the recipe, split) -> Source.
SOURCES = {
    "digits": images.digits,
    "folder": images.folder,
    "npz": images.npz,
    "ring": mixtures.mixture,
    "grid": mixtures.mixture,
    "stacked": composed.stacked,
    "two_domains": composed.two_domains,
    "text": text.text,
    "wav": audio.wav,
}


def open_source(config, split: str = "train") -> Source:
    """The split ("train" or "test", or whatever TFDS names) of the data set a recipe asks for.

    Raises UserError when the name is unknown, the data is not prepared, or a file is not usable.
    """
    if config.name in SOURCES:
        source = SOURCES[config.name](config, split)
    else:
        source = images.tfds_images(config, split, tuple(SOURCES))
    return binary.binarized(source, config.get("binarize", ""), split)
