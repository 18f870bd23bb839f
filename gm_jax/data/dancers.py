"""Dancers: people made of limbs, who swing them and walk; their joints are known. Endless.

    image, image_b        [S, S, 3]: two moments of one person's film
    image_pose, image_b_pose
                          [S, S, 3]: its bones, coloured, on black
    keypoint, keypoint_b  [11, 2]: JOINTS (x, y) from -1 to 1
    box, box_b            [1, 4]: of the face
    image_driver, image_b_driver
                          [S, S, 3]: another person, who does the same at the same two moments
    caption               "a person in red walks left" (`data.captions`)

or with `data.frames` video [T, S, S, 3], video_pose, keypoint [T, 11, 2] and box [T, 4]. Limbs
swing in a period of 32 moments; a walk leads there in as many, and back again. Example i is a pure
function of (split, i), at any size. Lengths are in widths of the image, x to the right and y down.

With `data.person` all examples show that one person, and films begin at any moment; how they move
is still the example's own. So the same example of two persons is one dance by two dancers.
"""

from typing import NamedTuple

import numpy as np

from gm_jax.data import dancers_drawing
from gm_jax.data.dancers_drawing import Figures
from gm_jax.data.mixtures import uniform
from gm_jax.data.source import SPLITS, Source
from gm_jax.errors import UserError, one_of
from gm_jax.model import Field

SIZE = 64  # pixels, unless data.size says otherwise
PERIOD = 32  # moments until limbs are as they were
STREAMS = 64  # random numbers of an example at most
OTHERS = STREAMS * len(SPLITS)  # where those of the people who do the same begin
DRIVERS = "image_driver", "image_b_driver"
JOINTS = (
    "head", "neck", "hip", "left elbow", "right elbow", "left hand", "right hand", "left knee",
    "right knee", "left foot", "right foot",
)  # fmt: skip
COLOURS = {
    "red": (0.82, 0.20, 0.18), "green": (0.22, 0.62, 0.28), "blue": (0.22, 0.36, 0.82),
    "yellow": (0.90, 0.78, 0.22), "purple": (0.56, 0.26, 0.68), "white": (0.92, 0.92, 0.90),
}  # fmt: skip
WALKS = {"walks left": -1, "dances": 0, "walks right": 1}
# Of lean, shoulders, elbows, hips and knees, left and right: the angle at rest, and the swing's
# largest half width. Of a whole's height: torso, arm and leg, of two parts each, neck to head.
REST = np.array([0.0, -0.7, 0.7, -0.6, 0.6, -0.25, 0.25, 0.0, 0.0])
SWING = np.array([0.15, 0.9, 0.9, 0.7, 0.7, 0.45, 0.45, 0.5, 0.5])
TORSO, ARM, LEG, NECK, HEAD = 0.34, 0.17, 0.23, 0.12, 0.075
STRIDE = 0.18  # how far a walk leads from the middle, either way


class Person(NamedTuple):
    """Who is drawn, and how they move; [n, ...] each.

    height, radius, walk  of the whole, of a limb; -1, 0 or 1: where they walk
    colour                number of the clothes' colour
    hue, skin             [n, 2, 3] trousers and sleeves, [n, 3]
    ground                [n, 2, 3] background above and below
    wide, often, phase    [n, 9] half width of each angle's swing, swings in a period, its start
    """

    height: np.ndarray
    radius: np.ndarray
    walk: np.ndarray
    colour: np.ndarray
    hue: np.ndarray
    skin: np.ndarray
    ground: np.ndarray
    wide: np.ndarray
    often: np.ndarray
    phase: np.ndarray


def dancers(config, split: str) -> Source:
    """Two moments of a person, or a film. Raises UserError for impossible settings."""
    one_of("split of dancers", split, SPLITS)
    if config.flip:
        raise UserError("data.flip would exchange left and right: joints and captions name them")
    side, frames, first = config.size or SIZE, config.frames, STREAMS * SPLITS.index(split)

    def load(indices):
        person, *moments = drawn(indices, first)
        begin = np.zeros_like(moments[0])
        if config.person is not None:
            person, begin = looking_like(person, config.person), moments[0]
        if frames:
            every = begin + np.arange(frames)[:, None]
            parts = [_moment(person, moment, side) for moment in every]
            film = {name: np.stack([p[name] for p in parts], 1) for name in parts[0]}
            film["box"] = film["box"][:, :, 0]
            return {name.replace("image", "video"): values for name, values in film.items()}
        image, second = (_moment(person, moment, side) for moment in moments)
        named = {"image": "image_b", "image_pose": "image_b_pose"}
        image |= {named.get(name, f"{name}_b"): values for name, values in second.items()}
        driver = double(person, drawn(indices, first + OTHERS)[0])
        for name, moment in zip(DRIVERS, moments, strict=True):
            image[name] = dancers_drawing.draw(_figures(driver, joints(driver, moment)), side)
        return image

    def captions(indices):
        person = drawn(indices, first)[0]
        return describe(person if config.person is None else looking_like(person, config.person))

    spec = {"image": Field((side, side, 3), 256), "image_pose": Field((side, side, 3), 256)}
    spec |= {"keypoint": Field((len(JOINTS), 2)), "box": Field((1, 4))}
    if frames:
        spec = {
            name.replace("image", "video"): field._replace(
                shape=(frames, *field.shape[name == "box" :])
            )
            for name, field in spec.items()
        }
    else:
        order = ("image", "image_b", "image_pose", "image_b_pose", "keypoint", "keypoint_b", "box")
        spec = {name: spec[name.replace("_b", "")] for name in (*order, "box_b")}
        spec |= dict.fromkeys(DRIVERS, spec["image"])
    wordings = tuple(f"a person in {colour} {walk}" for colour in COLOURS for walk in WALKS)
    return Source("dancers", None, load, spec, captions=captions, wordings=wordings)


