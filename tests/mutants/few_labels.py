"""Mistakes in the ladder network and in adversarial autoencoders. Traps are of public ports."""

from mutants import Mutant

NETWORKS, LADDER, RECIPE = "nn/ladder.py", "autoencoders/ladder.py", "configs/ladder_mnist.py"
TESTS, TWINS = "test_ladder.py::test_", "twins/test_ladder.py::test_"
COST, DEVIATION = TWINS + "the_cost_of_each_layer", TESTS + "units_are_divided_by_their_deviation"
STATISTICS = TESTS + "statistics_for_use_are_those_of_kept_images_layer_by_layer"
KEPT = TESTS + "the_latest_images_are_kept_each_once"
FEW = TESTS + "few_labels_are_balanced_and_all_in_every_batch"
PUBLISHED = "twins/test_recipes.py::test_numbers_of_the_papers[ladder_mnist:published]"

AAE, SEMI = "autoencoders/adversarial_autoencoder.py", "autoencoders/semi_supervised_aae.py"
GAME, PRIORS = "shared/code_game.py", "shared/code_priors.py"
CODES = "test_adversarial_autoencoders.py::test_"
OF_CODES = "twins/test_adversarial_autoencoders.py"
DRAWN = f"{OF_CODES}::test_semi_supervised_codes_are_drawn_of_corrupted_images"
LOSSES, SEMIS = f"{OF_CODES}::test_both_losses", f"{OF_CODES}::test_semi_supervised_losses"
STAR = CODES + "a_star_is_of_ten_gaussians_by_deviations"
ROLL = CODES + "a_swiss_roll_is_even_by_area"
FUNCTIONS = f"{OF_CODES}::test_functions_of_codes"

