"""Mistakes in ViT-VQGAN."""

from mutants import Mutant

WHOLE = "test_transformers_by_hand.py::test_"
SYSTEM, TOWER = "autoencoders/vit_vqgan.py", "nn/vit_autoencoder.py"
QUANTIZERS, CODES = "shared/quantizers.py", "losses/quantization.py"
TESTS, TWINS = "test_vit_vqgan.py::test_", "twins/test_vit_vqgan.py::test_"
LOSS, JUDGE = TWINS + "the_autoencoders_loss", TWINS + "the_discriminators_loss"
USES, SPHERE = TWINS + "codes_and_what_is_made_of_them", TESTS + "codes_on_the_sphere"
PULL = TWINS + "learned_codes_are_pulled_along_the_sphere"
SLOPE = TESTS + "the_decoders_slope_reaches_the_encoder_along_the_sphere"
FOLLOW = TWINS + "averaged_codes_follow_vectors_of_length_one"
SIZES = TESTS + "the_sizes_of_published_networks"
PATCHES = TESTS + "each_vector_is_of_its_own_patch_and_of_all_others"

VIT_VQGANS = {
    "vit_vqgan trap: averaged codes looked up as they are": Mutant(
        QUANTIZERS,
        'quantization.quantize(scaled(carried["vectors"]), scaled(z))',
        'quantization.quantize(carried["vectors"], z)',
        SPHERE,
    ),
    "vit_vqgan trap: learned codes looked up as they are": Mutant(
        QUANTIZERS,
        'quantization.quantize(scaled(learned["vectors"]), scaled(z))',
        'quantization.quantize(learned["vectors"], z)',
        SPHERE,
    ),
    "vit_vqgan: codes alone on the sphere": Mutant(
        QUANTIZERS,
        'quantization.quantize(scaled(learned["vectors"]), scaled(z))',
        'quantization.quantize(scaled(learned["vectors"]), z)',
        LOSS,
    ),
    "vit_vqgan trap: a decoder of codes that are not normalised": Mutant(
        QUANTIZERS,
        'return scaled(carried["vectors"])[indices]',
        'return carried["vectors"][indices]',
        USES,
    ),
    "vit_vqgan: averages of vectors as they are": Mutant(
        QUANTIZERS,
        "Memory(**carried), scaled(z), indices",
        "Memory(**carried), z, indices",
        FOLLOW,
    ),
    "vit_vqgan trap: no straight-through": Mutant(
        CODES, "return z + lax.stop_gradient(value - z)", "return value", SLOPE
    ),
    "vit_vqgan trap: beta on the codebook's term": Mutant(
        QUANTIZERS,
        'losses["codebook"] + beta * losses["commitment"]',
        'beta * losses["codebook"] + losses["commitment"]',
        PULL,
    ),
    "vit_vqgan trap: no beta": Mutant(
        QUANTIZERS,
        'losses["codebook"] + beta * losses["commitment"]',
        'losses["codebook"] + losses["commitment"]',
        LOSS,
    ),
    "vit_vqgan: a length that is squared": Mutant(
        CODES,
        "x * lax.rsqrt(jnp.sum(x**2, axis=-1, keepdims=True) + 1e-12)",
        "x / (jnp.sum(x**2, axis=-1, keepdims=True) + 1e-12)",
        SPHERE,
    ),
    "vit_vqgan trap: no slope at the centre": Mutant(
        CODES,
        "x * lax.rsqrt(jnp.sum(x**2, axis=-1, keepdims=True) + 1e-12)",
        "x / jnp.linalg.norm(x, axis=-1, keepdims=True)",
        TESTS + "a_vector_at_the_centre_has_a_slope",
    ),
    "vit_vqgan trap: a summed loss of codes beside means": Mutant(
        SYSTEM, "quantized, loss / z[0].size", "quantized, loss", LOSS
    ),
    "vit_vqgan trap: logit-Laplace of pixels that are not mapped": Mutant(
        SYSTEM, "map_pixels((x + 1.0) / 2.0)", "jnp.clip((x + 1.0) / 2.0, 1e-3, 1.0 - 1e-3)", LOSS
    ),
    "vit_vqgan trap: pixels mapped from [-1, 1]": Mutant(
        SYSTEM, "map_pixels((x + 1.0) / 2.0)", "map_pixels(x)", LOSS
    ),
    "vit_vqgan: pictures that stay mapped": Mutant(
        SYSTEM,
        "(2.0 * jax.nn.sigmoid(logits) - 1.0) / 0.8",
        "2.0 * jax.nn.sigmoid(logits) - 1.0",
        USES,
    ),
    "vit_vqgan: the density's sign": Mutant(
        SYSTEM, '"logit_laplace": -density', '"logit_laplace": density', LOSS
    ),
    "vit_vqgan trap: the adversarial term's sign": Mutant(
        SYSTEM,
        "non_saturating(discriminator.train(variables, y)[0])",
        "non_saturating(-discriminator.train(variables, y)[0])",
        LOSS,
    ),
    "vit_vqgan: it pleases with the images themselves": Mutant(
        SYSTEM,
        "non_saturating(discriminator.train(variables, y)[0])",
        "non_saturating(discriminator.train(variables, x)[0])",
        LOSS,
    ),
    "vit_vqgan trap: judged from the first round on": Mutant(
        SYSTEM, "own.weight * (step >= own.start) * adversarial", "own.weight * adversarial", LOSS
    ),
    "vit_vqgan: fakes for images": Mutant(
        SYSTEM, "jnp.mean(log_loss(real, fake))", "jnp.mean(log_loss(fake, real))", JUDGE
    ),
    "vit_vqgan: the weights of one term for all": Mutant(
        SYSTEM,
        "sum(weight * means[name] for name, weight",
        "sum(means[name] for name, weight",
        LOSS,
    ),
    "vit_vqgan: codes that no one moves": Mutant(
        SYSTEM,
        'Aux(metrics, {"codebook": carried})',
        "Aux(metrics)",
        FOLLOW,
    ),
    "vit_vqgan: no way from the hidden layer to the width": Mutant(
        TOWER,
        'dense(self.outputs, "out")(dense(self.width, "down")(h))',
        'dense(self.outputs, "out")(h)',
        SIZES,
    ),
    "vit_vqgan: positions that are not learned": Mutant(
        TOWER,
        'self.param("positions", POSITIONS, (tokens.shape[1], self.width))',
        "jnp.zeros((tokens.shape[1], self.width))",
        SIZES,
    ),
    "vit_vqgan: attention to earlier patches alone": Mutant(
        TOWER,
        '"gelu", False',
        '"gelu", True',
        TESTS + "each_vector_is_of_its_own_patch_and_of_all_others",
    ),
    "vit_vqgan: features that do not weigh": Mutant(
        SYSTEM,
        "settings.perceptual * sum(means",
        "sum(means",
        TESTS + "the_distance_of_features_is_weighed_among_means",
    ),
    "vit_vqgan: a gelu for the tanh": Mutant(
        TOWER,
        "nn.tanh(dense",
        "nn.gelu(dense",
        WHOLE + "transformers_between_images_and_codes",
    ),
    "vit_vqgan: positions that are not added": Mutant(
        TOWER,
        "h + positions.astype(self.dtype)",
        "h + 0.0 * positions.astype(self.dtype)",
        WHOLE + "transformers_between_images_and_codes",
    ),
    "vit_vqgan: a density of another scale": Mutant(
        SYSTEM,
        "uniform(keys, shape), output, jnp.zeros(()))",
        "uniform(keys, shape), output, jnp.ones(()))",
        USES,
    ),
}
