"""Published sizes of denoisers, as arguments of `UNet` and `DiT`.

DDPM_CIFAR10  Ho et al. 2020, appendix B: 35.7 M parameters
ADM_64        Dhariwal & Nichol 2021, table 4, class-conditional with learned variances: 295.9 M
SD1, SD2      Stable Diffusion 1.x and 2.x: 859.5 M and 865.9 M, with contexts of 768 and 1024
DITS          Peebles & Xie 2023, table 1; `dit("XL", 2)` is DiT-XL/2
"""

from typing import Any

DDPM_CIFAR10 = dict(
    width=128, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,), groups=32, dropout=0.1
)  # fmt: skip

# Of 64x64 images. 6 outputs: the prediction, and where the variance lies between its bounds.
ADM_64 = dict(
    width=192, multipliers=(1, 2, 3, 4), blocks=3, attention=(), attention_levels=(1, 2, 3),
    head_width=64, dropout=0.1, adaptive_norm=True, residual_resampling=True, symmetric=True,
    groups=32, epsilon=1e-5, time_features="cosines_first", time_shift=0,
)  # fmt: skip

# Of latents [64, 64, 4] for 512x512 images; of 9 channels for inpainting.
SD1 = dict(
    width=320, multipliers=(1, 2, 4, 4), blocks=2, attention=(), attention_levels=(0, 1, 2),
    heads=(8,), transformer_blocks=1, symmetric=True, groups=32, epsilon=1e-5,
    time_features="cosines_first", time_shift=0,
)  # fmt: skip
SD2 = SD1 | dict(heads=(5, 10, 20, 20))

DITS = {
    "S": dict(width=384, layers=12, heads=6),
    "B": dict(width=768, layers=12, heads=12),
    "L": dict(width=1024, layers=24, heads=16),
    "XL": dict(width=1152, layers=28, heads=16),
}


def dit(size: str, patch: int) -> dict[str, Any]:
    """The arguments of one of `DITS` with patches of this side."""
    return DITS[size] | dict(patch=patch)
