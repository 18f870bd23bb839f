"""KL and VQ autoencoders against the reference implementation: file, reader and network at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import PRECISIONS, TOLERANCES, golden
from published_files import nchw, open_golden, relative

from gm_jax.nn.latent_autoencoder import KLAutoencoder, VQAutoencoder
from gm_jax.weights import torch_names


def kl(config, dtype):
    return KLAutoencoder(
        config["in_channels"], tuple(config["block_out_channels"]), config["layers_per_block"],
        config["latent_channels"], config["norm_num_groups"], jnp.dtype(dtype),
    )  # fmt: skip


def vq(config, dtype):
    return VQAutoencoder(
        config["in_channels"], tuple(config["block_out_channels"]), config["layers_per_block"],
        config["latent_channels"], config["num_vq_embeddings"], config["vq_embed_dim"],
        config["norm_num_groups"], jnp.dtype(dtype),
    )  # fmt: skip


def cases(shared, torch_class):
    models = golden(shared, "models")
    return models, [n for n, c in models.cases.items() if c["torch_class"] == torch_class]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_kl(dtype, shared, tmp_path):
    models, names = cases(shared, "diffusers.AutoencoderKL")
    for name in names:
        case, expected = models.cases[name], models.outputs
        with jax.enable_x64(dtype == "float64"):
            net = kl(case["config"], dtype)
            image = nchw(models.value(f"{name}.image", case["inputs"]["image"]))
            latent = nchw(models.value(f"{name}.latent", case["inputs"]["latent"]))
            params = open_golden(models, name, net, image, torch_names, tmp_path)
            moments = net.apply(params, image.astype(dtype), method="moments")
            decoded = net.apply(params, latent.astype(dtype), method="decode")
            mean, deviation = net.apply(params, image.astype(dtype), method="encode")
            clamped = expected[f"{name}/logvar_clamped"]
            within = TOLERANCES[dtype]
            assert moments.dtype == decoded.dtype == dtype
            assert relative(moments, expected[f"{name}/moments"]) < within
            assert relative(decoded, expected[f"{name}/decoded"]) < within
            assert relative(2.0 * jnp.log(deviation), clamped) < 4 * within
            np.testing.assert_array_equal(mean, moments[..., : mean.shape[-1]])


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_vq(dtype, shared, tmp_path):
    models, names = cases(shared, "diffusers.VQModel")
    for name in names:
        case, expected = models.cases[name], models.outputs
        with jax.enable_x64(dtype == "float64"):
            net = vq(case["config"], dtype)
            image = nchw(models.value(f"{name}.image", case["inputs"]["image"]))
            params = open_golden(models, name, net, image, torch_names, tmp_path)
            z = net.apply(params, image.astype(dtype), method="encode")
            indices = net.apply(params, z, method="indices")
            vectors = net.apply(params, indices, method="vectors")
            decoded = net.apply(params, vectors, method="decode")
            within = TOLERANCES[dtype]
            assert relative(z, expected[f"{name}/latents"]) < within
            np.testing.assert_array_equal(indices.ravel(), expected[f"{name}/indices"])
            assert relative(vectors, expected[f"{name}/quantized"]) < within
            assert relative(decoded, expected[f"{name}/decoded"]) < within
            np.testing.assert_allclose(
                1.25 * jnp.mean((z - vectors) ** 2), expected[f"{name}/quantize_loss_legacy"][0],
                rtol=4 * within,
            )  # fmt: skip
            whole = net.apply(params, image.astype(dtype))
            np.testing.assert_array_equal(whole, decoded)
