"""Mistakes in the shapes world and its judge."""

from mutants import Mutant

DATA, DRAWING, JUDGE = "data/shapes.py", "data/shapes_drawing.py", "evaluation/shapes.py"
READS = "test_shapes.py::test_the_judge_reads_every_picture"
EXAMPLE = "test_shapes.py::test_an_example_is_a_function_of_split_and_index_alone"
HELD = "test_shapes.py::test_what_is_held_out_is_in_the_split_unseen_and_in_every_picture_of_it"
TOUCH = "test_shapes.py::test_two_large_objects_never_touch_and_are_two_as_near_as_they_come"
WORDS = "test_shapes.py::test_captions_are_the_attributes_in_words_in_one_vocabulary"
WORDS += "_for_pictures_and_films"
FILMS = "test_shapes.py::test_films_are_read_by_their_first_and_last_frame"
SAMPLES = "test_shapes.py::test_samples_are_compared_with_the_captions_they_were_drawn_for"
WRONG = "test_shapes.py::test_the_judge_says_what_is_wrong_and_nothing_of_other_pictures"
WORLD = {
    "shapes: what is held out is trained on": Mutant(
        DATA, 'held if split == "unseen" else ~held', 'held if split == "unseen" else held | True',
        HELD,
    ),
    "shapes: what is held out is trained on as the other object": Mutant(
        DATA, '~held | (split == "unseen")', "~held | True", HELD
    ),
    "shapes: unseen pairs only in front": Mutant(
        DATA, "swap = drawn(0, 1) < 0.5", "swap = drawn(0, 1) < 0.0", HELD
    ),
    "shapes: test scenes are training scenes": Mutant(
        DATA, "range(64 * SPLITS.index(split), 64 * SPLITS.index(split) + 64)", "range(64)",
        EXAMPLE,
    ),
    "shapes: two objects of one colour": Mutant(
        DATA, "allowed = (objects // len(SHAPES) != first[:, None] // len(SHAPES)) & (",
        "allowed = (objects != first[:, None]) & (", WORDS,
    ),
    "shapes: above is below": Mutant(DATA, '"above": (0, -1)', '"above": (0, 1)', READS),
    "shapes: large objects touch": Mutant(
        DATA, "drawn(0.225, 0.285, 2)", "drawn(0.185, 0.245, 2)", TOUCH
    ),
    "shapes: exchanged objects keep their relation": Mutant(
        DATA, "opposite = np.array([0, 2, 1, 4, 3])", "opposite = np.arange(5)", WORDS
    ),
    "shapes: growing begins large": Mutant(
        DATA, 'words == "growing", 1, np.where(words == "shrinking", 2, size)',
        'words == "growing", 2, np.where(words == "shrinking", 1, size)', FILMS,
    ),
    "shapes: the radius of the middle of the film": Mutant(
        DATA, "scene.growth[:, None] ** time", "scene.growth[:, None] ** (time - 0.5)", FILMS
    ),
    "shapes: no supersampling": Mutant(DRAWING, "SAMPLES = 4", "SAMPLES = 1", EXAMPLE),
    "judge: parts that touch are one": Mutant(
        JUDGE, "if extent > _most(side):", "if False:", TOUCH
    ),
    "judge: a full picture is a square": Mutant(
        JUDGE, "bank.shapes[best] * np.array([part.fits for part in parts])", "bank.shapes[best]",
        WRONG,
    ),
    "judge: noise is an object": Mutant(JUDGE, "(1.1 * SMALLEST * side) ** 2", "1", READS),
    "judge: no smoothing": Mutant(JUDGE, "(3, 3, 1)", "(1, 1, 1)", READS),
    "judge: whole pixels": Mutant(JUDGE, "1.0 + REACH, 0.25", "1.0 + REACH, 1.0", READS),
    "judge: three objects are two": Mutant(
        JUDGE, "if len(found) == 2:", "if len(found) >= 2:\n        found = found[:2]", WRONG
    ),
    "judge: objects only in their order": Mutant(
        JUDGE, "np.where((parts[0] >= parts[1])[:, None], *either)", "either[0]", READS
    ),
    "judge: a relation in every row": Mutant(
        JUDGE, '"relation": same[pair, RELATION]', '"relation": same[:, RELATION] | True', WRONG
    ),
    "judge: the first frame alone is constant": Mutant(
        JUDGE, "len(set.union(*film)) == 1", "True",
        FILMS,
    ),
    "attributes: the real one of a pair": Mutant(
        "judging/alignment.py", "made[:, -1]", "made[:, 0]", SAMPLES
    ),
    "attributes: the floor is not shuffled": Mutant(
        "judging/alignment.py", "np.roll(wanted, 1, axis=0)", "wanted", SAMPLES
    ),
    "attributes: captions of training": Mutant(
        "judging/alignment.py",
        "data.open_source(trained.phase.data, split)\n    counts",
        "data.open_source(trained.phase.data)\n    counts", SAMPLES,
    ),
}  # fmt: skip
