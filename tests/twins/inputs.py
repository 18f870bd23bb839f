"""Small recipes on data that is always at hand, and the batches and variables of their games."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from games import stages_of
from sample_files import FOLDER, text_file, wav_folder
from sklearn.datasets import load_digits

import gm_jax
from gm_jax.data import dancers
from gm_jax.data.pictures import all_resized

COUNT = 16  # examples of a batch
NAMES = ["nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

DRAWN = ("ring", "grid", "scenes", "dancers", "styled", "moving_digits")
SYMBOLS = "".join(sorted(set(text_file().read_text())))


def small(recipe: str, **overrides):
    """The smoke variant of a recipe on data that is always at hand."""
    config = gm_jax.load_config(f"configs/{recipe}.py:smoke")
    changes = {}
    if config.data.name == "text":
        changes["data.path"] = str(text_file())
    elif config.data.name == "wav":
        changes["data.path"] = str(wav_folder())
    elif config.data.name in ("two_domains", "half_labelled"):
        changes |= {"data.base": "npz", "data.path": str(digits_file())}
    elif not films(config) and config.data.name not in DRAWN:
        changes |= {"data.name": "npz", "data.path": str(digits_file())}
    for prefix in list(stages_of(config)):
        data = {name: value for name, value in changes.items() if name.startswith("data.")}
        changes |= {f"{prefix}{name}": value for name, value in data.items()}
    changes |= {"batch_size": COUNT, "evaluate.batch_size": COUNT}
    with config.unlocked():
        config.update_from_flattened_dict({**changes, **overrides})
    return config


def films(config) -> bool:
    """Whether the data are films of shapes."""
    return config.data.name == "shapes" and bool(config.data.frames)


def batch_of(config) -> dict:
    """A prepared batch, as an objective sees it."""
    index = jnp.arange(COUNT)
    rng = np.random.default_rng(0)
    if config.data.name == "text":
        length = config.data.context + config.data.length
        weight = np.float32(rng.uniform(0.0, 1.0, (COUNT, length)) * (np.arange(length) >= 2))
        text = jnp.int32(rng.integers(0, len(SYMBOLS), (COUNT, length)))
        position = jnp.arange(COUNT) * length
        return {"text": text, "weight": weight, "position": position, "index": index}
    label = jnp.int32(load_digits().target[:COUNT])
    if config.data.name == "wav":
        length = config.data.context + config.data.length
        audio = jnp.float32(rng.uniform(-1.0, 1.0, (COUNT, length)))
        weight = np.float32(rng.uniform(0.1, 1.0, (COUNT, length)))
        weight *= np.arange(length) >= config.data.context + rng.integers(0, 4, (COUNT, 1))
        return {"audio": audio, "weight": weight, "label": label % 2, "index": index}
    if config.data.name in ("ring", "grid"):
        point = jnp.float32(rng.normal(0.0, 2.0, (COUNT, 2)))
        return {"point": point, "label": label % 8, "index": index}
    if config.data.name == "scenes":
        sides = COUNT, config.data.size, config.data.size
        a, b = jnp.float32(rng.uniform(-1.0, 1.0, (2, *sides, 3)))
        of_pixels = {"segmentation": 5, "segmentation_instance": 4}
        maps = {name: jnp.int32(rng.integers(0, n, sides)) for name, n in of_pixels.items()}
        return {"image": a, "image_b": b, "index": index, **maps}
    if films(config):
        drawn = gm_jax.data.open_source(config.data).load(np.arange(COUNT))
        video = jnp.float32(rng.uniform(-1.0, 1.0, drawn["video"].shape))
        return {"video": video, "caption": jnp.asarray(drawn["caption"]), "index": index}
    if config.data.name == "moving_digits":
        drawn = gm_jax.data.open_source(config.data).load(np.arange(COUNT))
        return {"video": jnp.float32(drawn["video"]) / 127.5 - 1.0, "index": index}
    if config.data.name == "dancers":
        return _dancers(config.data, rng) | {"index": index}
    if config.data.name == "styled":
        sides = COUNT, config.data.size, config.data.size
        a, b = jnp.float32(rng.uniform(-1.0, 1.0, (2, *sides, 3)))
        return {"image": a, "image_b": b, "label_b": label % 6, "index": index}
    image = np.load(config.data.path)["image"][:COUNT]
    image = jnp.float32(all_resized(image, config.data.size)) / 127.5 - 1.0
    if config.data.binarize:
        image = jnp.where(image > 0.0, 1.0, -1.0)
    batch = {"image": image, "label": label, "index": index}
    if config.data.captions:
        batch["caption"] = gm_jax.data.open_source(config.data).load(np.arange(COUNT))["caption"]
    if config.data.name == "half_labelled":
        batch |= {"image_labelled": image[::-1], "label_labelled": label[::-1]}
    return batch | ({"image_b": -image} if config.data.name == "two_domains" else {})


def _dancers(data, rng) -> dict:
    """Films with poses and boxes, or pairs of pictures beside another's."""
    if data.frames:
        sides = COUNT, data.frames, data.size, data.size
        video, pose = jnp.float32(rng.uniform(-1.0, 1.0, (2, *sides, 3)))
        box = jnp.sort(jnp.float32(rng.uniform(-1.0, 1.0, (*sides[:2], 2, 2))), axis=2)
        return {"video": video, "video_pose": pose, "box": box.reshape(*sides[:2], 4)}
    names, sides = ("image", "image_b", *dancers.DRIVERS), (COUNT, data.size, data.size, 3)
    return {name: jnp.float32(rng.uniform(-1.0, 1.0, sides)) for name in names}


def away_from_start(init: Callable, batch: dict):
    """Variables of which no layer begins at zero and no statistic is fresh: both hide mistakes."""
    arguments = jax.random.key(0), batch, None
    shapes = jax.eval_shape(init, *arguments)
    # The state as it begins (a permutation, a codebook); compiling `init` whole would cost more.
    state = jax.jit(lambda *inputs: init(*inputs).state)(*arguments) if shapes.state else {}
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        noise = rng.normal(0.0, 1.0, leaf.shape).astype(leaf.dtype)
        if leaf.ndim >= 2:
            return noise / np.sqrt(np.prod(leaf.shape[:-1]))
        return 0.1 * noise + ("scale" in jax.tree_util.keystr(path))

    def move(path, leaf):
        name = jax.tree_util.keystr(path)
        if "vectors" in name or "sums" in name:
            return 0.3 * leaf  # Codes among which the encoder chooses several.
        if "batch_stats" not in name:
            return leaf
        noise = rng.normal(0.0, 0.3, leaf.shape).astype(leaf.dtype)
        return leaf * np.exp(noise) + noise * ("mean" in name)

    along = jax.tree_util.tree_map_with_path
    return shapes._replace(params=along(fill, shapes.params), state=along(move, state))


@functools.cache
def digits_file() -> Path:
    """Sixty-four digits, their labels and captions as npz data."""
    digits, path = load_digits(), FOLDER / "digits.npz"
    image, label = (digits.images[:64, ..., None] * 15).astype(np.uint8), digits.target[:64]
    label = label.astype(np.int32)
    caption = np.array([f"a {NAMES[digit]}" for digit in label])
    arrays = {"image": image, "label": label, "caption": caption}
    part = path.with_suffix(f".{os.getpid()}.npz")  # Several processes may write it at once.
    np.savez(part, **arrays, **{f"test_{name}": array for name, array in arrays.items()})
    return part.replace(path)
