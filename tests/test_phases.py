"""Games that no system of today plays, but the contract carries: phases, frozen stages, memory."""

import itertools
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

import gm_jax
from gm_jax import replicas, zoo
from gm_jax.model import Aux, GenerativeModel, Move, Phase, Player, Variables
from gm_jax.settings import Recipe, fields
from gm_jax.training import loop, state
from gm_jax.training.checkpoint import Progress

ONE = jax.devices()[:1]


def batches(position, put=lambda batch: batch):
    while True:
        yield put({"index": np.arange(8, dtype=np.int32), "x": np.full(8, position, np.float32)})
        position += 1


BATCHES = loop.Batches(batches, next(batches(0)), lambda batch, key: batch)
SETTINGS = loop.Settings(seed=0, report_every=2, checkpoint_every=2, keep=2)


def climb(times=lambda step: 1, lr=1.0):
    """One player whose single weight goes up by `lr` a move, and remembers how often."""

    def objective(variables, batch, key, step):
        seen = variables.state["seen"] + 1
        return -variables.params["w"] + 0.0 * jnp.mean(batch["x"]), Aux(state={"seen": seen})

    def init(key, batch, previous):
        start = jnp.zeros(()) if previous is None else previous.params["w"] + 100.0
        return Variables({"w": start}, {"seen": jnp.zeros((), int)})

    moves = (Move("climb", objective, times),)
    return GenerativeModel(init, (Player("climber", ("w",), optax.sgd(lr), moves),), {})


def test_a_phase_begins_from_the_one_before_with_its_own_step(tmp_path):
    first, second = (Phase(name, climb(), None, steps) for name, steps in (("a", 4), ("b", 3)))

    def both():
        middle, _ = loop.train(first, BATCHES, SETTINGS, tmp_path, None, ONE)
        return loop.train(second, BATCHES, SETTINGS, tmp_path, middle, ONE)[0]

    end = both()
    assert end.params["w"] == 4 + 100 + 3 and end.state["seen"] == 3
    # Begun again, both are found done.
    assert both().params["w"] == 107
    phases = [line.split('"')[3] for line in (tmp_path / "metrics.jsonl").open()]
    assert phases == ["a", "a", "b"]


@pytest.fixture
def both(monkeypatch):
    """A recipe of two phases; the second's init does not run without the first."""

    def objective(variables, batch, key, step):
        return -variables.params["w"], Aux()

    def phase(name, init, steps):
        player = Player("climber", ("w",), optax.sgd(1.0), (Move("climb", objective),))
        functions = {"sample": lambda variables, batch, key: batch}
        return Phase(name, GenerativeModel(init, (player,), functions), settings.data, steps)

    def build(own, spec, stages):
        return (
            phase("a", lambda key, batch, previous: Variables({"w": jnp.zeros(())}), own.steps),
            phase(
                "b", lambda key, batch, previous: Variables({"w": previous.params["w"] + 100}), 2
            ),
        )

    settings = gm_jax.load_config("configs/vae_digits.py:smoke")
    settings.show.every = 0
    settings.show.counts = settings.evaluate.counts = {}
    settings.steps = 4
    system = types.SimpleNamespace(Settings=Recipe, build=build)
    monkeypatch.setitem(zoo.SYSTEMS, settings.system, system)
    settings = ConfigDict({name: settings[name] for name in fields(Recipe)})
    return settings


def test_a_later_phase_is_loaded_though_it_begins_from_the_one_before(both, tmp_path):
    """It needs the one before even to tell the shapes of its checkpoint."""
    gm_jax.train(both, tmp_path, ONE)
    assert gm_jax.load(tmp_path, devices=ONE).variables.params["w"] == 4 + 100 + 2


