"""Studies: every seed reported, one training for runs that train alike, and their figures."""

import json
import os
import sys

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

import gm_jax
from gm_jax import files, study_figure
from gm_jax.recipes import of_training
from gm_jax.study import table, version

STUDY = gm_jax.load_config("configs/study_ring.py:smoke").study
FEW = {"evaluate": {"modes": 100}}


def ring(**study) -> ConfigDict:
    """A study of a small GAN on a ring."""
    config = gm_jax.load_config("configs/study_ring.py:smoke")
    config.study = ConfigDict({"seeds": (0,), "measures": ("modes",), "against": "", **study})
    return config


def play(config, workdir):
    return gm_jax.study(config, workdir, jax.devices()[:1])


@pytest.fixture
def trainings(monkeypatch):
    """The folders in which a study trains, as it goes."""
    module, folders = sys.modules["gm_jax.study"], []

    def train(config, folder, devices):
        folders.append(folder.relative_to(folder.parent.parent).as_posix())
        return gm_jax.train(config, folder, devices)

    monkeypatch.setattr(module, "train", train)
    return folders


@pytest.mark.slow
def test_a_study_reports_every_seed_and_goes_on_where_it_stopped(tmp_path):
    entries = {"minimax": STUDY.entries["minimax"], "pacgan_4": STUDY.entries["pacgan_4"]}
    config = ring(entries=entries, seeds=(0, 3), measures=("modes", "high_quality"))
    assert version(config, "pacgan_4", 3).tricks.packing == 4
    assert version(config, "minimax", 3).seed == 3
    path = gm_jax.study(config, tmp_path, jax.devices()[:1])
    values = json.loads((tmp_path / "results.json").read_text())
    assert {name: len(row["modes"]) for name, row in values.items()} == {
        "minimax": 2,
        "pacgan_4": 2,
    }
    assert (tmp_path / "figure.png").exists() and "| pacgan_4 |" in path.read_text()
    finished = tmp_path / "minimax" / "seed_3" / "result.json"
    row = json.loads(finished.read_text())
    row["values"]["modes"]["value"] = 7.0  # What is done is taken as it is, not done again.
    finished.write_text(json.dumps(row))
    gm_jax.study(config, tmp_path, jax.devices()[:1])
    assert json.loads((tmp_path / "results.json").read_text())["minimax"]["modes"][1] == 7.0
    config.steps = 10**6
    with pytest.raises(gm_jax.UserError, match="belongs to another study .steps: 4, now 1000000"):
        gm_jax.study(config, tmp_path, jax.devices()[:1])
    with pytest.raises(gm_jax.UserError, match="is not a study"):
        gm_jax.study(gm_jax.load_config("configs/gan_ring.py"), tmp_path)


@pytest.mark.slow
def test_runs_that_differ_only_in_the_use_of_the_model_share_one_training(tmp_path, trainings):
    lr = {"generator": {"optimizer": {"learning_rate": 1e-4}}}
    entries = {"all": {}, "few": FEW, "longer": {"steps": 5}, "slower": lr}
    config = ring(entries=entries, seeds=(0, 3))
    path = play(config, tmp_path)
    apart = ("all", "longer", "slower")
    assert trainings == [f"{name}/seed_{seed}" for seed in (0, 3) for name in apart]
    few = json.loads((tmp_path / "few/seed_3/result.json").read_text())
    assert few["values"]["modes"]["examples"] == 100 and few["config"]["evaluate"]["modes"] == 100
    assert sorted((tmp_path / "few/seed_3/samples").glob("step_0000004_*.png"))
    assert not (tmp_path / "few/seed_3/checkpoints").exists() and "| few |" in path.read_text()
    # It is what a training of its own gives.
    own = gm_jax.train(version(config, "few", 3), tmp_path / "own", jax.devices()[:1])
    assert gm_jax.evaluate(own, tmp_path / "own")["modes"] == few["values"]["modes"]

    trainings.clear()
    (tmp_path / "few/seed_3/result.json").unlink()  # Killed before it was written.
    config.study.entries = ConfigDict({"a_new_first": {"evaluate": {"modes": 99}}, **entries})
    play(config, tmp_path)
    values = json.loads((tmp_path / "results.json").read_text())
    assert trainings == [] and values["few"]["modes"][1] == few["values"]["modes"]["value"]
    assert (tmp_path / "a_new_first/seed_0/result.json").exists()


