"""The shapes world: what it draws, says and holds out; and its judge, which reads all of it."""

import jax
import numpy as np
import pytest

import gm_jax
from gm_jax import data
from gm_jax.data import shapes
from gm_jax.data.shapes_drawing import BACKGROUND, COLOURS, coverage, draw
from gm_jax.evaluation.shapes import agreement, constant, judge, objects
from gm_jax.judging import alignment
from gm_jax.recipes import recipe
from gm_jax.trained import Trained

HELD = ("red cross", "blue circle")


def opened(split="train", **settings):
    return data.open_source(dict(name="shapes", captions="words", **settings), split)


def noisy(pictures, deviation):
    """Pictures with Gaussian noise, whose deviation is a share of white."""
    noise = np.random.default_rng(0).normal(0.0, 255 * deviation, pictures.shape)
    return np.clip(np.round(pictures + noise), 0, 255).astype(np.uint8)


def test_an_example_is_a_function_of_split_and_index_alone():
    source = opened()
    indices = np.array([7, 2**60 + 3, 0])
    batch, again = source.load(indices), source.load(indices[::-1])
    assert batch["image"].shape == (3, 32, 32, 3) and batch["image"].dtype == np.uint8
    for name in ("image", "attributes", "caption"):
        np.testing.assert_array_equal(batch[name], again[name][::-1])
    assert (opened("test").load(indices)["image"] != batch["image"]).any((1, 2, 3)).all()
    assert len(np.unique(batch["image"][1].reshape(-1, 3), axis=0)) > 5  # Edges are smooth.
    assert source.size is None and opened(size=16).load(indices)["image"].shape[1] == 16


def test_captions_are_the_attributes_in_words_in_one_vocabulary_for_pictures_and_films():
    source, films = opened(), opened(frames=9)
    assert source.spec["caption"] == films.spec["caption"] and source.spec["caption"].shape == (10,)
    indices = np.arange(4000)
    for own in (source, films):
        texts = own.captions(indices)
        symbols = np.array(own.spec["caption"].symbols)
        rows = own.load(indices[:50])["caption"]
        assert [" ".join(filter(None, symbols[row])) for row in rows] == texts[:50]
        assert (rows != 1).all()  # No word is unknown.
    assert source.captions([2])[0] == "a large purple square below a small green circle"
    attributes = shapes.scenes(indices, "train", np.zeros(24, bool), 0).attributes
    pair = attributes[:, shapes.RELATION] > 0
    assert 0.47 < pair.mean() < 0.53
    assert len(set(shapes.describe(attributes[~pair]))) == 48
    colours = attributes[pair][:, [1, 5]]
    assert (colours[:, 0] != colours[:, 1]).all()
    assert (attributes[~pair][:, 3:] == 0).all() and (attributes[:, shapes.MOTION] == 0).all()
    # Below is above with the objects exchanged: one picture.
    same = shapes.meanings(np.array([[1, 2, 3, 2, 2, 1, 4, 0], [2, 1, 4, 1, 1, 2, 3, 0]]))
    np.testing.assert_array_equal(*same)
    assert len(np.unique(shapes.meanings(attributes[~pair]), axis=0)) == 48


def test_what_is_held_out_is_in_the_split_unseen_and_in_every_picture_of_it():
    def shown(split, held_out=gm_jax.settings.Data().held_out):
        """Colours with shapes of both objects, [n, 2]; 0 for none."""
        held = np.isin(shapes.OBJECTS, held_out)
        rows = shapes.scenes(np.arange(4000), split, held, 0).attributes
        colour, shape = rows[:, [1, 5]], rows[:, [2, 6]]
        return np.where(colour > 0, 4 * colour + shape, 0)

    def number(name):
        colour, shape = name.split()
        return 4 * (list(COLOURS).index(colour) + 1) + list(shapes.SHAPES).index(shape) + 1

    held = [number(name) for name in HELD]
    for split in ("train", "test"):
        found = shown(split, held_out=HELD)
        assert not np.isin(found, held).any() and len(np.unique(found)) == 24 - 2 + 1
    found = shown("unseen", held_out=HELD)
    assert np.isin(found, held).any(1).all()
    pairs = np.isin(found[found[:, 1] > 0], held)
    assert (pairs.mean(0) > 0.4).all() and (pairs.mean(0) < 0.7).all()  # First or other alike.
    assert len(np.unique(found)) == 25  # Beside them everything.
    default = [number(name) for name in gm_jax.settings.Data().held_out]
    assert len(default) == 2 and not np.isin(shown("train"), default).any()


