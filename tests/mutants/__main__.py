"""Plants each mistake of the tables in a copy of the tree, and runs the tests that must notice.

    python tests/mutants [NAME ...]

NAME is the beginning of a mutant's name; without one all are planted. Reports what no test noticed
and what could not be planted, and exits with 1 if there is any.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
sys.path.insert(0, str(TESTS))

from mutants.adversarial import ADVERSARIAL
from mutants.autoencoders import AUTOENCODERS
from mutants.autoregressive import AUTOREGRESSIVE
from mutants.backbones import BACKBONES
from mutants.cascades import CASCADES
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
)
COPIED = ("gm_jax", "configs", "tests", "launch.py", "setup.cfg", "pyproject.toml")


def file_of(mutant, root: Path = ROOT) -> Path:
    """The file that a mutant is planted in. Raises ValueError unless it can be."""
    files = [
        path for folder in ("gm_jax", "configs") for path in (root / folder).rglob("*.py")
        if path.as_posix().endswith("/" + mutant.file)
    ]  # fmt: skip
    if len(files) != 1:
        raise ValueError(f"{len(files)} files end in {mutant.file}")
    count = files[0].read_text().count(mutant.old)
    if count != 1:
        raise ValueError(f"{count} times in {files[0].relative_to(root)}: {mutant.old}")
    return files[0]


def fate(tests: str, mutant=None) -> str:
    """What the tests say in a copy of the tree, with the mutant in it if there is one.

    The first that fails and why; "" if none fails. Raises ValueError if they cannot be run.
    """
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".pytest_cache" / "xla"))
    names = [f"tests/{name}" for name in tests.split()]
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *names]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, root / name)
        if mutant:
            file = file_of(mutant, root)
            file.write_text(file.read_text().replace(mutant.old, mutant.new))
        environment = {"PYTHONPATH": folder, "JAX_COMPILATION_CACHE_DIR": cache, "COLUMNS": "200"}
        environment |= {
            "GM_JAX_SHARED": os.environ.get("GM_JAX_SHARED", str(ROOT.parent / "shared"))
        }
        done = subprocess.run(
            command, cwd=root, env=os.environ | environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    if done.returncode not in (0, 1):
        raise ValueError(f"pytest could not run {tests}: {done.stdout[-500:]}")
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    return failed[0].removeprefix("FAILED tests/")[:150] if failed else ""


def report(name: str) -> str:
    """One line about a mutant; it ends in "survived" or says who noticed it."""
    try:
        noticed = fate(MUTANTS[name].tests, MUTANTS[name])
    except ValueError as error:
        return f"{name}: NOT PLANTED, {error}"
    return f"{name}: {noticed or 'SURVIVED'}"


def main(wanted: list[str]) -> int:
    """Plants the wanted mutants, and says what became of them."""
    chosen = [name for name in MUTANTS if not wanted or name.startswith(tuple(wanted))]
    if not chosen:
        print("no mutant of that name")
        return 1
    tests = sorted({test for name in chosen for test in MUTANTS[name].tests.split()})
    if without := fate(" ".join(tests)):
        print(f"without any mutant {without}")
        return 1
    left = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for line in pool.map(report, chosen):
            left += ": SURVIVED" in line or ": NOT PLANTED" in line
            print(line, flush=True)
    print(f"{left} of {len(chosen)} mutants were not noticed")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