FEW_LABELS = {
    "ladder trap: units divided by their variance": Mutant(
        NETWORKS, "(x - mean) * lax.rsqrt(variance + EPSILON)", "(x - mean) / (variance + EPSILON)",
        f"{DEVIATION} {COST}",
    ),
    "ladder trap: a rate of .02": Mutant(
        RECIPE, "learning_rate=2e-3, hold", "learning_rate=2e-2, hold", PUBLISHED
    ),
    "ladder trap: a rate that falls from epoch 15": Mutant(
        RECIPE, "hold_steps=60_000", "hold_steps=9_000", PUBLISHED
    ),
    "ladder trap: a weight that is a scaled tensor": Mutant(
        NETWORKS, 'variance_scaling(1.0, "fan_in", "normal")', "normal(1.0)",
        TESTS + "weights_begin_with_the_variance_of_one_over_fan_in",
    ),
    "ladder trap: statistics of test batches": Mutant(
        LADDER, "encoder(variables, x, (), moments).logits", "encoder(variables, x).logits",
        f"{STATISTICS} {TWINS}classes_and_errors",
    ),
    "ladder: clean units as constants": Mutant(
        LADDER, "- clean.z[layer]) ** 2", "- jax.lax.stop_gradient(clean.z[layer])) ** 2",
        TESTS + "no_gradient_stops",
    ),
    "ladder: clean statistics as constants": Mutant(
        LADDER, "normalised(estimate, clean.moments[layer - 1])",
        "normalised(estimate, jax.lax.stop_gradient(clean.moments[layer - 1]))",
        TESTS + "no_gradient_stops",
    ),
    "ladder: estimates by statistics of the noisy pass": Mutant(
        LADDER, "normalised(estimate, clean.moments[layer - 1])",
        "normalised(estimate, corrupted.moments[layer - 1])", COST,
    ),
    "ladder: estimates as they are": Mutant(
        LADDER, "            if layer:  # The image", "            if False:  # The image", COST
    ),
    "ladder: the clean pass classifies": Mutant(
        LADDER, 'noisy(variables, pixels(batch["image_labelled"]), keys[0]).logits',
        'encoder(variables, pixels(batch["image_labelled"])).logits', COST,
    ),
    "ladder: hidden labels": Mutant(
        LADDER, 'categorical(batch["label_labelled"], logits)',
        'categorical(batch["label"], logits)', f"{TWINS}hidden_labels_are_not_learned_from {COST}",
    ),
    "ladder: the same noise for labelled images": Mutant(
        LADDER, "for own in jax.random.split(key)]", "for own in (key, key)]", COST
    ),
    "ladder: the same noise in each layer": Mutant(
        LADDER, "(0, None))(keys, layer) for", "(0, None))(keys, 0 * layer) for", COST
    ),
    "ladder: no noise at the top": Mutant(
        NETWORKS, "(noise[number] if noise else 0.0)",
        "(noise[number] if noise and number <= len(self.widths) else 0.0)", COST,
    ),
    "ladder: pixels in [-1, 1]": Mutant(
        LADDER, "image.reshape(len(image), -1) / 2.0 + 0.5", "image.reshape(len(image), -1)", COST
    ),
    "ladder: costs of units summed": Mutant(
        LADDER, "weights[layer] * jnp.mean((", "weights[layer] * jnp.sum((", COST
    ),
    "ladder: the decoder begins at the clean softmax": Mutant(
        LADDER, "decoder(variables, corrupted.z, corrupted.top)",
        "decoder(variables, corrupted.z, clean.top)", COST,
    ),
    "ladder: the decoder begins at the softmax as it is": Mutant(
        NETWORKS, "estimates, u = [], normalised(top, moments_of(top))", "estimates, u = [], top",
        COST,
    ),
    "ladder: u without normalisation": Mutant(
        NETWORKS, "u = normalised(full_precision(below), moments_of(full_precision(below)))",
        "u = full_precision(below)", COST,
    ),
    "ladder: v weighs what is above": Mutant(
        NETWORKS, "return (z - mean) * v + mean", "return (mean - z) * v + z",
        TESTS + "the_combinator_by_hand",
    ),
    "ladder: slopes of 0": Mutant(
        NETWORKS, ".at[jnp.array([1, 6])].set(1.0)", ".at[jnp.array([1, 6])].set(0.0)",
        TESTS + "slopes_begin_at_one",
    ),
    "ladder: the scale of the top over the units alone": Mutant(
        NETWORKS, "logits = scale * (z[-1] + shift)", "logits = scale * z[-1] + shift", COST
    ),
    "ladder: the first images kept": Mutant(
        LADDER, "latest = (step * len(fresh)", "latest = (0 * step * len(fresh)", KEPT
    ),
    "ladder: statistics of the weights before": Mutant(
        LADDER, "calibrate=calibrate),)", ")," + ")", STATISTICS
    ),
    "half-labelled: unbalanced": Mutant(
        "data/composed.py", "[order[labels[order] == number][:each] for number in range(classes)]",
        "[order[number * each :][:each] for number in range(classes)]", FEW,
    ),
    "half-labelled: labels of others": Mutant(
        "data/composed.py", "known = base.load(few[shuffled(indices, len(few), LABELLED)])",
        "known = base.load(few[shuffled(indices, len(few), LABELLED)])\n"
        "        known = known | {'label': known['label'][::-1]}", FEW,
    ),
    "half-labelled: the few by chance": Mutant(
        "data/composed.py", "few[shuffled(indices, len(few), LABELLED)]",
        "few[_draw(indices, LABELLED, len(few))]", FEW,
    ),
    "aae trap: a critic of images": Mutant(
        AAE, "return x, z, discriminator(variables, with_class(z, number))[:, 0]",
        "return x, z, discriminator(variables, with_class(\n"
        "            x.reshape(len(x), -1)[:, : z.shape[1]], number))[:, 0]", LOSSES,
    ),
    "aae trap: reconstruction averaged over pixels": Mutant(
        AAE, "jnp.mean(codes.log_prob(variables, x, z))",
        "jnp.mean(codes.log_prob(variables, x, z)) / x[0].size", LOSSES,
    ),
    "aae trap: a variance for a deviation": Mutant(
        PRIORS, "noise * jnp.array([RADIAL, TANGENTIAL]) +",
        "noise * jnp.sqrt(jnp.array([RADIAL, TANGENTIAL])) +", STAR,
    ),
    "aae trap: parts of whole numbers": Mutant(
        PRIORS, "at((part + t) / parts)", "at(part // parts + t)", ROLL
    ),
    "aae: a spiral even along the angle": Mutant(
        PRIORS, "root = jnp.sqrt(u)", "root = u", ROLL
    ),
    "aae: unlabelled codes against one part": Mutant(
        AAE, "part = any_part(of_part, parts)", "part = 0 * any_part(of_part, parts)", LOSSES
    ),
    "aae: reals of the labelled shown as unlabelled": Mutant(
        AAE, "jnp.where(number == unlabelled, unlabelled, part)", "jnp.full_like(part, unlabelled)",
        LOSSES,
    ),
    "aae: reals of another class than their part": Mutant(
        AAE, "jnp.where(number == unlabelled, unlabelled, part)",
        "jnp.where(number == unlabelled, unlabelled, number)", LOSSES,
    ),
    "aae: labels shown of what has none": Mutant(
        AAE, "return [(x, none), (batch", 'return [(x, batch["label"]), (batch', LOSSES
    ),
    "aae: no weight of the critic": Mutant(
        AAE, "weight * judged - reconstruction", "judged - reconstruction", LOSSES
    ),
    "aae: the saturating loss": Mutant(
        AAE, "jnp.mean(non_saturating(fake))", "-jnp.mean(jax.nn.softplus(fake))", LOSSES
    ),
    "aae: exp(log-variance) as deviation": Mutant(
        GAME, "jnp.exp(0.5 * log_variance)", "jnp.exp(log_variance)",
        f"{OF_CODES}::test_a_gaussian_posterior_is_drawn_and_has_no_kl",
    ),
    "aae: one noise for a batch": Mutant(
        GAME, "normal(keys, (kind.noise,))", "normal(keys[:1].repeat(len(keys)), (kind.noise,))",
        f"{OF_CODES}::test_a_universal_posterior_is_of_the_image_and_noise",
    ),
    "aae: pixels in [-1, 1]": Mutant(
        GAME, "x.reshape(len(x), -1) / 2.0 + 0.5", "x.reshape(len(x), -1)", LOSSES
    ),
    "aae: samples of any part for a class": Mutant(
        AAE, 'z = codes.prior.draw(keys, batch["label"])', "z = codes.draw(keys)", FUNCTIONS
    ),
    "aae: the energy distance without what is within": Mutant(
        "judging/codes.py", "2.0 * between - within_a - within_b", "between - within_a",
        CODES + "energy_distance_by_hand",
    ),
    "semi-supervised aae: labelled images from the class they seem": Mutant(
        SEMI, "joined(hot, own_z)", "joined(jax.nn.softmax(own_logits), own_z)", SEMIS
    ),
    "semi-supervised aae: a critic of logits": Mutant(
        SEMI, "for fake in judged(variables, y, z))", "for fake in judged(variables, logits, z))",
        SEMIS,
    ),
    "semi-supervised aae: reals that are even": Mutant(
        SEMI, "hot = jax.nn.one_hot(any_part(draw_y, classes), classes)",
        "hot = jnp.full((len(draw_y), classes), 1.0 / classes)", SEMIS,
    ),
    "semi-supervised aae: hidden labels": Mutant(
        SEMI, '("image", "image_labelled", "label_labelled")',
        '("image", "image_labelled", "label")',
        f"{OF_CODES}::test_semi_supervised_functions_and_hidden_labels {SEMIS}",
    ),
    "semi-supervised aae: the corrupted image is asked for": Mutant(
        SEMI, "variables, jnp.concatenate([x, known]),",
        "variables, corrupted_by(jnp.concatenate([x, known]), jnp.concatenate(keys), 0.6),", DRAWN
    ),
    "semi-supervised aae: labelled images are not corrupted": Mutant(
        SEMI, "own_logits, own_z = trained(", "own_logits, own_z = coded(", DRAWN
    ),
    "semi-supervised aae: critics of codes of clean images": Mutant(
        SEMI, 'logits, z = trained(variables, batch["image"], own)',
        'logits, z = coded(variables, batch["image"], own)', DRAWN
    ),
    "semi-supervised aae: corrupted in use": Mutant(
        SEMI, '        logits, _ = coded(variables, batch["image"], example_keys(key, batch))\n'
        '        wrong',
        '        logits, _ = trained(variables, batch["image"], example_keys(key, batch))\n'
        '        wrong', DRAWN
    ),
    "semi-supervised aae: one noise for both images": Mutant(
        SEMI, "known, keys[1])", "known, keys[0])", DRAWN
    ),
    "semi-supervised aae: weights of critics exchanged": Mutant(
        SEMI, "settings.adversarial * of_y + settings.style * of_z",
        "settings.style * of_y + settings.adversarial * of_z", SEMIS
    ),
    "semi-supervised aae: no classification": Mutant(
        SEMI, "+= settings.classification * classification", "+= 0.0 * classification", SEMIS
    ),
}  # fmt: skip
