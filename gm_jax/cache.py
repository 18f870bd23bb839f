"""Where what is costly to make or fetch again is kept between runs."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """$XDG_CACHE_HOME/gm_jax, by default ~/.cache/gm_jax."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gm_jax"


def stamp(file: Path) -> tuple[int, int]:
    """What changes if a file does: what was read of it is kept under this. Raises OSError."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size
