"""Mistakes in StyleGAN. Traps are of public ports."""

from mutants import Mutant

SYSTEM, NETWORKS = "adversarial/stylegan.py", "nn/stylegan.py"
BLOCKS, FUNCTIONS = "nn/progan.py", "shared/style_functions.py"
TESTS, TWINS = "test_stylegan.py::test_", "twins/test_stylegan.py::test_"
LEVEL = TESTS + "a_level_by_hand"
BLOCK = TESTS + "ds_block_blurs_before_its_second_convolution_and_halves_before_the_activation"
SHARES = TESTS + "a_share_of_0_is_the_smaller_generator_enlarged_and_1_the_larger_one"
TAKES_OVER = TESTS + "a_phase_takes_over_layers_the_average_of_w_and_the_noise"
PARAMETERS = TESTS + "the_published_networks_have_as_many_parameters_as_the_authors"
OF_D, OF_G = TWINS + "the_discriminator", TWINS + "the_generator"
FADING = (
    "test_progan.py::test_real_images_fade_by_the_fraction_of_the_rounds_that_are_played[stylegan]"
)
MOVES = TWINS + "d_moves_first_and_the_average_is_by_images"
IN_LAYERS = TWINS + "noise_in_some_layers"

BEFORE = "        if noise is not None:\n            x = x + (noise * strength).astype(x.dtype)\n"
STYLE = (
    "        x = nn.leaky_relu(x + bias.astype(x.dtype), 0.2)\n"
    '        style = EqualizedDense(2 * features, dtype=wide, name="style")(w)\n'
    "        scale, shift = jnp.split(style[:, None, None], 2, axis=-1)\n"
)
AFTER = "        return ((1.0 + scale) * instance_norm(full_precision(x), 1e-8) + shift)"

STYLEGANS = {
    "stylegan trap: noise after AdaIN": Mutant(
        NETWORKS, BEFORE + STYLE + AFTER + ".astype(x.dtype)",
        STYLE + AFTER + " + (0.0 if noise is None else noise * strength)", LEVEL,
    ),
    "stylegan: one strength of noise for all channels": Mutant(
        NETWORKS, '"noise_strength", nn.initializers.zeros, (features,)',
        '"noise_strength", nn.initializers.zeros, ()', PARAMETERS,
    ),
    "stylegan trap: styles around 0": Mutant(
        NETWORKS, "(1.0 + scale) * instance_norm", "scale * instance_norm", LEVEL
    ),
    "stylegan: deviation and mean exchanged": Mutant(
        NETWORKS, "scale, shift = jnp.split", "shift, scale = jnp.split", LEVEL
    ),
    "stylegan: the activation before the bias": Mutant(
        NETWORKS, "x = nn.leaky_relu(x + bias.astype(x.dtype), 0.2)",
        "x = nn.leaky_relu(x, 0.2) + bias.astype(x.dtype)", LEVEL,
    ),
    "stylegan: no norm": Mutant(
        NETWORKS, "instance_norm(full_precision(x), 1e-8)", "full_precision(x)", LEVEL
    ),
    "stylegan trap: no blur in G": Mutant(
        NETWORKS, "x = blurred(conv(doubled(x)))", "x = conv(doubled(x))", LEVEL
    ),
    "stylegan: blurred before the convolution": Mutant(
        NETWORKS, "x = blurred(conv(doubled(x)))", "x = conv(blurred(doubled(x)))", LEVEL
    ),
    "stylegan: one style for both layers of a side": Mutant(
        NETWORKS, "conv(x), styles[:, 1], noise[1])", "conv(x), styles[:, 0], noise[1])", LEVEL
    ),
    "stylegan: the constant without noise and style": Mutant(
        NETWORKS, "        x = Styled(self.dtype)(x, styles[:, 0], noise[0])\n",
        "        styled = Styled(self.dtype)(x, styles[:, 0], noise[0])\n"
        "        x = x if x.shape[1] == FIRST else styled\n", LEVEL,
    ),
    "stylegan: a constant of zeros": Mutant(
        NETWORKS, '"const", nn.initializers.ones', '"const", nn.initializers.zeros', TAKES_OVER
    ),
    "stylegan trap: no blur in D": Mutant(
        BLOCKS, "x = blurred(x) if self.down else x", "x = x", BLOCK
    ),
    "stylegan: D halves after the activation": Mutant(
        BLOCKS, "return Activation(*own)(halved(x) if self.down else x)",
        "y = Activation(*own)(x)\n        return halved(y) if self.down else y", BLOCK,
    ),
    "stylegan trap: one style too few": Mutant(
        NETWORKS, "if styles.shape[1] != len(sides):", "if False:",
        TESTS + "another_number_of_styles_is_refused",
    ),
    "stylegan: G's old image for the new one": Mutant(
        NETWORKS, "mixed(doubled(image_of(smaller)), image, share)",
        "mixed(image, doubled(image_of(smaller)), share)", SHARES,
    ),
    "stylegan trap: the average of w begins anew": Mutant(
        SYSTEM, "return fresh._replace(state=fresh.state | state | {",
        'return fresh._replace(state=fresh.state | state | {"w_average": jnp.zeros(width)} | {',
        TAKES_OVER,
    ),
    "stylegan: other noise in each phase": Mutant(
        SYSTEM, "{\"noise\": old + noise[len(old) :]}", "{\"noise\": noise}", TAKES_OVER
    ),
    "stylegan trap: samples of the new layers alone": Mutant(
        SYSTEM, 'variables.state.get("share", 1.0)', "1.0", FADING
    ),
    "stylegan: G does not fade": Mutant(
        SYSTEM, "return nets.synthesis(variables, w, noise, share), state",
        "return nets.synthesis(variables, w, noise, 1.0), state", FADING,
    ),
    "stylegan: R1 of generated images": Mutant(
        SYSTEM, "penalty = zero_centred(critic, x)", "penalty = zero_centred(critic, images)", OF_D
    ),
    "stylegan: R1 without its weight": Mutant(
        SYSTEM, "loss = log_loss(true, fake) + settings.penalty * penalty",
        "loss = log_loss(true, fake) + penalty", OF_D,
    ),
    "stylegan: real for generated": Mutant(
        SYSTEM, "loss = log_loss(true, fake)", "loss = log_loss(fake, true)", OF_D
    ),
    "stylegan: drift of generated images": Mutant(
        SYSTEM, "settings.drift * true**2", "settings.drift * fake**2", OF_D
    ),
    "stylegan: G's sign": Mutant(
        SYSTEM, "loss = non_saturating(fake) if", "loss = non_saturating(-fake) if", OF_G
    ),
    "stylegan: the average forgets by half a batch": Mutant(
        SYSTEM, "settings.average.ramp, settings.batch_size\n",
        "settings.average.ramp, settings.batch_size // 2\n", MOVES,
    ),
    "stylegan: one rate at all sides": Mutant(
        SYSTEM, "rate = optimizer.learning_rate * FASTER.get(side, 1.0)",
        "rate = optimizer.learning_rate",
        TESTS + "both_players_learn_faster_at_the_largest_sides",
    ),
    "stylegan: fine noise for coarse": Mutant(
        FUNCTIONS, "jnp.array([True, False, not coarse, coarse], x.dtype)",
        "jnp.array([True, False, coarse, not coarse], x.dtype)", IN_LAYERS,
    ),
    "stylegan: noise split within a side": Mutant(
        FUNCTIONS, "coarse = x.shape[1] in sides[: len(sides) // 2]",
        "coarse = x.shape[1] in sides[: len(sides) // 2 + 1]", IN_LAYERS,
    ),
}  # fmt: skip
