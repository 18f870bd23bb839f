"""StyleGAN2 and ADA: trained from data, or from the authors' network pickles.

Karras et al. 2020 (arXiv 1912.04958, arXiv 2006.06676); `configs/stylegan2_fashion.py`.

    settings    what can be set
    networks    a recipe's mapping, synthesis and discriminator
    system      the objectives of both players; build
    functions   sampling, truncation, mixing, noise, interpolation
    published   open_published(settings): the authors' pickles
    exporting   export(trained, path): networks in a file, by the authors' names
"""

from gm_jax.adversarial.stylegan2.exporting import export
from gm_jax.adversarial.stylegan2.settings import Settings
from gm_jax.adversarial.stylegan2.system import build

__all__ = ["Settings", "build", "export"]
