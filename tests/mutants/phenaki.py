"""Mistakes in films as codes, and in stories. Traps are of public ports."""

from mutants import Mutant

WHOLE = "test_transformers_by_hand.py::test_"
NETWORK, SYSTEM = "nn/cvivit.py", "multimodal/phenaki.py"
TESTS, TWINS = "test_phenaki.py::test_", "twins/test_phenaki.py::test_"
CODES = TESTS + "codes_do_not_change_with_later_frames"
FRAMES = TESTS + "frames_do_not_change_with_later_codes"
AXES = TESTS + "attention_of_one_axis_mixes_no_other"
JUDGED = TESTS + "stories_are_judged_part_by_part"
STORY = TWINS + "a_story_goes_on_from_the_frames_it_keeps"

PHENAKIS = {
    "phenaki trap: times see later ones": Mutant(
        NETWORK, 'attended(x, self.temporal, True, "time")',
        'attended(x, self.temporal, False, "time")', f"{CODES} {FRAMES}",
    ),
    "phenaki: patches of a time see the first alone": Mutant(
        NETWORK, 'attended(x, self.spatial, False, "space")',
        'attended(x, self.spatial, True, "space")', AXES,
    ),
    "phenaki trap: times by a reshape of other axes": Mutant(
        NETWORK, "x.transpose(0, 2, 3, 1, 4).reshape(-1, times, features)",
        "x.reshape(-1, times, features)", AXES,
    ),
    "phenaki trap: back by a reshape of other axes": Mutant(
        NETWORK, "x.reshape(b, height, width, times, -1).transpose(0, 3, 1, 2, 4)",
        "x.reshape(b, times, height, width, -1)", AXES,
    ),
    "phenaki: films of a batch attend to one another": Mutant(
        NETWORK, "x = x.reshape(b * times, height * width, features)",
        "x = x.swapaxes(0, 1).reshape(b * times, height * width, features)", AXES,
    ),
    "phenaki: rows and columns of a block swapped": Mutant(
        NETWORK, "height // patch, width // patch, x.shape[-1])",
        "width // patch, height // patch, x.shape[-1])",
        TESTS + "a_block_is_of_its_frames_and_its_patch",
    ),
    "phenaki: blocks of every other frame": Mutant(
        NETWORK, "x = video.reshape(b, count // frames, frames, height, width, channels)",
        "x = video.reshape(b, frames, count // frames, height, width, channels).swapaxes(1, 2)",
        TESTS + "a_block_is_of_its_frames_and_its_patch",
    ),
    "phenaki: the first frame is repeated to a block": Mutant(
        NETWORK, '"first")(blocks_of(video[:, :1], 1, self.patch))',
        '"first")(blocks_of(video[:, :1].repeat(self.frames, 1), self.frames, self.patch))',
        TESTS + "the_first_frame_has_an_embedding_of_its_own",
    ),
    "phenaki: frames that do not fit are cut": Mutant(
        NETWORK, "if (count - 1) % frames:", "if count < 1:", TESTS + "what_does_not_fit_is_refused"
    ),
    "phenaki: positions of two axes are exchanged": Mutant(
        "nn/bert.py", "own = own[..., None, :] + table",
        "own = own[None] + table.reshape(-1, *([1] * (own.ndim - 1)), self.width)",
        TESTS + "positions_of_codes_are_sums_over_their_axes",
    ),
    "phenaki trap: what is kept of a film is all of it": Mutant(
        SYSTEM, "film[:, film.shape[1] - sampler.keep :]", "film[:, -0:]", STORY
    ),
    "phenaki: the first frames are kept": Mutant(
        SYSTEM, "film[:, film.shape[1] - sampler.keep :]", "film[:, : sampler.keep]", STORY
    ),
    "phenaki: kept codes are drawn anew": Mutant(
        SYSTEM, "jnp.arange(tokens.length) < kept", "jnp.arange(tokens.length) < 0", STORY
    ),
    "phenaki: kept frames are shown twice": Mutant(
        SYSTEM, "new[:, sampler.keep :]", "new", STORY
    ),
    "phenaki: the kept frames' codes at the end": Mutant(
        SYSTEM, "nothing.at[:, :kept].set", "nothing.at[:, -kept:].set", STORY
    ),
    "phenaki: one prompt for all parts": Mutant(
        SYSTEM, "new = chunk(variables, batch, own, caption, codes, known)",
        "new = chunk(variables, batch, own, captions[0], codes, known)", STORY,
    ),
    "phenaki: any number of frames is kept": Mutant(
        SYSTEM, "if keep >= frames or (keep - 1) % block:", "if keep >= frames:",
        TESTS + "stories_that_cannot_be_told_are_refused",
    ),
    "phenaki: a film of which all is kept": Mutant(
        SYSTEM, "if keep >= frames or (keep - 1) % block:", "if (keep - 1) % block:",
        TESTS + "stories_that_cannot_be_told_are_refused",
    ),
    "phenaki: the error of the first frame alone": Mutant(
        "autoencoders/shared/codes.py", "axis=tuple(range(1, x.ndim))", "axis=(1, 2, 3)",
        TWINS + "cvivits_functions",
    ),
    "phenaki: parts of a story that do not share a frame": Mutant(
        "judging/alignment.py", "start = number * (length - sampler.keep)",
        "start = number * length", JUDGED,
    ),
    "phenaki: a story is right if one part is": Mutant(
        "judging/alignment.py", '{"right": np.all(right, 0)', '{"right": np.any(right, 0)', JUDGED
    ),
    "phenaki: the film itself is judged, not its reconstruction": Mutant(
        "judging/alignment.py", '(outputs["video"], 5)', '(outputs["video"][:, :1], 5)',
        TESTS + "the_second_of_two_films_is_judged_and_both_are_shown",
    ),
    "phenaki: stages of images for films": Mutant(
        "gm_jax/code_tokens.py", "theirs, ours = first.model.spec[name], field_of(spec, name)",
        "theirs = ours = first.model.spec[name]",
        TESTS + "a_first_stage_of_images_is_none_of_films",
    ),
    "phenaki: no positions in space": Mutant(
        NETWORK,
        'x = x + positions("positions", height, width)',
        'x = x + 0.0 * positions("positions", height, width)',
        WHOLE + "transformers_between_films_and_codes",
    ),
    "phenaki: no positions in time": Mutant(
        NETWORK,
        'x = x + positions("times", self.times)',
        'x = x + 0.0 * positions("times", self.times)',
        WHOLE + "transformers_between_films_and_codes",
    ),
    "phenaki: a decoder that is not mirrored": Mutant(
        NETWORK,
        "for over in (time, space) if self.mirrored else (space, time):",
        "for over in (space, time):",
        WHOLE + "transformers_between_films_and_codes",
    ),
    "phenaki: as many layers in time as in space": Mutant(
        NETWORK,
        'attended(x, self.temporal, True, "time")',
        'attended(x, self.spatial, True, "time")',
        WHOLE + "transformers_between_films_and_codes",
    ),
    "phenaki: one table of positions": Mutant(
        SYSTEM,
        "spec, stages, axes=True)",
        "spec, stages)",
        TWINS + "phenakis_loss",
    ),
}  # fmt: skip
