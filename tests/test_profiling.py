"""A trace shows the rounds it names, without compilation, and changes nothing."""

from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from games import config
from jax.profiler import ProfileData
from test_benchmarks import tool

import gm_jax
from gm_jax.games import every
from gm_jax.training import parallel, profiling

ONE = jax.devices()[:1]


def run(digits16, workdir, steps, profile=0):
    settings = config("gan", digits16, **{"steps": steps, "show.every": 0, "checkpoint.every": 4})
    return gm_jax.train(settings, workdir, ONE, profile)


def model(*times):
    moves = [SimpleNamespace(times=t) for t in times]
    return SimpleNamespace(players=[SimpleNamespace(moves=moves)])


@pytest.mark.parametrize(
    "step,rounds,begin",
    [(0, 3, 5), (0, 20, 5), (3, 3, 8), (3, 9, 17), (16, 11, 21), (17, 10, 22), (17, 11, 33)],
)
def test_every_move_of_a_trace_was_played_before_it(step, rounds, begin):
    """The second move is played in rounds 0, 16, 32, ... and is compiled at its first."""
    assert profiling.begins(model(every(1), every(16)), step, rounds) == begin


def test_a_traced_run_is_the_same_run_and_its_trace_shows_its_rounds(digits16, tmp_path, capsys):
    run(digits16, tmp_path / "traced", 4)
    traced = run(digits16, tmp_path / "traced", 12, profile=3)
    plain = run(digits16, tmp_path / "plain", 12)
    jax.tree.map(
        np.testing.assert_array_equal, *map(parallel.to_host, (traced.variables, plain.variables))
    )
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("traced", "plain")]
    assert logs[0] == logs[1]

    folder = tmp_path / "traced/profile/train/plugins/profile/rounds_10_to_12"
    assert f"trace of rounds 10 to 12: {folder}\n" in capsys.readouterr().out
    (path,) = folder.glob("*.xplane.pb")
    events = [e for p in ProfileData.from_file(str(path)).planes for t in p.lines for e in t.events]
    rounds = [dict(e.stats)["step_num"] for e in events if e.name == "round"]
    assert rounds == [10, 11, 12]
    for name in ("discriminator/value", "generator/value"):
        assert sum(e.name == name for e in events) == 3
    assert not any("compile" in e.name.lower() for e in events)


def test_a_trace_is_read_by_kind_of_operation(digits16, tmp_path, capsys):
    run(digits16, tmp_path, 8, profile=3)
    operations = tool("operations")
    operations.main([str(tmp_path), "--most=100"])
    lines = capsys.readouterr().out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.endswith("rounds_6_to_8: 3 rounds"))
    shares = [float(line.split("ms")[1].split("%")[0]) for line in lines[start + 2 :]]
    assert np.isclose(sum(shares), 100, atol=0.05 * len(shares))
    with pytest.raises(gm_jax.UserError, match="holds no trace: train it with --profile=10"):
        operations.main([str(tmp_path / "nothing")])


def test_the_time_of_an_operation_is_without_those_within_it():
    def event(name, start, end):
        return SimpleNamespace(name=name, start_ns=start, duration_ns=end - start)

    own_times, kind = tool("operations").own_times, tool("operations").kind
    events = [event("add", 12, 15), event("while", 0, 20), event("dot", 2, 10), event("c", 20, 21)]
    expected = {"while": 9, "dot": 8, "add": 3, "c": 1}
    assert dict(own_times(events)) == expected
    assert [kind(n) for n in ("dot.12", "add_fusion.3.clone", "%copy")] == [
        "dot",
        "add_fusion",
        "copy",
    ]


def test_a_trace_that_a_run_has_no_rounds_for_is_one_line(digits16, tmp_path):
    with pytest.raises(gm_jax.UserError, match="would end with round 9 of train, which has 8: tr"):
        run(digits16, tmp_path, 8, profile=4)
    assert not (Path(tmp_path) / "checkpoints").exists()
    run(digits16, tmp_path, 1)
    with pytest.raises(gm_jax.UserError, match="no rounds left to trace: set more steps"):
        run(digits16, tmp_path, 1, profile=1)
