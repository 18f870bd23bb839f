"""Mistakes in residual GANs and in how they draw. Traps are mistakes of public code."""

from mutants import Mutant

RESIDUAL, RESNETS = "shared/resnet_blocks.py", "shared/resnets.py"
GAME, TRUNCATION = "shared/latent_game.py", "shared/truncation.py"


def _tests(names: str) -> str:
    return " ".join(f"test_residual_gans.py::test_{name}" for name in names.split())


def _twins(name: str) -> str:
    return f"twins/test_gan.py::test_{name}"


ATTENTION = _tests("attention_is_a_softmax_over_keys_that_begins_as_the_identity")
NORM = _tests("conditional_batch_norm_has_gain_one_plus_w_y")
DOWN = _tests("down_blocks_pool_after_they_convolve")
DEEP = _tests("deep_blocks_keep_the_first_channels_and_concatenate_new_ones")
SPECTRAL = _tests("spectral_norm_is_everywhere_and_reaches_the_largest_singular_value")
SIZES = _tests("published_models_have_the_published_sizes")
TRUNCATED = _tests("a_truncated_latent_is_drawn_again")
STANDING = _tests("standing_statistics_are_the_averages_of_the_batches")
AVERAGES = _tests("standing_averages_means_and_variances_and_hands_the_rest_on")
ACCUMULATED = _tests("gradients_of_fresh_batches_accumulate_to_one_step")
BESIDE = _twins("residual_networks_take_the_label_beside_their_input")
ORTHOGONAL = _tests("orthogonal_regularisation_has_the_codes_gradient")

