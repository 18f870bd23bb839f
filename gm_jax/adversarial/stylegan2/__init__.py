"""StyleGAN2 and ADA: trained from data, or from the authors' network pickles.

Karras et al. 2020 (arXiv 1912.04958, arXiv 2006.06676); `configs/stylegan2_fashion.py`.

    settings    what can be set
    networks    a recipe's mapping, synthesis and discriminator
    system      the objectives of both players; build
    published   open_published(settings): the authors' pickles
    exporting   export(trained, path): networks in a file, by the authors' names
    projection  project(trained, images): the w of images

What StyleGAN does alike is in adversarial/shared: styles, style_functions (sampling, truncation,
mixing, noise, interpolation) and path_length (how much images change along short steps).
"""

from gm_jax.adversarial.stylegan2.exporting import export
from gm_jax.adversarial.stylegan2.settings import Settings
from gm_jax.adversarial.stylegan2.system import build

__all__ = ["Settings", "build", "export"]
