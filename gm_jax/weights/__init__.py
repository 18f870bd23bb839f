"""Published weights: found, checked by their hash, read, and assigned to parameters.

    published    Published(name, needed_for, file, url, sha256, variable): what is known of a file
                 find(published, path=None, download=False) -> Path
                 check(published, path, stated=None) -> Checked(sha256, official, stated)
                 unknown(published, path, sha256) -> the error that refuses other weights
    reading      open_weights(path) -> {name: Stored} of a .safetensors, .npz, .pth, .ckpt, .bin or
                 the index of several; read(path) -> {name: array}
    pth          read_pth(path): a PyTorch file, without PyTorch and without running anything in it
    assigning    assign(table, tensors, shapes, what) -> parameters, all names and shapes checked
                 export(table, params) -> {name: array}, the inverse
    backbones    open_backbone(network, shapes, path, sha256): VGG, AlexNet, SqueezeNet;
                 lpips_heads(network)

What cannot be had or read raises `UserError`, in one line.
"""

from gm_jax.weights.assigning import Table, assign, export, torch_names
from gm_jax.weights.pth import read_pth
from gm_jax.weights.published import Checked, Published, check, find, unknown
from gm_jax.weights.reading import open_weights, read
from gm_jax.weights.stored import Stored, Tensors

__all__ = [
    "Checked",
    "Published",
    "Stored",
    "Table",
    "Tensors",
    "assign",
    "check",
    "export",
    "find",
    "open_weights",
    "read",
    "read_pth",
    "torch_names",
    "unknown",
]
