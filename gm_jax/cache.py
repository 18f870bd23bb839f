"""The folder that keeps, between runs, what is expensive to compute or download again."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """$XDG_CACHE_HOME/gm_jax, by default ~/.cache/gm_jax."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gm_jax"


def stamp(file: Path) -> tuple[int, int]:
    """Modification time and size: a key for what was read from a file. Raises OSError."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size
