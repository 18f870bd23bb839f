"""What recipes ask for beyond a loss: moving averages, and the numbers of their papers."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax import zoo
from twins.inputs import small
from twins.papers_of_diffusion import DIFFUSION
from twins.papers_of_others import OTHERS

# A recipe for each system, in which an average is asked for, too.
RECIPES = {
    "gan": "gan_digits",
    "infogan": "infogan_mnist",
    "acgan": "acgan_mnist",
    "ebgan": "ebgan_digits",
    "began": "began_digits",
    "bigan": "bigan_mnist",
    "cogan": "cogan_mnist",
    "vaegan": "vaegan_digits",
    "stylegan": "stylegan_fashion",
    "stylegan2": "stylegan2_fashion",
    "lapgan": "lapgan_cifar",
    "progan": "progan_fashion",
    "ddpm": "ddpm_digits",
    "classifier": "classifier_digits",
    "latent_diffusion": "latent_diffusion_emoji",
    "super_resolution": "super_resolution_digits",
    "autoencoder": "ae_mnist",
    "vae": "vae_mnist",
    "vqvae": "vqvae_mnist",
    "vqvae2": "vqvae2_mnist",
    "dvae": "dvae_fashion_mnist",
    "cvivit": "cvivit_shapes",
    "first_stage": "first_stage_emoji",
    "vit_vqgan": "vit_vqgan_shapes",
    "ladder": "ladder_mnist",
    "adversarial_autoencoder": "aae_mnist",
    "semi_supervised_aae": "aae_mnist_semi",
    "clip": "clip_shapes",
    "gan_cls": "gan_cls_shapes",
    "dalle": "dalle_shapes",
    "maskgit": "maskgit_mnist",
    "paella": "paella_shapes",
    "parti": "parti_shapes",
    "unclip_prior": "unclip_prior_shapes",
    "unclip_causal_prior": "unclip_causal_prior_shapes",
    "unclip": "unclip_shapes",
    "make_a_video": "make_a_video_shapes",
    "phenaki": "phenaki_shapes",
    "ngram": "ngram_tinyshakespeare",
    "bengio": "bengio_tinyshakespeare",
    "gpt": "gpt_tinyshakespeare",
    "wavenet": "wavenet_fsdd",
    "latent_prior": "vqvae_prior_mnist",
    "nade": "nade_mnist",
    "fvbn": "fvbn_mnist",
    "bernoulli_mixture": "bernoulli_mixture_mnist",
    "rbm": "rbm_mnist",
    "deep_boltzmann": "dbm_mnist",
    "deep_belief": "dbn_mnist",
    "deep_autoencoder": "deep_ae_mnist",
    "sparse_coding": "sparse_coding_patches",
    "psd": "psd_patches",
    "sparse_autoencoder": "sparse_ae_mnist",
    "stacked_autoencoder": "sdae_mnist",
    "pixelcnn": "pixelcnn_mnist",
    "gated_pixelcnn": "gated_pixelcnn_mnist",
    "pixelcnnpp": "pixelcnnpp_mnist",
    "pixelrnn": "pixelrnn_mnist",
    "ride": "ride_photographs",
    "video_pixel_network": "vpn_moving_digits",
    "pix2pix": "pix2pix_scenes",
    "cyclegan": "cyclegan_scenes",
    "bidirectional_gan": "bigan_scenes",
    "simgan": "simgan_scenes",
    "srgan": "srgan_scenes",
    "first_order_motion": "first_order_motion_dancers",
    "spade": "spade_scenes",
    "cin": "style_cin",
    "adain": "style_adain",
    "everybody_dance_now": "dance_dancers",
}


def test_every_system_is_among_them():
    # tests/published has Stable Diffusion, test_backbones those: they are of published weights.
    assert set(RECIPES) == set(zoo.SYSTEMS) - {"stable_diffusion", "backbone"}


# The averages of StyleGAN and StyleGAN2 are by images.
@pytest.mark.parametrize("system", sorted(set(RECIPES) - {"stylegan", "stylegan2"}))
def test_all_that_samples_come_from_has_the_average_that_is_asked_for(system):
    """What only judges has none, and nothing has one if none is asked for."""
    for decay in (0.0, 0.97):
        config = small(RECIPES[system], average=decay)
        assert config.system == system
        players = gm_jax.build(config)[-1].model.players
        for player in players:
            judges = player.name.startswith("discriminator")
            if decay and player.owns and not judges:
                np.testing.assert_allclose(player.average(10**6), 0.97, rtol=1e-6)
                np.testing.assert_allclose(player.average(0), 0.1, rtol=1e-6)
            else:
                assert player.average is None


GAMES = ("gan", "infogan", "acgan", "ebgan", "began", "bigan", "cogan", "vaegan")


@pytest.mark.parametrize("system", GAMES)
def test_each_player_has_its_own_optimizer_and_d_its_own_number_of_moves(system):
    """Adam's first step is the learning rate, whatever the slope."""
    own = {
        "generator.optimizer.learning_rate": 0.03,
        "discriminator.optimizer.learning_rate": 0.2,
        "discriminator.times": 3,
        "discriminator.often.times": 7,
        "discriminator.often.first": 2,
        "discriminator.often.every": 5,
    }
    for player in gm_jax.build(small(RECIPES[system], **own))[-1].model.players:
        weights = jnp.zeros(3)
        step, _ = player.optimizer.update(jnp.ones(3), player.optimizer.init(weights), weights)
        judges = player.name == "discriminator"
        np.testing.assert_allclose(step, -0.2 if judges else -0.03, rtol=1e-5)
        times = [player.moves[0].times(number) for number in (0, 1, 2, 4, 5, 6)]
        assert times == ([7, 7, 3, 3, 7, 3] if judges else [1] * 6)


