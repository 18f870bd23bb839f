"""Sources of data, batches of them, and how each kind of data is shown. Knows no system."""

from gm_jax.data.kinds import checked, finish, kind_of, of_kind, show, to_float, to_uint8
from gm_jax.data.pipeline import batch_at, ordered_batches, training_batches
from gm_jax.data.prepare import preparation
from gm_jax.data.show import film, grid
from gm_jax.data.source import Source, from_arrays
from gm_jax.data.sources import open_source

__all__ = [
    "Source",
    "batch_at",
    "checked",
    "film",
    "finish",
    "from_arrays",
    "grid",
    "kind_of",
    "of_kind",
    "open_source",
    "ordered_batches",
    "preparation",
    "show",
    "to_float",
    "to_uint8",
    "training_batches",
]
