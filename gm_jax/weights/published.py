"""Where a published file of weights is found, and how it is known to be that file."""

import hashlib
import os
import urllib.request
from pathlib import Path
from typing import NamedTuple

from gm_jax import outputs
from gm_jax.cache import cache_directory
from gm_jax.errors import UserError


class Published(NamedTuple):
    """What is known of a file before it is at hand.

    name        whose weights, in messages: "Inception"
    needed_for  what cannot be done without them: "FID"
    file        its name, in the cache as on the web
    url         where it is published; "" if it cannot be fetched from here
    sha256      how its hash begins, at least 8 hexadecimal digits
    variable    the environment variable that may hold its path
    kind        what the file holds, in messages
    """

    name: str
    needed_for: str
    file: str
    url: str
    sha256: str
    variable: str
    kind: str = "weights"


class Checked(NamedTuple):
    """A file's sha256, whether it is the published file, and whether it is the one stated."""

    sha256: str
    official: bool
    stated: bool


def find(published: Published, path=None, download: bool = False) -> Path:
    """The file: at `path`, else where the environment variable says, else in the cache.

    With `download` the published file is fetched into the cache if nothing is there. Raises
    UserError that says where it looked, what was expected and what to do.
    """
    cached = cache_directory() / published.file
    path = Path(path or os.environ.get(published.variable) or cached)
    if path.is_file():
        return path
    if download and published.url and path == cached:
        return _download(published, cached)
    ways = (
        f"download {published.url} and give its path, or set {published.variable}, or allow the"
        " download"
        if published.url
        else f"put it there, give its path, or set {published.variable}"
    )
    raise UserError(
        f"no {published.name} {published.kind} at {path}; {published.needed_for} needs"
        f" {published.file} (sha256 {published.sha256[:16]}...): {ways}"
    )


def _download(published: Published, target: Path) -> Path:
    """Fetches the published file, and keeps it only if its hash is right."""
    outputs.check(target, "set XDG_CACHE_HOME to a folder for what is kept between runs")
    try:
        with urllib.request.urlopen(published.url, timeout=60) as response:
            data = response.read()
    except OSError as error:
        raise UserError(
            f"{published.url} could not be downloaded ({error}): fetch it by hand to {target}"
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(published.sha256):
        raise UserError(f"{published.url} gave the sha256 {digest}, expected {published.sha256}...")
    with outputs.whole(target) as file:
        file.write(data)
    return target


def check(published: Published, path: Path, stated: str | None = None) -> Checked:
    """Compares a file's hash with the published one, and with the one that a user has stated.

    Raises UserError if the stated hash (at least its first 8 digits) is not the file's.
    """
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    agrees = bool(stated) and len(stated) >= 8 and digest.startswith(stated.lower())
    if stated and not agrees:
        raise UserError(f"{path} has the sha256 {digest}, not {stated} as stated")
    return Checked(digest, digest.startswith(published.sha256), agrees)


def unknown(published: Published, path: Path, sha256: str, consequence: str) -> UserError:
    """The refusal of weights that are neither the published nor the stated ones.

    consequence  what becomes of results with weights that are merely stated
    """
    return UserError(
        f"{path} is not {published.name}'s known weights: its sha256 is {sha256}, {published.file} "
        f"begins with {published.sha256[:16]} (truncated or altered?); if you trust it, state its "
        f"sha256, and {consequence}"
    )
