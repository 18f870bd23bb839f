"""Files of named arrays, by their suffix."""

import zipfile
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import load_file

from gm_jax.errors import UserError
from gm_jax.weights.pth import read_pth


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays in a .pth, .npz or .safetensors by their names.

    Nothing in the file is run. Raises UserError for other suffixes, and for broken files.
    """
    if path.suffix == ".pth":
        return read_pth(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        if path.suffix == ".safetensors":
            return load_file(path)
    except (
        OSError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        safetensors.SafetensorError,
    ) as error:
        raise UserError(f"{path} is broken or truncated: {error}") from None
    raise UserError(f"{path}: weights come as .pth, .npz or .safetensors")
