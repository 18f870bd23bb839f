"""Mistakes in StyleGAN2 and ADA. Traps are of public ports."""

from mutants import Mutant

EQUALIZED, FILTERING = "nn/equalized.py", "nn/filtering.py"
LAYERS, NETWORKS = "nn/stylegan2_layers.py", "nn/stylegan2.py"
SYSTEM, STYLES = "stylegan2/system.py", "shared/styles.py"
PENALTIES, PROBABILITY = "losses/penalties.py", "augmentation/probability.py"
DRAWS, GEOMETRY = "augmentation/draws.py", "augmentation/geometry.py"
COLOUR, CORRUPTION = "augmentation/colour.py", "augmentation/corruption.py"
PICKLES, NAMES = "weights/network_pickle.py", "weights/stylegan2.py"

OF_LAYERS, OF_FILTERS = "test_equalized.py::test_", "test_filtering.py::test_"
OF_NETWORKS, TRAINING = "test_stylegan2.py::test_", "test_stylegan2_training.py::test_"
TWINS, CHANGES = "twins/test_stylegan2.py::test_", "test_augmentation.py::test_"
PUBLISHED = "test_stylegan2_published.py::test_"

ADAM = OF_LAYERS + "the_first_step_of_adam_moves_every_used_weight_by_rate_times_c"
DEVIATION = OF_LAYERS + "the_deviation_is_that_of_every_other_example"
GENERATORS, DISCRIMINATORS = OF_NETWORKS + "generators", OF_NETWORKS + "discriminators"
PATH = TRAINING + "the_path_length_and_its_gradient"
STEPS = TRAINING + "adam_is_rescaled_for_the_steps_of_a_lazy_regulariser"
MOVES = TWINS + "each_player_moves_once_and_its_regulariser_now_and_then"
GLOBAL = TRAINING + "the_state_is_of_the_global_batch"
BANK = CHANGES + "each_filter_of_the_bank_keeps_its_band_and_all_add_up_to_the_image"
GRAINS = CHANGES + "noise_is_of_each_value_and_has_its_own_deviation_in_each_image"
HOLES = CHANGES + "a_cutout_is_a_rectangle_around_its_centre_and_the_rest_stays"
RATES = CHANGES + "p_follows_the_signs_and_stays_in_0_to_1"