def test_a_run_waits_for_the_training_it_shares(tmp_path, trainings):
    config = ring(entries={"all": {}, "few": FEW})
    with files.locked(tmp_path / "all/seed_0.lock"):  # As another shell does that trains it.
        assert play(config, tmp_path) is None
    assert trainings == [] and not (tmp_path / "few/seed_0/result.json").exists()
    assert play(config, tmp_path) and trainings == ["all/seed_0"]


@pytest.mark.slow
def test_a_finished_run_of_each_entry_is_taken_as_it_is(tmp_path, trainings):
    """As in workdirs of before runs shared trainings."""
    config = ring(entries={"all": {}, "few": FEW})
    for name in config.study.entries:
        own = ring(entries={name: config.study.entries[name]})
        play(own, tmp_path)
    assert trainings == ["all/seed_0", "few/seed_0"]
    play(config, tmp_path)
    assert len(trainings) == 2


def test_settings_of_training_are_all_that_training_depends_on():
    config = version(gm_jax.load_config("configs/study_samplers.py"), "heun_010", 0).to_dict()
    kept = of_training(config)
    freed = {
        "sampler", "inpainting", "strength", "ode_steps", "report", "checkpoint", "show",
        "sample", "evaluate", "parallel",
    }  # fmt: skip
    assert set(config) - set(kept) == freed
    # Other data and more rounds are other trainings, though a run may continue with them.
    assert kept["data"] == json.loads(json.dumps(config["data"])) and kept["steps"] == 1000


@pytest.mark.slow
def test_a_run_that_fails_is_reported_and_the_others_go_on(tmp_path, trainings):
    entries = {"lsgan": STUDY.entries["lsgan"].to_dict(), "minimax": {}}
    entries["lsgan"]["discriminator"] = {"optimizer": {"name": "sgd", "learning_rate": 1e30}}
    entries["lsgan_few"] = entries["lsgan"] | FEW
    path = gm_jax.study(ring(entries=entries), tmp_path, jax.devices()[:1])
    values = json.loads((tmp_path / "results.json").read_text())
    assert np.isnan(values["lsgan"]["modes"][0]) and values["minimax"]["modes"][0] >= 0
    assert "| lsgan | not finite | failed |" in path.read_text()
    for name in ("lsgan", "lsgan_few"):  # Both are of the training that failed.
        assert "became NaN" in (tmp_path / name / "seed_0" / "result.json").read_text()
    assert trainings == ["lsgan/seed_0", "minimax/seed_0"]


@pytest.mark.parametrize("against", ["", "modes", "evaluate.modes"])
def test_a_measure_that_an_entry_does_not_have_is_left_empty(tmp_path, against):
    """As of a system that translates one way alone. One that no entry has is refused."""
    config = ring(entries={"a_1": {}, "b_1": FEW}, measures=("modes", "reverse_kl"))
    config.study.against = against
    play(config, tmp_path)
    for entry in ("b_1", "a_1"):
        result = tmp_path / entry / "seed_0" / "result.json"
        row = json.loads(result.read_text())
        del row["values"]["reverse_kl"]
        result.write_text(json.dumps(row))
        (tmp_path / "figure.png").unlink()
        if entry == "b_1":
            lines = play(config, tmp_path).read_text().splitlines()
            assert lines[-1].startswith("| b_1 | ") and lines[-1].endswith(" | | |")
            assert lines[-2].startswith("| a_1 | ") and "| |" not in lines[-2]
            values = json.loads((tmp_path / "results.json").read_text())
            assert values["b_1"]["reverse_kl"] == [None] and (tmp_path / "figure.png").exists()
    with pytest.raises(gm_jax.UserError, match="measure of the study.*reverse_kl"):
        play(config, tmp_path)


def test_the_tables_of_a_study_show_mean_deviation_and_all_seeds():
    values = {"a": {"modes": [7.0, 8.0, 6.0]}, "b": {"modes": [1.0, float("inf"), 2.0]}}
    text = table(values, {name: {"modes": [None] * 3} for name in values})
    assert "| a | 7 ± 1 | 7, 8, 6 |" in text
    assert "| b | not finite | 1, inf, 2 |" in text
    for interval, summary in ((None, "0.25"), ([0.2, 0.3], "0.25 [0.2, 0.3]")):
        text = table({"a": {"error": [0.25]}}, {"a": {"error": [interval]}})
        assert f"| a | {summary} | 0.25 |" in text


