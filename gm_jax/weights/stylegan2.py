"""The parameters of StyleGAN2's networks by the authors' names."""

from flax import traverse_util

from gm_jax.model import PyTree
from gm_jax.weights.assigning import Table

# What the authors' modules hold besides parameters.
IGNORED = (r".*resample_filter",)


def table(shapes: PyTree, prefix: str = "") -> Table:
    """Of a mapping, a synthesis or a discriminator: their names, and how they are laid out.

    shapes  its parameters, or their shapes
    prefix  of its names: "mapping." and "synthesis." in a generator
    """
    names = {}
    for path, x in traverse_util.flatten_dict(shapes).items():
        name = ".".join(path).removesuffix("kernel") + ("weight" if path[-1] == "kernel" else "")
        names[prefix + name] = path, _kind(path, x.shape, prefix)
    return names


def _kind(path, shape, prefix: str) -> str:
    if path == ("b4", "const"):
        return "chw"
    if path == ("b4", "fc", "kernel"):
        return "map_as_dense"
    if path[-1] != "kernel":
        return "plain"
    if len(shape) == 2:
        return "dense"
    # Where a level doubles its map, the authors convolve; everywhere else they correlate.
    return "conv_turned" if prefix == "synthesis." and path[-2] == "conv0" else "conv"
