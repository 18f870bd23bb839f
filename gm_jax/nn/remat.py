"""Rematerialisation: less memory, for a second forward pass. Chen et al. 2016, arXiv 1604.06174."""

import flax.linen as nn


def rematerialised(module: type[nn.Module], on: bool, static: tuple[int, ...] = ()):
    """The module; or, if `on`, one that keeps its inputs alone for the backward pass.

    That computes what lies between again. Values, gradients and the names of the parameters are the
    same. On a CPU XLA merges what is computed twice, and nothing is gained.
    static  arguments of its call that are not arrays, counted from 1
    """
    if not on:
        return module
    again = nn.remat(module, static_argnums=static)
    again.__name__ = module.__name__  # Names of parameters, and published weights, go by it.
    return again
