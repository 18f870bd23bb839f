"""Published weights: found, checked by their hash, and read as plain arrays.

    published    Published(name, needed_for, file, url, sha256, variable): what is known of a file
                 find(published, path=None, download=False) -> Path
                 check(published, path, stated=None) -> Checked(sha256, official, stated)
                 unknown(published, path, sha256) -> the error that refuses other weights
    reading      read(path) -> {name: array} of a .pth, .npz or .safetensors
    pth          read_pth(path): a PyTorch file, without PyTorch and without running anything in it

What cannot be had or read raises `UserError`, in one line.
"""

from gm_jax.weights.pth import read_pth
from gm_jax.weights.published import Checked, Published, check, find, unknown
from gm_jax.weights.reading import read

__all__ = ["Checked", "Published", "check", "find", "read", "read_pth", "unknown"]
