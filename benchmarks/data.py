"""Speed of reading data, on this machine's processors.

    python benchmarks/data.py [--count=1024] [--files=20000] [--directory=TFDS_DATA_DIR]

Images a second through the input pipeline, batches of 128: in the first epoch, in which pictures
are decoded, and in later ones, in which they are in memory; beside them what the train step of
vae_digits takes. Then the seconds until a folder of many small pictures is open: for the first
time, in a later run, and again in the same one.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from gm_jax import data

BATCH = 128
RECIPE = Path(__file__).parent.parent / "configs" / "vae_digits.py"
OPEN = """
import sys, time
from gm_jax import data
for _ in range(2):
    began = time.perf_counter()
    data.open_source({"name": "folder", "path": sys.argv[1]})
    print(time.perf_counter() - began)
"""


def write_pictures(folder: Path, count: int, side: int, suffix: str) -> None:
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


def epochs(config: dict) -> tuple[float, float]:
    """Images a second in the first epoch and in those after it."""
    source = data.open_source(config)
    batches = data.training_batches(source, BATCH, 0, 0, slice(0, BATCH))
    next(batches)

    def rate(count: int) -> float:
        began = time.perf_counter()
        for _ in itertools.islice(batches, count):
            pass
        return count * BATCH / (time.perf_counter() - began)

    return rate(max(1, source.size // BATCH - 1)), rate(max(200, source.size // BATCH))


def seconds_to_open(folder: Path) -> tuple[float, float, float]:
    """Of a folder that was never open, in a later process, and again in that process."""
    command = [sys.executable, "-c", OPEN, str(folder)]
    with tempfile.TemporaryDirectory() as cache:
        env = os.environ | {"XDG_CACHE_HOME": cache}
        runs = [subprocess.run(command, env=env, capture_output=True, check=True) for _ in range(2)]
    (first, _), (later, again) = ([float(s) for s in run.stdout.split()] for run in runs)
    return first, later, again


def train_step() -> float:
    """Examples a second that the train step of vae_digits takes."""
    from train_step import measure

    return measure(str(RECIPE), 50)["examples/s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1024, help="pictures of each kind")
    parser.add_argument("--files", type=int, default=20_000, help="pictures of the large folder")
    parser.add_argument("--directory", default="", help="where TFDS's mnist lies")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors   images/s: first epoch, later ones")
    with tempfile.TemporaryDirectory() as root:
        rows = {"digits": {"name": "digits"}}
        if arguments.directory:
            rows["mnist of TFDS"] = {"name": "mnist", "directory": arguments.directory}
        for side, suffix in itertools.product((64, 256), ("png", "jpg")):
            folder = Path(root) / f"{suffix}{side}"
            write_pictures(folder, arguments.count, side, suffix)
            rows[f"{suffix}, {side} pixels"] = {"name": "folder", "path": str(folder)}
        small = {**rows["jpg, 256 pixels"], "size": 64, "crop": "random"}
        rows["jpg, 256 pixels to 64, random crops"] = small
        for name, config in rows.items():
            first, later = epochs(config)
            print(f"{name:<40}{first:>12,.0f}{later:>12,.0f}", flush=True)
        print(f"{'the train step of vae_digits takes':<40}{train_step():>12,.0f}")
        folder = Path(root) / "many"
        write_pictures(folder, arguments.files, 32, "png")
        first, later, again = seconds_to_open(folder)
        print(
            f"{arguments.files:,} pictures are open after {first:.2f} s, in a later run {later:.2f}"
            f" s, again in that run {again:.4f} s"
        )


if __name__ == "__main__":
    main()
