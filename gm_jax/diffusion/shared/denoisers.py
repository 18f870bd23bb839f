"""The network of a diffusion model, a U-Net or a DiT: a choice by name.

    network=dict(width=32, multipliers=(1, 2))                     a U-Net
    network=dict(name="dit", dit=dict(patch=2, width=192))         a DiT

Both are called with (x [B, H, W, C], level [B], label [B], keys [B], context [B, L, D]).
"""

from typing import Annotated

import flax.linen as nn

from gm_jax.nn.dit import DiT, DiTSettings
from gm_jax.nn.unet import UNet, UNetSettings
from gm_jax.settings import arguments, one_of, schema

NETWORKS = {"unet": UNet, "dit": DiT}


@schema
class NetworkSettings(UNetSettings):
    """A U-Net, whose settings these are but for two, or a DiT.

    name  which
    dit   the DiT's settings, if it is the one
    """

    name: Annotated[str, one_of(NETWORKS)] = "unet"
    dit: DiTSettings = DiTSettings()


def module_of(settings: NetworkSettings, classes: int, out_channels: int, dtype) -> nn.Module:
    """The network that a recipe names.

    classes  of its labels, to which the null label is added; 0 if it knows none
    """
    own = settings.dit if settings.name == "dit" else settings
    return NETWORKS[settings.name](
        **arguments(own, "name", "dit"), classes=classes, out_channels=out_channels, dtype=dtype
    )