ADAM = {"b1": 0.5}
# Rows of ProGAN's table 1.
PROGAN_BEFORE = {
    "equalized": False,
    "drift": 0.0,
    "generator": {
        "normalization": "batch", "slope": 0.0, "tanh": True, "latent_norm": False,
        "optimizer.learning_rate": 1e-4, "optimizer.b2": 0.9,
    },
    "discriminator": {
        "normalization": "layer", "statistics": "", "times": 5,
        "optimizer.learning_rate": 1e-4, "optimizer.b2": 0.9,
    },
}  # fmt: skip
PROGAN_REVISED = {
    "equalized": False,
    "average": 0.999,
    "drift": 1e-3,
    "batch_size": 16,
    "generator": {
        "normalization": "none", "slope": 0.2, "tanh": False, "latent_norm": True,
        "optimizer.b2": 0.99,
    },
    "discriminator.normalization": "none",
    "discriminator.times": 1,
    "discriminator.optimizer.learning_rate": 1e-4,
    "generator.optimizer.b1": 0.0,
}  # fmt: skip
# What a recipe has of its paper, or of its authors' code, as ../shared/reference quotes them.
PINNED = {
    "gan_mnist": {"generator.optimizer": ADAM, "discriminator.optimizer": ADAM},
    "lsgan_digits": {"value_function": "least_squares", "penalty.name": ""},
    "wgan_digits": {
        "value_function": "wasserstein",
        "generator.optimizer": {"name": "rmsprop", "learning_rate": 5e-5, "decay": 0.99},
        "discriminator.optimizer": {
            "name": "rmsprop", "learning_rate": 5e-5, "decay": 0.99, "clip_weights": 0.01,
        },
        "discriminator.times": 5,
        "discriminator.often": {"times": 100, "first": 25, "every": 500},
        "discriminator.normalization": "none",
    },
    "wgan_gp_digits": {
        "value_function": "wasserstein",
        "penalty": {"name": "wgan_gp", "weight": 10.0},
        "discriminator.times": 5,
        "discriminator.normalization": "none",
        "discriminator.optimizer": {"learning_rate": 1e-4, "b1": 0.0, "b2": 0.9},
        "generator.optimizer": {"learning_rate": 1e-4, "b1": 0.0, "b2": 0.9},
    },
    "dragan_digits": {
        "value_function": "non_saturating",
        "penalty": {"name": "dragan", "weight": 10.0},
        "discriminator.times": 1,
        "discriminator.optimizer": {"learning_rate": 1e-4, "b1": 0.5, "b2": 0.9},
    },
    "sngan_digits": {
        "value_function": "hinge",
        "generator.samples": 2,
        "discriminator.times": 5,
        "discriminator.normalization": "spectral",
        "discriminator.optimizer": {"learning_rate": 2e-4, "b1": 0.0, "b2": 0.9},
    },
    "wgan_gp_resnet_digits": {
        "penalty": {"name": "wgan_gp", "weight": 10.0},
        "latents": 128,
        "generator.samples": 2,
        "discriminator": {"times": 5, "normalization": "none"},
        "discriminator.optimizer": {
            "learning_rate": 1e-3, "b1": 0.0, "b2": 0.9, "decay_steps": 10_000, "final_rate": 0.0,
            "schedule": "linear",
        },
        "generator.optimizer": {"learning_rate": 1e-3, "b1": 0.0, "b2": 0.9, "decay_steps": 2000},
    },
    "wgan_gp_resnet_digits:published": {
        "discriminator.optimizer": {"learning_rate": 2e-4, "decay_steps": 500_000},
        "generator.optimizer": {"learning_rate": 2e-4, "decay_steps": 100_000},
    },
    "sngan_resnet_mnist": {
        "value_function": "hinge",
        "conditional": True,
        "generator.optimizer": {"learning_rate": 1e-3, "decay_steps": 3000, "final_rate": 0.0},
        "discriminator.optimizer": {
            "learning_rate": 1e-3, "b1": 0.0, "b2": 0.9, "decay_steps": 15_000,
        },
    },
    "sngan_resnet_mnist:published": {
        "value_function": "hinge",
        "conditional": True,
        "generator.samples": 2,
        "discriminator": {"times": 5, "normalization": "spectral"},
        "discriminator.optimizer": {
            "learning_rate": 2e-4, "b1": 0.0, "b2": 0.9, "decay_steps": 250_000,
        },
    },
    "sagan_fashion": {
        "value_function": "hinge",
        "discriminator": {"times": 1, "normalization": "spectral"},
        "discriminator.optimizer": {"learning_rate": 2e-3, "b1": 0.0, "b2": 0.999},
        "generator.optimizer": {"learning_rate": 5e-4, "b1": 0.0, "b2": 0.999},
    },
    "biggan_fashion:cifar": {
        "generator.optimizer": {"learning_rate": 2e-4, "b1": 0.0, "b2": 0.999},
        "discriminator": {"times": 4, "optimizer": {"learning_rate": 2e-4, "b1": 0.0}},
    },
    "sagan_fashion:published": {
        "value_function": "hinge",
        "discriminator": {"times": 1, "normalization": "spectral"},
        "discriminator.optimizer": {"learning_rate": 4e-4, "b1": 0.0, "b2": 0.999},
        "generator.optimizer": {"learning_rate": 1e-4, "b1": 0.0, "b2": 0.999},
    },
    "biggan_fashion": {
        "value_function": "hinge",
        "latents": 120,
        "discriminator.normalization": "spectral",
        "sampler": {"truncation": 0.0, "standing": 16},
        "generator": {"orthogonal": 0.0, "samples": 1},
    },
    "cgan_mnist": {"conditional": True, "tricks.real_label": (0.9, 0.9)},
    "infogan_mnist": {
        "latents": 62,
        "codes": {"categories": 10, "continuous": 2},
        "information": 1.0,
        "generator.optimizer": {"learning_rate": 1e-3, "b1": 0.5},
        "discriminator.optimizer": {"learning_rate": 2e-4, "b1": 0.5},
    },
    "ebgan_digits": {"pulling_away": 0.1},
    "began_digits": {
        "prior": "uniform",
        "batch_size": 16,
        "generator.optimizer.learning_rate": 1e-4,
    },
    "bigan_mnist": {
        "latents": 50,
        "stochastic": False,
        "generator.optimizer": {"learning_rate": 2e-4, "b1": 0.5},
    },
    "vaegan_digits": {"gamma": 0.01, "prior": "normal"},
    "gan_ring": {
        "latents": 256,
        "batch_size": 512,
        "data": {"modes": 8, "radius": 2.0, "deviation": 0.02},
        "generator": {"width": 128, "optimizer": {"learning_rate": 1e-3, "b1": 0.5}},
        "discriminator": {"width": 128, "optimizer": {"learning_rate": 1e-4, "b1": 0.5}},
    },
    "unrolled_ring": {"unroll": {"steps": 5, "through": True}, "value_function": "minimax"},
    "vae_mnist": {"beta": 1.0, "bound": "elbo", "samples": 1, "latents": 20},
    "beta_vae_mnist": {"beta": 4.0},
    "iwae_mnist": {"bound": "importance", "samples": 5},
    "vqvae_mnist": {
        "quantizer": {"beta": 0.25, "averaged": {"decay": 0.99, "epsilon": 1e-5}},
    },
    "vqvae2_mnist": {
        "quantizer": {"beta": 0.25, "averaged": {"decay": 0.99, "epsilon": 1e-5}},
    },
    "dvae_fashion_mnist": {"temperature.end": 1 / 16},
    "vit_vqgan_shapes": {
        "quantizer": {"beta": 0.25, "normalised": True},
        "pixels": {"squared": 1.0, "absolute": 0.0, "logit_laplace": 0.1},
        "optimizer.b2": 0.99,
    },
    "vit_vqgan_shapes:published": {"discriminator.weight": 0.1},
    "ddpm_mnist": {"times": 1000, "prediction": "noise"},
    "rbm_mnist:published": {
        "hidden": 500, "batch_size": 100, "decay": 2e-4,
        "negatives": {"name": "cd", "steps": 25, "drawn": True},
        "optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9},
        "annealing.steps": (500, 4000, 10_000),
    },
    "ladder_mnist:published": {
        "widths": (1000, 500, 250, 250, 250),
        "weights": (1000.0, 10.0, 0.1, 0.1, 0.1, 0.1, 0.1),
        "noise": {"input": 0.3, "inner": 0.3},
        "batch_size": 100, "steps": 90_000, "data.labelled": 100,
        "optimizer": {
            "name": "adam", "learning_rate": 2e-3, "hold_steps": 60_000, "decay_steps": 90_000,
            "schedule": "linear", "final_rate": 0.0,
        },
    },
    "ladder_mnist:gamma": {"weights": (0.0,) * 6 + (0.5,)},
    "ladder_mnist:bottom": {"weights": (5000.0,) + (0.0,) * 6},
    "ladder_mnist:thousand": {
        "weights": (2000.0, 20.0, 0.1, 0.1, 0.1, 0.1, 0.1), "noise.inner": 0.2,
    },
    "ladder_mnist:all": {"weights": (1000.0, 1.0, 0.01, 0.01, 0.01, 0.01, 0.01)},
    "aae_mnist:published": {
        "widths": (1000, 1000), "deviation": 0.01, "likelihood": "bernoulli", "prior": "star",
    },
    "aae_mnist_semi:published": {"widths": (1000, 1000), "deviation": 0.01, "latents": 10},
    "deep_ae_mnist:published": {
        "widths": (1000, 500, 250), "latents": 30, "batch_size": 100,
        "pretraining": {
            "steps": 30_000, "deviation": 0.1, "decay": 2e-4,
            "optimizer": {"learning_rate": 0.1, "momentum": 0.9},
            "code.optimizer": {"learning_rate": 1e-3, "momentum": 0.9},
        },
    },
    "dbm_mnist:published": {
        "first": {"units": 500, "steps": 60_000, "decay": 1e-3},
        "second": {"units": 1000, "steps": 120_000, "decay": 1e-3},
        "steps": 180_000, "chains": 100, "sweeps": 5, "mean_field": 10, "decay": 2e-4,
        "optimizer.learning_rate": 1e-3,
    },
    "sparse_ae_mnist:kl": {
        "sparsity": "kl", "hidden": 200, "kl": {"target": 0.1, "weight": 3.0}, "decay": 3e-3,
    },
    "sparse_ae_mnist:k_sparse": {"sparsity": "k_sparse", "hidden": 1000, "k_sparse.k": 25},
    "sdae_mnist:published": {
        "widths": (1000, 1000, 1000),
        "batch_size": 100,
        "pretraining": {"steps": 9000, "masked": (0.1, 0.2, 0.3), "optimizer.learning_rate": 0.1},
        "optimizer.learning_rate": 0.1,
    },
    "gpt_tinyshakespeare": {
        "optimizer": {
            "name": "adamw", "weight_decay": 0.1, "clip_norm": 1.0, "b1": 0.9, "b2": 0.99,
            "learning_rate": 1e-3, "final_rate": 1e-4, "warmup_steps": 100,
        },
        "network": {"width": 128, "layers": 4, "heads": 4},
        "data.length": 64,
    },
    "wavenet_fsdd": {"network.dilations": tuple(2**i for i in range(10))},
    "gated_pixelcnn_mnist": {"network": {"size": 3, "first_size": 7}},
    "pix2pix_scenes": {
        "batch_size": 1,
        "value_function": "non_saturating",
        "adversarial": 1.0,
        "distance": 100.0,
        "generator": {"dropout": 0.5, "optimizer": {"learning_rate": 2e-4, "b1": 0.5}},
        "discriminator": {
            "normalization": "batch", "optimizer": {"learning_rate": 2e-4, "b1": 0.5},
        },
    },
    "dance_dancers": {
        "value_function": "least_squares",
        "adversarial": 2.0,
        "matching": 10.0,
        "smooth": True,
        "generator.optimizer": {"learning_rate": 2e-4, "b1": 0.5},
        "discriminator": {
            "normalization": "instance", "optimizer": {"learning_rate": 2e-4, "b1": 0.5},
        },
        "face.optimizer": {"learning_rate": 2e-4, "b1": 0.5},
    },
    "cyclegan_scenes": {
        "batch_size": 1,
        "value_function": "least_squares",
        "adversarial": 2.0,
        "cycle": 10.0,
        "identity": 5.0,
        "pool": 50,
        "data.unpaired": True,
        "generator.optimizer": {"learning_rate": 2e-4, "b1": 0.5, "schedule": "linear"},
        "discriminator": {
            "normalization": "instance", "optimizer": {"learning_rate": 2e-4, "b1": 0.5},
        },
    },
    "lapgan_cifar:published": {
        "levels": 3,
        "latents": 100,
        "batch_size": 64,
        "generator": {"width": 64, "hidden": 1200, "optimizer.learning_rate": 0.02},
        "discriminator": {"width": 64, "hidden": 600, "dropout": 0.5},
        "discriminator.optimizer": {"name": "sgd", "learning_rate": 0.01},
    },
    "progan_fashion:published": {
        "density": 16384,
        "most": 512,
        "latents": 512,
        "batch_size": 16,
        "average": 0.999,
        "penalty": 10.0,
        "target": 1.0,
        "drift": 1e-3,
        "equalized": True,
        "generator": {"normalization": "pixel", "slope": 0.2, "tanh": False, "latent_norm": True},
        "generator.optimizer": {"learning_rate": 1e-3, "b1": 0.0, "b2": 0.99},
        "discriminator": {"normalization": "none", "statistics": "deviation", "group": 4},
        "discriminator.optimizer": {"learning_rate": 1e-3, "b1": 0.0, "b2": 0.99},
        "discriminator.times": 1,
    },
    "progan_fashion:cifar": {"target": 750.0, "density": 8192},
    "progan_fashion:a": PROGAN_BEFORE | {"first": 32, "batch_size": 64, "average": 0.999**20},
    "progan_fashion:b": PROGAN_BEFORE | {"first": 4, "batch_size": 64, "average": 0.999**20},
    "progan_fashion:c": PROGAN_BEFORE | {"first": 4, "batch_size": 16, "average": 0.999**5},
    "progan_fashion:d": PROGAN_REVISED | {"discriminator.statistics": ""},
    "progan_fashion:estar": PROGAN_REVISED
    | {"discriminator": {"statistics": "discrimination", "kernels": 100}},
    "progan_fashion:e": PROGAN_REVISED | {"discriminator": {"statistics": "deviation", "group": 0}},
    "progan_fashion:f": PROGAN_REVISED
    | {"equalized": True, "discriminator.optimizer.learning_rate": 1e-3},
    "progan_fashion:g": {
        "equalized": True, "generator.normalization": "pixel", "discriminator.group": 0,
    },
    "stylegan_fashion:published": {
        "first": 8,
        "latents": 512,
        "density": 16384,
        "most": 512,
        "objective": "r1",
        "penalty": 10.0,
        "stable": 18_750,
        "fade": 18_750,
        "generator": {"styles": 512, "mapping": 8, "mixing": 0.9},
        "generator.optimizer": {"learning_rate": 1e-3, "b1": 0.0, "b2": 0.99, "eps": 1e-8},
        "discriminator.group": 4,
        "discriminator.optimizer": {"learning_rate": 1e-3, "b1": 0.0, "b2": 0.99, "eps": 1e-8},
        "average.half_life": 10_000.0,
        "sampler": {"psi": 0.7, "cutoff": 8},
    },
    "stylegan_fashion:celeba": {"objective": "wgan_gp", "penalty": 10.0, "drift": 1e-3},
    "style_cin:published": {
        "batch_size": 16,
        "steps": 40_000,
        "optimizer.learning_rate": 1e-3,
        "network": {"width": 32, "blocks": 5},
        "content_layers": ("relu3_3",),
        "style_layers": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
        "stages.features": {"network": "vgg16", "pool": "average", "weights": ""},
    },
    "style_adain:published": {
        "batch_size": 8,
        "steps": 160_000,
        "style": 10.0,
        "layers": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
        "optimizer.learning_rate": 1e-4,
        "data": {"size": 256, "resize": 512, "crop": "random"},
        "stages.features": {"network": "vgg19", "padding": "reflect", "weights": ""},
    },
}  # fmt: skip
PINNED |= DIFFUSION | OTHERS


@pytest.mark.parametrize("recipe", PINNED)
def test_numbers_of_the_papers(recipe):
    name, _, variant = recipe.partition(":")
    config = gm_jax.load_config(f"configs/{name}.py:{variant}")

    def check(path, expected):
        if isinstance(expected, dict):
            for name, value in expected.items():
                check(f"{path}.{name}", value)
        else:
            found = functools.reduce(lambda part, name: part[name], path.split("."), config)
            assert found == expected, path

    for path, expected in PINNED[recipe].items():
        check(path, expected)
