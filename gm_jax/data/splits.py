"""Which pictures of a listing belong to a split, and the class of each.

split   A folder `train` (or training), `test` (testing), `val` (valid, validation) below the path
        holds that split. Without a folder `train`, everything is training data. A folder named
        after another split, at any depth, is left out.
class   If every picture of the training split lies one folder deep, in one of at least two folders,
        those are the classes, in the order of their names.
"""

from typing import NamedTuple

from gm_jax.data.listing import Listing, say_passed
from gm_jax.data.pictures import shown
from gm_jax.data.source import SPLIT_FOLDERS
from gm_jax.errors import UserError


class Split(NamedTuple):
    """Pictures of a split.

    folder   that holds it, relative to the listing's root: "" or "train/"
    rows     of the listing
    classes  names of the classes, of the training split; () without labels
    labels   the class of each row; () without labels
    """

    folder: str
    rows: list[int]
    classes: tuple[str, ...]
    labels: list[int]


def split_of(listing: Listing, split: str) -> Split:
    """A split's pictures. Raises UserError if it is empty or has classes of its own."""
    folder, rows, passed = _rows(listing, split)
    say_passed(listing.root, passed)
    if not rows:
        raise UserError(f"no image (png, jpg, webp, bmp, tif, gif, ppm, avif) below {listing.root}")
    names = [_class(listing.names[row], folder) for row in rows]
    if split in SPLIT_FOLDERS[0]:
        trained = names
    else:
        train, others, _ = _rows(listing, "train")
        trained = [_class(listing.names[row], train) for row in others]
    classes = tuple(sorted(set(trained))) if all(trained) and len(set(trained)) > 1 else ()
    if not (classes and all(names)):
        return Split(folder, rows, (), [])
    for name in sorted(set(names) - set(classes)):
        raise UserError(
            f"{listing.root}/{folder}{shown(name)} is a class that the training split does not have"
            f" (it has {', '.join(map(shown, classes[:5]))}): add it there or remove it here"
        )
    number = {name: n for n, name in enumerate(classes)}
    return Split(folder, rows, classes, [number[name] for name in names])


def _rows(listing: Listing, split: str) -> tuple[str, list[int], dict[str, list[str]]]:
    """The split's folder, its rows of the listing, and what was skipped and why."""
    own = next((names for names in SPLIT_FOLDERS if split in names), (split,))
    others = {name for names in SPLIT_FOLDERS if names is not own for name in names}
    base = wrapper(listing)
    below = [name[len(base) :].split("/") for name in listing.names]
    tops = dict.fromkeys(parts[0] for parts in below if len(parts) > 1)
    folder = next((f"{base}{top}/" for top in tops if top.lower() in own), None)
    if folder is None and split not in SPLIT_FOLDERS[0]:
        known = [top for top in tops if top.lower() in others]
        there = f"; there are: {', '.join(known)}" if known else ""
        raise UserError(
            f"{listing.root} has no subfolder {split!r}{there}: put the images of that split there"
        )
    rows, passed = [], {}
    for row, (name, parts) in enumerate(zip(listing.names, below, strict=True)):
        folders = {part.lower() for part in parts[bool(folder) : -1]}
        if folder and not name.startswith(folder):
            if parts[0].lower() not in others:
                passed.setdefault(f"outside {folder}", []).append(name)
        elif others.intersection(folders):
            passed.setdefault("in folders of other splits", []).append(name)
        else:
            rows.append(row)
    return folder or base, rows, {} if split not in SPLIT_FOLDERS[0] else passed


def wrapper(listing: Listing) -> str:
    """The one folder that holds all of a zip archive; "" if there is none, or it is a split's."""
    tops = {name.partition("/")[0] for name in listing.names}
    if listing.root.is_dir() or len(tops) != 1 or not all("/" in name for name in listing.names):
        return ""
    (top,) = tops
    return "" if top.lower() in sum(SPLIT_FOLDERS, ()) else f"{top}/"


def _class(name: str, folder: str) -> str:
    """The folder that a picture lies in, exactly one below `folder`; "" otherwise."""
    parts = name[len(folder) :].split("/")
    return parts[0] if len(parts) == 2 else ""
