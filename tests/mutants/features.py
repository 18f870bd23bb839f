"""Mistakes in features for a classifier, and in the deep belief net."""

from mutants import Mutant

LINEAR, JUDGE, DBN = "evaluation/linear.py", "judging/features.py", "energy/deep_belief.py"
GAME = "shared/encoding.py"


def _features(name: str) -> str:
    return f"test_features_of_models.py::test_{name}"


def _belief(name: str) -> str:
    return f"test_deep_belief.py::test_{name}"


HELD_OUT = _features("the_strength_is_chosen_on_held_out_labels_not_on_the_test")
FROZEN = _features("frozen_features_are_what_encode_returns")
TUNED = _features("tuning_is_adam_on_the_model_and_a_layer_on_top")
RATE = _features("the_rate_is_chosen_on_held_out_labels_of_the_first_draw")
NET = "twins/test_energy.py::test_a_deep_belief_net"
BOUND = _belief("the_bound_is_that_of_all_states_and_below_log_p")
TURNED = _belief("each_draw_is_log_p_if_the_top_is_the_machine_below_turned_round")
HANDED = _belief("layers_are_handed_on")

RECOGNITION = "judging/recognition.py"

FEATURES = {
    "modes of stacked images: one channel for all": Mutant(
        RECOGNITION, '["image"][..., i, None]) for i', '["image"][..., 0, None]) for i',
        "test_recognition.py::test_the_mode_of_a_stacked_image_is_the_classes_of_its_channels_in_turn",
    ),
    "preserved: an image is always of its own class": Mutant(
        RECOGNITION, "== classifier.predict(pairs[:, 1])", "== classifier.predict(pairs[:, 0])",
        "test_recognition.py::test_a_reconstruction_preserves_what_a_classifier_sees",
    ),
    "features: each column blown up to variance 1": Mutant(
        LINEAR, "np.float64).mean()) or 1.0", "np.float64))",
        _features("scaled_features_keep_their_proportions_and_use_the_first_alone"),
    ),
    "features trap: a penalty chosen on the test": Mutant(
        LINEAR, "np.sum(model(features[held]) != labels[held])",
        "np.sum(model(test[0]) != test[1])", HELD_OUT,
    ),
    "features trap: a penalty chosen on what was learned": Mutant(
        LINEAR, "fitted(features[own], labels[own], STRENGTHS)",
        "fitted(features, labels, STRENGTHS)", HELD_OUT,
    ),
    "features: no second fit to all labels": Mutant(
        LINEAR, "(model,) = fitted(features, labels, (strength,))",
        "(model,) = fitted(features[own], labels[own], (strength,))", HELD_OUT,
    ),
    "features: the same labels in each draw": Mutant(
        JUDGE, "balanced(labels, classes, count, draw,", "balanced(labels, classes, count, 0,",
        FROZEN,
    ),
    "features: the test scaled by itself": Mutant(
        LINEAR, "for x in (features, *others)]", "for x in (features, *(2.0 * x for x in others))]",
        _features("scaled_features_keep_their_proportions_and_use_the_first_alone"),
    ),
    "features: a head on a frozen model": Mutant(
        JUDGE, 'carried._replace(params=learned["params"])',
        'carried._replace(params=jax.lax.stop_gradient(learned["params"]))', TUNED,
    ),
    "features trap: a rate chosen on the test": Mutant(
        JUDGE, "wrong = [error_of(learned_from(own, rate), train, held) for rate in RATES]",
        "wrong = [error_of(learned_from(own, rate), test, held % 40) for rate in RATES]", RATE,
    ),
    "features: symbols as numbers": Mutant(
        JUDGE, 'x.dtype.kind == "f" or', 'x.dtype.kind in "fi" or',
        _features("all_real_numbers_of_an_example_are_its_features"),
    ),
    "features: from scratch is from what was trained": Mutant(
        JUDGE, "trained.variables._replace(params=first.params,",
        "trained.variables._replace(params=trained.variables.params,",
        _features("from_scratch_is_from_the_start_of_the_runs_seed"),
    ),
    "features: an interval of the draws, not of their mean": Mutant(
        JUDGE, "np.std(errors, ddof=1) / np.sqrt(count)", "np.std(errors, ddof=1)",
        _features("intervals"),
    ),
    "features trap: a discriminator that sees the label": Mutant(
        GAME, 'return {} if game.classes else {"encode": encode}', 'return {"encode": encode}',
        "twins/test_gan.py::test_ds_features_are_what_its_last_layer_is_given",
    ),
    "dbn trap: a bound without q": Mutant(
        DBN, "bernoulli(low, down) - bernoulli(high, rbm.hidden_drive(layer, low))",
        "bernoulli(low, down)", BOUND,
    ),
    "dbn: q by the weights of the way down": Mutant(
        DBN, "bernoulli(high, rbm.hidden_drive(layer, low))",
        "bernoulli(low, rbm.visible_drive(layer, high))", TURNED,
    ),
    "dbn: means for draws": Mutant(
        DBN, "flip(fold_in(keys, number), rbm.hidden(layer, units[-1]))",
        "rbm.hidden(layer, units[-1])", NET,
    ),
    "dbn: a layer is forgotten": Mutant(
        DBN, "layers = fresh[:number] if previous is None else stack.trained(previous)",
        "layers = fresh[:number]", HANDED,
    ),
    "dbn: chains that begin anew": Mutant(
        DBN, 'fantasy = state["chain"] = rbm.chain(params, keys, start, settings.sweeps)',
        'fantasy = rbm.chain(params, keys, start, settings.sweeps)\n'
        '                state["chain"] = start', NET,
    ),
    "dbn: samples that stay in the layer above": Mutant(
        DBN, "for number, layer in enumerate(reversed(below[1:])):",
        "for number, layer in ():", NET,
    ),
}  # fmt: skip
