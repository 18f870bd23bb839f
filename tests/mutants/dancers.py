"""Mistakes in the world of dancers, and in plain scenes."""

from mutants import Mutant

DANCERS, TESTS = "data/dancers.py", "test_dancers.py::test_"
LIMBS = TESTS + "limbs_keep_their_lengths_and_swing_as_their_angles_say"

DANCING = {
    "dancers: a hand's angle without the arm's": Mutant(
        DANCERS, "away(shoulder + elbow, ARM)", "away(elbow, ARM)", LIMBS
    ),
    "dancers: left and right exchanged": Mutant(
        DANCERS, "limbs[number::2]", "limbs[1 - number :: 2]", LIMBS
    ),
    "dancers: a walk the other way": Mutant(
        DANCERS, "STRIDE * person.walk * along", "-STRIDE * person.walk * along",
        TESTS + "who_walks_left_goes_left_and_who_dances_stays",
    ),
    "dancers: one split": Mutant(
        DANCERS, "STREAMS * SPLITS.index(split)", "0",
        TESTS + "a_dancer_is_a_function_of_its_split_and_index_alone",
    ),
    "scenes: plain sky and ground exchanged": Mutant(
        "data/scenes.py", "np.stack([SKY, GROUND, *COLOURS])", "np.stack([GROUND, SKY, *COLOURS])",
        "test_scenes.py::test_a_plain_scene_has_the_photographs_colours_flat",
    ),
}  # fmt: skip
