"""Plants each mistake of the tables in a copy of the tree, and runs the tests that must notice.

    python tests/mutants [NAME ...] [--shard=K/N]

NAME is the beginning of a mutant's name; without one all are planted, or the K-th of N parts of
them. Reports what no test noticed and what could not be planted, and exits with 1 if there is any.
"""

import argparse
import functools
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
sys.path.insert(0, str(TESTS))

import environment
import shards

from mutants.adversarial import ADVERSARIAL
from mutants.autoencoders import AUTOENCODERS
from mutants.autoregressive import AUTOREGRESSIVE
from mutants.backbones import BACKBONES
from mutants.cascades import CASCADES
from mutants.chance import CHANCES
from mutants.clip import CLIPS
from mutants.coding import CODINGS
from mutants.dalle import DALLES
from mutants.dance import DANCES
from mutants.dancers import DANCING
from mutants.denoisers import DENOISERS
from mutants.diffusion import DIFFUSION
from mutants.dit import DITS
from mutants.energy import ENERGIES
from mutants.features import FEATURES
from mutants.few_labels import FEW_LABELS
from mutants.first_order_motion import FIRST_ORDER_MOTIONS
from mutants.gan import GANS
from mutants.gan_cls import GAN_CLSES
from mutants.lapgan import LAPGANS
from mutants.make_a_video import MAKE_A_VIDEOS
from mutants.maskgit import MASKGITS
from mutants.networks import NETWORKS
from mutants.paella import PAELLAS
from mutants.parti import PARTIS
from mutants.phenaki import PHENAKIS
from mutants.pods import PODS
from mutants.progan import PROGANS
from mutants.published import PUBLISHED
from mutants.reading import READING
from mutants.residual_gans import RESIDUAL_GANS
from mutants.shapes import WORLD
from mutants.sharding import SHARDINGS
from mutants.simgan import SIMGANS
from mutants.spade import SPADES
from mutants.spatial import SPATIAL
from mutants.srgan import SRGANS
from mutants.studies import STUDIES
from mutants.stylegan import STYLEGANS
from mutants.stylegan2 import STYLEGAN2S
from mutants.styles import STYLES
from mutants.translation import TRANSLATION
from mutants.unclip import UNCLIPS
from mutants.unclip_causal_prior import CAUSAL_PRIORS
from mutants.vit_vqgan import VIT_VQGANS

MUTANTS = (
    GANS
    | ADVERSARIAL
    | AUTOENCODERS
    | AUTOREGRESSIVE
    | ENERGIES
    | FEATURES
    | FEW_LABELS
    | CODINGS
    | DIFFUSION
    | DENOISERS
    | DITS
    | PUBLISHED
    | RESIDUAL_GANS
    | CLIPS
    | MASKGITS
    | GAN_CLSES
    | PAELLAS
    | DALLES
    | WORLD
    | READING
    | DANCING
    | BACKBONES
    | CASCADES
    | TRANSLATION
    | FIRST_ORDER_MOTIONS
    | PARTIS
    | UNCLIPS
    | CAUSAL_PRIORS
    | MAKE_A_VIDEOS
    | PHENAKIS
    | DANCES
    | SIMGANS
    | SRGANS
    | SPADES
    | SPATIAL
    | STYLEGANS
    | STYLEGAN2S
    | STYLES
    | STUDIES
    | VIT_VQGANS
    | LAPGANS
    | PODS
    | PROGANS
    | SHARDINGS
    | NETWORKS
    | CHANCES
)
COPIED = ("gm_jax", "configs", "benchmarks", "tests", "launch.py", "setup.cfg", "pyproject.toml")
# What almost every test imports and no mutant changes. None of them starts a thread.
HEAVY = ("jax.numpy", "flax.linen", "optax", "orbax.checkpoint", "grain", "sklearn.datasets")
SAID = "said.txt"


def file_of(mutant, root: Path = ROOT) -> Path:
    """The file that a mutant is planted in. Raises ValueError unless it can be."""
    files = [path for path in _sources(root) if path.as_posix().endswith("/" + mutant.file)]
    if len(files) != 1:
        raise ValueError(f"{len(files)} files end in {mutant.file}")
    count = files[0].read_text().count(mutant.old)
    if count != 1:
        raise ValueError(f"{count} times in {files[0].relative_to(root)}: {mutant.old}")
    return files[0]


@functools.cache
def _sources(root: Path) -> list[Path]:
    return [p for folder in ("gm_jax", "configs") for p in (root / folder).rglob("*.py")]


