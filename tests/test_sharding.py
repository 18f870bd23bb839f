"""The forms in which variables lie on the devices are one run; split ones take less memory."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from games import config, play

import gm_jax
from gm_jax.model import Aux, Move, Player, Variables
from gm_jax.training import checkpoint, loop, parallel, sharding, step


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def sizes(tree):
    return [math.prod(x.shape) for x in jax.tree.leaves(tree)]


@pytest.fixture
def optimised():
    """The tests' compiler optimises little; a user's fuses, and rounds once in each kernel."""
    plain = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", plain)


@pytest.mark.slow
def test_every_form_is_bitwise_the_same_run_with_statistics_of_the_batch(digits16, optimised):
    forms = ("pmap", *parallel.SHARED)
    runs = [play(config("gan", digits16, parallel=form, average=0.9), 3) for form in forms]
    for run in runs[1:]:
        assert_same(runs[0], run)
    start, end = (jax.tree.leaves(after[0].params) for after in (runs[0][0], runs[0][-1]))
    assert any(not np.array_equal(*pair) for pair in zip(start, end, strict=True))


def small_game():
    """A player with Adam, a clipped gradient and an average; its variables; a batch."""
    rng = np.random.default_rng(0)
    params = {"net": {name: rng.normal(size=(40, 40)).astype(np.float32) for name in "abc"}}
    params["net"]["bias"] = np.zeros(7, np.float32)  # No number of devices divides it.
    optimizer = optax.chain(optax.clip_by_global_norm(0.01), optax.adam(1e-3))

    def loss(variables, batch, key, step):
        *kernels, bias = (variables.params["net"][name] for name in ("a", "b", "c", "bias"))
        x = batch["x"]
        for kernel in kernels:
            x = jnp.tanh(x @ kernel)
        return jnp.mean((x[:, :7] + bias) ** 2), Aux({"mean": jnp.mean(x)})

    player = Player("player", ("net",), optimizer, (Move("loss", loss),), lambda age: 0.9)
    variables = Variables(
        params, opt={"player": optimizer.init(params)}, average={"player": params}
    )
    batch = {"x": rng.normal(size=(16, 40)).astype(np.float32)}
    return step.make_move(player, player.moves[0], lambda batch, key: batch), variables, batch


def test_every_form_is_bitwise_the_same_move(optimised):
    program, start, batch = small_game()
    ends, key = [], jax.random.key(0)
    for form in ("pmap", *parallel.SHARED):
        variables, play = parallel.place(start, None, form), parallel.map_move(program, form=form)
        rows = parallel.feed(form=form)(batch)
        for i in range(3):
            variables, _ = jax.block_until_ready(play(variables, {}, rows, key, i, i, i, True))
        ends.append(parallel.to_host(variables))
    for end in ends[1:]:
        assert_same(ends[0], end)


def move_of(form, devices):
    """The small game's move, compiled, and its variables and metrics after two rounds."""
    program, variables, batch = small_game()
    mapped = sharding.map_move(program, devices, parallel.SHARED[form])
    variables = parallel.place(variables, devices, form)
    unsplit = ({}, jax.random.key(0), *map(np.int32, (0, 0, 0)), np.bool_(True))
    arguments = unsplit, parallel.feed(devices, form)(batch)
    compiled = mapped.lower(variables, *arguments).compile()
    for _ in range(2):  # The second call takes what the first one returned, as it lies.
        variables, metrics = jax.block_until_ready(compiled(variables, *arguments))
    return compiled, variables, metrics


@pytest.fixture(scope="module")
def moves():
    """{(form, number of devices): `move_of`}."""
    cases = [("optimizer", n) for n in (2, 4, 8)] + [("replicated", n) for n in (2, 8)]
    return {(form, count): move_of(form, jax.devices()[:count]) for form, count in cases}


def collectives(compiled) -> dict[str, int]:
    """{collective: how many numbers a device receives by it}, from a compiled program's text."""
    found = {}
    names = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
    for line in compiled.as_text().splitlines():
        if match := re.search(rf" = (.*?) ({names})(?:-start)?\(", line):
            shapes = re.findall(r"\w+\[([\d,]*)\]", match[1])
            count = sum(math.prod(map(int, filter(None, s.split(",")))) for s in shapes)
            found[match[2]] = found.get(match[2], 0) + count
    return found


def test_a_round_reduces_the_gradient_once_and_gathers_what_was_split(moves):
    """Counted in the compiled program: nothing else, and no more for more devices."""
    for (form, _), (compiled, variables, metrics) in moves.items():
        reduced = sum(sizes(variables.params)) + len(metrics)
        expected = {"all-reduce": reduced}
        if form == "optimizer":
            expected["all-gather"] = 3 * 40 * 40
        assert collectives(compiled) == expected