def test_a_figure_has_the_last_picture_of_what_each_run_shows_itself(tmp_path):
    counts = {"show": {"counts": {"sample": 0, "reconstruct": 25, "filters": 9}}}
    (tmp_path / "result.json").write_text(json.dumps({"config": counts}))
    assert study_figure._last_picture(tmp_path) is None
    names = ("z/step_0000009_reconstruct", "a/step_0000002_reconstruct", "a/step_0000003_filters")
    for number, name in enumerate(names):
        path = tmp_path / f"samples/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (number, number))
    assert study_figure._last_picture(tmp_path) == tmp_path / f"samples/{names[1]}.png"


VALUES = {
    "heun_20": {"fd": [6.0, 8.0], "evaluations": [19.0, 19.0]},
    "heun_5": {"fd": [60.0, 80.0], "evaluations": [5.0, 5.0]},
    "ddim_5": {"fd": [90.0, float("nan")], "evaluations": [5.0, float("nan")]},
    "ddim_10": {"fd": [10.0, 30.0], "evaluations": [10.0, 10.0]},
    "lms_5": {"fd": [float("nan")] * 2, "evaluations": [float("nan")] * 2},
}


def test_a_line_has_its_entries_by_growing_x_with_the_range_of_its_seeds():
    lines = study_figure.lines_of(VALUES, "evaluations", "fd")
    assert list(lines) == ["heun", "ddim"]
    np.testing.assert_array_equal(lines["heun"], [[5, 19], [70, 7], [60, 6], [80, 8]])
    # A failed seed leaves a gap; a line of failures alone is none.
    np.testing.assert_array_equal(lines["ddim"][:, 1], [10, 20, 10, 30])
    assert lines["ddim"][0, 0] == 5 and np.isnan(lines["ddim"][1:, 0]).all()


def test_a_measure_is_drawn_against_another_above_its_floor(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    figures, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, path: (figures.append(f), save(f, path)))
    study_figure.against({"lms_5": VALUES["lms_5"]}, "evaluations", {}, tmp_path / "none.png")
    study_figure.against(VALUES, "evaluations", {"fd": 4.5}, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0
    heun, ddim = figures[1].axes
    assert (heun.get_title(), ddim.get_title()) == ("heun", "ddim")
    for axes in (heun, ddim):  # From 5 to 19, and from 6 to 90, on one scale.
        assert axes.get_xscale() == "linear" and axes.get_yscale() == "log"
    assert heun.get_ylim() == ddim.get_ylim() and heun.get_ylim()[0] < 4.5
    *_, own, floor = heun.get_lines()
    np.testing.assert_array_equal(own.get_xdata(), [5, 19])
    np.testing.assert_array_equal(floor.get_ydata(), [4.5, 4.5])
    assert floor.get_linestyle() == "--"
    band = heun.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 6 and band[:, 1].max() == 80


def test_a_study_against_a_measure_draws_it_and_needs_it(tmp_path):
    config = ring(
        entries={"mean_1": {}, "mean_2": FEW},
        measures=("modes", "high_quality"),
        against="high_quality",
    )
    play(config, tmp_path)
    assert (tmp_path / "figure.png").exists()
    config.study.measures = ("high_quality",)
    with pytest.raises(gm_jax.UserError, match="measures must hold another one"):
        play(config, tmp_path)
    for name in ("reverse_kl", "system", "evaluate", "discriminator.nothing"):
        config.study.against = name
        with pytest.raises(gm_jax.UserError, match=f"against is '{name}': choose from high_qual"):
            play(config, tmp_path)


def test_a_study_against_a_setting_draws_each_entry_at_its_own(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(study_figure, "against", lambda *given: drawn.append(given))
    entries = {f"modes_{n}": {"evaluate": {"modes": n}} for n in (200, 300)}
    play(
        ring(entries=entries, measures=("modes", "high_quality"), against="evaluate.modes"),
        tmp_path,
    )
    ((values, x, _, path),) = drawn
    assert (x, path) == ("evaluate.modes", tmp_path / "figure.png")
    assert [row[x] for row in values.values()] == [[200.0], [300.0]]
    assert set(values["modes_200"]) == {"modes", "high_quality", x}
    # The table and the file of results have what was measured alone.
    assert x not in (tmp_path / "table.md").read_text()
    assert x not in (tmp_path / "results.json").read_text()


@pytest.mark.slow
def test_a_study_keeps_no_programs_of_finished_runs(tmp_path):
    """Otherwise one of 65 runs held 3.3 GB at its end."""
    play(ring(entries={"plain": {}}, seeds=(0, 1)), tmp_path)
    assert not jax.devices()[0].client.live_executables()
