"""Speed of the train steps, on whatever devices are there.

    python benchmarks/train_step.py [configs/NAME.py ...] [--rounds=50]

For each recipe: seconds to compile, milliseconds a round of moves and examples/s in the bare mapped
programs, how much longer the same round takes in the training loop (data, keys, reports), and the
process' peak memory so far. The bare programs are given one batch, on the devices, again and again;
bare and looped rounds alternate in blocks, and medians are compared, so that drift falls on both.
"""

import argparse
import collections
import itertools
import os
import resource
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

import gm_jax
from gm_jax.run import batches_of
from gm_jax.training import checkpoint, loop, parallel, reporting, state, step

CONFIGS = Path(__file__).parent.parent / "configs"
DEFAULT = [str(CONFIGS / f"{name}_digits.py") for name in ("vae", "gan", "ddpm")]
BLOCKS = 7


def bare(phase, batches, variables, key):
    """Rounds of the mapped programs and nothing else: an endless iterator, waiting for each."""
    moves = [
        (move, parallel.map_move(step.make_move(player, move, batches.prepare)))
        for player in phase.model.players
        for move in player.moves
    ]
    batch = parallel.feed()(batches.first)
    under_way, most = collections.deque(), parallel.in_flight()
    for number in itertools.count():
        for move, play in moves:
            for _ in range(move.times(number)):
                variables, aux = play(variables, (), batch, key, number, number, number, True)
                under_way.append(aux)
                if len(under_way) >= most:
                    jax.block_until_ready(under_way.popleft())
        yield variables


def measure(path: str, rounds: int) -> dict[str, float]:
    """The figures of one recipe."""
    config = gm_jax.load_config(path)
    (phase,) = gm_jax.build(config)
    batches = batches_of(phase, config, parallel.rows(config.batch_size, None))
    key = jax.random.key(0)
    first = jax.jit(batches.prepare)(batches.first, key)
    fresh = jax.device_get(state.create(phase.model, key, first, None))

    began = time.perf_counter()
    naked = bare(phase, batches, parallel.replicate(fresh), key)
    jax.block_until_ready(next(naked))
    compiled = time.perf_counter() - began
    game = loop.rounds(phase.model, fresh, batches, key, checkpoint.Progress())
    game = watched(game, config, Path(tempfile.mkdtemp()))
    next(game)

    def block(iterator):
        began = time.perf_counter()
        (*_, last) = itertools.islice(iterator, rounds)
        jax.block_until_ready(last)
        return (time.perf_counter() - began) / rounds * 1e3

    pairs = [(block(naked), block(game)) for _ in range(BLOCKS)]
    naked_ms = float(np.median([a for a, _ in pairs]))
    overhead = float(np.median([b / a for a, b in pairs])) - 1.0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "compile s": compiled,
        "ms/round": naked_ms,
        "examples/s": config.batch_size / naked_ms * 1e3,
        "loop overhead %": 100 * overhead,
        "peak GiB": memory,
    }


def watched(game, config, folder):
    """Rounds with the reports that `loop.train` writes, at the recipe's interval."""
    log, waiting = reporting.open_log(folder, "train", 0, 10**9, silent=False), []
    for number, _, variables, metrics in game:
        waiting.append((number, metrics))
        if number % config.report.every == 0:
            window = [(n, {k: float(v) for k, v in m.items()}) for n, m in jax.device_get(waiting)]
            reporting.write(log, number, reporting.summarize(window), {})
            waiting = []
        yield variables


def main():
    os.environ["TQDM_DISABLE"] = "1"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=DEFAULT)
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    devices = jax.devices()
    print(f"{len(devices)} x {devices[0].device_kind}, jax {jax.__version__}")
    for path in arguments.recipes:
        row = measure(path, arguments.rounds)
        print(f"{Path(path).stem:<20}" + "".join(f"{k} {v:.4g}   " for k, v in row.items()))


if __name__ == "__main__":
    main()
