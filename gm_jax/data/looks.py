"""What the pictures of a listing look like, from their heads, remembered between runs.

A picture whose name, size and time of change are the same is not opened again.
"""

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL

from gm_jax.cache import cache_directory
from gm_jax.data import pictures
from gm_jax.data.listing import Listing
from gm_jax.data.pictures import Look
from gm_jax.data.workers import in_parallel
from gm_jax.errors import UserError


def looks_of(listing: Listing, rows: Sequence[int]) -> list[Look]:
    """The look of each picture of `rows`. Raises UserError naming the first that is refused."""
    names = [listing.names[row] for row in rows]
    marks = dict(zip(listing.names, map(tuple, listing.marks.tolist()), strict=True))
    remembered = {
        name: row for name, row in _load(listing.root).items() if row[:2] == marks.get(name)
    }
    unknown = [name for name in names if name not in remembered]
    if unknown:
        results = in_parallel(lambda part: [_attempt(listing, name) for name in part], unknown)
        looks = {
            n: look for n, look in zip(unknown, results, strict=True) if isinstance(look, Look)
        }
        remembered |= {name: (*marks[name], *look) for name, look in looks.items()}
        _save(listing.root, remembered)
        refused = [result for result in results if not isinstance(result, Look)]
        if refused:
            others = f" ({len(refused)} pictures are refused)" if len(refused) > 1 else ""
            raise UserError(f"{refused[0]}{others}") from refused[0]
    return [Look(*remembered[name][2:]) for name in names]


def _attempt(listing: Listing, name: str) -> Look | UserError:
    try:
        return pictures.look(listing.open(name), str(listing.root / name))
    except UserError as error:
        return error


def _file(root: Path) -> Path:
    """Where the looks of a folder are kept; in another file if the rule or the reader changed."""
    rule = Path(pictures.__file__).read_bytes() + PIL.__version__.encode()
    key = hashlib.sha256(rule + os.fsencode(root.resolve())).hexdigest()[:32]
    return cache_directory() / "pictures" / f"{key}.npz"


def _load(root: Path) -> dict[str, tuple]:
    """{name: (bytes, mark, height, width, grey, plain)}; {} if the file is missing or damaged."""
    try:
        with np.load(_file(root)) as saved:
            names = os.fsdecode(saved["names"].tobytes()).split("\0")
            return dict(zip(names, map(tuple, saved["table"].tolist()), strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _save(root: Path, looks: dict[str, tuple]) -> None:
    """Keeps the looks for the next run, if the cache can be written."""
    names = np.frombuffer(os.fsencode("\0".join(looks)), np.uint8)
    table = np.array(list(looks.values()), np.int64).reshape(-1, 2 + len(Look._fields))
    path = _file(root)
    part = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, names=names, table=table)
        part.replace(path)  # So that no other process reads half a file.
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