STYLEGAN2S = {
    "stylegan2 trap: scaled at initialisation only": Mutant(
        EQUALIZED,
        "nn.initializers.normal(1.0 / layer.rate), shape)\n    return (kernel * scale)",
        "nn.initializers.normal(scale / layer.rate), shape)\n    return kernel",
        ADAM,
    ),
    "stylegan2 trap: a bias without the rate": Mutant(
        EQUALIZED, "return (bias * layer.rate).astype", "return bias.astype", ADAM
    ),
    "stylegan2 trap: pixel norm over pixels": Mutant(
        EQUALIZED, "jnp.mean(wide**2, axis=-1, keepdims=True)",
        "jnp.mean(wide**2, axis=tuple(range(1, x.ndim - 1)), keepdims=True)",
        OF_LAYERS + "pixel_norm_is_over_channels",
    ),
    "stylegan2 trap: pixel norm by the sum": Mutant(
        EQUALIZED, "jnp.mean(wide**2, axis=-1, keepdims=True)",
        "jnp.sum(wide**2, axis=-1, keepdims=True)", OF_LAYERS + "pixel_norm_is_over_channels",
    ),
    "stylegan2 trap: the deviation tiled to neighbours": Mutant(
        EQUALIZED, "planes = jnp.tile(deviation, (members, 1))",
        "planes = jnp.repeat(deviation, members, axis=0)", DEVIATION,
    ),
    "stylegan2 trap: groups of neighbours": Mutant(
        EQUALIZED, "every = every.reshape(members, count // members, *x.shape[1:3], channels, -1)",
        "every = every.reshape(count // members, members, *x.shape[1:3], channels, -1)"
        ".swapaxes(0, 1)", DEVIATION,
    ),
    "stylegan2 trap: the deviation of a sample": Mutant(
        EQUALIZED, "(every - jnp.mean(every, axis=0)) ** 2, axis=0)",
        "(every - jnp.mean(every, axis=0)) ** 2, axis=0) * members / max(members - 1, 1)",
        DEVIATION,
    ),
    "stylegan2 trap: a variance for the deviation": Mutant(
        EQUALIZED, "jnp.mean(jnp.sqrt(variance + 1e-8), axis=(1, 2, 4))",
        "jnp.mean(variance + 1e-8, axis=(1, 2, 4))", DEVIATION,
    ),
    "stylegan2 trap: the deviation of each device": Mutant(
        EQUALIZED, "every = replicas.gather(own)\n",
        "every = jnp.concatenate([own] * replicas.size())\n",
        OF_LAYERS + "one_device_and_several_see_one_deviation",
    ),
    "stylegan2 trap: doubled without the gain": Mutant(
        FILTERING, "return _both(x, 2.0 * taps, ", "return _both(x, taps, ",
        OF_FILTERS + "resampling",
    ),
    "stylegan2 trap: the gain of doubling convolutions": Mutant(
        FILTERING, "return _both(y, 2.0 * BINOMIAL, (1, 1))",
        "return _both(y, BINOMIAL, (1, 1))", OF_FILTERS + "resampling_convolutions",
    ),
    "stylegan2 trap: the filter before the convolution": Mutant(
        FILTERING, "    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)\n",
        "    return convolution(upsampled(x), kernel)\n"
        "    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)\n",
        OF_FILTERS + "resampling_convolutions",
    ),
    "stylegan2 trap: the kernel of doubling not turned": Mutant(
        FILTERING, "turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)",
        "turned = kernel.swapaxes(2, 3)", OF_FILTERS + "resampling_convolutions",
    ),
    "stylegan2: filters that correlate": Mutant(
        FILTERING, "    taps = taps[::-1]\n", "",
        OF_FILTERS + "filtered_is_scipys_upfirdn",
    ),
    "stylegan2: gradients of filters that are not turned": Mutant(
        FILTERING, "return Filter(f.taps[::-1], f.axis", "return Filter(f.taps, f.axis",
        OF_FILTERS + "gradients_of_filters_are_the_transposed_matrix",
    ),
    "stylegan2: no demodulation": Mutant(
        LAYERS, "return y * lax.rsqrt(variance + 1e-8)[:, None, None, :].astype(x.dtype)",
        "return y", OF_NETWORKS + "modulated_convolutions",
    ),
    "stylegan2 trap: the image demodulated": Mutant(
        LAYERS, "y = modulated(x.astype(self.dtype), kernel, style, demodulate=False)",
        "y = modulated(x.astype(self.dtype), kernel, style)", GENERATORS + "[g_skip]",
    ),
    "stylegan2 trap: the image's style not scaled": Mutant(
        LAYERS, "style = _style(self, x, w) * x.shape[-1] ** -0.5",
        "style = _style(self, x, w)", GENERATORS + "[g_skip]",
    ),
    "stylegan2 trap: demodulated kernels of another scale": Mutant(
        LAYERS,
        "shape = 3, 3, x.shape[-1], self.features\n"
        "        kernel = self.param(\"kernel\", nn.initializers.normal(1.0), shape)",
        "shape = 3, 3, x.shape[-1], self.features\n"
        "        kernel = self.param(\"kernel\", nn.initializers.normal(0.1), shape)",
        OF_NETWORKS + "kernels_of_styled_convolutions_have_deviation_one",
    ),
    "stylegan2 trap: styles around 0": Mutant(
        LAYERS, "EqualizedDense(x.shape[-1], bias_init=1.0, dtype",
        "EqualizedDense(x.shape[-1], dtype",
        OF_NETWORKS + "kernels_of_styled_convolutions_have_deviation_one",
    ),
    "stylegan2 trap: labels at the mapping's rate": Mutant(
        LAYERS, "EqualizedDense(self.features, dtype=self.dtype, name=\"embed\")",
        "EqualizedDense(self.features, rate=0.01, dtype=self.dtype, name=\"embed\")",
        GENERATORS + "[g_cond]",
    ),
    "stylegan2: labels not normalised": Mutant(
        LAYERS, "inputs.append(pixel_norm(embedded))", "inputs.append(embedded)",
        GENERATORS + "[g_cond]",
    ),
    "stylegan2: D's labels not scaled": Mutant(
        NETWORKS, "axis=-1) * width**-0.5", "axis=-1)", DISCRIMINATORS + "[d_cond]"
    ),
    "stylegan2 trap: a clamp without the branch's gain": Mutant(
        LAYERS, "jnp.clip(x, -gain * clamp, gain * clamp)", "jnp.clip(x, -clamp, clamp)",
        DISCRIMINATORS + "[d_clamp]",
    ),
    "stylegan2 trap: the last level not clamped": Mutant(
        NETWORKS, "name=\"conv\")(x), clamp=self.clamp)", "name=\"conv\")(x))",
        DISCRIMINATORS + "[d_clamp]",
    ),
    "stylegan2 trap: one style too few": Mutant(
        NETWORKS, "if styles.shape[1] != layers(self.resolution):", "if False:",
        OF_NETWORKS + "another_number_of_styles_is_refused",
    ),
    "stylegan2 trap: images with a style of their own": Mutant(
        NETWORKS, "for i in range(first, 2 * number + 2)]",
        "for i in range(first, 2 * number + 1)]",
        OF_NETWORKS + "a_levels_image_has_the_style_of_the_next_levels_first_convolution",
    ),
    "stylegan2: a residual level without its half": Mutant(
        NETWORKS, "y = y + skip(x) * HALF", "y = y + skip(x)", DISCRIMINATORS + "[d_resnet]"
    ),
    "stylegan2 trap: one noise for all layers": Mutant(
        NETWORKS, "zip(split, sides, strict=True)", "zip([keys] * len(sides), sides, strict=True)",
        OF_NETWORKS + "noise_differs_by_example_and_layer_and_is_"
        "scaled_by_its_strength",
    ),
    "stylegan2 trap: maps flattened as they are here": Mutant(
        NAMES, 'return "map_as_dense"', 'return "dense"', DISCRIMINATORS + "[d_resnet]"
    ),
    "stylegan2 trap: conv0 read without turning it": Mutant(
        NAMES, 'return "conv_turned" if', 'return "conv" if', GENERATORS + "[g_skip]"
    ),
    "stylegan2: truncation of the last layers": Mutant(
        LAYERS, "jnp.where(layers < cutoff, near, w)", "jnp.where(layers < cutoff, w, near)",
        TWINS + "samples_are_truncated",
    ),
    "stylegan2: half the squared gradient left out": Mutant(
        PENALTIES, "return 0.5 * per_example_squared_gradient(critic, x)",
        "return per_example_squared_gradient(critic, x)", TWINS + "r1",
    ),
    "stylegan2 trap: R1's interval left out": Mutant(
        SYSTEM, "return own.gamma * own.every * penalty", "return own.gamma * penalty",
        TWINS + "r1",
    ),
    "stylegan2 trap: the path length's interval left out": Mutant(
        SYSTEM, "return own.weight * own.every * metrics", "return own.weight * metrics",
        TWINS + "the_path_length",
    ),
    "stylegan2 trap: R1 of the images as they are": Mutant(
        SYSTEM, "return self.judged(variables, x, batch, key)",
        "return self.nets.discriminator(variables, x, label_of(self.nets, batch))",
        TWINS + "all_that_d_sees_is_augmented",
    ),
    "stylegan2 trap: generated images as they are": Mutant(
        SYSTEM, "fake = self.judged(variables, images, batch, seen_fake)",
        "fake = self.nets.discriminator(variables, images, label_of(self.nets, batch))",
        TWINS + "all_that_d_sees_is_augmented",
    ),
    "stylegan2 trap: Adam not rescaled": Mutant(
        SYSTEM, "optimizer=rescaled(part.optimizer, every / (every + 1))",
        "optimizer=part.optimizer", MOVES,
    ),
    "stylegan2 trap: Adam's moments not rescaled": Mutant(
        "gm_jax/optimizers.py", "parameters[name].default) ** share", "parameters[name].default)",
        STEPS,
    ),
    "stylegan2 trap: the average forgets by half a batch": Mutant(
        SYSTEM, "average.ramp, settings.batch_size)", "average.ramp, settings.batch_size // 2)",
        MOVES,
    ),
    "stylegan2 trap: the average of w of each device": Mutant(
        STYLES, "mean = replicas.mean(jnp.mean(jax.lax.stop_gradient(w), axis=0))",
        "mean = jnp.mean(jax.lax.stop_gradient(w), axis=0)", GLOBAL,
    ),
    "stylegan2 trap: the mean length of each device": Mutant(
        PENALTIES, "(1.0 - decay) * replicas.mean(jnp.mean(lengths))",
        "(1.0 - decay) * jnp.mean(lengths)", GLOBAL,
    ),
    "stylegan2 trap: the mean length without a slope": Mutant(
        PENALTIES, "(1.0 - decay) * replicas.mean(jnp.mean(lengths))",
        "(1.0 - decay) * replicas.mean(jnp.mean(jax.lax.stop_gradient(lengths)))", PATH,
    ),
    "stylegan2: the mean length before it moves": Mutant(
        PENALTIES, "return (lengths - moved) ** 2, moved", "return (lengths - mean) ** 2, moved",
        PATH,
    ),
    "stylegan2 trap: no epsilon in the root": Mutant(
        PENALTIES, "axis=-1), axis=-1) + 1e-12)", "axis=-1), axis=-1))",
        TRAINING + "path_lengths_have_a_finite_slope_at_0",
    ),
    "stylegan2: lengths summed over the layers": Mutant(
        PENALTIES, "jnp.sqrt(jnp.mean(jnp.sum(gradient**2", "jnp.sqrt(jnp.sum(jnp.sum(gradient**2",
        TRAINING + "a_linear_generator_has_the_length_of_its_transpose",
    ),
    "stylegan2 trap: one cut for all of a batch": Mutant(
        STYLES, "cuts(example_keys(keys[2], batch), share",
        "cuts(jnp.broadcast_to(keys[2], len(w)), share", TWINS + "the_generator",
    ),
    "stylegan2: cuts before the first layer": Mutant(
        STYLES, "jax.random.randint(where, (), 1, layers)", "jax.random.randint(where, (), 0, 1)",
        TWINS + "the_generator",
    ),
    "stylegan2: the path length of all examples": Mutant(
        SYSTEM, "{name: x[:: own.shrink] for", "{name: x[::1] for", TWINS + "the_path_length"
    ),
    "ada trap: p beyond 1": Mutant(
        PROBABILITY, 'jnp.clip(state["p"] + change, 0.0, 1.0)',
        'jnp.maximum(state["p"] + change, 0.0)', RATES,
    ),
    "ada: p moves against the signs": Mutant(
        PROBABILITY, "change = jnp.sign(mean - settings.target)",
        "change = jnp.sign(settings.target - mean)", RATES,
    ),
    "ada: two rotations of probability p": Mutant(
        DRAWS, "1.0 - jnp.sqrt(1.0 - p))", "p)",
        CHANGES + "changes_come_with_probability_p_and_one_of_two_rotations",
    ),
    "ada: the filter not turned when halving": Mutant(
        GEOMETRY, "filtered(x, TAPS[::-1], axis", "filtered(x, TAPS, axis",
        CHANGES + "changes[xfrac-0.2]",
    ),
    "ada: a doubled image half a pixel off": Mutant(
        GEOMETRY, "/ 2.0 + 0.25\n", "/ 2.0\n", CHANGES + "changes[scale-0.7]"
    ),
    "ada: turned the other way": Mutant(
        GEOMETRY, "_rotation(draws.rotation),", "_rotation(-draws.rotation),",
        CHANGES + "changes[rotate-0.2]",
    ),
    "ada: contrast before brightness": Mutant(
        COLOUR, "linear @ jnp.full((3, 1), d.brightness)", "jnp.full((3, 1), d.brightness)",
        CHANGES + "changes[color-0.7]",
    ),
    "ada: zeros beyond the border": Mutant(
        GEOMETRY, 'margins, mode="reflect")', "margins)", CHANGES + "changes[scale-0.2]"
    ),
    "ada: bands that are not scaled to one power": Mutant(
        CORRUPTION, "return factors / jnp.sqrt(", "return factors + 0.0 * jnp.sqrt(",
        CHANGES + "a_change_of_a_band_keeps_the_expected_power",
    ),
    "ada: all bands by one draw": Mutant(
        DRAWS, 'gates = (BANDS,) if name == "bands" else ()', "gates = ()",
        CHANGES + "changes_come_with_probability_p_and_one_of_two_rotations",
    ),
    "ada: a band's filter not spread": Mutant(
        CORRUPTION, "bands.append(np.convolve(lowest, spread(high, by)))",
        "bands.append(np.convolve(lowest, spread(high, 1)))", BANK,
    ),
    "ada: high bands of the wrong sign": Mutant(
        CORRUPTION, "high = low * (-1.0) ** np.arange(-3, 4)",
        "high = -low * (-1.0) ** np.arange(-3, 4)", BANK,
    ),
    "ada: bands along the height alone": Mutant(
        CORRUPTION, "for axis in (1, 2):", "for axis in (1,):",
        CHANGES + "bands_are_filtered_along_both_axes_and_mirrored",
    ),
    "ada: bands with zeros beyond the border": Mutant(
        CORRUPTION, 'jnp.pad(x, margins, mode="reflect")', "jnp.pad(x, margins)",
        CHANGES + "bands_are_filtered_along_both_axes_and_mirrored",
    ),
    "ada: noise of one level": Mutant(
        DRAWS, "GRAIN * jnp.abs(jax.random.normal(level))", "GRAIN", GRAINS
    ),
    "ada: one noise for all values": Mutant(
        DRAWS, "jax.random.normal(own, shape)", "jax.random.normal(own) * jnp.ones(shape)", GRAINS
    ),
    "ada: a hole twice as large": Mutant(
        CORRUPTION, "< holes[:, 2:] / 2.0", "< holes[:, 2:]", HOLES
    ),
    "ada: a hole's centre by (y, x)": Mutant(
        CORRUPTION, "inside(height, holes[:, 1]), inside(width, holes[:, 0])",
        "inside(height, holes[:, 0]), inside(width, holes[:, 1])", HOLES,
    ),
    "ada: holes at one of two corners": Mutant(
        DRAWS, "jnp.append(jax.random.uniform(key, (2,)), HOLE)",
        "jnp.append(jax.random.uniform(key) * jnp.ones(2).at[0].set(0.0), HOLE)", HOLES,
    ),
    "network pickle trap: what a file names is run": Mutant(
        PICKLES, 'raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a '
        'network")', "return getattr(__import__(module, fromlist=[name]), name)",
        PUBLISHED + "what_a_file_would_run_is_refused",
    ),
    "network pickle: G in place of its average": Mutant(
        "stylegan2/published.py", 'average = {tree: part("G_ema", tree)',
        'average = {tree: part("G", tree)', PUBLISHED + "the_golden_images_and_logits",
    ),
    "network pickle: storages of any size": Mutant(
        PICKLES, "if not size == storage.size == len(values):", "if False:",
        PUBLISHED + "a_storage_of_another_size_is_refused",
    ),
}  # fmt: skip
