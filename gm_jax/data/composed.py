"""Data made from other data: digits stacked as channels, two domains without pairs, few labels."""

import dataclasses

import numpy as np
from scipy import ndimage

from gm_jax.data import folder, images, npz
from gm_jax.data.mixtures import uniform
from gm_jax.data.shuffling import shuffled
from gm_jax.data.source import Source
from gm_jax.errors import UserError
from gm_jax.model import Field

BASES = {"digits": images.digits, "npz": npz.npz, "folder": folder.folder}  # else a name of TFDS
PART = 10_000  # examples that are read at once, for their labels
ALL, LABELLED = 0, 1  # seeds of two shuffles


def stacked(config, split: str) -> Source:
    """Three images of `base` as the channels of one: with ten classes, 1,000 modes; endless.

    Stacked MNIST (Che et al. 2017; Metz et al. 2017, section 3.3.1) if the base is mnist. The label
    is 100 a + 10 b + c. Example i is a pure function of i.
    """
    base = base_of(config, split)
    if base.spec["image"].shape[-1] != 1:
        raise UserError(f"{base.name} has coloured images; stacked data is made of grey ones")
    classes = base.spec["label"].cardinality

    def load(indices):
        parts = [base.load(_draw(indices, stream, base.size)) for stream in range(3)]
        image = np.concatenate([part["image"] for part in parts], axis=-1)
        a, b, c = (part["label"] for part in parts)
        return {"image": image, "label": ((a * classes + b) * classes + c).astype(np.int32)}

    height, width, _ = base.spec["image"].shape
    spec = {"image": Field((height, width, 3), 256), "label": Field((), classes**3)}
    return Source(f"stacked_{base.name}", None, load, spec)


def two_domains(config, split: str) -> Source:
    """`image` of the base and `image_b`, the outline of another one: no pairs; endless.

    Liu & Tuzel 2016 (CoGAN), section 4: digits and their edges. Both have labels.
    """
    base = base_of(config, split)

    def load(indices):
        a, b = (base.load(_draw(indices, stream, base.size)) for stream in range(2))
        return {
            "image": a["image"], "label": a["label"],
            "image_b": outline(b["image"]), "label_b": b["label"],
        }  # fmt: skip

    other = {f"{name}_b": field._replace(domain="b") for name, field in base.spec.items()}
    spec = {**base.spec, **other}
    return Source(f"{base.name}_and_outlines", None, load, spec)


def half_labelled(config, split: str) -> Source:
    """An image of the base beside one of the `labelled` few, for semi-supervised learning; endless.

    Example i holds `image`, the base's in an endless shuffle, and `image_labelled` with
    `label_labelled`, the few in a shuffle of their own: a batch of as many holds each once. `label`
    is that of `image`: to judge by, not to learn from. The test split is the base's.
    Raises UserError if the few cannot be balanced by class.
    """
    base = base_of(config, split)
    if split != "train":
        return base
    starts = range(0, base.size, PART)
    parts = [np.arange(start, min(start + PART, base.size)) for start in starts]
    labels = np.concatenate([base.load(part)["label"] for part in parts])
    few = balanced(labels, base.spec["label"].cardinality, config.labelled, config.draw)

    def load(indices):
        known = base.load(few[shuffled(indices, len(few), LABELLED)])
        return base.load(shuffled(indices, base.size, ALL)) | {
            f"{name}_labelled": known[name] for name in ("image", "label")
        }

    spec = {f"{name}_labelled": base.spec[name]._replace(domain="labelled")
            for name in ("image", "label")}  # fmt: skip
    name = f"half_labelled_{base.name}"
    return Source(name, None, load, base.spec | spec, classes=base.classes)


def balanced(
    labels: np.ndarray, classes: int, count: int, draw: int, setting: str = "data.labelled"
) -> np.ndarray:
    """The numbers of `count` examples, as many of each class, drawn at random; 0 for all.

    Raises UserError if `count`, of that setting, is no multiple of the classes, or a class has too
    few.
    """
    if not count:
        return np.arange(len(labels))
    each = count // classes
    if count % classes:
        raise UserError(f"{setting} is {count}: take a multiple of the {classes} classes")
    order = np.random.default_rng(draw).permutation(len(labels))
    chosen = [order[labels[order] == number][:each] for number in range(classes)]
    for number, rows in enumerate(chosen):
        if len(rows) < each:
            raise UserError(
                f"{setting} is {count}, but class {number} has {len(rows)} of the {each}"
                " examples that it needs: take fewer"
            )
    return np.concatenate(chosen)


def outline(image: np.ndarray) -> np.ndarray:
    """The morphological gradient over 3x3 pixels: images [n, H, W, C] of the same type."""
    size = (1, 3, 3, 1)
    return ndimage.grey_dilation(image, size) - ndimage.grey_erosion(image, size)


def base_of(config, split: str) -> Source:
    """The source that composed data is made of. Raises UserError if it has no labels."""
    inner = dataclasses.replace(config, name=config.base)
    source = BASES.get(config.base, images.tfds_images)(inner, split)
    if "label" not in source.spec:
        raise UserError(f"{config.name} needs a base with labels; {source.name} has none")
    return source


def _draw(indices, stream: int, size: int) -> np.ndarray:
    return (uniform(indices, stream) * size).astype(np.int64)
