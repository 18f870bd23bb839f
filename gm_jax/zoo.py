"""The table of contents: every system, by the name a recipe gives it."""

from gm_jax.adversarial import acgan, began, bigan, cogan, ebgan, gan, infogan, vaegan
from gm_jax.autoencoders import vae
from gm_jax.diffusion import ddpm

SYSTEMS = {
    "vae": vae.build,
    "gan": gan.build,
    "infogan": infogan.build,
    "acgan": acgan.build,
    "ebgan": ebgan.build,
    "began": began.build,
    "bigan": bigan.build,
    "cogan": cogan.build,
    "vaegan": vaegan.build,
    "ddpm": ddpm.build,
}
