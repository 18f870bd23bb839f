"""The tools beside the library that turn runs into figures and comparisons."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

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