RESIDUAL_GANS = {
    "residual trap: a softmax over queries": Mutant(
        RESIDUAL, "nn.softmax(scores, axis=-1)", "nn.softmax(scores, axis=1)", ATTENTION
    ),
    "residual trap: scaled scores": Mutant(
        RESIDUAL, "nn.softmax(scores, axis=-1)", "nn.softmax(scores / 2.0, axis=-1)", ATTENTION
    ),
    "residual trap: attention with biases": Mutant(
        RESIDUAL, "self.layers.conv(features, 1, bias=False)(x)",
        "self.layers.conv(features, 1)(x)", ATTENTION,
    ),
    "residual trap: attention of all positions, not of maxima": Mutant(
        RESIDUAL, "nn.max_pool(of_pixels(features), (2, 2), (2, 2))",
        "nn.avg_pool(of_pixels(features), (2, 2), (2, 2))", ATTENTION,
    ),
    "residual trap: attention that begins open": Mutant(
        RESIDUAL, 'self.param("gain", zeros, ())', 'self.param("gain", nn.initializers.ones, ())',
        ATTENTION,
    ),
    "residual trap: a conditional gain without its 1": Mutant(
        RESIDUAL, "x * (1.0 + learned(", "x * (learned(", NORM
    ),
    "residual: one norm of a block does not see the label": Mutant(
        RESIDUAL,
        """        h = conv(self.features)(doubled(active(x)))
        h = conv(self.features)(active(h))
        return""",
        """        h = conv(self.features)(doubled(active(x)))
        h = conv(self.features)(nn.relu(ConditionalBatchNorm(self.layers)(h)))
        return""",
        _tests("up_blocks_enlarge_before_they_convolve"),
    ),
    "residual: the first block begins with a ReLU": Mutant(
        RESIDUAL, "(x if self.first else nn.relu(x))", "(nn.relu(x))", DOWN
    ),
    "residual: no ReLU between the convolutions": Mutant(
        RESIDUAL, """        h = conv(self.features)(nn.relu(h))
        if self.down:""",
        """        h = conv(self.features)(h)
        if self.down:""", DOWN,
    ),
    "biggan-deep trap: the skip keeps the last channels": Mutant(
        RESIDUAL, "x[..., : self.features]", "x[..., -self.features :]", DEEP
    ),
    "biggan-deep: pooled after the last convolution's ReLU is left out": Mutant(
        RESIDUAL, "h = nn.relu(conv(hidden)(nn.relu(h)))", "h = conv(hidden)(nn.relu(h))", DEEP
    ),
    "biggan-deep: a convolution in place of concatenated channels": Mutant(
        RESIDUAL, "more = self.features - x.shape[-1]", "more = self.features", DEEP
    ),
    "sn trap: the embedding of D left out": Mutant(
        RESNETS, 'of_label = layers.dense(hidden.shape[-1], bias=False, name="embedding")(y)',
        "of_label = layers._replace(spectral=False).dense("
        'hidden.shape[-1], bias=False, name="embedding")(y)', SPECTRAL,
    ),
    "sn trap: 1x1 convolutions left out": Mutant(
        RESIDUAL, "self._layer(Pointwise(features, **self._common(bias, self.weights.outer)))",
        "Pointwise(features, **self._common(bias, self.weights.outer))", SPECTRAL,
    ),
    "biggan trap: spectral norm of G's embedding": Mutant(
        RESNETS, "plain = layers._replace(spectral=False)", "plain = layers", SPECTRAL
    ),
    "sn trap: u moves in evaluation": Mutant(
        "nn/layers.py", "update_stats=train)", "update_stats=True)", SPECTRAL
    ),
    "sn trap: u is not kept": Mutant(
        "nn/layers.py", "update_stats=train)", "update_stats=False)", SPECTRAL
    ),
    "sngan: the mean over the pixels": Mutant(
        RESNETS, "pool: Callable = jnp.sum", "pool: Callable = jnp.mean",
        _tests("projection_adds_the_product_of_label_and_features"),
    ),
    "projection: of the label alone": Mutant(
        RESNETS, "jnp.sum(of_label * hidden, axis=-1, keepdims=True)",
        "jnp.sum(of_label, axis=-1, keepdims=True)",
        _tests("projection_adds_the_product_of_label_and_features"),
    ),
    "biggan: every block sees the same part of z": Mutant(
        RESNETS, "[joined(part, y, 1)[0] for part in parts]",
        "[joined(parts[0], y, 1)[0] for part in parts]",
        _tests("each_block_sees_its_own_part_of_z"),
    ),
    "biggan: no shared embedding": Mutant(
        RESNETS, '_EMBEDDED = {"spectral": True, "embedding": 128}',
        '_EMBEDDED = {"spectral": True, "embedding": 0}', SIZES,
    ),
    "sagan: attention of the next smaller map": Mutant(
        RESNETS, "(s := side >> k) <= most", "(s := side >> k) < most", SIZES
    ),
    "biggan trap: clamped latents": Mutant(
        "shared/latents.py", "lambda key: draw(key, -bound, bound)",
        "lambda key: jnp.clip(jax.random.normal(key, shape), -bound, bound)", TRUNCATED,
    ),
    "biggan trap: scaled latents": Mutant(
        "shared/latents.py", "lambda key: draw(key, -bound, bound)",
        "lambda key: draw(key, -3.0, 3.0) * bound / 3.0", TRUNCATED,
    ),
    "biggan: truncated in training": Mutant(
        GAME, "if truncation else PRIORS[game.settings.prior]",
        "if truncation else truncated(0.4)", _twins("biggan"),
    ),
    "biggan: interpolations of whole latents": Mutant(
        GAME, "latent(game, k, batch, truncation)", "latent(game, k, batch)", _twins("biggan")
    ),
    "biggan trap: statistics of raw weights": Mutant(
        "training/state.py", "jax.jit(model.calibrate)(seen)",
        "jax.jit(model.calibrate)(variables)", STANDING,
    ),
    "biggan trap: statistics of whole latents": Mutant(
        TRUNCATION, "inputs(game, key, batch, sampler.truncation)", "inputs(game, key, batch)",
        STANDING,
    ),
    "biggan: the last batch's statistics": Mutant(
        "nn/statistics.py", "jnp.mean(x, axis=0)", "x[-1]", AVERAGES
    ),
    "biggan trap: running averages among the standing ones": Mutant(
        "nn/statistics.py", "train(_map_statistics(jnp.zeros_like, state), batch)",
        "train(state, batch)", AVERAGES,
    ),
    "biggan: orthogonal columns for rows": Mutant(
        "losses/penalties.py", "(w.T @ w * (1.0 - jnp.eye(w.shape[1])))",
        "(w @ w.T * (1.0 - jnp.eye(w.shape[0])))", ORTHOGONAL,
    ),
    "biggan trap: orthogonal norms, too": Mutant(
        "losses/penalties.py", "(w.T @ w * (1.0 - jnp.eye(w.shape[1])))",
        "(w.T @ w - jnp.eye(w.shape[1]))", ORTHOGONAL,
    ),
    "biggan trap: an orthogonal embedding": Mutant(
        "losses/penalties.py", 'if x.ndim > 1 and "embedding" not in',
        'if x.ndim > 1 and "nothing" not in', ORTHOGONAL,
    ),
    "biggan: orthogonal regularisation without its weight": Mutant(
        "adversarial/gan.py",
        "settings.generator.orthogonal * orthogonal(variables.params[",
        "orthogonal(variables.params[", _twins("biggan"),
    ),
    "accumulation trap: as many moves as without": Mutant(
        "gm_jax/games.py", "parts * move.times(step)", "move.times(step)", ACCUMULATED
    ),
    "accumulation: sums in place of means": Mutant(
        "optimizers.py", "optax.MultiSteps(chain, settings.accumulate)",
        "optax.MultiSteps(chain, settings.accumulate, use_grad_mean=False)", ACCUMULATED,
    ),
    "an average that never is a copy": Mutant(
        "optimizers.py", "jnp.where(step < start, 0.0, decay)", "decay",
        _tests("an_average_may_begin_as_a_copy"),
    ),
    "residual: labels appended to the input of networks that take them": Mutant(
        GAME, "if NETWORKS[game.settings.networks].takes_labels:", "if False:", BESIDE
    ),
    "residual: D is not told the label": Mutant(
        "adversarial/gan.py", "for part in with_label(game, x, batch)]",
        "for part in with_label(game, x, batch)[:1]]", BESIDE,
    ),
    "sagan: one rate": Mutant(
        "configs/sagan_fashion.py", "for r in (rate, 4.0 * rate)", "for r in (rate, rate)",
        "twins/test_recipes.py::test_numbers_of_the_papers[sagan_fashion:published]",
    ),
    "spectral trap: weights that begin divided by their norm": Mutant(
        "gm_jax/networks.py", 'as_drawn(collections.pop("params"), collections)',
        'collections.pop("params")',
        "test_first_weights.py::test_one_deviation_for_all_kernels[spectral_d]",
    ),
}  # fmt: skip
