"""Mistakes in Everybody Dance Now. Traps are of public ports."""

from mutants import Mutant

DANCE, FILM = "translation/everybody_dance_now.py", "shared/film.py"
MULTISCALE, DANCERS = "shared/multiscale.py", "data/dancers.py"
TESTS, TWINS = "test_dance.py::test_", "twins/test_dance.py::test_"
GENERATOR, CRITIC = TWINS + "the_generator", TWINS + "the_discriminator"
FACES, THROUGH = TWINS + "the_faces_player", TESTS + "the_gradient_reaches_the_generator_through"
SQUARES = TESTS + "squares_lie_around_boxes_and_inside_the_image"
ONE = "test_dancers.py::test_one_person_dances_the_dances_of_all"

DANCES = {
    "dance trap: a made frame beside the true next one": Mutant(
        DANCE,
        "return jnp.stack(made[1:])",
        'return jnp.stack([made[1], batch["video"][:, 1]])',
        CRITIC,
    ),
    "dance trap: one frame at once": Mutant(
        DANCE,
        "return jnp.concatenate([*poses, *frames], axis=-1)",
        "return jnp.concatenate([poses[0], poses[0], frames[0], frames[0]], axis=-1)",
        CRITIC,
    ),
    "dance trap: the first frame's box on both": Mutant(
        DANCE,
        "jnp.moveaxis(corner, 1, 0)",
        "jnp.moveaxis(corner[:, :1].repeat(shape[0], axis=1), 1, 0)",
        FACES,
    ),
    "dance trap: no gradient through the frame before": Mutant(
        DANCE,
        "made.append(frame(variables, pose, corner, made[-1], with_face))",
        "made.append(frame(variables, pose, corner, lax.stop_gradient(made[-1]), with_face))",
        THROUGH + "_the_frame_before",
    ),
    "dance: the frame before is the true one": Mutant(
        DANCE,
        "made.append(frame(variables, pose, corner, made[-1], with_face))",
        'made.append(frame(variables, pose, corner, batch["video"][:, 0], with_face))',
        GENERATOR,
    ),
    "dance trap: the last example alone is judged": Mutant(
        MULTISCALE, "jnp.mean(of(real[0], fake[0]))", "jnp.mean(of(real[0][-1], fake[0][-1]))",
        CRITIC,
    ),
    "dance: the mean over scales": Mutant(
        DANCE,
        '"adversarial": sum(multiscale.values(value.generator, reals, fakes)),',
        '"adversarial": sum(multiscale.values(value.generator, reals, fakes)) / 2,',
        GENERATOR,
    ),
    "dance: maps summed over scales": Mutant(
        MULTISCALE,
        "return sum(jnp.mean(each) for each in far) / len(far)",
        "return sum(jnp.mean(each) for each in far)",
        GENERATOR,
    ),
    "dance: poses in [-1, 1]": Mutant(
        DANCE, '(batch["video_pose"] + 1.0) / 2.0', 'batch["video_pose"]', GENERATOR
    ),
    "dance: real and made exchanged": Mutant(
        MULTISCALE,
        "scales, state = discriminator.train(variables, jnp.concatenate([fake, real]))",
        "scales, state = discriminator.train(variables, jnp.concatenate([real, fake]))",
        CRITIC,
    ),
    "dance: the face in place of the residual": Mutant(
        FILM, "return x + added", "return added", SQUARES
    ),
    "dance: rows and columns of a box exchanged": Mutant(
        FILM,
        "centre = (box[..., [1, 0]] + box[..., [3, 2]]) / 4.0 + 0.5",
        "centre = (box[..., [0, 1]] + box[..., [2, 3]]) / 4.0 + 0.5",
        SQUARES,
    ),
    "dance: squares beyond the image": Mutant(
        FILM, "return jnp.clip(corner, 0, jnp.array(sides) - size)", "return corner", SQUARES
    ),
    "dance: the second phase begins anew": Mutant(
        DANCE,
        "init_body(keys[0], batch, None) if previous is None else previous",
        "init_body(keys[0], batch, None)",
        TESTS + "the_second_phase_begins_with_what_the_first_ended_with",
    ),
    "dance: a film without the frame before": Mutant(
        DANCE,
        "now = frame(variables, *seen, before, with_face)",
        "now = frame(variables, *seen, 0 * before, with_face)",
        TWINS + "films_are_made_frame_after_frame",
    ),
    "dancers: one person's films all begin at one moment": Mutant(
        DANCERS,
        "looking_like(person, config.person), moments[0]",
        "looking_like(person, config.person), begin",
        ONE,
    ),
    "dancers: one person does one dance": Mutant(
        DANCERS,
        "return double(people, drawn(np.full(len(people.walk), number))[0])",
        "return drawn(np.full(len(people.walk), number))[0]",
        ONE,
    ),
}  # fmt: skip
