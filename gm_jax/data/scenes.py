"""Scenes: discs, squares and triangles on a ground, seen as label map, outline or photograph.

Endless, and by position: scene number i is a pure function of (split, i), at any size. So a picture
in one rendering has a true partner in every other, which makes translation measurable. Colours are
in [0, 1], lengths in widths of the image, x to the right and y down.

    segmentation            the class of each pixel, of CLASSES
    segmentation_instance   the object that it shows, from 1 on; 0 for none
    map                     the classes in MAP_COLOURS
    outline                 the borders of the classes
    plain                   the classes in the colours of the photograph, without texture or light
    photo                   texture, light from the left or the right, shadows, an exposure

Light and exposure are drawn for each scene and unseen in map and outline: what the photograph of a
map is has no single answer.
"""

from typing import NamedTuple

import numpy as np

from gm_jax.data.mixtures import uniform
from gm_jax.data.source import SPLITS, Source
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

CLASSES = ("sky", "ground", "disc", "square", "triangle")
DISC = CLASSES.index("disc")
SIZE = 64  # if data.size is not set
OBJECTS, STREAMS = 3, 32  # at most in a scene; random numbers of a scene at most
UNPAIRED = 2**62  # what an index of the second domain is moved by: no training reaches it
SMALLEST = 16  # pixels of a disc whose contrast is measured

MAP_COLOURS = np.array(
    [(0.78, 0.80, 0.86), (0.30, 0.30, 0.34), (0.10, 0.65, 0.60), (0.75, 0.20, 0.70),
     (0.95, 0.55, 0.10)], np.float32,
)  # fmt: skip
SKY, FADE = np.float32([(0.55, 0.72, 0.95), (0.35, 0.22, 0.06)])
GROUND = np.float32((0.36, 0.55, 0.26))
COLOURS = np.float32([(0.85, 0.25, 0.20), (0.92, 0.75, 0.22), (0.25, 0.33, 0.80)])
SHADING, SHADOW = 0.45, 0.55


class Scenes(NamedTuple):
    """What is drawn for each of n scenes.

    horizon, exposure  [n]
    light              [n], 1 from the left or -1 from the right
    kind               [n, 3]: 0 disc, 1 square, 2 triangle, -1 for no object; later ones in front
    x, y, radius, turn [n, 3]
    """

    horizon: np.ndarray
    light: np.ndarray
    exposure: np.ndarray
    kind: np.ndarray
    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    turn: np.ndarray


def scenes(config, split: str) -> Source:
    """`image` and `image_b` in the renderings `data.domains`, and the segmentation of the first.

    With `data.unpaired`, `image_b` is of another scene in training; in the test split it is always
    of the same one, so that translations can be scored.
    """
    one_of("split of scenes", split, SPLITS)
    domains = domains_of(config)
    for name in domains:
        if name not in RENDERINGS:
            raise UserError(
                f"data.domains holds {name!r}, but scenes are shown as {', '.join(RENDERINGS)}"
            )
    size, offset = config.size or SIZE, STREAMS * (split == "test")
    apart = config.unpaired and split == "train"

    def load(indices):
        indices = np.asarray(indices)
        view = second = viewed(drawn(indices, offset), size)
        if apart:
            others = indices.astype(np.uint64) + np.uint64(UNPAIRED)
            second = viewed(drawn(others, offset), size)
        return {
            "image": to_levels(RENDERINGS[domains[0]](view)),
            "image_b": to_levels(RENDERINGS[domains[1]](second)),
            "segmentation": view.label,
            "segmentation_instance": view.instance,
        }

    image = Field((size, size, 3), 256)
    spec = {
        "image": image,
        "image_b": image._replace(domain="b" if apart else ""),
        "segmentation": Field((size, size), len(CLASSES)),
        "segmentation_instance": Field((size, size), OBJECTS + 1),
    }
    return Source("scenes", None, load, spec)


def domains_of(config) -> tuple[str, str]:
    """The renderings of `image` and `image_b`."""
    return config.domains or ("map", "photo")


