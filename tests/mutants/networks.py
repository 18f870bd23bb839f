"""Mistakes inside networks: what follows what, slopes, norms, short cuts, first weights."""

from mutants import Mutant

GANS, PYRAMID, CRITICS = "shared/networks.py", "shared/pyramid.py", "shared/critics.py"
RESIDUAL, PROGAN = "shared/resnets.py", "nn/progan.py"
SPADE, SRGAN, SIMGAN = "shared/spade.py", "shared/srresnet.py", "shared/refiner.py"
PIX2PIX, PATCHES, CYCLES = "translation/shared/unet.py", "nn/patchgan.py", "shared/resnet.py"
STYLES, MOTION, SCALES = "shared/style.py", "shared/motion.py", "shared/multiscale.py"
ENCODERS, GRID, FILMS = "nn/encoders.py", "nn/grid.py", "nn/multiplicative.py"
JUDGES = "evaluation/classifier.py"


def _gan(name: str) -> str:
    return f"test_gan_networks.py::test_{name}"


def _translation(name: str) -> str:
    return f"test_translation_networks.py::test_{name}"


def _conditions(name: str) -> str:
    return f"test_spade_and_motion_networks.py::test_{name}"


def _codes(name: str) -> str:
    return f"test_code_networks.py::test_{name}"


def _first(name: str) -> str:
    return f"test_first_weights.py::test_{name}"


LAPGAN = _gan("lapgans_networks")
OF_D = _codes("progans_discriminator[g]")
U_NET = _translation("a_u_net_joins_its_maps_and_rectifies_before_each_convolution")
CRITIC = _translation("a_critic_of_patches_norms_all_but_its_ends")
MOVED = _conditions("the_generator_of_moved_pictures")
ONE = _first("one_deviation_for_all_kernels")