def copied(mutant, root: Path) -> None:
    """Copies the tree and plants the mutant, if there is one. Raises ValueError if it cannot."""
    if mutant:
        file_of(mutant)
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    if mutant:
        file = file_of(mutant, root)
        file.write_text(file.read_text().replace(mutant.old, mutant.new))


def run(tests: str, root: Path) -> NoReturn:
    """Ends this process as pytest ends in a copy of the tree; what it says is in `SAID`."""
    code = 3
    try:
        said = os.open(root / SAID, os.O_CREAT | os.O_WRONLY)
        os.dup2(said, 1), os.dup2(said, 2)
        os.chdir(root)
        os.environ |= {"PYTHONPATH": str(root), "COLUMNS": "200"}
        for name in [name for name, module in sys.modules.items() if _ours(module)]:
            del sys.modules[name]
        sys.path[:] = [str(root), *(p for p in sys.path if not Path(p).is_relative_to(TESTS))]
        names = [f"tests/{name}" for name in tests.split()]
        code = pytest.main(["-x", "-p", "no:cacheprovider", *names])
        if strays := [name for name, module in sys.modules.items() if _ours(module)]:
            print(f"not of the copy: {strays}")
            code = 3
    finally:
        sys.stdout.flush()
        os._exit(code)


def _ours(module) -> bool:
    """Whether a module is of the tree itself, and not of a copy or a library."""
    file = Path(getattr(module, "__file__", None) or "/")
    return any(file.is_relative_to(ROOT / name) for name in COPIED)


def fates(jobs: Iterable[tuple], count: int) -> Iterator[tuple]:
    """(name, fate) of each (name, tests, mutant or None), `count` at a time, as they end.

    The fate is the first test that fails and why, "" if none fails, or a ValueError if the mutant
    cannot be planted or the tests cannot be run. Each runs in a fork of this process, which has
    imported what takes long but nothing of the tree, and must have no other threads.
    """
    running, jobs = {}, iter(jobs)
    while True:
        while len(running) < count and (job := next(jobs, None)):
            name, tests, mutant = job
            folder = tempfile.TemporaryDirectory()
            try:
                copied(mutant, Path(folder.name))
            except ValueError as error:
                yield name, error
                continue
            if (process := os.fork()) == 0:
                run(tests, Path(folder.name))
            running[process] = name, folder
        if not running:
            return
        process, status = os.wait()
        name, folder = running.pop(process)
        said = (Path(folder.name) / SAID).read_text(errors="replace")
        folder.cleanup()
        yield name, _fate(os.waitstatus_to_exitcode(status), said)


def _fate(code: int, said: str):
    if code not in (0, 1):
        return ValueError(f"pytest could not run: {said[-500:]}")
    failed = [line for line in said.splitlines() if line.startswith("FAILED ")]
    return failed[0].removeprefix("FAILED tests/")[:150] if failed else ""


def main(arguments: list[str]) -> int:
    """Plants the wanted mutants, and says what became of them."""
    parser = argparse.ArgumentParser(prog="python tests/mutants")
    parser.add_argument("wanted", nargs="*", metavar="NAME")
    parser.add_argument("--shard", default="1/1", metavar="K/N")
    options = parser.parse_args(arguments)
    wanted = tuple(options.wanted) or ("",)
    try:
        names = shards.part([name for name in MUTANTS if name.startswith(wanted)], options.shard)
    except ValueError as error:
        parser.error(str(error))
    if not names:
        parser.error("no mutant of that name")
    chosen = {name: MUTANTS[name] for name in names}
    environment.prepare()
    os.environ.setdefault("GM_JAX_SHARED", str(ROOT.parent / "shared"))
    for name in HEAVY:
        importlib.import_module(name)
    tests = sorted({test for mutant in chosen.values() for test in mutant.tests.split()})
    for _, noticed in fates([("", " ".join(tests), None)], 1):
        if noticed:
            print(f"without any mutant {noticed}")
            return 1
    left = 0
    jobs = ((name, mutant.tests, mutant) for name, mutant in chosen.items())
    for name, noticed in fates(jobs, os.cpu_count()):
        unplanted = isinstance(noticed, ValueError)
        left += unplanted or not noticed
        print(f"{name}: {'NOT PLANTED, ' * unplanted}{noticed or 'SURVIVED'}", flush=True)
    print(f"{left} of {len(chosen)} mutants were not noticed")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
