"""Speed of reading data beside that of a small train step, on this machine's processors.

    python benchmarks/data.py [NAME ...] [--count=1024] [--rounds=500] [--files=20000]
        [--directory=TFDS_DATA_DIR]

For each source, through the input pipeline in batches of 128, with NAMEs for those sources alone:

    delivered  examples a second of CPU time (all threads; so other work on the machine does not
               count), in the first epoch, in which files are decoded, and in later ones
    consumed   examples a second of CPU time that a train step takes: a linear autoencoder of 64
               units over whatever the source holds most of, in float32
    waiting    the share of the time that the first `rounds` such steps wait for data, once the
               first one is compiled, and the longest wait; where steps are of 50 ms (asleep, as if
               an accelerator computed), the same

Then the seconds until a folder of many small pictures is open: for the first time, in a later run,
and again in the same one.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image
from scipy.io import wavfile

from gm_jax import data
from gm_jax.data import workers

BATCH = 128
ASLEEP = 0.05  # seconds of a step
OPEN = """
import sys, time
from gm_jax import data
for _ in range(2):
    began = time.perf_counter()
    data.open_source({"name": "folder", "path": sys.argv[1]})
    print(time.perf_counter() - began)
"""


def write_pictures(folder: Path, count: int, side: int, suffix: str) -> Path:
    """Pictures as smooth as photographs, of 16 kinds."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(min(count, 16)):
        coarse = rng.integers(0, 256, (side // 8 + 1, side // 8 + 1, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:06d}.{suffix}")
    kinds = [path.read_bytes() for path in sorted(folder.iterdir())]
    for number in range(len(kinds), count):
        (folder / f"{number:06d}.{suffix}").write_bytes(kinds[number % len(kinds)])
    return folder


def sources(root: Path, count: int, directory: str) -> dict[str, dict]:
    """{name: the `data` part of a recipe}; files are written below `root`."""
    rows = {"digits": {"name": "digits"}}
    for name in ("mnist", "fashion_mnist") if directory else ():
        rows[f"{name} of TFDS"] = {"name": name, "directory": directory}
    for side, suffix in itertools.product((64, 256), ("png", "jpg")):
        folder = write_pictures(root / f"{suffix}{side}", count, side, suffix)
        rows[f"{suffix}, {side} pixels"] = {"name": "folder", "path": str(folder)}
    small = rows["jpg, 256 pixels"]
    rows["jpg, 256 pixels to 64, random crops"] = {**small, "size": 64, "crop": "random"}
    rows["jpg, 256 pixels, not kept"] = small
    rows |= {"shapes": {"name": "shapes"}, "scenes": {"name": "scenes"}}
    words = np.random.default_rng(0).choice(["one ", "two ", "three\n"], 100_000)
    (root / "words.txt").write_text("".join(words))
    rows["text"] = {"name": "text", "path": str(root / "words.txt")}
    (root / "recordings").mkdir()
    for number in range(20):
        samples = np.random.default_rng(number).integers(-999, 999, 16_000).astype(np.int16)
        wavfile.write(root / f"recordings/{number % 2}_x_{number}.wav", 8000, samples)
    rows["wav"] = {"name": "wav", "path": str(root / "recordings"), "rate": 8000}
    return rows


def batches_of(source: data.Source) -> Iterator[dict[str, np.ndarray]]:
    return data.training_batches(source, BATCH, 0, 0, slice(0, BATCH))


def delivered(source: data.Source) -> tuple[float, float]:
    """Examples a second of CPU time in the first epoch and in those after it."""
    epoch = max(1, (source.size or 0) // BATCH)
    begun = time.process_time()
    batches = batches_of(source)

    def rate(count: int) -> float:
        nonlocal begun
        for _ in itertools.islice(batches, count):
            pass
        spent, begun = time.process_time() - begun, time.process_time()
        return count * BATCH / spent

    if not source.kept:  # Examples read ahead at the beginning are no one's yet.
        rate(4)
    first = rate(epoch if source.kept else 8)
    return first, rate(max(50, epoch)) if source.size else first


def train_step(batch: dict[str, np.ndarray]) -> Callable[[dict], None]:
    """A linear autoencoder's step on such batches, which waits until it is done; compiled."""
    name = max(set(batch) - {"index"}, key=lambda key: batch[key].nbytes)

    @jax.jit
    def step(weights, x):
        def error(w):
            flat = x.reshape(len(x), -1).astype(jnp.float32) / 255.0
            return jnp.mean((flat @ w @ w.T - flat) ** 2)

        return weights - 1e-3 * jax.grad(error)(weights)

    weights = jnp.full((batch[name][0].size, 64), 1e-3)
    step(weights, batch[name]).block_until_ready()

    def train(batch):
        nonlocal weights
        weights = step(weights, batch[name]).block_until_ready()

    return train


def consumed(step: Callable, batch: dict[str, np.ndarray]) -> float:
    """Examples a second of CPU time that a train step takes."""
    begun = time.process_time()
    for _ in range(5):
        step(batch)
    return 5 * BATCH / (time.process_time() - begun)


def waiting(batches: Iterator, step: Callable, rounds: int) -> tuple[float, float]:
    """The share of the time in which `rounds` steps wait for data, and the longest wait [s]."""
    waits, begun = [], time.perf_counter()
    for _ in range(rounds):
        asked = time.perf_counter()
        batch = next(batches)
        waits.append(time.perf_counter() - asked)
        step(batch)
    return sum(waits) / (time.perf_counter() - begun), max(waits)


def measure(config: dict, rounds: int) -> list[float]:
    """A row: see the top of this file; without the waiting if there are no rounds."""
    first, later = delivered(data.open_source(config))
    forget()
    batches = batches_of(data.open_source(config))
    example = next(batches)
    step = train_step(example)
    row = [first, later, consumed(step, example)]
    if not rounds:
        return row
    row += waiting(batches, step, rounds)
    batches.close()
    forget()
    batches = batches_of(data.open_source(config))
    train_step(next(batches))
    return row + list(waiting(batches, lambda batch: time.sleep(ASLEEP), min(rounds, 100)))


def forget() -> None:
    """Examples that this process has decoded."""
    data.folder._folder.cache_clear()
    data.images._tfds.cache_clear()


def seconds_to_open(folder: Path) -> tuple[float, float, float]:
    """Of a folder that was never open, in a later process, and again in that process."""
    command = [sys.executable, "-c", OPEN, str(folder)]
    with tempfile.TemporaryDirectory() as cache:
        env = os.environ | {"XDG_CACHE_HOME": cache}
        runs = [subprocess.run(command, env=env, capture_output=True, check=True) for _ in range(2)]
    (first, _), (later, again) = ([float(s) for s in run.stdout.split()] for run in runs)
    return first, later, again


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="sources; all unless given")
    parser.add_argument("--count", type=int, default=1024, help="pictures of each kind")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--files", type=int, default=20_000, help="pictures of the large folder")
    parser.add_argument("--directory", default="", help="where TFDS's data sets lie")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors; examples/s of CPU time, waiting in % and ms")
    print(f"{'':<36}{'first':>9}{'later':>9}{'consumed':>9}{'waiting':>16}{'of 50 ms':>16}")
    kept = workers.KEPT_BYTES
    with tempfile.TemporaryDirectory() as root:
        for name, config in sources(Path(root), arguments.count, arguments.directory).items():
            if arguments.names and name not in arguments.names:
                continue
            workers.KEPT_BYTES = 0 if "not kept" in name else kept
            first, later, taken, *waits = measure(config, arguments.rounds)
            waits = zip(waits[::2], waits[1::2], strict=True)
            shown = [f"{100 * share:8.1f} {1e3 * most:7.1f}" for share, most in waits]
            rates = "".join(f"{rate:9,.0f}" for rate in (first, later, taken))
            print(f"{name:<36}{rates}{''.join(shown)}", flush=True)
        if not arguments.names:
            folder = write_pictures(Path(root) / "many", arguments.files, 32, "png")
            first, later, again = seconds_to_open(folder)
            print(
                f"{arguments.files:,} pictures are open after {first:.2f} s, in a later run"
                f" {later:.2f} s, again in that run {again:.4f} s"
            )


if __name__ == "__main__":
    main()
