"""Mistakes in translation, its data and its scores. Traps are of public ports."""

from mutants import Mutant

PIX2PIX, CYCLEGAN = "translation/pix2pix.py", "translation/cyclegan.py"
BIGAN, WAYS = "translation/bidirectional_gan.py", "translation/shared/two_ways.py"
UNET, RESNET, PATCHGAN = "shared/unet.py", "shared/resnet.py", "nn/patchgan.py"
LAYERS, POOLS, LOSSES = "nn/layers.py", "gm_jax/pools.py", "losses/translation.py"
SCENES, PAIRS, PICTURES = "data/scenes.py", "data/pairs.py", "data/pictures.py"
SCORES, SEGMENTATION = "judging/translations.py", "evaluation/segmentation.py"


def _twins(names: str) -> str:
    return " ".join(f"twins/test_translation.py::test_{name}" for name in names.split())


def _tests(name: str) -> str:
    return f"test_translation.py::test_{name}"


USED = _tests("pix2pix_is_used_as_it_is_trained")
ON_THE_WAY = _tests("the_u_net_drops_on_the_way_up_and_norms_no_map_of_one_pixel")
PARAMETERS = _tests("the_published_networks_have_as_many_parameters_as_the_authors")
ONCE = _tests("a_pool_keeps_and_shows_each_fake_once")
TRANSPOSED = _tests("the_transposed_convolution_of_3x3_is_pytorchs_with_output_padding")
NORM = _tests("an_instance_norm_is_of_one_channel_of_one_example")
SEES = _tests("a_logit_sees_exactly_its_patch")
SCORED = "test_translations.py::test_"
BY_HAND = "evaluation/test_segmentation.py::test_scores_of_one_confusion_matrix_by_hand"
WORTH = "test_scenes.py::test_shares_of_the_classes_and_the_worth_of_guesses_are_the_worlds"
UNPAIRED = (
    "test_scenes.py::"
    "test_unpaired_pictures_are_of_other_scenes_in_training_and_of_the_same_in_the_test"
)  # fmt: skip
ALIKE = "test_pairs.py::test_partners_are_resized_and_cropped_alike_and_elsewhere_at_each_visit"

