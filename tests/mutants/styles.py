"""Mistakes in style transfer. Traps are of public ports."""

from mutants import Mutant

CIN, ADAIN, NETWORKS = "translation/cin.py", "translation/adain.py", "shared/style.py"
LOSSES, STYLED, JUDGE = "losses/style.py", "data/styled.py", "judging/styles.py"
BACKBONES = "nn/backbones.py"
TESTS, TWINS = "test_styles.py::test_", "twins/test_styles.py::test_"
OF_CIN, OF_ADAIN = TWINS + "conditional_instance_norm", TWINS + "adaptive_instance_norm"
PARAMETERS = TESTS + "the_published_networks_have_as_many_parameters_as_their_papers_tables"
EACH = TESTS + "each_convolution_has_its_norm_the_last_too_and_only_shown_styles_learn"
STATISTICS = TESTS + "a_restyled_map_has_the_styles_means_and_deviations"
GRAM = TESTS + "a_gram_matrix_is_divided_by_positions_and_not_by_channels"
DECODED = TESTS + "a_decoder_has_no_bounds_and_reflects_beyond_the_border"
SEEN = TESTS + "a_style_is_seen_elsewhere_at_each_visit_and_at_its_own_size"
TOLD = TESTS + "a_paintings_own_mirror_is_told_and_another_paintings_is_not"
OPTIONS = "test_backbones.py::test_average_pools_and_reflections_by_hand"

