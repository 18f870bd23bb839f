"""Mistakes in SRGAN. Traps are of public ports."""

from mutants import Mutant

SRGAN, NETWORKS = "translation/srgan.py", "shared/srresnet.py"
UPSAMPLING, PERCEPTUAL = "nn/upsampling.py", "losses/perceptual.py"
RECIPE = "configs/srgan_scenes.py"
TESTS, TWINS = "test_srgan.py::test_", "twins/test_srgan.py::test_"
PARAMETERS = TESTS + "the_published_networks_have_as_many_parameters_as_ported"
GENERATOR, FUNCTIONS = TWINS + "srgans_generator", TWINS + "srgans_functions"
START = TESTS + "srresnet_begins_with_slopes_of_a_quarter_and_ends_linearly"
GOES_ON = TESTS + "the_generator_goes_on_where_srresnet_ended"
LUMINANCE = TESTS + "luminance_is_of_levels_inside_the_border"

SRGANS = {
    "srgan trap: no pretraining": Mutant(
        SRGAN, "begun = fresh if previous is None else previous", "begun = fresh", GOES_ON
    ),
    "srgan: statistics of the first phase forgotten": Mutant(
        SRGAN, 'state=fresh.state | {"generator": begun.state["generator"]}', "state=fresh.state",
        GOES_ON,
    ),
    "srgan trap: L1 of features": Mutant(
        PERCEPTUAL, "jnp.abs(a - b) ** power", "jnp.abs(a - b)", GENERATOR
    ),
    "srgan trap: directions of features compared": Mutant(
        RECIPE, 'distance="squares"', 'distance="plain"', GENERATOR
    ),
    "srgan trap: features of a picture that is normalised twice": Mutant(
        "nn/backbones.py", "return (rgb(image) - jnp.array(MEAN)) / jnp.array(DEVIATION)",
        "return ((rgb(image) - jnp.array(MEAN)) / jnp.array(DEVIATION) - jnp.array(MEAN)) / 0.45",
        GENERATOR,
    ),
    "srgan trap: LSGAN": Mutant(
        RECIPE, 'value_function="non_saturating"', 'value_function="least_squares"',
        GENERATOR + f" {TWINS}srgans_discriminator",
    ),
    "srgan trap: a difference of outputs for D's loss": Mutant(
        SRGAN, "jnp.mean(value.discriminator(real, fake))", "jnp.mean(fake - real)",
        TWINS + "srgans_discriminator",
    ),
    "srgan trap: pixels kept in the game": Mutant(
        RECIPE, "pixels=0.0, optimizer", "pixels=1.0, optimizer", GENERATOR
    ),
    "srgan: the weight of features left out": Mutant(
        SRGAN, "loss += game.perceptual * metrics[name]", "loss += metrics[name]", GENERATOR
    ),
    "srgan trap: BN's epsilon of 0.8": Mutant(
        "nn/layers.py", "momentum=MOMENTUM,\n", "momentum=MOMENTUM, epsilon=0.8,\n",
        TESTS + "a_batch_norm_keeps_small_variances",
    ),
    "srgan trap: BN in the upsampler": Mutant(
        NETWORKS, "x = prelu(pixel_shuffle(conv(4 * self.width, (3, 3))(x)))",
        "x = prelu(pixel_shuffle(BatchNorm(train)(conv(4 * self.width, (3, 3))(x))))", PARAMETERS,
    ),
    "srgan trap: five blocks": Mutant(
        RECIPE, "network=dict(width=64, blocks=16)", "network=dict(width=64, blocks=5)", PARAMETERS
    ),
    "srgan: a norm in D's first layer": Mutant(
        NETWORKS, "norm=level > 0", "norm=True", PARAMETERS
    ),
    "srgan trap: a tanh": Mutant(
        NETWORKS, "return full_precision(conv(self.features, (9, 9))(x))",
        "return jnp.tanh(full_precision(conv(self.features, (9, 9))(x)))", START,
    ),
    "srgan: PReLU's slope as Flax has it": Mutant(
        NETWORKS, "negative_slope_init=0.25", "negative_slope_init=0.01", START
    ),
    "srgan trap: depth_to_space's order of channels": Mutant(
        NETWORKS, "x.reshape(b, h, w, c // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3)",
        "x.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)",
        TESTS + "a_pixel_shuffle_has_the_authors_order_of_channels",
    ),
    "srgan trap: statistics of the batch in use": Mutant(
        SRGAN, 'return {"image": generator(variables, seen(batch))}',
        'return {"image": generator.train(variables, seen(batch))[0]}', FUNCTIONS,
    ),
    "srgan trap: another kernel in use": Mutant(
        SRGAN, 'return {"image": generator(variables, seen(batch))}',
        'low = upsampling.enlarged(batch["image"], small, "linear")\n'
        '        return {"image": generator(variables, (low + 1.0) / 2.0)}',
        FUNCTIONS,
    ),
    "srgan: small images in [-1, 1]": Mutant(
        SRGAN, "return (small_of(batch) + 1.0) / 2.0", "return small_of(batch)",
        TWINS + "srresnet",
    ),
    "srgan trap: a cast without rounding": Mutant(
        UPSAMPLING, "levels = jnp.round(jnp.clip((image + 1.0) * 127.5, 0.0, 255.0))",
        "levels = jnp.clip((image + 1.0) * 127.5, 0.0, 255.0)", LUMINANCE,
    ),
    "srgan trap: a cast without clipping": Mutant(
        UPSAMPLING, "levels = jnp.round(jnp.clip((image + 1.0) * 127.5, 0.0, 255.0))",
        "levels = jnp.round((image + 1.0) * 127.5)", LUMINANCE,
    ),
    "srgan: the border scored, too": Mutant(
        UPSAMPLING, "inside = slice(border, -border)", "inside = slice(0, None)", LUMINANCE
    ),
    "scores: no baseline beside a restored picture": Mutant(
        "judging/translations.py", "given = beside.get(name) if restored else",
        "given =",
        "test_translations.py::test_a_restored_picture_stands_beside_its_models_baseline",
    ),
    "pictures of one phase over those of another": Mutant(
        "gm_jax/run.py", "recipe is config and phase.name == phases[-1].name", "recipe is config",
        "test_phases.py::test_each_phase_has_pictures_of_its_own",
    ),
}  # fmt: skip
