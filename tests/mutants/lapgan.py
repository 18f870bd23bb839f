"""Mistakes in LAPGAN. Traps are of public ports."""

from mutants import Mutant

LAPGAN, NETWORKS = "adversarial/lapgan.py", "shared/pyramid.py"
RECIPE = "configs/lapgan_cifar.py"
TESTS, TWINS = "test_lapgan.py::test_", "twins/test_lapgan.py::test_"
LOSSES, CHAIN = TWINS + "each_levels_losses", TWINS + "samples_are_a_chain_of_generated_images"
PYRAMID = TESTS + "the_pyramid_sums_back_to_the_image_exactly"
LINEAR = TESTS + "a_residual_is_linear_in_its_last_layer"
PARAMETERS = TESTS + "the_published_networks_by_hand"
DROPPED = TESTS + "half_of_the_hidden_units_are_dropped_for_each_example_by_itself"
HALVED = TESTS + "enlarging_keeps_flat_images_and_halving_undoes_nothing_but_detail"

LAPGANS = {
    "lapgan trap: a tanh on h": Mutant(
        NETWORKS, "return full_precision(conv(low.shape[-1], 5)(x))",
        "return jnp.tanh(full_precision(conv(low.shape[-1], 5)(x)))", LINEAR,
    ),
    "lapgan trap: D without l": Mutant(
        LAPGAN, "seen = x, made(variables, batch, level, low, key)",
        "seen = x, made(variables, batch, level, low, key) - (0 if low is None else low)", LOSSES,
    ),
    "lapgan trap: D of h alone": Mutant(
        LAPGAN, "seen = x, made(variables, batch, level, low, key)",
        "seen = x if low is None else x - low, made(variables, batch, level, low, key)", LOSSES,
    ),
    "lapgan trap: a generated l in training": Mutant(
        LAPGAN, "made(variables, batch, level, real(batch, level)[1], key)",
        "made(variables, batch, level, (\n"
        "                None if level.coarsest\n"
        "                else enlarged(made(variables, batch, levels[-1], None, key))), key)",
        LOSSES,
    ),
    "lapgan: l by the nearest pixel": Mutant(
        LAPGAN, '2 * width, channels), "linear")', '2 * width, channels), "nearest")',
        f"{HALVED} {LOSSES}",
    ),
    "lapgan: samples of the real images' l": Mutant(
        LAPGAN, "low = enlarged(images[-1])", "low = real(batch, levels[0])[1]",
        "test_games.py::test_samples_do_not_see_the_data[lapgan]",
    ),
    "lapgan: h without l in samples": Mutant(
        LAPGAN, "return h if level.coarsest else low + h", "return h", f"{PYRAMID} {LOSSES}"
    ),
    "lapgan: one noise for all levels of a sample": Mutant(
        LAPGAN, "for level, own in zip(levels[::-1], jax.random.split(key, len(levels)), "
        "strict=True):", "for level, own in zip(levels[::-1], [key] * len(levels), strict=True):",
        TWINS + "each_level_of_a_sample_has_its_own_noise",
    ),
    "lapgan: normal noise": Mutant(
        LAPGAN, "z = cube(example_keys(key, batch), shape)",
        "z = jax.vmap(lambda k: jax.random.normal(k, shape))(example_keys(key, batch))", LOSSES,
    ),
    "lapgan: the same units dropped of real and generated images": Mutant(
        LAPGAN, "key, *drops = jax.random.split(key, 3)",
        "key, drop = jax.random.split(key)\n            drops = drop, drop",
        TESTS + "real_and_generated_images_drop_units_by_keys_of_their_own",
    ),
    "lapgan: the saturating loss": Mutant(
        LAPGAN, "jnp.mean(non_saturating(logits(", "jnp.mean(-jax.nn.softplus(logits(", LOSSES
    ),
    "lapgan: samples as they are inside": Mutant(
        LAPGAN, "return x * deviation + mean", "return x", f"{PYRAMID} {CHAIN}"
    ),
    "lapgan: units dropped by one key a batch": Mutant(
        NETWORKS, "x = Dropout(self.dropout)(x.reshape(len(x), -1), keys)",
        "x = Dropout(self.dropout)(x.reshape(len(x), -1), jnp.repeat(keys[:1], len(keys)))",
        DROPPED,
    ),
    "lapgan: nothing dropped": Mutant(
        NETWORKS, "x = Dropout(self.dropout)(x.reshape(len(x), -1), keys)",
        "x = x.reshape(len(x), -1)", DROPPED,
    ),
    "lapgan: D with a border of zeros": Mutant(
        NETWORKS, 'padding="VALID"', 'padding="SAME"', PARAMETERS
    ),
    "lapgan: 600 units in the smallest G": Mutant(
        RECIPE, "width=64, hidden=1200", "width=64, hidden=600",
        "twins/test_recipes.py::test_numbers_of_the_papers[lapgan_cifar:published]",
    ),
}  # fmt: skip