def drawn(indices: np.ndarray, offset: int = 0) -> Scenes:
    """The scenes of these numbers; `offset` keeps splits apart."""
    streams = iter(range(offset, offset + STREAMS))

    def between(low, high, shape=()):
        columns = [uniform(indices, next(streams)) for _ in range(int(np.prod(shape)))]
        values = np.stack(columns, -1).reshape(len(indices), *shape)
        return np.float32(low + (high - low) * values)

    horizon = between(0.35, 0.65)
    light = np.where(between(0, 1) < 0.5, np.float32(1), np.float32(-1))
    exposure = between(0.85, 1.1)
    count = 1 + np.searchsorted([0.3, 0.7], between(0, 1), side="right")
    kind = np.searchsorted([0.5, 0.8], between(0, 1, (OBJECTS,)), side="right")
    kind = np.where(np.arange(OBJECTS) < count[:, None], kind, -1)
    x, y = between(0.15, 0.85, (OBJECTS,)), between(0.25, 0.85, (OBJECTS,))
    radius, turn = between(0.1, 0.2, (OBJECTS,)), between(-0.4, 0.4, (OBJECTS,))
    return Scenes(horizon, light, exposure, kind, x, y, radius, turn)


class View(NamedTuple):
    """Scenes on a grid of pixels: what all renderings of them are made of.

    x, y             [S], the pixels' centres
    across, distance [n, 3, S, S]: to the right in the object's own frame; signed, to its border
    label, instance  [n, S, S] int32
    """

    scenes: Scenes
    size: int
    x: np.ndarray
    y: np.ndarray
    across: np.ndarray
    distance: np.ndarray
    label: np.ndarray
    instance: np.ndarray


def viewed(scenes: Scenes, size: int) -> View:
    """Scenes at `size` pixels a side."""
    x = y = (np.arange(size, dtype=np.float32) + 0.5) / size
    dx = x - scenes.x[..., None, None]
    dy = y[:, None] - scenes.y[..., None, None]
    cos, sin = (f(scenes.turn)[..., None, None] for f in (np.cos, np.sin))
    across, down = cos * dx + sin * dy, cos * dy - sin * dx
    radius, kind = (v[..., None, None] for v in (scenes.radius, scenes.kind))
    slope = np.sqrt(np.float32(0.75)) * np.abs(across) - 0.5 * down
    forms = (
        np.hypot(dx, dy) - radius,
        np.maximum(np.abs(across), np.abs(down)) - 0.85 * radius,
        np.maximum(down, slope) - 0.55 * radius,  # Equilateral, point up.
    )
    distance = np.where(kind < 0, np.float32(1), np.choose(np.maximum(kind, 0), forms))
    ground = y[:, None] >= scenes.horizon[:, None, None]
    label = np.broadcast_to(ground, (len(ground), size, size)).astype(np.int32)
    instance = np.zeros_like(label)
    for number in range(OBJECTS):
        inside, own = distance[:, number] <= 0, DISC + scenes.kind[:, number, None, None]
        label = np.where(inside, own, label).astype(np.int32)
        instance[inside] = number + 1
    return View(scenes, size, x, y, across, distance, label, instance)


def cover(distance: np.ndarray, size: int) -> np.ndarray:
    """How much of a pixel lies within a border at this signed distance, in [0, 1]."""
    return np.clip(0.5 - distance * size, 0.0, 1.0)[..., None]


def render_map(view: View) -> np.ndarray:
    """The classes in MAP_COLOURS, [n, S, S, 3] in [0, 1]."""
    return MAP_COLOURS[view.label]


def render_outline(view: View) -> np.ndarray:
    """Black where the class of the pixel to the right or below differs, on white."""
    border = np.zeros(view.label.shape, bool)
    border[:, :, :-1] |= view.label[:, :, 1:] != view.label[:, :, :-1]
    border[:, :-1] |= view.label[:, 1:] != view.label[:, :-1]
    return np.repeat(np.where(border, 0.0, 1.0)[..., None], 3, axis=-1).astype(np.float32)


