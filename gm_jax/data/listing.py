"""The pictures below a folder or in a zip archive: listed once in a process.

Skipped, with one note of how many: hidden files and folders (.ipynb_checkpoints, the
._NAME of macOS), pictures of kinds that are not read, links to nothing, and links to folders that
are listed anyway.
"""

import dataclasses
import functools
import io
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.data.pictures import OTHER_SUFFIXES, SUFFIXES, shown
from gm_jax.errors import UserError, note

CAPTIONS = "metadata.jsonl"
SMALL = 2**16  # bytes
SETTLED = 0.1  # seconds after which the next change of a folder has another time


@dataclasses.dataclass(frozen=True, eq=False)
class Listing:
    """What lies below `root`, names relative to it with "/", in the order of their parts.

    names    of the pictures
    marks    [n, 2] int64: bytes, and time of change (in a zip: checksum) of each
    texts    names of text files that may hold captions
    open     name -> what Pillow opens: a path, or the bytes
    changed  {folder: its time of change when it was listed}
    """

    root: Path
    names: tuple[str, ...]
    marks: np.ndarray
    texts: frozenset[str]
    open: Callable
    changed: dict[str, int]


class _Entry(NamedTuple):
    """A file: its name, bytes, and time of change or checksum; None for a link to nothing."""

    name: str
    bytes: int | None
    mark: int


_LISTED: dict[Path, Listing] = {}
note_once = functools.cache(note)


def listing_of(root: Path) -> Listing:
    """The listing of a folder or zip archive, made again only if files came or went."""
    listed = _LISTED.get(root)
    if listed is None or _changed(listed):
        began = time.time_ns()
        _LISTED[root] = listed = list_pictures(root)
        if began - max(listed.changed.values()) < SETTLED * 1e9:
            del _LISTED[root]  # By its clock, the next change may have the same time.
    return listed


def suffix_of(name: str) -> str:
    """A file's suffix, in lower case."""
    return os.path.splitext(name)[1].lower()


def content(listing: Listing, name: str) -> bytes:
    """All bytes of a file."""
    file = listing.open(name)
    return file.getvalue() if isinstance(file, io.BytesIO) else Path(file).read_bytes()


def _changed(listed: Listing) -> bool:
    try:
        return any(os.stat(path).st_mtime_ns != at for path, at in listed.changed.items())
    except OSError:
        return True


def list_pictures(root: Path) -> Listing:
    """The listing of a folder or zip archive. Raises UserError if it is neither."""
    passed: dict[str, list[str]] = {}
    try:
        if root.is_dir():
            changed = {}
            entries = list(_walk(root, passed, changed))
            read = functools.partial(_file, root)
        else:
            changed = {str(root): root.stat().st_mtime_ns}
            archive = zipfile.ZipFile(root)
            entries = list(_members(archive, passed))
            read = functools.partial(_member, archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{root} cannot be read as a folder or a zip archive: {error}") from error
    found, texts = [], set()
    for entry in entries:
        suffix = suffix_of(entry.name)
        if suffix in SUFFIXES and entry.bytes is None:
            passed.setdefault("a link to nothing", []).append(entry.name)
        elif suffix in SUFFIXES:
            found.append(entry)
        elif suffix in OTHER_SUFFIXES:
            passed.setdefault("of a kind that is not read", []).append(entry.name)
        elif suffix == ".txt" or os.path.basename(entry.name) == CAPTIONS:
            texts.add(entry.name)
    say_passed(root, passed)
    found.sort(key=lambda entry: entry.name.split("/"))
    marks = np.array([entry[1:] for entry in found], np.int64).reshape(-1, 2)
    names = tuple(entry.name for entry in found)
    return Listing(root, names, marks, frozenset(texts), read, changed)


def say_passed(root: Path, passed: dict[str, list[str]]) -> None:
    """Notes in one line what was skipped: {reason: names}."""
    if passed:
        parts = [f"{len(names)} {why} ({shown(min(names))})" for why, names in passed.items()]
        note_once(f"{root}: skipped {', '.join(parts)}")


def _walk(root: Path, passed, changed) -> Iterator[_Entry]:
    """Every file below a folder; a linked folder is entered unless it is listed anyway."""
    real = os.path.realpath(root)
    seen, waiting = {real}, [""]
    while waiting:
        prefix = waiting.pop()
        folder = os.path.join(root, prefix)
        changed[folder] = os.stat(folder).st_mtime_ns
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir():
                    target = os.path.realpath(entry.path) if entry.is_symlink() else None
                    if entry.name.startswith("."):
                        passed.setdefault("hidden or of the system", []).append(name)
                    elif target and (target in seen or _within(target, real)):
                        passed.setdefault("linked and listed anyway", []).append(name)
                    else:
                        seen |= {target} if target else set()
                        waiting.append(f"{name}/")
                elif entry.name.startswith("."):
                    if suffix_of(entry.name) in SUFFIXES:
                        passed.setdefault("hidden or of the system", []).append(name)
                elif entry.is_file():
                    status = entry.stat()
                    yield _Entry(name, status.st_size, status.st_mtime_ns)
                elif entry.is_symlink():
                    yield _Entry(name, None, 0)


def _within(a: str, b: str) -> bool:
    """Whether one of two real paths lies in the other."""
    return os.path.commonpath([a, b]) in (a, b)


def _members(archive: zipfile.ZipFile, passed) -> Iterator[_Entry]:
    """Every file of a zip archive."""
    for info in archive.infolist():
        if any(part.startswith((".", "__MACOSX")) for part in info.filename.split("/")):
            if suffix_of(info.filename) in SUFFIXES:
                passed.setdefault("hidden or of the system", []).append(info.filename)
        elif not info.is_dir():
            yield _Entry(info.filename, info.file_size, info.CRC)


def _file(root: Path, name: str) -> io.BytesIO | str:
    """A small file's bytes, by one call: threads that make many small calls block one another."""
    path = os.path.join(root, name)
    try:
        with open(path, "rb", buffering=0) as file:
            small = os.fstat(file.fileno()).st_size <= SMALL
            return io.BytesIO(file.read()) if small else path
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{shown(path)} is not a readable image: {reason}") from error


def _member(archive: zipfile.ZipFile, name: str) -> io.BytesIO:
    try:
        return io.BytesIO(archive.read(name))
    except Exception as error:  # zipfile raises many kinds on a broken or encrypted member.
        raise UserError(f"{archive.filename}/{shown(name)} cannot be read: {error}") from error