def test_each_phase_has_pictures_of_its_own(both, tmp_path):
    both.show.every, both.show.counts = 2, {"sample": 4}
    gm_jax.train(both, tmp_path, ONE)
    pictures = {p.relative_to(tmp_path / "samples").as_posix() for p in tmp_path.rglob("*.png")}
    assert pictures >= {"a/step_0000002_sample.png", "a/step_0000004_sample.png"}
    assert "step_0000002_sample.png" in pictures and "step_0000004_sample.png" not in pictures


def test_a_phase_cannot_go_on_beneath_the_next(both, tmp_path):
    gm_jax.train(both, tmp_path, ONE)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    both.steps = 6
    with pytest.raises(
        gm_jax.UserError, match="a stopped at step 4 and b was trained on top of it"
    ):
        gm_jax.train(both, tmp_path, ONE)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_move_is_played_as_often_as_its_times_say():
    """WGAN's warm-up critic moves, StyleGAN2's regulariser every fourth round."""
    model = climb(lambda step: 100 if step < 1 else (0 if step % 4 else 5))
    variables = state.create(model, jax.random.key(0), BATCHES.first, None)
    game = loop.rounds(model, variables, BATCHES, jax.random.key(0), Progress(), ONE)
    _, position, variables, _ = next(itertools.islice(game, 8, None))
    assert position == variables.state["seen"] == 100 + 5 + 5


def test_frozen_variables_are_an_argument_that_nothing_touches():
    def objective(variables, batch, key, step):
        return variables.params["w"] * variables.frozen["scale"], Aux()

    model = GenerativeModel(
        lambda key, batch, previous: Variables({"w": jnp.ones(())}),
        (Player("p", ("w",), optax.sgd(1.0), (Move("m", objective),)),),
        {"double": lambda v, b, k: {"y": b["x"] * v.frozen["scale"]}},
    )
    frozen = {"scale": jnp.asarray(3.0)}
    variables = state.create(model, jax.random.key(0), BATCHES.first, None)._replace(frozen=frozen)
    game = loop.rounds(model, variables, BATCHES, jax.random.key(0), Progress(), ONE)
    _, _, variables, _ = next(itertools.islice(game, 1, None))
    assert variables.params["w"] == 1 - 3 - 3
    assert frozen["scale"] == variables.frozen["scale"] == 3  # Not donated, not changed.


def test_an_optimizer_is_at_hand_inside_an_objective():
    """Unrolled GAN looks one step of another player's Adam ahead, moments included."""
    adam = optax.adam(0.1, eps_root=1e-8)

    def follow(variables, batch, key, step):
        def other(w):
            return (w - 3.0) ** 2

        w, opt = variables.params["d"], variables.opt["d"]
        updates, _ = adam.update({"d": jax.grad(other)(w)}, opt, {"d": w})
        return (variables.params["g"] - (w + updates["d"])) ** 2, Aux()

    def learn(variables, batch, key, step):
        return (variables.params["d"] - 3.0) ** 2, Aux()

    model = GenerativeModel(
        lambda key, batch, previous: Variables({"g": jnp.zeros(()), "d": jnp.zeros(())}),
        (
            Player("d", ("d",), adam, (Move("learn", learn),)),
            Player("g", ("g",), optax.sgd(0.5), (Move("follow", follow),)),
        ),
        {},
    )
    variables = state.create(model, jax.random.key(0), BATCHES.first, None)
    history = []
    game = loop.rounds(model, variables, BATCHES, jax.random.key(0), Progress(), ONE)
    for _, _, now, _ in itertools.islice(game, 3):
        history.append((float(now.params["g"]), float(now.params["d"])))
    # g, moving to the target in one step, stands where d will be a round later.
    np.testing.assert_allclose([g for g, _ in history[:-1]], [d for _, d in history[1:]], rtol=1e-5)