def render_plain(view: View) -> np.ndarray:
    """The classes in the photograph's colours, flat, [n, S, S, 3] in [0, 1]."""
    return np.stack([SKY, GROUND, *COLOURS])[view.label]


def render_photo(view: View) -> np.ndarray:
    """The photograph, [n, S, S, 3] in [0, 1]."""
    s, size = view.scenes, view.size
    horizon, light = s.horizon[:, None, None], s.light[:, None, None]
    image = SKY + (view.y[:, None] / horizon - 0.5)[..., None] * FADE
    waves = 1 + 0.18 * np.sin(2 * np.pi * (14 * view.x + 5 * view.y[:, None]))
    lit = np.broadcast_to(waves, view.label.shape)
    for number in range(OBJECTS):
        lit = np.where(_shadow(view, number), SHADOW * lit, lit)
    ground = cover(horizon - view.y[:, None], size)
    image = image + ground * (GROUND * lit[..., None] - image)
    for number in range(OBJECTS):
        kind, radius = (v[:, number, None, None] for v in (s.kind, s.radius))
        along = (view.x - s.x[:, number, None, None]) / radius
        bands = np.floor(3 * view.across[:, number] / radius) % 2
        striped = np.where(bands == 1, np.float32(0.75), np.float32(1.0))
        textures = (np.float32(1.0), striped, 1 + 0.25 * np.sin(6 * np.pi * along))
        texture = np.choose(np.maximum(kind, 0), textures)
        shade = texture * (1 - light * SHADING * along)
        colour = COLOURS[np.maximum(s.kind[:, number], 0)][:, None, None]
        image = image + cover(view.distance[:, number], size) * (colour * shade[..., None] - image)
    return np.clip(image * s.exposure[:, None, None, None], 0.0, 1.0)


def _shadow(view: View, number: int) -> np.ndarray:
    """Where the ground lies in the shadow of an object: an ellipse at its foot, off the light."""
    s = view.scenes
    kind, x, y, radius, light = (
        v[..., None, None]
        for v in (s.kind[:, number], s.x[:, number], s.y[:, number], s.radius[:, number], s.light)
    )
    across = (view.x - x - 0.6 * light * radius) / (1.1 * radius)
    down = (view.y[:, None] - y - 0.85 * radius) / (0.35 * radius)
    return (across**2 + down**2 < 1) & (kind >= 0)


RENDERINGS = {
    "map": render_map,
    "outline": render_outline,
    "plain": render_plain,
    "photo": render_photo,
}


def to_levels(image: np.ndarray) -> np.ndarray:
    """Colours in [0, 1] as uint8."""
    return np.round(255 * image).astype(np.uint8)


def classes_of_map(image: np.ndarray) -> np.ndarray:
    """The class of each pixel of maps uint8 [n, S, S, 3]: that of the nearest of MAP_COLOURS."""
    colours = np.round(255 * MAP_COLOURS)
    distance = [((image.astype(np.float32) - colour) ** 2).sum(-1) for colour in colours]
    return np.argmin(distance, axis=0).astype(np.int32)


def contrast(image: np.ndarray, segmentation: np.ndarray, instance: np.ndarray) -> float:
    """|left - right| of the discs: how decided photographs uint8 [n, S, S, 3] are about the light.

    The mean over discs of the difference between the mean levels, of 255, on either side of the
    disc's middle column. An average over both lights has 0.
    """
    grey, column = image.mean(-1), np.arange(image.shape[2])
    found = []
    for number in range(1, OBJECTS + 1):
        disc = (instance == number) & (segmentation == DISC)
        for picture, mask in zip(grey, disc, strict=True):
            if mask.sum() < SMALLEST:
                continue
            middle = np.nonzero(mask)[1].mean()
            left, right = mask & (column < middle), mask & (column > middle)
            found.append(abs(picture[left].mean() - picture[right].mean()))
    return float(np.mean(found))
