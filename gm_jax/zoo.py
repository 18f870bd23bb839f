"""The table of contents: every system, by the name a recipe gives it."""

from gm_jax.adversarial import began, bigan, ebgan, gan
from gm_jax.autoencoders import vae
from gm_jax.diffusion import ddpm

SYSTEMS = {
    "vae": vae.build,
    "gan": gan.build,
    "ebgan": ebgan.build,
    "began": began.build,
    "bigan": bigan.build,
    "ddpm": ddpm.build,
}