TRANSLATION = {
    "pix2pix trap: running averages in use": Mutant(
        PIX2PIX,
        'return {"image_b": translated(variables, batch, key)[0]}',
        'return {"image_b": generator(variables, batch["image"], example_keys(key, batch))}',
        USED,
    ),
    "pix2pix trap: no dropout in use": Mutant(
        PIX2PIX,
        'return {"image_b": translated(variables, batch, key)[0]}',
        'return {"image_b": generator.train(variables, batch["image"], None)[0]}',
        USED,
    ),
    "pix2pix trap: another batch in use than in training": Mutant(
        PIX2PIX, "if self.evaluate.batch_size != self.batch_size:", "if False:",
        _tests("what_cannot_be_translated_is_refused"),
    ),
    "pix2pix trap: D without x": Mutant(
        PATCHGAN, "return jnp.concatenate([x, y], axis=-1)",
        "return jnp.concatenate([0 * x, y], axis=-1)", _twins("pix2pix bigan_between_domains"),
    ),
    "pix2pix trap: L1 summed": Mutant(
        LOSSES, "return jnp.mean(jnp.abs(x - y)", "return jnp.sum(jnp.abs(x - y)", _twins("pix2pix")
    ),
    "pix2pix: squares for L1": Mutant(
        LOSSES, "jnp.mean(jnp.abs(x - y),", "jnp.mean((x - y) ** 2,", _twins("pix2pix")
    ),
    "pix2pix: real and fake exchanged": Mutant(
        PIX2PIX, "value.discriminator(real, fake)", "value.discriminator(fake, real)",
        _twins("pix2pix"),
    ),
    "pix2pix: lambda left out": Mutant(
        PIX2PIX, "settings.distance * distance", "distance", _twins("pix2pix")
    ),
    "pix2pix trap: dropout in the encoder": Mutant(
        UNET, "x = x if plain else norm(x)",
        "x = x if plain else Dropout(self.dropout)(norm(x), keys)", ON_THE_WAY,
    ),
    "pix2pix: dropout on all maps of the way up": Mutant(
        UNET, "if number < DROPPED:", "if True:", ON_THE_WAY
    ),
    "pix2pix trap: the map of one pixel normed": Mutant(
        UNET, "plain = level in (0, self.levels - 1)", "plain = level == 0", ON_THE_WAY
    ),
    "pix2pix: no skips": Mutant(
        UNET, "x = jnp.concatenate([x, maps.pop()], axis=-1)", "x = x + 0 * maps.pop()", PARAMETERS
    ),
    "PatchGAN: a patch of another size": Mutant(
        PATCHGAN, "stride = 2 if level < self.layers else 1", "stride = 2", SEES
    ),
    "cyclegan trap: a cycle of detached fakes": Mutant(
        CYCLEGAN,
        "back_a, back_b = to_a(variables, fake_b), to_b(variables, fake_a)",
        "back_a = to_a(variables, jax.lax.stop_gradient(fake_b))\n"
        "            back_b = to_b(variables, jax.lax.stop_gradient(fake_a))",
        _tests("the_cycle_reaches_both_generators"),
    ),
    "cyclegan trap: identity of the source": Mutant(
        CYCLEGAN,
        "same_a, same_b = to_a(variables, a), to_b(variables, b)",
        "same_a, same_b = fake_b, fake_a",
        _twins("cyclegans_generators"),
    ),
    "cyclegan: G's value halved": Mutant(
        "configs/cyclegan_scenes.py", "adversarial=2.0,", "adversarial=1.0,",
        _twins("cyclegans_generators"),
    ),
    "cyclegan: each critic judges the other domain": Mutant(
        CYCLEGAN,
        'domains = ("a", critic_a, a), ("b", critic_b, b)',
        'domains = ("a", critic_b, a), ("b", critic_a, b)',
        _twins("cyclegans_discriminators"),
    ),
    "cyclegan: one pool for both domains": Mutant(
        CYCLEGAN, 'pool = f"pool_{domain}"', 'pool = "pool_a"', _twins("cyclegans_discriminators")
    ),
    "cyclegan: the pool is not kept": Mutant(
        CYCLEGAN, "return sum(losses.values()), Aux(losses, state)",
        "return sum(losses.values()), Aux(losses, {})", _twins("cyclegans_discriminators"),
    ),
    "two ways: the way back shown for the way there": Mutant(
        WAYS, '(batch["image"], fake_b, self.to_a(variables, fake_b))',
        '(batch["image"], self.to_a(variables, fake_b), fake_b)', _twins("functions_of_two_ways"),
    ),
    "two ways: directions exchanged": Mutant(
        WAYS, '{"image_b": fake_b, "image": fake_a}', '{"image": fake_b, "image_b": fake_a}',
        _twins("functions_of_two_ways"),
    ),
    "bigan between domains: both pairs of real pictures of a": Mutant(
        BIGAN, 'paired(to_a, batch["image_b"])', 'paired(batch["image"], batch["image_b"])',
        _twins("bigan_between_domains"),
    ),
    "bigan between domains: generators that help D": Mutant(
        BIGAN, "log_loss(of_b, of_a)", "log_loss(of_a, of_b)", _twins("bigan_between_domains")
    ),
    "bigan between domains: a pair the wrong way round": Mutant(
        BIGAN, 'paired(to_a, batch["image_b"])', 'paired(batch["image_b"], to_a)',
        _twins("bigan_between_domains"),
    ),
    "cyclegan trap: the border itself mirrored": Mutant(
        LAYERS, 'mode="reflect"', 'mode="symmetric"',
        _tests("cyclegans_generator_reflects_at_the_border_and_not_the_border_itself"),
    ),
    "cyclegan: 3x3 doublings one pixel off": Mutant(
        "nn/strides.py", 'pads = "SAME" if padding is None else [(padding, padding)] * 2',
        'pads = "SAME"', TRANSPOSED,
    ),
    "instance norm trap: Flax's epsilon": Mutant(
        LAYERS, "def instance_norm(x: Array, epsilon: float = 1e-5)",
        "def instance_norm(x: Array, epsilon: float = 1e-2)", NORM,
    ),
    "instance norm: over the batch": Mutant(
        LAYERS, "f(wide, axis=(1, 2), keepdims=True) for f in (jnp.mean, jnp.var)",
        "f(wide, axis=(0, 1, 2), keepdims=True) for f in (jnp.mean, jnp.var)", NORM,
    ),
    "pool trap: a copy shown, the original kept": Mutant(
        POOLS, "jnp.where(filling | old, fake, kept[slot])", "jnp.where(filling, fake, kept[slot])",
        ONCE,
    ),
    "pool: the new one shown and kept": Mutant(
        POOLS, "shown = jnp.where(old, kept[slot], fake)", "shown = fake", ONCE
    ),
    "pool: always an old one": Mutant(
        POOLS, "old = ~filling & jax.random.bernoulli(old_key)", "old = ~filling",
        _tests("half_of_what_a_full_pool_shows_is_old_and_fifty_slots_make_it_a_hundred_shows_old"),
    ),
    "pool: the same draw for all of a batch": Mutant(
        POOLS, "keys = jax.random.split(key, len(new))", "keys = jnp.stack([key] * len(new))",
        _tests("half_of_what_a_full_pool_shows_is_old_and_fifty_slots_make_it_a_hundred_shows_old"),
    ),
    "pool: of each device's own fakes": Mutant(
        POOLS,
        "new, size = replicas.gather(lax.stop_gradient(fakes)), len(pool[\"kept\"])",
        "new, size = jnp.tile(lax.stop_gradient(fakes), (replicas.size(), 1)), len(pool[\"kept\"])",
        _tests("a_pool_is_the_same_on_one_and_eight_devices"),
    ),
    "scenes trap: a shared order that pairs the unpaired": Mutant(
        SCENES, "indices.astype(np.uint64) + np.uint64(UNPAIRED)", "indices", UNPAIRED
    ),
    "scenes: nobody's partner in the test split": Mutant(
        SCENES, 'apart = config.unpaired and split == "train"', "apart = config.unpaired", UNPAIRED
    ),
    "scenes: training and test share scenes": Mutant(
        SCENES, 'STREAMS * (split == "test")', "0",
        "test_scenes.py::test_a_scene_is_a_function_of_its_split_and_index_alone",
    ),
    "scenes: all kinds as frequent": Mutant(
        SCENES, "np.searchsorted([0.5, 0.8]", "np.searchsorted([0.33, 0.67]", WORTH
    ),
    "scenes: light from one side": Mutant(
        SCENES, "(1 - light * SHADING * along)", "(1 - SHADING * along)",
        "test_scenes.py::test_light_and_exposure_are_unseen_in_the_map_and_seen_in_the_photograph",
    ),
    "scenes: a contrast of signs": Mutant(
        SCENES, "abs(picture[left].mean() - picture[right].mean())",
        "picture[left].mean() - picture[right].mean()",
        "test_scenes.py::test_light_and_exposure_are_unseen_in_the_map_and_seen_in_the_photograph",
    ),
    "pairs: the halves exchanged": Mutant(
        PAIRS, "both[:, width:] if right else both[:, :width]",
        "both[:, :width] if right else both[:, width:]",
        "test_pairs.py::test_the_halves_of_a_picture_are_a_pair_in_either_order",
    ),
    "pairs trap: partners cropped apart": Mutant(
        "data/examples.py",
        "np.ascontiguousarray(crop(example[key], side, draw)) for key in spatial}",
        'np.ascontiguousarray(crop(example[key], side, draw if key == "image" else None))\n'
        "                 for key in spatial}",
        ALIKE,
    ),
    "pairs trap: pictures without pairs in one order": Mutant(
        PAIRS, "**drawn(b, indices, 3)}", "**drawn(b, indices, 0)}",
        "test_pairs.py::test_pictures_without_pairs_are_drawn_independently_from_both_folders",
    ),
    "pairs trap: classes resized as jax.image does": Mutant(
        PICTURES, "np.arange(new) * old // new", "(2 * np.arange(new) + 1) * old // (2 * new)",
        "test_pairs.py::test_classes_are_resized_by_the_nearest_as_pytorch_has_it",
    ),
    "scores: rows and columns exchanged": Mutant(
        SEGMENTATION, "truth.astype(np.int64).ravel() + found.ravel()",
        "found.astype(np.int64).ravel() + truth.ravel()", BY_HAND,
    ),
    "scores: classes that never occur": Mutant(
        SEGMENTATION, "occurs = true > 0", "occurs = true + given > 0", BY_HAND
    ),
    "scores: union without what was missed": Mutant(
        SEGMENTATION, "(true + given - right)[occurs]", "given[occurs]", BY_HAND
    ),
    "scores: compared with the input": Mutant(
        SCORES, "rows = _distances(made, truth[name], given)",
        "rows = _distances(made, given, given)",
        SCORED + "the_truth_in_the_place_of_translations_has_the_best_scores",
    ),
    "scores: a neighbour's partner retrieved": Mutant(
        SCORES, "squares.argmin(1) == np.arange(len(made))", "squares.argmin(0) >= 0",
        SCORED + "permuted_labels_cost_class_accuracy_and_another_partner_costs_retrieval",
    ),
    "scores: partners that nobody knows": Mutant(
        SCORES, "if len(set(domains)) > 1 and not restored:", "if False:",
        SCORED + "without_known_partners_there_is_nothing_to_score",
    ),
    "optimizers: the hold forgotten": Mutant(
        "gm_jax/optimizers.py", "max(settings.warmup_steps, settings.hold_steps)",
        "settings.warmup_steps",
        "test_optimizers.py::test_a_held_rate_falls_from_the_end_of_the_hold_on",
    ),
}  # fmt: skip