STYLES = {
    "style trap: the Gram matrix over channels, too": Mutant(
        LOSSES,
        "positions = x.shape[1] * x.shape[2]",
        "positions = x.shape[1] * x.shape[2] * x.shape[3]",
        GRAM,
    ),
    "style: Gram matrices summed": Mutant(
        LOSSES,
        "jnp.mean((gram(x) - gram(y)) ** 2, axis=(1, 2))",
        "jnp.sum((gram(x) - gram(y)) ** 2, axis=(1, 2))",
        OF_CIN,
    ),
    "style: the biased deviation": Mutant(LOSSES, "ddof=1", "ddof=0", STATISTICS),
    "style: a deviation without an epsilon": Mutant(
        LOSSES,
        "jnp.sqrt(variance + EPSILON)",
        "jnp.sqrt(variance)",
        TESTS + "a_constant_channel_has_a_finite_slope",
    ),
    "cin trap: beta shared by all styles": Mutant(
        NETWORKS,
        'beta = weights @ self.param("beta", nn.initializers.zeros, shape)',
        'beta = jnp.ones_like(weights) @ self.param("beta", nn.initializers.zeros, shape)',
        TESTS + "a_blend_at_a_corner_is_that_style_and_between_them_the_mean",
    ),
    "cin trap: gamma shared by all styles": Mutant(
        NETWORKS,
        'gamma = weights @ self.param("gamma", nn.initializers.ones, shape)',
        'gamma = jnp.mean(self.param("gamma", nn.initializers.ones, shape), 0, keepdims=True)',
        EACH,
    ),
    "cin: gamma begins at 0": Mutant(
        NETWORKS,
        'self.param("gamma", nn.initializers.ones, shape)',
        'self.param("gamma", nn.initializers.zeros, shape)',
        TESTS + "of_one_style_it_is_instance_norm",
    ),
    "cin trap: the last convolution without a norm": Mutant(
        NETWORKS,
        "2.0 * nn.sigmoid(full_precision(conv(x, self.features, 9))) - 1.0",
        "2.0 * nn.sigmoid(full_precision(nn.Conv(self.features, (9, 9))(x))) - 1.0",
        EACH,
    ),
    "cin: a bias that the norm undoes": Mutant(
        NETWORKS, "padding=0, use_bias=False", "padding=0, use_bias=True", PARAMETERS
    ),
    "cin: four blocks": Mutant(
        "configs/style_cin.py",
        "network=dict(width=32, blocks=5)",
        "network=dict(width=32, blocks=4)",
        PARAMETERS,
    ),
    "cin: zeros beyond the border": Mutant(
        NETWORKS,
        ")(reflected(x, size // 2))",
        ")(jnp.pad(x, ((0, 0), *[(size // 2,) * 2] * 2, (0, 0))))",
        DECODED,
    ),
    "cin: the style of the next label": Mutant(
        CIN,
        'rows(batch["label_b"]))',
        'rows(batch["label_b"] + 1))',
        f"{OF_CIN} {TWINS}the_functions_of_conditional_instance_norm",
    ),
    "cin: a blend the other way round": Mutant(
        CIN,
        "(1.0 - share) * rows(label) + share * rows(label + 1)",
        "share * rows(label) + (1.0 - share) * rows(label + 1)",
        TWINS + "the_functions_of_conditional_instance_norm",
    ),
    "cin: content of the style's picture": Mutant(
        CIN,
        'maps(variables, batch[name], key) for name in ("image", "image_b"))\n        found',
        'maps(variables, batch[name], key) for name in ("image_b", "image"))\n        found',
        OF_CIN,
    ),
    "cin: the weight of the style left out": Mutant(
        CIN, 'settings.style * metrics["style"]', 'metrics["style"]', OF_CIN
    ),
    "cin: VGG's own pools": Mutant(
        "configs/style_cin.py",
        'pool="average"',
        'pool="max"',
        "twins/test_recipes.py::test_numbers_of_the_papers[style_cin:published]",
    ),
    "adain trap: the target is the content's map": Mutant(
        ADAIN,
        "feature_error([y[code]], [target]), of_style",
        "feature_error([y[code]], [target]) * 0 + jnp.mean(y[code] ** 2, (1, 2, 3)), of_style",
        OF_ADAIN,
    ),
    "adain trap: the content's own map in training": Mutant(
        ADAIN,
        "content, of_style = distances(y, target, style)",
        'content, of_style = distances(y, maps(variables, batch["image"], key)[code], style)',
        OF_ADAIN,
    ),
    "adain: content and style exchanged": Mutant(
        ADAIN, "adain(c[code], s[code])", "adain(s[code], c[code])", OF_ADAIN
    ),
    "adain: the style's mean is not added": Mutant(
        NETWORKS,
        "instance_norm(content) * deviation + mean",
        "instance_norm(content) * deviation",
        STATISTICS,
    ),
    "adain: alpha in training": Mutant(
        ADAIN,
        "decoder(variables, target)",
        "decoder(variables, settings.alpha * target)",
        OF_ADAIN,
    ),
    "adain: alpha of the content": Mutant(
        ADAIN,
        "alpha * target + (1.0 - alpha) * content",
        "(1.0 - alpha) * target + alpha * content",
        TWINS + "the_functions_of_adaptive_instance_norm",
    ),
    "adain trap: a norm in the decoder": Mutant(
        NETWORKS,
        "x = doubled(nn.relu(conv(x, width)))",
        "x = doubled(nn.relu(instance_norm(conv(x, width))))",
        DECODED,
    ),
    "adain trap: a tanh": Mutant(
        NETWORKS,
        "return full_precision(conv(x, self.features))",
        "return jnp.tanh(full_precision(conv(x, self.features)))",
        DECODED,
    ),
    "adain: a decoder of three convolutions for four": Mutant(
        "configs/style_adain.py", "convolutions=(4, 2, 2)", "convolutions=(3, 2, 2)", PARAMETERS
    ),
    "adain: an encoder that pads with zeros": Mutant(
        "configs/style_adain.py",
        'padding="reflect"',
        'padding="zeros"',
        "twins/test_recipes.py::test_numbers_of_the_papers[style_adain:published]",
    ),
    "backbone: the average counts what is beyond the border": Mutant(
        BACKBONES, "count_include_pad=False", "count_include_pad=True", OPTIONS
    ),
    "backbone: maxima for averages": Mutant(BACKBONES, 'if pool == "max":', "if True:", OPTIONS),
    "backbone: zeros for reflections": Mutant(
        BACKBONES,
        'return module if border == "zeros" else lambda x: module(reflected(x, padding))',
        'return module if border == "zeros" else lambda x: module('
        "jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0))))",
        OPTIONS,
    ),
    "styled: one style for all": Mutant(
        STYLED,
        "(uniform(indices, STYLE) * count).astype(np.int32) if training else",
        "np.zeros_like(indices) if training else",
        TESTS + "styles_are_pictures_of_a_folder_or_of_an_npz_one_each[npz]",
    ),
    "styled: a style drawn by what the scene is drawn by": Mutant(
        STYLED,
        "STYLE_CROP = 1000, (1001, 1002), 1003,",
        "STYLE_CROP = 1000, (1001, 1002), 1,",
        TESTS + "a_style_says_nothing_about_its_content",
    ),
    "styled: always the same part of a style": Mutant(
        STYLED, 'at_random = training and config.crop == "random"', "at_random = False", SEEN
    ),
    "styled: styles shrunk to the contents' size": Mutant(
        STYLED, "side = max(config.resize or 0, *sides)", "side = max(sides)", SEEN
    ),
    "styled: grey contents stay grey": Mutant(
        STYLED,
        "x = np.repeat(x, 3, axis=-1) if channels == 1 else x",
        "",
        TESTS + "contents_may_be_ones_own_pictures_and_grey_ones_become_colour",
    ),
    "style judge: the farthest style": Mutant(JUDGE, "far.argmin(1)", "far.argmax(1)", TOLD),
    "style judge: another number than the nearest style has": Mutant(
        JUDGE,
        "known[_nearest(statistics(images), paintings)] == label",
        "(known + 1)[_nearest(statistics(images), paintings)] == label",
        TOLD,
    ),
}
