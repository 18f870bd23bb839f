"""Mistakes in ProGAN. Traps are of public ports."""

from mutants import Mutant

PROGAN, NETWORKS = "adversarial/progan.py", "nn/progan.py"
GROWING = "shared/growing.py"
RECIPE = "configs/progan_fashion.py"
TESTS, TWINS = "test_progan.py::test_", "twins/test_progan.py::test_"
STABLE = TWINS + "a_stable_phase"
FADING = TESTS + "real_images_fade_by_the_fraction_of_the_rounds_that_are_played[progan]"
SMALLER = TWINS + "a_smaller_side_sees_halved_images_and_shows_its_own_enlarged"
OF_G = TESTS + "a_share_of_0_is_the_smaller_generator_enlarged_and_1_the_larger_one"
OF_D = TESTS + (
    "a_share_of_0_is_the_smaller_discriminator_of_halved_images_and_1_the_larger_one"
)  # fmt: skip
TAKES_OVER = TESTS + "a_phase_takes_over_layers_and_averages_but_no_optimizer"
PARAMETERS = TESTS + "the_published_networks_have_as_many_parameters_as_the_authors"
STARTS = TESTS + "layers_begin_with_hes_deviation_by_their_gains"
ROWS = TESTS + "the_rows_of_the_table_differ_in_their_layers"
DISCRIMINATION = TESTS + "minibatch_discrimination_by_hand"
LAYER_NORM = TESTS + "a_layer_norm_is_over_all_values_of_an_example"
PINNED = "twins/test_recipes.py::test_numbers_of_the_papers"

