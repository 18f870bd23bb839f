"""Mistakes in Make-A-Video. Traps are of public ports."""

from mutants import Mutant

LAYERS, FILMS = "nn/film_layers.py", "diffusion/shared/films.py"
SYSTEM = "diffusion/make_a_video.py"
TESTS = "test_make_a_video.py::test_"
BITS = TESTS + "a_film_begins_as_its_frames_as_images_bit_by_bit"
LEARNS = TESTS + "attention_along_time_learns_from_zero"
BY_HAND = TESTS + "a_convolution_along_time_by_hand"
GIVEN = TESTS + "what_is_given_is_not_seen_at_first"
FRAMES = TESTS + "frames_at_a_stride_between_given_ones_and_beside_them"
TWINS = "twins/test_make_a_video.py::test_"
LOSS = TWINS + "the_loss_of_films_at_strides"
SAMPLE = TWINS + "a_film_is_of_the_first_frame_at_the_last_rate"
FILL = TWINS + "what_is_given_is_seen_and_stays"
NOISE = TESTS + "all_frames_are_enlarged_with_one_noise"

MAKE_A_VIDEOS = {
    "make_a_video: a convolution along time that begins at random": Mutant(
        LAYERS, "(KERNEL,), kernel_init=identity, dtype", "(KERNEL,), dtype", BITS
    ),
    "make_a_video: attention along time that begins at random": Mutant(
        LAYERS,
        "Attention(self.heads, self.dtype, ZERO)",
        "Attention(self.heads, self.dtype)",
        BITS,
    ),
    "make_a_video: an identity of the frame before": Mutant(
        LAYERS, ".at[size // 2]", ".at[0]", f"{BITS} {BY_HAND}"
    ),
    "make_a_video trap: frames and positions scrambled": Mutant(
        LAYERS,
        "x.reshape(-1, frames, height * width, channels).swapaxes(1, 2)",
        "x.reshape(-1, height * width, frames, channels)",
        BY_HAND,
    ),
    "make_a_video trap: attention that never leaves zero": Mutant(
        LAYERS,
        "return x + images_of(Attention(self.heads, self.dtype, ZERO)(h, h), x.shape)",
        "return x + images_of(Attention(self.heads, self.dtype, ZERO)(h, 0.0 * h), x.shape)",
        LEARNS,
    ),
    "make_a_video: what is given is seen at first": Mutant(
        SYSTEM,
        "((0, 0), (0, 0), (0, max(more, 0)), (0, 0)))",
        '((0, 0), (0, 0), (0, max(more, 0)), (0, 0)), mode="edge")',
        GIVEN,
    ),
    "make_a_video: a network of images that is not taken over": Mutant(
        SYSTEM, "        own[path] = leaf\n", "", BITS
    ),
    "make_a_video: another network of images is passed over": Mutant(
        SYSTEM,
        "if path not in own or own[path].shape != leaf.shape:",
        "if False:",
        TESTS + "another_network_of_images_is_refused",
    ),
    "make_a_video: frames side by side at any rate": Mutant(
        FILMS,
        "at = stride[:, None] * jnp.arange(frames)",
        "at = jnp.ones_like(stride)[:, None] * jnp.arange(frames)",
        FRAMES,
    ),
    "make_a_video: frames that are made are shown": Mutant(
        FILMS,
        "jnp.concatenate([x, known * given, mask]",
        "jnp.concatenate([x, given, mask]",
        FRAMES,
    ),
    "make_a_video: no mask of what is given": Mutant(
        FILMS,
        "mask = jnp.broadcast_to(jnp.asarray(known, x.dtype)",
        "mask = jnp.broadcast_to(0 * jnp.asarray(known, x.dtype)",
        FRAMES,
    ),
    "make_a_video: films told as the frames of others": Mutant(
        FILMS,
        "jnp.repeat(value, frames, axis=0) for value in told",
        "jnp.tile(value, [frames] + [1] * (value.ndim - 1)) for value in told",
        FRAMES,
    ),
    "make_a_video: another noise in each frame": Mutant(
        FILMS,
        "each = {name: jnp.repeat(batch[name], count, axis=0) for",
        "each = {name: jnp.arange(len(batch[name]) * count) for",
        NOISE,
    ),
    "make_a_video: the embedding of the last frame": Mutant(
        SYSTEM,
        'of_frame(variables, batch, key, batch["video"][:, 0])',
        'of_frame(variables, batch, key, batch["video"][:, -1])',
        LOSS,
    ),
    "make_a_video: another rate than is told": Mutant(
        SYSTEM, "jnp.array(strides)[rate]", "jnp.array(strides)[0 * rate]", LOSS
    ),
    "make_a_video: the rate is not told": Mutant(
        SYSTEM,
        "return seen + rates(variables, rate), context",
        "return seen + 0.0 * rates(variables, rate), context",
        LOSS,
    ),
    "make_a_video: samples at the first rate": Mutant(
        SYSTEM, "len(strides) - 1), **batch}", "0), **batch}", SAMPLE
    ),
    "make_a_video: given frames are made anew": Mutant(
        FILMS,
        "jnp.where(known > 0, film, drawn(variables, own, key))",
        "drawn(variables, own, key)",
        FILL,
    ),
    "make_a_video: errors of given frames, too": Mutant(
        FILMS, "jnp.mean((film - truth)[:, hidden] ** 2", "jnp.mean((film - truth) ** 2", FILL
    ),
}