def test_a_device_holds_its_share_of_the_optimizer_and_the_average(moves):
    for (form, count), (_, variables, _) in moves.items():
        for field, tree in variables._asdict().items():
            for x in jax.tree.leaves(tree):
                parts = {math.prod(part.data.shape) for part in x.addressable_shards}
                split = form == "optimizer" and field in ("opt", "average")
                split = split and any(n % count == 0 for n in x.shape)
                assert parts == {x.size // count if split else x.size}


def sharding_bytes(variables):
    """What one device holds of them."""
    return sum(x.addressable_shards[0].data.nbytes for x in jax.tree.leaves(variables))


def test_peak_memory_falls_with_the_devices_by_what_is_split(moves):
    def bytes_of(form, count):
        found = moves[form, count][0].memory_analysis()
        resident = found.argument_size_in_bytes
        own = sharding_bytes(moves[form, count][1])
        assert found.alias_size_in_bytes == own  # They are donated.
        return resident, resident + found.temp_size_in_bytes + found.output_size_in_bytes - (
            found.alias_size_in_bytes
        )

    peaks = [bytes_of("optimizer", count)[1] for count in (2, 4, 8)]
    assert peaks == sorted(set(peaks), reverse=True)
    _, variables, _ = moves["optimizer", 8]
    split = [x for x in jax.tree.leaves((variables.opt, variables.average)) if len(x.sharding.spec)]
    saved = sum(x.nbytes - x.nbytes // 8 for x in split)
    assert bytes_of("replicated", 8)[0] - bytes_of("optimizer", 8)[0] == saved
    assert saved > 0.6 * sum(x.nbytes for x in jax.tree.leaves(variables))
    assert bytes_of("replicated", 8)[1] - peaks[-1] > 0.9 * saved


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((), ()),
        ((7,), ()),
        ((3, 3, 1, 20), ()),
        ((16,), ("data",)),
        ((3, 3, 64, 128), (None, None, None, "data")),
        ((64, 8), ("data",)),
        ((0, 8), (None, "data")),
    ],
)
def test_the_longest_axis_that_divides_is_split_and_what_has_none_is_copied(shape, spec):
    assert tuple(sharding.share(shape, 8)) == spec
    assert tuple(sharding.share(shape, 1)) == ()


@pytest.mark.slow
def test_a_run_may_continue_in_another_form_and_on_other_devices(digits16, tmp_path):
    def train(steps, folder, form, devices=jax.devices()):
        own = {
            "parallel": form, "steps": steps, "average": 0.9, "checkpoint.every": 2,
            "report.every": 2, "show.every": 3, "show.counts": {"sample": 8},
        }  # fmt: skip
        return gm_jax.train(config("vae", digits16, **own), tmp_path / folder, devices)

    whole = train(6, "whole", "pmap")
    for form in ("optimizer", "pmap", "replicated"):
        steps = {"optimizer": 2, "pmap": 4, "replicated": 6}[form]
        parts = train(steps, "parts", form)
    assert_same(whole.variables, parts.variables)
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parts")]
    assert logs[0] == logs[1]
    assert_same(*(gm_jax.sample(t, 9) for t in (whole, parts)))
    split = train(6, "split", "optimizer")
    assert_same(whole.variables, split.variables)
    assert all(x.is_fully_replicated for x in jax.tree.leaves(split.variables))
    assert_same(saved(tmp_path / "whole"), saved(tmp_path / "split"))
    fewer = gm_jax.load(tmp_path / "split", devices=jax.devices()[:2])
    assert_same(whole.variables, fewer.variables)
    assert {len(x.sharding.device_set) for x in jax.tree.leaves(fewer.variables)} == {2}
    assert train(7, "split", "optimizer", jax.devices()[:2]).step == 7
    with pytest.raises(gm_jax.UserError, match="batch_size 16 does not divide by 3 devices"):
        train(8, "split", "optimizer", jax.devices()[:3])


def saved(workdir):
    """The variables of the newest checkpoint."""
    store = checkpoint.open_checkpoints(workdir / "checkpoints" / "train", None, reader=True)
    return store.manager.restore(
        store.manager.latest_step(),
        args=checkpoint.ocp.args.Composite(variables=checkpoint.ocp.args.StandardRestore()),
    ).variables


@pytest.mark.slow
def test_no_device_keeps_a_copy_of_where_a_run_began(digits16, tmp_path, monkeypatch):
    """It would hold optimizer and average whole on the first device, and defeat the splitting."""
    rounds, kept = loop.rounds, []

    def watched(model, variables, *rest):
        kept.extend(type(x) for x in jax.tree.leaves(variables._replace(frozen=())))
        return rounds(model, variables, *rest)

    monkeypatch.setattr(loop, "rounds", watched)
    gm_jax.train(config("vae", digits16, steps=1, **{"show.every": 0}), tmp_path, jax.devices()[:2])
    assert set(kept) == {np.ndarray}