def describe(person: Person) -> list[str]:
    """The caption of each."""
    colours, walks = list(COLOURS), {step: words for words, step in WALKS.items()}
    return [
        f"a person in {colours[colour]} {walks[walk]}"
        for colour, walk in zip(person.colour, person.walk, strict=True)
    ]


def drawn(indices: np.ndarray, first: int = 0) -> tuple[Person, np.ndarray, np.ndarray]:
    """The people of these numbers, and two moments of each, [n]; `first` keeps splits apart."""
    stream = iter(range(first, first + STREAMS))

    def between(low, high, *shape: int) -> np.ndarray:
        columns = [uniform(indices, next(stream)) for _ in range(int(np.prod(shape)))]
        return low + (high - low) * np.stack(columns, -1).reshape(-1, *shape)

    def one(low, high):
        return between(low, high, 1)[:, 0]

    height, radius = one(0.62, 0.78), one(0.028, 0.045)
    walk, colour = one(-1, 2), one(0, len(COLOURS)).astype(int)
    hue = between(0.15, 0.85, 2, 3)
    skin = np.array([0.98, 0.80, 0.66]) * one(0.45, 1.0)[:, None]
    ground = between(0.2, 0.8, 2, 3)
    wide = SWING * between(0.2, 1.0, 9)
    often, phase = 1 + between(0, 2, 9).astype(int), between(0, 2 * np.pi, 9)
    start, other = (one(0, PERIOD).astype(int) for _ in range(2))
    person = Person(
        height, radius, np.floor(walk).astype(int), colour, hue, skin, ground, wide, often, phase
    )
    return person, start, other


def double(person: Person, other: Person) -> Person:
    """The other person, moving as this one."""
    same = {name: getattr(person, name) for name in ("walk", "wide", "often", "phase")}
    return other._replace(**same)


def looking_like(people: Person, number: int) -> Person:
    """These people's movements by the body and in the position of person `number` of training."""
    return double(people, drawn(np.full(len(people.walk), number))[0])


def angles(person: Person, moment: np.ndarray) -> np.ndarray:
    """Lean, shoulders, elbows, hips and knees at a moment [n], left before right: [n, 9].

    From hanging straight down, a positive one to the right; elbows and knees from the part above.
    """
    turned = 2 * np.pi * person.often * moment[:, None] / PERIOD + person.phase
    return REST + person.wide * np.sin(turned)


def joints(person: Person, moment: np.ndarray) -> np.ndarray:
    """Where JOINTS are at a moment [n], (x, y) in widths of the image, [n, 11, 2]."""
    lean, *limbs = angles(person, moment).T
    h = person.height[:, None]

    def away(angle, length):
        return length * h * np.stack([np.sin(angle), np.cos(angle)], -1)

    along = 1 - 2 * np.abs(moment % (2 * PERIOD) - PERIOD) / PERIOD  # From -1 to 1 and back.
    hip = np.stack([0.5 + STRIDE * person.walk * along, 0.93 - 2 * LEG * person.height], -1)
    neck = hip - away(lean, TORSO)
    head = neck - away(lean, NECK)
    found = {"head": head, "neck": neck, "hip": hip}
    for number, side in enumerate(("left", "right")):
        shoulder, elbow, thigh, knee = limbs[number::2]
        found[f"{side} elbow"] = neck + away(shoulder, ARM)
        found[f"{side} hand"] = found[f"{side} elbow"] + away(shoulder + elbow, ARM)
        found[f"{side} knee"] = hip + away(thigh, LEG)
        found[f"{side} foot"] = found[f"{side} knee"] + away(thigh + knee, LEG)
    return np.stack([found[name] for name in JOINTS], axis=1)


def _figures(person: Person, at: np.ndarray) -> Figures:
    """How people look, their joints being there."""
    clothes = np.array(list(COLOURS.values()))[person.colour]
    return Figures(
        at, person.radius, HEAD * person.height, clothes, person.hue, person.skin, person.ground
    )


def _moment(person: Person, moment: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """All that is known of people at a moment [n]."""
    at = joints(person, moment)
    reach = 3 * HEAD * person.height[:, None] / 2
    face = np.concatenate([at[:, 0] - reach, at[:, 0] + reach], axis=-1)[:, None]
    return {
        "image": dancers_drawing.draw(_figures(person, at), side),
        "image_pose": dancers_drawing.draw_pose(at, side),
        "keypoint": np.float32(2 * at - 1),
        "box": np.float32(2 * face - 1),
    }