PROGANS = {
    "progan trap: the penalty's numbers for the share": Mutant(
        PROGAN, "mix = uniform(example_keys(mix_key, batch), ())",
        "mix = share = uniform(example_keys(mix_key, batch), ())[:, None, None, None]", FADING,
    ),
    "progan trap: an integer share": Mutant(
        GROWING, "share = jnp.asarray(step) / self.steps",
        "share = jnp.asarray(step) // self.steps", FADING,
    ),
    "progan: a share that does not begin at 0": Mutant(
        GROWING, "share = jnp.asarray(step) / self.steps",
        "share = (jnp.asarray(step) + 1) / self.steps", FADING,
    ),
    "progan trap: real images not faded": Mutant(
        GROWING, "return mixed(doubled(halved(x)), x, share) if self.fading else x", "return x",
        FADING,
    ),
    "progan: real images faded the other way": Mutant(
        GROWING, "return mixed(doubled(halved(x)), x, share) if self.fading else x",
        "return mixed(x, doubled(halved(x)), share) if self.fading else x", FADING,
    ),
    "progan trap: optimizers go on into the next phase": Mutant(
        "training/state.py",
        "opt={p.name: p.optimizer.init(_owned(p, variables.params)) for p in model.players},",
        "opt={p.name: p.optimizer.init(_owned(p, variables.params)) for p in model.players}\n"
        "        if previous is None else previous.opt,",
        TAKES_OVER,
    ),
    "progan trap: the average of G begins anew": Mutant(
        "training/state.py", "return jnp.where(jnp.all(old == x), average, x)", "return x",
        TAKES_OVER,
    ),
    "progan trap: networks that begin anew": Mutant(
        GROWING, "if previous is None:\n        return fresh", "if True:\n        return fresh",
        TAKES_OVER,
    ),
    "progan trap: samples of the new layers alone": Mutant(
        PROGAN, 'variables.state.get("share", 1.0)', "1.0", FADING
    ),
    "progan: a smaller side's samples as small as they are": Mutant(
        GROWING, "while x.shape[1] < side:\n        x = doubled(x)", "pass", SMALLER
    ),
    "progan: D sees images that are cut, not halved": Mutant(
        GROWING, "while x.shape[1] > self.side:\n            x = halved(x)",
        "x = x[:, : self.side, : self.side]",
        SMALLER,
    ),
    "progan: drift of generated images": Mutant(
        PROGAN, "settings.drift * true**2", "settings.drift * fake**2", STABLE
    ),
    "progan: no drift": Mutant(PROGAN, " + settings.drift * true**2", "", STABLE),
    "progan: the penalty without its weight": Mutant(
        PROGAN, "settings.penalty * penalty", "penalty", STABLE
    ),
    "progan: G's sign": Mutant(
        PROGAN, "loss = -jnp.mean(discriminator(", "loss = jnp.mean(discriminator(", STABLE
    ),
    "progan: a target of the norm, not of its units": Mutant(
        "losses/penalties.py", "return (norm / target - 1.0) ** 2",
        "return (norm - target) ** 2", TESTS + "the_penalty_is_in_units_of_its_target",
    ),
    "progan: G's old image for the new one": Mutant(
        NETWORKS, "image = mixed(doubled(image_of(smaller)), image, share)",
        "image = mixed(image, doubled(image_of(smaller)), share)", OF_G,
    ),
    "progan: D's old map before its halving": Mutant(
        NETWORKS, "x = mixed(map_of(halved(image)), x, share)",
        "x = mixed(halved(map_of(image)[..., : x.shape[-1]]), x, share)", OF_D,
    ),
    "progan: D's map of the old image for the new one": Mutant(
        NETWORKS, "x = mixed(map_of(halved(image)), x, share)",
        "x = mixed(x, map_of(halved(image)), share)", OF_D,
    ),
    "progan: images with a gain of sqrt 2": Mutant(
        NETWORKS, "self.channels, 1, self.equalized, self.dtype, 1.0, use_bias=True",
        "self.channels, 1, self.equalized, self.dtype, GAIN, use_bias=True", STARTS,
    ),
    "progan: the first layer's gain": Mutant(
        NETWORKS, "self.dtype, GAIN / 4)", "self.dtype)", STARTS
    ),
    "progan trap: equalised at the start only": Mutant(
        NETWORKS, "if equalized:\n", "if False:\n", STARTS
    ),
    "progan: raw latents": Mutant(
        NETWORKS, "x = pixel_norm(z) if self.latent_norm else z", "x = z", ROWS
    ),
    "progan trap: a tanh always": Mutant(
        NETWORKS, "return jnp.tanh(image) if self.tanh else image", "return jnp.tanh(image)", ROWS
    ),
    "progan: pixel norm before the activation": Mutant(
        NETWORKS, "x = nn.leaky_relu(x + bias.astype(x.dtype), self.slope)",
        'x = x + bias.astype(x.dtype)\n        if self.normalization == "pixel":\n'
        "            return nn.leaky_relu(pixel_norm(x), self.slope)\n"
        "        x = nn.leaky_relu(x, self.slope)", ROWS,
    ),
    "progan: a layer norm of each pixel": Mutant(
        NETWORKS, "full_precision(x), tuple(range(1, x.ndim))", "full_precision(x), -1", LAYER_NORM
    ),
    "progan: an example among its neighbours": Mutant(
        NETWORKS, "jnp.sum(jnp.exp(-apart), axis=1) - 1.0", "jnp.sum(jnp.exp(-apart), axis=1)",
        DISCRIMINATION,
    ),
    "progan: discrimination of each device by itself": Mutant(
        NETWORKS, "own[:, None] - replicas.gather(own)", "own[:, None] - own",
        "test_games.py::"
        "test_one_and_eight_devices_are_the_same_run_and_trace_every_move_once"
        "[progan_discrimination]",
    ),
    "progan: no deviation": Mutant(
        NETWORKS, 'if self.statistics == "deviation":', "if False:", PARAMETERS
    ),
    "progan: features of the next side": Mutant(
        NETWORKS, "wide = features(side), features(side // 2)",
        "wide = features(side), features(side)", PARAMETERS,
    ),
    "variation: samples against themselves": Mutant(
        "judging/variation.py", '"value": sliced.sliced_wasserstein(own[side], true[side])',
        '"value": sliced.sliced_wasserstein(again[side], true[side])',
        "test_variation.py::test_real_images_score_as_others_do_and_noise_far_worse",
    ),
    "variation: real pairs for those of samples": Mutant(
        "judging/variation.py", '{"value": similarity(fakes),', '{"value": similarity(reals),',
        "test_variation.py::test_samples_that_are_all_alike_are_found_out",
    ),
    "diversity: similarity under its name": Mutant(
        "judging/variation.py", "(1.0 - similarity(images) for", "(similarity(images) for",
        "test_variation.py::test_diversity_is_of_pairs_that_say_the_same",
    ),
    "diversity: of the data's neighbours, whatever they say": Mutant(
        "judging/variation.py", "pairs.append((waiting.pop(said), index))",
        "pairs.append((index - 1, index))",
        "test_variation.py::test_diversity_is_of_pairs_that_say_the_same",
    ),
    "variation: a window whose width does not shrink": Mutant(
        "evaluation/ssim.py", "(SIGMA * window / WINDOW) ** 2", "SIGMA**2",
        "evaluation/test_scores.py::"
        "test_ms_ssim_of_small_images_has_windows_no_larger_than_they_are",
    ),
    "concepts: a + b - c": Mutant(
        "judging/concepts.py", "return a - b + c", "return a + b - c",
        "test_concepts.py::test_concepts_by_hand",
    ),
    "concepts: one latent for three": Mutant(
        "judging/concepts.py", "return latents.mean(axis=-2)", "return latents[..., 0, :]",
        "test_concepts.py::test_concepts_by_hand",
    ),
    "concepts: the class of b": Mutant(
        "judging/concepts.py", "wanted += [other] * n", "wanted += [own] * n",
        "test_concepts.py::test_classes_that_are_directions_survive_arithmetic",
    ),
    "progan: the paper's batch norm with small batches": Mutant(
        RECIPE, "c = old | rounds(16 * 5) | dict(average=0.999**5)",
        "c = old | rounds(16 * 5) | dict(average=0.999**5, batch_size=64)",
        PINNED + "[progan_fashion:c]",
    ),
    "progan: minibatch discrimination with an equalised rate": Mutant(
        RECIPE, "estar=estar | dict(equalized=False)", "estar=estar",
        PINNED + "[progan_fashion:estar]",
    ),
}  # fmt: skip
