"""Files of results: checked before the work begins, and written whole or not at all."""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gm_jax.errors import UserError


def check(path: str | os.PathLike, advice: str) -> None:
    """Makes the file's folder. Raises UserError with the advice if it cannot be written there."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise UserError(f"{path} is a folder, not a file: {advice}")
    if _special(target):
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): {advice}") from error


@contextlib.contextmanager
def whole(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write into; it appears under its name once it is whole, with the usual permissions.

    A link stays a link; a device or a pipe is written to directly. Raises UserError if the file
    cannot be written.
    """
    target = Path(os.path.realpath(path))
    part = target if _special(target) else target.with_name(f"{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            yield file
        if part != target:
            part.replace(target)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from error
    finally:
        if part != target:
            with contextlib.suppress(OSError):
                part.unlink()


def _special(path: Path) -> bool:
    return path.exists() and not path.is_file()
