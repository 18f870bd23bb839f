"""The tools beside the library that turn runs into figures and comparisons."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.all import __main__ as runner
from benchmarks.all import functions, ours, table
from benchmarks.all.subjects import SUBJECTS
from gm_jax import data

ROOT = Path(__file__).resolve().parents[1]


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_paired_interval_covers_the_true_difference_as_often_as_it_says():
    compare, covered = tool("paired").compare, []
    for seed in range(400):
        common, own, other = np.random.default_rng(seed).normal(size=(3, 200)) * [[9.0], [1], [1]]
        row = compare(common + own + 0.5, common + other)
        assert np.isclose(row["difference"], row["first"] - row["second"])
        covered.append(row["low"] < 0.5 < row["high"])
    assert 0.92 < np.mean(covered) < 0.98
    assert row["high"] - row["low"] < 0.6  # Unpaired, it would be 3.5 wide.


def test_a_curve_is_what_a_run_reported_in_its_phase(tmp_path):
    rows = [
        {"phase": "codes", "step": 1, "loss": 9.0},
        {"phase": "train", "step": 1, "loss": 3.0},
        {"phase": "train", "step": 2, "other": 1.0},
        {"phase": "train", "step": 3, "loss": 2.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    curves = tool("curves")
    assert curves.curve(tmp_path, "loss", "train") == ([1, 3], [3.0, 2.0])
    curves.main([str(tmp_path / "out.png"), "loss", str(tmp_path)])
    assert (tmp_path / "out.png").stat().st_size > 1000
    with pytest.raises(SystemExit, match="has reported no gain in phase train"):
        curves.main([str(tmp_path / "out.png"), "gain", str(tmp_path)])


def test_reading_is_timed_over_first_and_later_epochs(tmp_path):
    timing = tool("data")
    timing.write_pictures(tmp_path / "pictures", 300, 16, "png")
    config = {"name": "folder", "path": str(tmp_path / "pictures")}
    source = data.open_source(config)
    first, later = timing.delivered(source)
    assert source.size == 300 and later > first > 0
    batches = timing.batches_of(source)
    step = timing.train_step(next(batches))
    assert timing.consumed(step, next(batches)) > 0
    share, longest = timing.waiting(batches, step, 3)
    assert 0 < share < 1 and longest > 0


@pytest.fixture(scope="module")
def smallest():
    """Our side of the two smallest rows, as a worker builds them."""
    vae, rbm = (
        ours.of_recipe(f"{name}:smoke", data)
        for name, data in [("vae_mnist", dict(side=4, channels=1)), ("rbm_mnist", None)]
    )
    return {"vae": vae, "rbm": rbm}


def test_a_row_plays_the_rounds_of_its_recipe(smallest):
    for side, batch, task in smallest.values():
        side.play(2)
        assert side.examples == len(batch["image"]) == task["settings"]["batch_size"] == 16
        assert side.play(1) is None  # It goes on from where it was.


def test_a_row_counts_parameters_and_operations(smallest):
    """Of an MLP: three products for each matrix, in its forward and backward pass, but one less
    where the input has no gradient."""
    side, _, task = smallest["vae"]
    hidden, latents, batch = 16, task["settings"]["latents"], 16
    matrices = [(16, hidden), (hidden, 2 * latents), (latents, hidden), (hidden, 16)]
    biases = hidden + 2 * latents + hidden + 16
    assert side.parameters == sum(a * b for a, b in matrices) + biases
    products = 2 * batch * (3 * sum(a * b for a, b in matrices) - 16 * hidden)
    # Adam, the average and all that is elementwise come on top, with the draws of noise.
    assert products < side.operations < products + 200 * side.parameters
    assert smallest["rbm"][0].parameters == 64 * 6 + 64 + 6


def test_random_data_needs_no_file(tmp_path):
    config = ours.settings_of("gpt_tinyshakespeare:smoke", dict(symbols=65), tmp_path)
    spec = data.open_source(config.data).spec
    assert spec["text"] == spec["text"]._replace(shape=(9,), cardinality=65)


def row(ours_seconds, **twins):
    figures = dict(parameters=10, examples=4, operations=8e9, compile=1.5, peak=0.5)
    sides = {"ours": ours_seconds, **twins}
    return {kind: {**figures, "seconds": seconds} for kind, seconds in sides.items()}


def test_a_ratio_is_the_median_of_blocks_that_took_turns():
    """The machine slows down threefold from block to block: the ratio does not see it."""
    found = table.ratio(row([1.0, 3.0, 9.0], eager=[2.0, 6.0, 27.0]), "eager")
    assert found == (2.0, 2.0, 3.0)
    assert table.ratio(row([1.0]), "eager") is None


def test_the_section_of_a_page_is_replaced_and_nothing_else(tmp_path):
    page, peaks = tmp_path / "page.md", dict(convolution=80e9, product=100e9)
    machine = dict(name="a processor", versions="jax 1", peaks=peaks)
    rows = {"VAE": row([0.1], eager=[0.05]), "RBM": row([0.1])}
    text = table.section(rows, machine, {"VAE": "its noise", "RBM": ""})
    assert "| VAE | 4 | 10 | 1.5 | 100 | 40 | 0.50 | 80 | 100% / 80% | 50 |" in text
    assert "0.50 (0.50 to 0.50)" in text and "- VAE: its noise" in text
    table.write(page, text)
    assert page.read_text().startswith("# Performance\n\n## Beside PyTorch\n")
    page.write_text(page.read_text() + "\n## Data\n\nFast.\n")
    table.write(page, text.replace("its noise", "nothing"))
    after = page.read_text()
    assert after.count("## Beside PyTorch") == after.count("## Data") == 1
    assert after.endswith("\n## Data\n\nFast.\n") and "its noise" not in after


def test_sides_of_a_row_must_be_of_one_size():
    whole = row([1.0], eager=[1.0])
    runner.check("VAE", whole)
    whole["eager"]["parameters"] = 11
    with pytest.raises(SystemExit, match="VAE: the sides differ in their parameters"):
        runner.check("VAE", whole)


def test_a_block_is_whole_periods():
    assert runner.rounds_of(16, 0.01, 0.5) == 48
    assert runner.rounds_of(16, 10.0, 0.5) == 16


def test_every_row_has_two_sides():
    for subject in SUBJECTS.values():
        assert (ROOT / "benchmarks/all/twins" / f"{subject.twin}.py").is_file()
        if subject.recipe:
            assert (ROOT / "configs" / f"{subject.recipe}.py").is_file()
        else:
            assert callable(getattr(functions, subject.twin))
