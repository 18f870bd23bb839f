"""Sources of data, batches of them, and how each kind of data is shown. Knows no system."""

from gm_jax.data.pipeline import ordered_batches, training_batches
from gm_jax.data.prepare import finish, is_image, preparation, to_float, to_uint8
from gm_jax.data.show import film, grid, show
from gm_jax.data.source import Source, from_arrays
from gm_jax.data.sources import open_source

__all__ = [
    "Source",
    "film",
    "finish",
    "from_arrays",
    "grid",
    "is_image",
    "open_source",
    "ordered_batches",
    "preparation",
    "show",
    "to_float",
    "to_uint8",
    "training_batches",
]