def test_state_of_the_whole_batch_is_gathered():
    """A pool fed with what all devices saw is the same on one device and on eight."""

    def objective(variables, batch, key, step):
        pool = replicas.gather(batch["index"])
        return jnp.zeros(()), Aux({"size": jnp.float32(replicas.size())}, {"pool": pool})

    model = GenerativeModel(
        lambda key, batch, previous: Variables({}, {"pool": jnp.zeros(8, jnp.int32)}),
        (Player("counter", (), optax.identity(), (Move("count", objective),)),),
        {},
    )
    for devices in (ONE, jax.devices()):
        variables = state.create(model, jax.random.key(0), BATCHES.first, None)
        _, _, variables, metrics = next(
            loop.rounds(model, variables, BATCHES, jax.random.key(0), Progress(), devices)
        )
        np.testing.assert_array_equal(variables.state["pool"], np.arange(8))
        assert metrics["counter/count/size"] == len(devices)


def test_every_subtree_needs_one_owner():
    model = climb()
    orphan = model._replace(players=())
    with pytest.raises(ValueError, match="exactly one owner"):
        state.create(orphan, jax.random.key(0), BATCHES.first, None)


def test_functions_see_the_moving_average_and_it_follows_its_decay():
    model = climb()
    (player,) = model.players
    model = model._replace(players=(player._replace(average=lambda step: 1.0 / (step + 2)),))
    variables = state.create(model, jax.random.key(0), BATCHES.first, None)
    game = loop.rounds(model, variables, BATCHES, jax.random.key(0), Progress(), ONE)
    _, _, variables, _ = next(itertools.islice(game, 2, None))
    # w = 1, 2, 3 with decays 1/2, 1/3, 1/4, from w = 0.
    expected = 0.5 * 0 + 0.5 * 1
    expected = expected / 3 + 2 * 2 / 3
    expected = expected / 4 + 3 * 3 / 4
    assert variables.params["w"] == 3
    np.testing.assert_allclose(state.averaged(model, variables).params["w"], expected, rtol=1e-6)


def test_an_average_moves_once_a_round_however_often_its_player_does():
    model = climb(lambda step: 3)
    (player,) = model.players
    model = model._replace(players=(player._replace(average=lambda age: 0.5),))
    variables = state.create(model, jax.random.key(0), BATCHES.first, None)
    game = loop.rounds(model, variables, BATCHES, jax.random.key(0), Progress(), ONE)
    _, _, variables, _ = next(itertools.islice(game, 1, None))
    # w = 3, 6 at the ends of the rounds.
    assert variables.params["w"] == 6
    assert variables.average["climber"]["w"] == 0.5 * (0.5 * 3) + 0.5 * 6


def test_an_average_goes_on_in_the_next_phase_but_for_what_is_new(tmp_path):
    """A growing generator: its old layer keeps its average, its new one begins as it is."""

    def grown(key, batch, previous):
        if previous is None:
            return Variables({"g": {"old": jnp.zeros(())}})
        return Variables({"g": {**previous.params["g"], "new": jnp.full((), 7.0)}})

    def climbing(variables, batch, key, step):
        return -sum(jax.tree.leaves(variables.params["g"])), Aux()

    def decay(age):
        return jnp.where(age >= 2, 0.5, 0.0)  # A beginning that forgets at once.

    player = Player("p", ("g",), optax.sgd(1.0), (Move("m", climbing),), decay)
    model = GenerativeModel(grown, (player,), {})
    first, second = (Phase(name, model, None, 2) for name in ("a", "b"))
    middle, _ = loop.train(first, BATCHES, SETTINGS, tmp_path, None, ONE)
    assert middle.average["p"]["g"]["old"] == middle.params["g"]["old"] == 2
    kept = middle._replace(average=jax.tree.map(lambda x: x - 1.0, middle.average))
    begun = state.create(model, jax.random.key(0), BATCHES.first, kept)
    assert begun.average["p"]["g"] == {"old": 1.0, "new": 7.0}
    end, _ = loop.train(second, BATCHES, SETTINGS, tmp_path, kept, ONE, before=2)
    assert end.params["g"] == {"old": 4.0, "new": 9.0}
    assert end.average["p"]["g"]["old"] == 0.5 * (0.5 * 1 + 0.5 * 3) + 0.5 * 4
