"""Stable Diffusion 1.x and 2.x, from the published files.

Rombach et al. 2022 (arXiv 2112.10752); `configs/stable_diffusion.py`.

    files      open_published(path) -> Opened: all names and shapes checked, nothing read
    networks   the three networks from their config.json
    generate   text to image, image to image and inpainting as pure functions of noise
    tuning     low-rank updates
    system     Settings, build: sampling without training, and fine-tuning
    exporting  export(trained, path): the fine-tuned U-Net in the layout that it came in
"""

from gm_jax.diffusion.stable_diffusion.exporting import export
from gm_jax.diffusion.stable_diffusion.system import Settings, build

__all__ = ["Settings", "build", "export"]
