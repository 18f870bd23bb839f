"""Mistakes in Make-A-Video. Traps are of public ports."""

from mutants import Mutant

WHOLE = "test_transformers_by_hand.py::test_"
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
BETWEEN = TESTS + "frames_are_made_between_those_of_the_last_rate"
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
    "make_a_video: frames between those of the first rate": Mutant(
        FILMS,
        "settings.strides[-1])\n        return shrunk",
        "settings.strides[0])\n        return shrunk",
        BETWEEN,
    ),
    "make_a_video: frames between of the embedding of the last": Mutant(
        FILMS, "batch, key, given[:, 0])", "batch, key, given[:, -1])", BETWEEN
    ),
    "make_a_video: no positions in time": Mutant(
        LAYERS,
        "h = (h + positions).reshape",
        "h = h.reshape",
        WHOLE + "attention_along_time",
    ),
    "make_a_video: attention along time without its norm": Mutant(
        LAYERS,
        "by_position(Norm(self.dtype)(x), self.frames)",
        "by_position(x, self.frames)",
        WHOLE + "attention_along_time",
    ),
    "make_a_video: images alone attend in a transformer": Mutant(
        "nn/unet.py",
        "(x, context)\n        return attention_along_time(x, self.frames, heads)",
        "(x, context)\n        return x",
        TESTS + "every_layer_of_images_has_one_along_time",
    ),
    "make_a_video: a block's last convolution is of images alone": Mutant(
        "nn/unet.py",
        "        h = along_time(h, self.frames)\n",
        "",
        TESTS + "every_layer_of_images_has_one_along_time",
    ),
    "make_a_video: rates that begin at random": Mutant(
        FILMS,
        "zero = nn.initializers.zeros",
        "zero = nn.initializers.normal(1.0)",
        TESTS + "rates_begin_as_nothing",
    ),
    "make_a_video: the reader of images is not taken over": Mutant(
        SYSTEM,
        'for name in ("network", "reader")}',
        'for name in ("network",)}',
        BITS,
    ),
    "make_a_video: it begins from nothing": Mutant(
        SYSTEM,
        'return (phase._replace(start=lambda stages: stages["image"].variables),)',
        "return (phase,)",
        TESTS + "it_begins_with_the_variables_of_the_model_of_images",
    ),
    "make_a_video: samples that are not clipped": Mutant(
        FILMS,
        "jnp.clip(core.chain(model, variables, batch, key)[0], -1.0, 1.0)",
        "core.chain(model, variables, batch, key)[0]",
        TESTS + "a_sample_is_clipped_then_filled_then_enlarged",
    ),
    "make_a_video: the data's frames are filled for those drawn": Mutant(
        FILMS,
        '{**batch, "video_known": film}, key)',
        "batch, key)",
        TESTS + "a_sample_is_clipped_then_filled_then_enlarged",
    ),
    "make_a_video: filled as the last frame given": Mutant(
        FILMS,
        "of_frame(variables, batch, key, given[:, 0])",
        "of_frame(variables, batch, key, given[:, -1])",
        FILL,
    ),
    "make_a_video: animated from the last frame": Mutant(
        FILMS,
        'batch["video"][:, 0])\n        return sample',
        'batch["video"][:, -1])\n        return sample',
        SAMPLE,
    ),
    "make_a_video: an evaluation of nothing is refused": Mutant(
        "gm_jax/run.py",
        '(count or part == "evaluate.counts")',
        "(count or not shown)",
        TESTS + "the_recipe_between_frames_leaves_out_what_it_cannot_do",
    ),
}