@pytest.mark.parametrize(
    "split, settings, message",
    [
        ("validation", {}, "unknown split of shapes 'validation'.*train, test, unseen"),
        ("train", {"flip": True}, "data.flip would make captions of shapes wrong"),
        ("train", {"held_out": ("pink cross",)}, "unknown colour and shape in data.held_out"),
        ("train", {"held_out": shapes.OBJECTS[:-4]}, "leaves fewer than two colours"),
        ("unseen", {"held_out": ()}, "there is no split `unseen`"),
        ("train", {"frames": 1}, "data: frames is 1: a film has at least 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(split, settings, message):
    with pytest.raises(gm_jax.UserError, match=message):
        opened(split, **settings).load(np.arange(2))


def test_frames_are_of_shapes_alone():
    with pytest.raises(gm_jax.UserError, match="data.frames is 9, but digits has no such"):
        data.open_source(dict(name="digits", frames=9))


def all_of_them(deviation, count):
    return pytest.param(deviation, count, marks=pytest.mark.slow)


def likelier(picture, true):
    """Whether what the judge finds, drawn without noise, is nearer to a picture than the truth."""
    side, seen = len(picture), np.float64(BACKGROUND)
    for one in objects(picture[None])[0]:
        drawn = np.array([one.shape]), side * one.centre[None], np.array([side * one.radius])
        share = coverage(*drawn, side)[0][..., None]
        seen = seen + share * (np.float64(list(COLOURS.values())[one.colour - 1]) - seen)
    return np.sum((picture - seen) ** 2) < np.sum((picture - true.astype(float)) ** 2)


@pytest.mark.parametrize(
    "deviation, count",
    [
        *[(0.0, 100), (0.05, 40), (0.1, 40), (0.2, 40)],
        *[all_of_them(0.0, 2000), *(all_of_them(noise, 400) for noise in (0.05, 0.1, 0.2))],
    ],
)
def test_the_judge_reads_every_picture(deviation, count):
    """But those in which noise makes another picture likelier than the true one."""
    for split in ("train", "unseen"):
        batch = opened(split).load(np.arange(count))
        pictures, wanted = noisy(batch["image"], deviation), batch["attributes"]
        found = judge(pictures)
        wrong = np.flatnonzero(~agreement(found, wanted)["all"])
        excused = [n for n in wrong if likelier(pictures[n], batch["image"][n])]
        right = agreement(*(np.delete(rows, excused, axis=0) for rows in (found, wanted)))
        assert {name: hits.mean() for name, hits in right.items()} == dict.fromkeys(right, 1.0)
        assert len(excused) <= 0.01 * count


def test_two_large_objects_never_touch_and_are_two_as_near_as_they_come():
    scene = shapes.scenes(np.arange(4000), "train", np.zeros(24, bool), 0)
    pair = scene.attributes[:, shapes.RELATION] > 0
    apart = abs(scene.centre[pair, 0] - scene.centre[pair, 1]).max(1)
    assert (apart - scene.radius[pair].sum(1)).min() > 0.04  # Of the side.
    # Two of the largest as near as they come; noise bridges the gap, which is cut again.
    first, other = (x.ravel() for x in np.meshgrid(range(1, 5), range(1, 5)))
    shape, colour = np.stack([first, other], -1), np.tile([1, 3], (16, 1))
    for axis, relation in ((0, "left of"), (1, "above")):
        centre = np.full((16, 2, 2), 16.3)
        centre[:, :, axis] += [-7.2, 7.2]
        pictures = draw(shape, colour, centre, np.full((16, 2), 6.5), 32)
        number = list(shapes.RELATIONS).index(relation) + 1
        rows = np.array([[2, 1, a, number, 2, 3, b, 0] for a, b in shape])
        for deviation in (0.0, 0.1):
            np.testing.assert_array_equal(judge(noisy(pictures, deviation)), rows)


def test_the_judge_says_what_is_wrong_and_nothing_of_other_pictures():
    batch = opened().load(np.arange(40))
    wanted, found = batch["attributes"], judge(batch["image"])
    for column, name in ((0, "size"), (5, "colour"), (2, "shape"), (shapes.RELATION, "relation")):
        changed = found.copy()
        rows = np.flatnonzero(found[:, shapes.RELATION] > 0)
        changed[rows, column] = found[rows, column] % (2 if name == "size" else 4) + 1
        right = agreement(changed, wanted)
        missed = {key for key, hits in right.items() if not hits.all()}
        assert missed == {"all", name, "two objects"}
        assert not right["all"][rows].any() and right["one object"].all()
    empty = np.full((1, 32, 32, 3), 25, np.uint8)
    one = np.array([[1, 0]])
    third = draw(one, one, np.array([[[16.0, 5.0]] * 2]), np.array([[4.0, 4.0]]), 32)
    three = np.maximum(batch["image"][3:4], third)  # Beside two, left and right of one another.
    assert (judge(np.concatenate([empty, three])) == 0).all()
    full = np.full((1, 32, 32, 3), 255, np.uint8)
    assert (judge(full)[:, [2, 6]] == 0).all()  # Larger than any shape.


def test_films_are_read_by_their_first_and_last_frame():
    batch = opened(frames=9).load(np.arange(50))
    films, wanted = batch["video"], batch["attributes"]
    assert films.shape == (50, 9, 32, 32, 3) and set(wanted[:, shapes.MOTION]) == set(range(1, 8))
    right = agreement(judge(films), wanted)
    assert set(right) == {"all", "size", "colour", "shape", "motion"}
    assert all(hits.all() for hits in right.values()) and constant(films).all()
    backwards = agreement(judge(films[:, ::-1]), wanted)["motion"]
    still = wanted[:, shapes.MOTION] == 7
    np.testing.assert_array_equal(backwards, still)
    films[0, 4] = films[1, 4]  # Another object in one frame.
    films[2, 4] = 25
    np.testing.assert_array_equal(np.flatnonzero(~constant(films)), [0, 2])


def settings(**changes):
    own = dict(
        system="first_stage", steps=1, batch_size=8,
        data=dict(name="shapes", captions="words"),
        network=dict(widths=(4, 4), groups=2), evaluate=dict(batch_size=8, split="unseen"),
        show=dict(counts=dict(sample=0)),
    )  # fmt: skip
    return recipe("", own | changes)


def drawing(made):
    """A trained model whose functions return what they are said to, batch by batch."""
    config = settings()
    (phase,) = gm_jax.build(config)

    def function(outputs):
        def run(variables, batches, key):
            for batch in batches:
                yield {k: v[batch["index"][batch["mask"]]] for k, v in outputs.items()}

        return run

    functions = {name: function(outputs) for name, outputs in made.items()}
    return Trained(config, phase, functions, None, jax.devices()[:1])


def test_samples_are_compared_with_the_captions_they_were_drawn_for():
    image = opened("unseen").load(np.arange(40))["image"]
    wrong = image.copy()
    wrong[:10] = image[20:30]
    pairs = np.stack([wrong, image], axis=1)
    trained = drawing({"sample": {"image": wrong}, "reconstruct": {"image": pairs}})
    found = alignment.attributes(trained, {"sample": 40, "reconstruct": 40})
    row = found["sample_right"]
    assert row["value"] == 0.75 and row["split"] == "unseen" and row["examples"] == 40
    low, high = row["interval95"]
    assert 0.59 < low < 0.6 and 0.85 < high < 0.86  # Wilson's, of 30 in 40.
    assert row["shuffled"] < 0.1
    assert found["reconstruct_right"]["value"] == 1.0  # Of the pair the second.
    assert 0.75 <= found["sample_right_shape"]["value"] < 1.0
    text = gm_jax.scoring.report(found)
    assert "sample_right" in text and "captions shuffled" in text


def test_attributes_are_those_of_shapes():
    trained = drawing({"sample": {"image": np.zeros((4, 8, 8, 1), np.uint8)}})
    digits = trained._replace(phase=trained.phase._replace(data=dict(name="digits")))
    digits.config.evaluate.split = "test"
    assert alignment.attributes(digits, {"sample": 0}) == {}  # A recipe for other data says so.
    with pytest.raises(gm_jax.UserError, match="needs the data set shapes, not digits"):
        alignment.attributes(digits, {"sample": 4})
    with pytest.raises(gm_jax.UserError, match="evaluate.attributes.smaple: the model has no"):
        gm_jax.build(settings(evaluate=dict(attributes=dict(smaple=4))))