NETWORKS = {
    "dcgan: D's slopes of a hundredth": Mutant(
        GANS, "if batch and not first else x, 0.2)", "if batch and not first else x, 0.01)",
        _gan("dcgans_discriminator"),
    ),
    "dcgan: a norm in D's first layer": Mutant(
        GANS, "if batch and not first else x, 0.2)", "if batch else x, 0.2)",
        _gan("dcgans_discriminator"),
    ),
    "dcgan: running statistics in training": Mutant(
        GANS, "z = nn.relu(BatchNorm(train, self.dtype)(z))",
        "z = nn.relu(BatchNorm(False, self.dtype)(z))", _gan("dcgans_generator"),
    ),
    "dcgan: the dense layer's norm after its ReLU": Mutant(
        GANS, "z = nn.relu(BatchNorm(train, self.dtype)(z))",
        "z = BatchNorm(train, self.dtype)(nn.relu(z))", _gan("dcgans_generator"),
    ),
    "small: slopes of 0.2": Mutant(
        GANS, "if batch else x, 0.3)", "if batch else x, 0.2)",
        _gan("the_small_networks_of_stacked_mnist"),
    ),
    "points: one hidden layer linear": Mutant(
        GANS, "z = nn.tanh(nn.Dense(self.width, kernel_init=ORTHOGONAL, dtype=self.dtype)(z))",
        "z = nn.Dense(self.width, kernel_init=ORTHOGONAL, dtype=self.dtype)(z)",
        _gan("networks_of_points_have_two_hidden_layers_of_tanh"),
    ),
    "bigan: D's trunk joined as it is": Mutant(
        CRITICS, "of_x = nn.leaky_relu(self.trunk(x, train=train), 0.2)",
        "of_x = self.trunk(x, train=train)",
        _gan("a_critic_of_pairs_joins_the_code_to_what_its_trunk_says_of_the_image"),
    ),
    "lapgan: two convolutions without a ReLU between them": Mutant(
        PYRAMID, "        x = nn.relu(conv(self.width, 7)(x))\n        x = nn.relu(",
        "        x = conv(self.width, 7)(x)\n        x = nn.relu(", LAPGAN,
    ),
    "lapgan: a class's plane that is not rectified": Mutant(
        PYRAMID, "return (nn.relu(plane).reshape(", "return (plane.reshape(", LAPGAN
    ),
    "lapgan: D strides first": Mutant(
        PYRAMID, "        x = nn.relu(conv()(x))\n        x = nn.relu(conv(strides=2)(x))",
        "        x = nn.relu(conv(strides=2)(x))\n        x = nn.relu(conv()(x))", LAPGAN,
    ),
    "lapgan: G's dense layers linear": Mutant(
        PYRAMID, "            x = nn.relu(dense(self.width)(x))\n        height",
        "            x = dense(self.width)(x)\n        height", LAPGAN,
    ),
    "lapgan: the smallest D begins as its G": Mutant(
        PYRAMID, "nn.initializers.normal(0.005)", "nn.initializers.normal(0.05)",
        ONE + "[lapgan_d]",
    ),
    "lapgan: convolutions that begin as Flax's": Mutant(
        PYRAMID, "UNIFORM = nn.initializers.variance_scaling(1 / 3,",
        "UNIFORM = nn.initializers.variance_scaling(1.0,",
        _first("lapgans_convolutions_begin_as_torchs"),
    ),
    "residual: G's last map not rectified": Mutant(
        RESIDUAL, "x = nn.relu(ConditionalBatchNorm(layers)(x))",
        "x = ConditionalBatchNorm(layers)(x)", _gan("residual_generators"),
    ),
    "residual: D's last map not rectified": Mutant(
        RESIDUAL, "x = full_precision(nn.relu(x))", "x = full_precision(x)",
        _gan("residual_discriminators"),
    ),
    "wgan-gp: the sum over the pixels": Mutant(
        RESIDUAL, '"wgan_gp_resnet": ({}, {"pool": jnp.mean}),', '"wgan_gp_resnet": ({}, {}),',
        _gan("residual_discriminators"),
    ),
    "residual: no gain before a ReLU": Mutant(
        RESIDUAL, 'BEFORE_RELU = Weights(variance_scaling(2.0, "fan_avg", "uniform")',
        'BEFORE_RELU = Weights(variance_scaling(1.0, "fan_avg", "uniform")',
        _first("residual_networks_are_glorots_times_sqrt_2_before_a_relu[sngan_resnet]"),
    ),
    "progan: D's output with a gain of sqrt 2": Mutant(
        PROGAN, "linear(1, 0, self.equalized, self.dtype, 1.0, use_bias=True",
        "linear(1, 0, self.equalized, self.dtype, use_bias=True", OF_D,
    ),
    "progan: slopes of a hundredth at D's door": Mutant(
        PROGAN, "return nn.leaky_relu(layer(x.astype(self.dtype)), 0.2)",
        "return nn.leaky_relu(layer(x.astype(self.dtype)), 0.01)", OF_D,
    ),
    "progan: a layer norm without its gain": Mutant(
        PROGAN, 'x = layer_norm(x) * self.param("gain", nn.initializers.ones, ()).astype(x.dtype)',
        'self.param("gain", nn.initializers.ones, ())\n            x = layer_norm(x)',
        _codes("progans_discriminator[a]"),
    ),
    "progan: discrimination by lengths turned round": Mutant(
        PROGAN, "kernel * scale / length", "kernel / scale / length",
        _codes("minibatch_discrimination_has_directions_of_a_learned_length"),
    ),
    "pix2pix: the way down rectified as the way up": Mutant(
        PIX2PIX, "nn.leaky_relu(x, 0.2)", "nn.relu(x)", U_NET
    ),
    "pix2pix: maps of the other way round": Mutant(
        PIX2PIX, "jnp.concatenate([x, maps.pop()], axis=-1)",
        "jnp.concatenate([maps.pop(), x], axis=-1)", U_NET,
    ),
    "pix2pix: the smallest map normed": Mutant(
        PIX2PIX, "plain = level in (0, self.levels - 1)", "plain = level == 0", U_NET
    ),
    "patches: slopes of a hundredth": Mutant(
        PATCHES, "x = nn.leaky_relu(norm(x), 0.2)", "x = nn.leaky_relu(norm(x), 0.01)", CRITIC
    ),
    "patches: the norm after the activation": Mutant(
        PATCHES, "x = nn.leaky_relu(norm(x), 0.2)", "x = norm(nn.leaky_relu(x, 0.2))", CRITIC
    ),
    "patches: kernels that begin as Flax's": Mutant(
        PATCHES, "WEIGHTS = nn.initializers.normal(0.02)",
        "WEIGHTS = nn.initializers.lecun_normal()", ONE + "[patches]",
    ),
    "cyclegan: a block's sum rectified": Mutant(
        CYCLES, "x = x + instance_norm(conv(reflected(h, 1), x.shape[-1], 3))",
        "x = nn.relu(x + instance_norm(conv(reflected(h, 1), x.shape[-1], 3)))",
        _translation("a_residual_generator_of_pictures"),
    ),
    "cyclegan: blocks with zeros beyond the border": Mutant(
        CYCLES, "h = nn.relu(instance_norm(conv(reflected(x, 1), x.shape[-1], 3)))",
        "h = nn.relu(instance_norm(conv(x, x.shape[-1], 3, padding=1)))",
        _translation("a_residual_generator_of_pictures"),
    ),
    "scales: every critic sees the whole image": Mutant(
        SCALES, "x = halved(x)", "x = x",
        _translation("critics_at_several_scales_see_smoothed_halves"),
    ),
    "srgan: no short cut around all blocks": Mutant(
        SRGAN, "x = first + normed(x)", "x = normed(x)", _translation("srresnet")
    ),
    "srgan: each block rectified at its end": Mutant(
        SRGAN, "x = x + normed(prelu(normed(x)))", "x = x + prelu(normed(normed(x)))",
        _translation("srresnet"),
    ),
    "srgan trap: a norm in D's first layer": Mutant(
        SRGAN, "1, norm=level > 0)", "1, norm=True)", _translation("srgans_critic")
    ),
    "srgan: D's slopes of a hundredth": Mutant(
        SRGAN, "            return nn.leaky_relu(x, 0.2)\n\n",
        "            return nn.leaky_relu(x, 0.01)\n\n", _translation("srgans_critic"),
    ),
    "simgan: a block's convolutions one after the other": Mutant(
        SIMGAN, "x = nn.relu(x + conv(nn.relu(conv(x))))", "x = nn.relu(x + conv(conv(x)))",
        _translation("simgans_networks"),
    ),
    "simgan: D pools what is not rectified": Mutant(
        SIMGAN, "x = nn.relu(conv(x, 2 * self.width // 3, 3, 2))\n        x = nn.max_pool(",
        "x = conv(x, 2 * self.width // 3, 3, 2)\n        x = nn.max_pool(",
        _translation("simgans_networks"),
    ),
    "styles: a block's sum rectified": Mutant(
        STYLES, "x = x + conv(nn.relu(conv(x, x.shape[-1], 3)), x.shape[-1], 3)",
        "x = nn.relu(x + conv(nn.relu(conv(x, x.shape[-1], 3)), x.shape[-1], 3))",
        _translation("the_network_of_many_styles"),
    ),
    "styles: doubled after the convolution": Mutant(
        STYLES, "x = nn.relu(conv(doubled(x), factor * self.width, 3))",
        "x = nn.relu(doubled(conv(x, factor * self.width, 3)))",
        _translation("the_network_of_many_styles"),
    ),
    "styles: kernels of a deviation of 0.02": Mutant(
        STYLES, "WEIGHTS = nn.initializers.normal(0.01)", "WEIGHTS = nn.initializers.normal(0.02)",
        ONE + "[styles]",
    ),
    "adain: the decoder doubles at a width's end": Mutant(
        STYLES,
        "            x = doubled(nn.relu(conv(x, width)))\n"
        "            for _ in range(count - 1):\n                x = nn.relu(conv(x, width))\n",
        "            x = nn.relu(conv(x, width))\n"
        "            for _ in range(count - 1):\n                x = nn.relu(conv(x, width))\n"
        "            x = doubled(x)\n",
        _translation("adains_decoder_doubles_after_the_first_convolution_of_a_width"),
    ),
    "spade: a norm's label map not rectified": Mutant(
        SPADE, "h = nn.relu(conv(nearest(m, x.shape[1]), self.hidden))",
        "h = conv(nearest(m, x.shape[1]), self.hidden)", _conditions("spades_generator"),
    ),
    "spade: blocks rectified without a slope": Mutant(
        SPADE, "functools.partial(nn.leaky_relu, negative_slope=0.2)", "nn.relu",
        _conditions("spades_generator"),
    ),
    "spade: the short cut not normed": Mutant(
        SPADE, "else conv(normed(x), self.features, 1))", "else conv(x, self.features, 1))",
        _conditions("spades_generator"),
    ),
    "spade: no LeakyReLU before the image": Mutant(
        SPADE, "conv(self.features)(nn.leaky_relu(x, 0.2))", "conv(self.features)(x)",
        _conditions("spades_generator"),
    ),
    "spade: doubled once more at the start": Mutant(
        SPADE, "        x = doubled(block(x, top))\n        x = block(block(x, top), top)\n",
        "        x = block(x, top)\n        x = doubled(block(block(x, top), top))\n",
        _conditions("spades_generator"),
    ),
    "spade: an encoder of styles without norms": Mutant(
        SPADE, "x = nn.leaky_relu(instance_norm(layer(module, True, train)(x)), 0.2)",
        "x = nn.leaky_relu(layer(module, True, train)(x), 0.2)", _conditions("spades_encoder"),
    ),
    "spade: weights that begin ten times as large": Mutant(
        SPADE, "variance_scaling(0.02**2,", "variance_scaling(0.2**2,",
        _first("spades_weights_are_glorots_with_a_gain_of_2_hundredths"),
    ),
    "motion: an hourglass that halves before it convolves": Mutant(
        MOTION, "x = halved(_convolved(x, features(level + 1), 3, train, self.dtype))\n"
        "            seen.append(x)",
        "x = _convolved(halved(x), features(level + 1), 3, train, self.dtype)\n"
        "            seen.append(x)",
        _conditions("an_hourglass_halves_after_its_convolutions_and_doubles_before"),
    ),
    "motion: blocks without their short cut": Mutant(
        MOTION, "x = x + h\n", "x = h\n", MOVED
    ),
    "motion: a block's norms after its convolutions": Mutant(
        MOTION, "h = nn.relu(BatchNorm(train, self.dtype)(h))",
        "h = BatchNorm(train, self.dtype)(nn.relu(h))", MOVED,
    ),
    "motion: an occlusion without bounds": Mutant(
        MOTION, "occlusion = nn.sigmoid(read(1)[..., 0])", "occlusion = read(1)[..., 0]",
        _conditions(
            "the_dense_motion_network_reads_shares_and_occlusion_from_one_hourglass"
        ),
    ),
    "encoders: dense layers linear": Mutant(
        ENCODERS, "x = self.activation(dense(width)(x))", "x = dense(width)(x)",
        _codes("dense_networks_are_rectified_between_their_layers"),
    ),
    "encoders: an image that is rectified": Mutant(
        ENCODERS, "x = nn.relu(x) if sides else x", "x = nn.relu(x)",
        _codes("networks_whose_code_is_a_grid"),
    ),
    "aae: weights that begin as Flax's": Mutant(
        "shared/code_game.py", "init = nn.initializers.normal(settings.deviation)",
        "init = nn.linear.default_kernel_init",
        _first("adversarial_autoencoders_begin_with_the_recipes_deviation"),
    ),
    "grid: blocks without their short cut": Mutant(
        GRID, "x = x + Pointwise(features, dtype=self.dtype)(nn.relu(h))",
        "x = Pointwise(features, dtype=self.dtype)(nn.relu(h))",
        _codes("networks_of_grids_of_codes"),
    ),
    "grid: the image rectified before its first convolution": Mutant(
        GRID, "x = x if number == 0 else nn.relu(x)", "x = nn.relu(x)",
        _codes("networks_of_grids_of_codes"),
    ),
    "vpn: blocks without their short cut": Mutant(
        FILMS, "return x + point(x.shape[-1])(h)", "return point(x.shape[-1])(h)",
        _codes("the_encoder_of_films"),
    ),
    "vpn: no dilations": Mutant(
        FILMS, "return nn.Conv(features, (3, 3), kernel_dilation=dilation, dtype=self.dtype)",
        "return nn.Conv(features, (3, 3), dtype=self.dtype)", _codes("the_encoder_of_films"),
    ),
    "vpn: pixels of 0 to 1": Mutant(
        FILMS, "return scaled(x, self.levels)", "return (scaled(x, self.levels) + 1.0) / 2.0",
        _codes("the_decoder_of_frames"),
    ),
    "classifier: features that are not rectified": Mutant(
        JUDGES, 'x = nn.relu(nn.Dense(64, precision="highest")(x.reshape(len(x), -1)))',
        'x = nn.Dense(64, precision="highest")(x.reshape(len(x), -1))',
        _codes("the_classifier_whose_features_are_compared"),
    ),
}  # fmt: skip
