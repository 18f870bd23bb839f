"""What every test may use, and where the data for development may lie."""

import gc
import os
from pathlib import Path

import environment
import shards

ROOT = Path(__file__).parent.parent
environment.prepare()
os.environ["XDG_CACHE_HOME"] = str(ROOT / ".pytest_cache")  # Of classifiers, not the user's own.

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from gm_jax.data import listing

MAPS = Path("/proc/self/maps")


def pytest_addoption(parser):
    parser.addoption("--shard", default="1/1", metavar="K/N", help="run the K-th of N parts")


def pytest_collection_modifyitems(config, items):
    try:
        kept = shards.part(items, config.getoption("--shard"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    names = {item.nodeid for item in kept}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in names])
    items[:] = kept


def pytest_collection_finish():
    """Spares the garbage collector what stays: tracing makes many objects, few of them old."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.fixture(autouse=True)
def _few_programs():
    """Forgets compiled programs before a process has as many memory maps as Linux allows (65,530).

    Each program of XLA's holds several; beyond the limit its compiler dies of a segmentation fault.
    """
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session")
def shared():
    """The folder with real data sets that a development checkout has beside it."""
    folder = Path(os.environ.get("GM_JAX_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("no ../shared/data beside this checkout (set GM_JAX_SHARED)")
    return folder


@pytest.fixture(scope="session")
def digits16(tmp_path_factory):
    """200 digits enlarged to 16x16 in an npz: big enough for a normalised layer in both DCGANs."""
    raw = load_digits()
    image = (raw.images[:200] * 15).astype(np.uint8).repeat(2, 1).repeat(2, 2)[..., None]
    path = tmp_path_factory.mktemp("data") / "digits16.npz"
    label = raw.target[:200].astype(np.int32)
    np.savez(path, image=image, label=label, test_image=image[:40], test_label=label[:40])
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty folder for pictures; nothing of earlier ones is remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    listing.note_once.cache_clear()
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"
