"""The files of a run, on a disk or in a bucket (gs://), by the same calls.

A disk's paths are pathlib's, a bucket's are those of `etils.epath`, which have the same methods.
Orbax writes checkpoints to either. A bucket has no locks, no appending and no programs that draw
into it: `locked`, `append` and `local_folder` know how each is done.
"""

import contextlib
import errno
import fcntl
import fnmatch
import importlib.util
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from etils import epath

from gm_jax.errors import UserError, note

BUCKETS = ("gs://",)  # what Orbax and TensorStore can write to, apart from disks
TO_CONTINUE = "free some space or fix its permissions; the same command then continues"


def path_of(name: str | os.PathLike) -> Path:
    """The path of a folder or file by its name; `~` is the home of its user.

    Raises UserError for a URL that checkpoints cannot be written to, whose package is missing, or
    that cannot be reached.
    """
    text = os.fspath(name)
    if "://" not in text:
        return Path(text).expanduser()
    if not text.startswith(BUCKETS):
        raise UserError(f"{text} is not a place for runs: use a path on a disk, or gs://")
    if importlib.util.find_spec("gcsfs") is None:
        raise UserError(f"{text} needs the package gcsfs: pip install -e '.[gcs]'")
    path = epath.Path(text)
    try:
        path.exists()
    except Exception as error:  # Network, credentials, names: each package raises its own errors.
        raise UserError(
            f"cannot reach {text} ({_line(error)}): check the name, the network and your login"
        ) from error
    return path


def in_bucket(path: Path) -> bool:
    """Whether a path is of a bucket and not of a disk."""
    return os.fspath(path).startswith(BUCKETS)


def absolute(path: Path) -> Path:
    """The path from the root of its disk or bucket."""
    return path if in_bucket(path) else path.resolve()


@contextlib.contextmanager
def writing(folder: Path, advice: str) -> Iterator[None]:
    """Within, a failure to write to `folder` becomes a UserError of one line with the advice."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not (isinstance(error, OSError) or in_bucket(folder) or _full(error)):
            raise
        reason = os.strerror(errno.ENOSPC) if _full(error) else _line(error)
        raise UserError(f"cannot write to {folder} ({reason}): {advice}") from error


def check_writable(folder: Path, advice: str) -> None:
    """Makes the folder. Raises UserError with the advice if no file can be written there."""
    with writing(folder, advice):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()


def write(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all, even if the machine dies meanwhile."""
    if in_bucket(path):  # Objects appear whole.
        path.write_bytes(text.encode())
        return
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def append(path: Path, line: str) -> None:
    """Adds a line to a text file; it is on disk when this returns."""
    if in_bucket(path):  # Objects cannot grow: all of it is written again.
        before = path.read_bytes() if path.exists() else b""
        path.write_bytes(before + line.encode() + b"\n")
        return
    with path.open("ab") as file:
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def local_folder(folder: Path, fetch: str = "") -> Iterator[Path]:
    """A folder for programs that can write to disks only: `folder` itself if it is on a disk.

    For a bucket, a temporary folder. It starts with the files that match `fetch`, and what was
    written there is copied to `folder` at the end.
    """
    if not in_bucket(folder):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory() as name:
        here, fetched = Path(name), set()
        if fetch and folder.exists():
            fetched = {p.name for p in folder.iterdir() if fnmatch.fnmatch(p.name, fetch)}
        for file in fetched:
            (here / file).write_bytes((folder / file).read_bytes())
        yield here
        folder.mkdir(parents=True, exist_ok=True)
        for file in here.iterdir():
            if file.name not in fetched:
                (folder / file.name).write_bytes(file.read_bytes())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[str | None]:
    """Holds the lock file at `path`; yields None, or a description of the process that has it.

    The lock ends with its process, however that dies; the file stays, empty after a normal end. If
    there are no locks (in a bucket, on some network disks), notes that and yields None.
    """
    unlocked = f"{path.parent} cannot be locked: let no other process train in it"
    if in_bucket(path):
        note(unlocked)
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            yield lock.read().strip() or "another process"
            return
        except OSError:
            note(unlocked)
        lock.truncate(0)  # Left by a process that died.
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        print(f"process {os.getpid()} on {socket.gethostname()} since {since}", file=lock)
        lock.flush()
        try:
            yield None
        finally:
            lock.truncate(0)


def _full(error: Exception) -> bool:
    """Whether a disk is full; TensorStore only says so in its message."""
    numbers = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in numbers or os.strerror(errno.ENOSPC) in str(error)


def _line(error: Exception) -> str:
    return (
        getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
    )
