"""Mistakes in studies, in their figures and in what sweeps of diffusion models rest on."""

from mutants import Mutant

STUDY, FIGURE, RECIPES = "gm_jax/study.py", "study_figure.py", "gm_jax/recipes.py"
CORE = "shared/core.py"


def _study(names: str) -> str:
    return " ".join(f"test_study.py::test_{name}" for name in names.split())


def _sweeps(names: str) -> str:
    return " ".join(f"test_diffusion_sweeps.py::test_{name}" for name in names.split())


SHARED = "runs_that_differ_only_in_the_use_of_the_model_share_one_training"
DRAWN = "a_measure_is_drawn_against_another_above_its_floor"
LINE = "a_line_has_its_entries_by_growing_x_with_the_range_of_its_seeds"
SWEEP = "a_sweep_of_guidance_is_one_noise_under_each_weight"

EMPTY = "a_measure_that_an_entry_does_not_have_is_left_empty"

STUDIES = {
    "study: 0 for a measure that an entry does not have": Mutant(
        STUDY, '.get("value")', '.get("value", 0.0)', _study(EMPTY)
    ),
    "study: a measure that no entry has": Mutant(
        STUDY, "    _check_measures(list", "    (lambda *_: None)(list", _study(EMPTY)
    ),
    "study: an axis of seeds for one of settings": Mutant(
        STUDY, "[axis[name, seed] for seed in plan.seeds]", "[float(seed) for seed in plan.seeds]",
        _study("a_study_against_a_setting_draws_each_entry_at_its_own"),
    ),
    "study: the programs of all runs are kept": Mutant(
        STUDY, "    jax.clear_caches()  # No", "    # No",
        _study("a_study_keeps_no_programs_of_finished_runs"),
    ),
    "study: a training for each sampler": Mutant(
        RECIPES, "lambda mark: not mark.trains", "lambda mark: False",
        _study("settings_of_training_are_all_that_training_depends_on"),
    ),
    "study: more rounds share the training of fewer": Mutant(
        RECIPES, "lambda mark: not mark.trains", "lambda mark: True",
        _study("settings_of_training_are_all_that_training_depends_on"),
    ),
    "study: the training of another seed": Mutant(
        STUDY, "json.dumps(of_training(run.recipe), sort_keys=True)",
        'json.dumps(of_training(run.recipe) | {"seed": 0}, sort_keys=True)', _study(SHARED),
    ),
    "study: a shared model with the settings of the run that trained it": Mutant(
        STUDY, "load(trainer.folder, run.recipe, devices)",
        "load(trainer.folder, trainer.recipe, devices)", _study(SHARED),
    ),
    "study: an entry that comes first trains though another has": Mutant(
        STUDY, "(begun or pairs)[0]", "pairs[0]", _study(SHARED)
    ),
    "study: a run that does not wait for the training it shares": Mutant(
        STUDY, " or not (trainer is run or _result(trainer)):", ":",
        _study("a_run_waits_for_the_training_it_shares"),
    ),
    "study: the last checkpoint of a training that failed": Mutant(
        STUDY, 'if "failed" in result:\n        raise', "if False:\n        raise",
        _study("a_run_that_fails_is_reported_and_the_others_go_on"),
    ),
    "study: a line for each entry": Mutant(
        FIGURE, 'name.rpartition("_")[0] or name', "name", _study(LINE)
    ),
    "study: points in the order of their names": Mutant(
        FIGURE, "np.array(sorted(points)).T", "np.array(points).T", _study(LINE)
    ),
    "study: a mean without the failures": Mutant(
        FIGURE, "np.mean(at), np.mean(heights)", "np.mean(at), np.nanmean(heights)", _study(LINE)
    ),
    "study: no floor": Mutant(FIGURE, "if floor is not None:", "if False:", _study(DRAWN)),
    "study: linear whatever the range": Mutant(
        FIGURE, "if heights and 0 < 10 *", "if False and 0 < 10 *", _study(DRAWN)
    ),
    "sweeps: evaluations counted by steps": Mutant(
        CORE, "table.evaluations * (2 if", "core.grid.steps * (2 if",
        _sweeps("the_evaluations_reported_are_the_calls_of_the_network[heun-0.0]"),
    ),
    "sweeps: guidance that costs nothing": Mutant(
        CORE, " * (2 if core.sampler.guidance else 1)", "",
        _sweeps("the_evaluations_reported_are_the_calls_of_the_network[heun-1.5]"),
    ),
    "sweeps: another noise for each weight": Mutant(
        CORE, "chain(core.guided(weight), variables, batch, key)[0]",
        "chain(core.guided(weight), variables, batch, jax.random.fold_in(key, weight.astype(int))"
        ")[0]",
        _sweeps(SWEEP),
    ),
    "sweeps: the recipe's weight in every column": Mutant(
        CORE, "chain(core.guided(weight),", "chain(core,", _sweeps(SWEEP)
    ),
    "sweeps: guidance of a model that always saw its condition": Mutant(
        CORE, "if core.settings.guidable else {}", "if True else {}",
        _sweeps("only_a_model_that_also_learned_without_its_condition_has_a_sweep"),
    ),
}  # fmt: skip
