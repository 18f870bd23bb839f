"""The table of contents: every system, by its name in recipes.

Each is a module with `Settings`, the schema of its recipes, and `build`.
"""

from gm_jax.adversarial import acgan, began, bigan, cogan, ebgan, gan, infogan, vaegan
from gm_jax.autoencoders import autoencoder, cvivit, dvae, first_stage, vae, vqvae, vqvae2
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
from gm_jax.diffusion import (
    classifier,
    ddpm,
    latent_diffusion,
    stable_diffusion,
    super_resolution,
)  # fmt: skip
from gm_jax.features import backbone
from gm_jax.multimodal import clip, dalle, gan_cls, maskgit, paella, parti, phenaki
from gm_jax.translation import (
    adain,
    cin,
    cyclegan,
    everybody_dance_now,
    first_order_motion,
    pix2pix,
    simgan,
    spade,
    srgan,
)  # fmt: skip

SYSTEMS = {
    "autoencoder": autoencoder,
    "vae": vae,
    "vqvae": vqvae,
    "vqvae2": vqvae2,
    "dvae": dvae,
    "cvivit": cvivit,
    "first_stage": first_stage,
    "gan": gan,
    "infogan": infogan,
    "acgan": acgan,
    "ebgan": ebgan,
    "began": began,
    "bigan": bigan,
    "cogan": cogan,
    "vaegan": vaegan,
    "ddpm": ddpm,
    "classifier": classifier,
    "latent_diffusion": latent_diffusion,
    "super_resolution": super_resolution,
    "stable_diffusion": stable_diffusion,
    "clip": clip,
    "gan_cls": gan_cls,
    "dalle": dalle,
    "maskgit": maskgit,
    "paella": paella,
    "parti": parti,
    "phenaki": phenaki,
    "backbone": backbone,
    "ngram": ngram,
    "bengio": bengio,
    "gpt": gpt,
    "wavenet": wavenet,
    "latent_prior": latent_prior,
    "nade": nade,
    "pixelcnn": pixelcnn,
    "gated_pixelcnn": gated_pixelcnn,
    "pixelcnnpp": pixelcnnpp,
    "pixelrnn": pixelrnn,
    "pix2pix": pix2pix,
    "cyclegan": cyclegan,
    "simgan": simgan,
    "srgan": srgan,
    "spade": spade,
    "first_order_motion": first_order_motion,
    "cin": cin,
    "adain": adain,
    "everybody_dance_now": everybody_dance_now,
}
