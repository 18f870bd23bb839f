"""The table of contents: every system, by the name a recipe gives it."""

from gm_jax.adversarial import acgan, began, bigan, cogan, ebgan, gan, infogan, vaegan
from gm_jax.autoencoders import autoencoder, dvae, vae, vqvae, vqvae2
from gm_jax.autoregressive import (
    bengio,
    gated_pixelcnn,
    gpt,
    latent_prior,
    nade,
    ngram,
    pixelcnn,
    pixelcnnpp,
    pixelrnn,
    wavenet,
)  # fmt: skip
from gm_jax.diffusion import ddpm

SYSTEMS = {
    "autoencoder": autoencoder.build,
    "vae": vae.build,
    "vqvae": vqvae.build,
    "vqvae2": vqvae2.build,
    "dvae": dvae.build,
    "gan": gan.build,
    "infogan": infogan.build,
    "acgan": acgan.build,
    "ebgan": ebgan.build,
    "began": began.build,
    "bigan": bigan.build,
    "cogan": cogan.build,
    "vaegan": vaegan.build,
    "ddpm": ddpm.build,
    "ngram": ngram.build,
    "bengio": bengio.build,
    "gpt": gpt.build,
    "wavenet": wavenet.build,
    "latent_prior": latent_prior.build,
    "nade": nade.build,
    "pixelcnn": pixelcnn.build,
    "gated_pixelcnn": gated_pixelcnn.build,
    "pixelcnnpp": pixelcnnpp.build,
    "pixelrnn": pixelrnn.build,
}
