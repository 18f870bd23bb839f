"""A trace shows the rounds it names, without compilation, and changes nothing."""

import contextlib
import io
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
    often = {"report.every": 3, "checkpoint.every": 4, "show.every": 0}
    settings = config("gan", digits16, **{"steps": steps, **often})
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


@pytest.fixture(scope="module")
def traced(digits16, tmp_path_factory):
    """A run that stops at step 4 and is traced when it goes on: its workdir, what it printed."""
    workdir, printed = tmp_path_factory.mktemp("traced"), io.StringIO()
    run(digits16, workdir, 4)
    with contextlib.redirect_stdout(printed):
        trained = run(digits16, workdir, 12, profile=3)
    return workdir, trained, printed.getvalue()


def test_a_traced_run_is_the_same_run_and_its_trace_shows_its_rounds(traced, digits16, tmp_path):
    workdir, trained, printed = traced
    plain = run(digits16, tmp_path, 12)
    jax.tree.map(
        np.testing.assert_array_equal, *map(parallel.to_host, (trained.variables, plain.variables))
    )
    logs = [(folder / "metrics.jsonl").read_text() for folder in (workdir, tmp_path)]
    assert logs[0] == logs[1]

    folder = workdir / "profile/train/plugins/profile/rounds_10_to_12"
    assert f"trace of rounds 10 to 12: {folder}\n" in printed
    (path,) = folder.glob("*.xplane.pb")
    events = [e for p in ProfileData.from_file(str(path)).planes for t in p.lines for e in t.events]
    rounds = [dict(e.stats)["step_num"] for e in events if e.name == "round"]
    assert rounds == [10, 11, 12]
    for name, times in (("discriminator/value", 2), ("generator/value", 1)):
        assert sum(e.name == name for e in events) == 3 * times
    assert not any("compile" in e.name.lower() for e in events)


def test_a_trace_is_read_by_kind_of_operation(traced, tmp_path, capsys):
    operations = tool("operations")
    operations.main([str(traced[0]), "--most=100"])
    title, _, *lines = capsys.readouterr().out.splitlines()
    assert title == "profile/train/plugins/profile/rounds_10_to_12: 3 rounds"
    shares = [float(line.split("ms")[1].split("%")[0]) for line in lines]
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


def test_a_trace_that_a_run_has_no_rounds_for_is_one_line(traced, digits16, tmp_path):
    with pytest.raises(
        gm_jax.UserError, match="cannot end before round 9 of train, which has 8: tr"
    ):
        run(digits16, tmp_path, 8, profile=4)
    assert not (tmp_path / "checkpoints").exists()
    with pytest.raises(gm_jax.UserError, match="no rounds left to trace: set more steps"):
        run(digits16, traced[0], 12, profile=1)
