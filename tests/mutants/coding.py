"""Mistakes in sparse coding, its encoder, sparse autoencoders and stacked ones."""

from mutants import Mutant

CODING, SPARSE, PSD = "shared/coding.py", "energy/sparse_coding.py", "energy/psd.py"
AUTOENCODER, STACK = "autoencoders/sparse_autoencoder.py", "autoencoders/stacked_autoencoder.py"
TESTS, TWINS = "test_coding.py::test_", "twins/test_coding.py::test_"
STACKED = "test_sparse_autoencoders.py::test_"
SOLVED, ENDS = TESTS + "solvers_agree_with_scikit_learn", TESTS + "solvers_end_where_no_direction_"
CLOSED = TESTS + "codes_of_orthonormal_atoms_have_a_closed_form"
BOUND, PAPER = TESTS + "the_bound_is_just_above_the_largest_eigenvalue", TESTS + "fista_takes_the_"
FALLS = TESTS + "ista_falls_at_every_step_and_fista_is_faster"
LENGTH = TESTS + "training_keeps_the_length_of_atoms_alone"
TWIN, GUESS = TWINS + "sparse_coding", TWINS + "predictive_sparse_decomposition"
CODERS, SIGNALS = "shared/encoders.py", "shared/signals.py"
ALONE, POOLED = TWINS + "an_encoder_by_itself", TWINS + "codes_of_pooled_codes"
STARTS = TESTS + "unrolled_encoders_start_as_ista_does"
HANDED_ON = TESTS + "the_dictionary_is_handed_on_to_the_encoders_phase"
QUALITY = TWINS + "what_an_encoder_loses_and_saves"
MEANS, NUMBER = TWINS + "a_sparse_autoencoder_of_means", TWINS + "a_k_sparse_autoencoder"
MENDS = STACKED + "a_layer_mends_the_clean_code_of_those_below"
HANDED = STACKED + "layers_are_handed_on_to_the_classifier"
ALIKE = (
    "test_games.py::test_a_move_changes_all_its_player_owns_and_nothing_else_on_all_devices_alike"
)

CODINGS = {
    "coding trap: lambda without half the square": Mutant(
        CODING,
        "squares = 0.5 * jnp.sum(residual**2, axis=-1)",
        "squares = jnp.sum(residual**2, axis=-1)",
        TWIN,
    ),
    "coding trap: twice the shrinkage": Mutant(
        CODING,
        "return soft(z - slope(z) / bound, problem.penalty / bound)",
        "return soft(z - slope(z) / bound, 2.0 * problem.penalty / bound)",
        SOLVED + "[ista]",
    ),
    "coding trap: a bound from an old dictionary": Mutant(
        CODING,
        "bound = largest_eigenvalue(gram) + self.pull",
        "bound = 3.0 + self.pull",
        FALLS + "[3.0]",
    ),
    "coding: a bound without the pull": Mutant(
        CODING,
        "bound = largest_eigenvalue(gram) + self.pull",
        "bound = largest_eigenvalue(gram)",
        GUESS,
    ),
    "coding: eigenvalues from below": Mutant(
        CODING,
        "return jnp.exp(log_trace / 2**SQUARINGS)",
        "return jnp.exp(log_trace / 2**SQUARINGS) / len(matrix) ** (1.0 / 2**SQUARINGS)",
        BOUND,
    ),
    "coding: momentum of the step before": Mutant(
        CODING,
        "return new, new + (t - 1.0) / new_t * (new - z), new_t",
        "return new, new + (t - 1.0) / t * (new - z), new_t",
        PAPER + "steps_of_its_paper",
    ),
    "coding: momentum that is no square root": Mutant(
        CODING,
        "new_t = (1.0 + jnp.sqrt(1.0 + 4.0 * t**2)) / 2.0",
        "new_t = 1.0 + t / 2.0",
        PAPER + "steps_of_its_paper",
    ),
    "coding: coordinates without their own part": Mutant(
        CODING,
        "rest = drive[:, j] - of_others[:, j] + gram[j, j] * z[:, j]",
        "rest = drive[:, j] - of_others[:, j]",
        SOLVED + "[coordinates]",
    ),
    "coding: coordinates of unit atoms alone": Mutant(
        CODING,
        "new = soft(rest, problem.penalty) / curvature[j]",
        "new = soft(rest, problem.penalty)",
        ENDS + "falls[1.7-coordinates]",
    ),
    "coding: coordinates that do not see each other": Mutant(
        CODING,
        "of_others = of_others + (new - z[:, j])[:, None] * gram[j]",
        "of_others = of_others + 0.0 * (new - z[:, j])[:, None] * gram[j]",
        SOLVED + "[coordinates]",
    ),
    "coding: a guess that does not pull": Mutant(
        CODING,
        "product(self.x, self.d, self.dtype) + self.pull * self.guess",
        "product(self.x, self.d, self.dtype)",
        CLOSED + "[fista]",
    ),
    "coding trap: codes that the slope passes through": Mutant(
        CODING,
        "d, guess, start = lax.stop_gradient((problem.d, problem.guess, start))",
        "d, guess = problem.d, problem.guess",
        TWIN,
    ),
    "coding trap: a dictionary of any length": Mutant(
        CODING,
        'chosen = {name: name == "dictionary" for name in player.owns}',
        "chosen = {name: False for name in player.owns}",
        LENGTH,
    ),
    "coding: an encoder of length 1, too": Mutant(
        CODING,
        'chosen = {name: name == "dictionary" for name in player.owns}',
        "chosen = {name: True for name in player.owns}",
        LENGTH + "[psd]",
    ),
    "coding: rows of length 1": Mutant(
        "gm_jax/optimizers.py",
        "return moved / jnp.linalg.norm(moved, axis=0) - param",
        "return moved / jnp.linalg.norm(moved, axis=1, keepdims=True) - param",
        TESTS + "atoms_are_of_length_1_after_each_step",
    ),
    "coding: the step's length, not the atom's": Mutant(
        "gm_jax/optimizers.py",
        "return moved / jnp.linalg.norm(moved, axis=0) - param",
        "return update / jnp.linalg.norm(moved, axis=0)",
        TESTS + "atoms_are_of_length_1_after_each_step",
    ),
    "coding: atoms of an average as they are": Mutant(
        SPARSE,
        'problem = problem_of(coding.unit(variables.params["dictionary"]), batch)\n'
        "        return problem, infer(problem)",
        'problem = problem_of(variables.params["dictionary"], batch)\n'
        "        return problem, infer(problem)",
        TESTS + "atoms_of_an_average_are_brought_to_length_1[sparse_coding]",
    ),
    "coding: pixels in [-1, 1]": Mutant(
        CODING,
        'return x if name == "patch" else (x + 1.0) / 2.0',
        "return x",
        TWIN,
    ),
    "psd trap: inference that starts at 0": Mutant(
        PSD,
        "settings.pull, f, dtype)\n        z = coding.infer(settings.inference, problem, f)",
        "settings.pull, f, dtype)\n        z = coding.infer(settings.inference, problem, 0.0 * f)",
        GUESS + "[shrinkage]",
    ),
    "psd trap: inference without the encoder's term": Mutant(
        PSD,
        "settings.pull, f, dtype)\n        z = coding.infer(settings.inference, problem, f)",
        "settings.pull, f, dtype)\n"
        "        z = coding.infer(settings.inference, problem._replace(pull=0.0), f)",
        GUESS + "[shrinkage]",
    ),
    "psd: an encoder that is not squashed": Mutant(
        CODERS,
        'return own["gain"] * jnp.tanh(product(x, own["w"], dtype) + own["b"])',
        'return own["gain"] * (product(x, own["w"], dtype) + own["b"])',
        GUESS + "[tanh]",
    ),
    "psd: a gain before the shrinkage": Mutant(
        CODERS,
        'return own["gain"] * soft(drive, jnp.exp(own["log_threshold"]))',
        'return soft(own["gain"] * drive, jnp.exp(own["log_threshold"]))',
        GUESS + "[shrinkage]",
    ),
    "psd trap: thresholds below 0": Mutant(
        CODERS,
        'return own["gain"] * soft(drive, jnp.exp(own["log_threshold"]))',
        'return own["gain"] * soft(drive, own["log_threshold"])',
        GUESS + "[shrinkage]",
    ),
    "psd trap: unrolled steps that forget the drive": Mutant(
        CODERS,
        'z = soft(drive + product(z, own["s"], dtype), threshold)',
        'z = soft(product(z, own["s"], dtype), threshold)',
        GUESS + "[lista]",
    ),
    "psd: one threshold for all unrolled steps": Mutant(
        CODERS,
        'z = soft(drive + product(z, own["s"], dtype), threshold)',
        'z = soft(drive + product(z, own["s"], dtype), first)',
        GUESS + "[lista]",
    ),
    "psd: unrolled steps that start longer than ISTA's": Mutant(
        CODERS, "jnp.eye(atoms) - gram / bound", "jnp.eye(atoms) - gram", STARTS
    ),
    "psd trap: thresholds of an unscaled product": Mutant(
        CODERS, "jnp.full(atoms, penalty / bound)", "jnp.full(atoms, penalty)", STARTS
    ),
    "psd: quality of the pulled problem": Mutant(
        PSD,
        "return Problem(d, signal.rows(variables, batch), settings.penalty, dtype=dtype)",
        "x = signal.rows(variables, batch)\n"
        "        pulled = settings.pull, guess(variables, x)\n"
        "        return Problem(d, x, settings.penalty, *pulled, dtype)",
        QUALITY,
    ),
    "psd: steps that are counted after the first": Mutant(
        PSD,
        "jnp.cumprod(path > own, axis=0)",
        "jnp.cumprod(path[1:] > own, axis=0)",
        QUALITY,
    ),
    "psd: codes that the encoder passes through": Mutant(
        CODING,
        "d, guess, start = lax.stop_gradient((problem.d, problem.guess, start))",
        "d, guess = lax.stop_gradient((problem.d, problem.guess))",
        ALONE + "[codes]",
    ),
    "psd: the other error": Mutant(
        PSD, 'if own.error == "codes"', 'if own.error != "codes"', ALONE + "[objective]"
    ),
    "psd trap: a dictionary that is forgotten": Mutant(
        PSD,
        "params = (previous or init(key, batch, None)).params",
        "params = init(key, batch, None).params",
        HANDED_ON,
    ),
    "psd: two layers without rectification": Mutant(
        SIGNALS,
        "jnp.concatenate([nn.relu(u), nn.relu(-u)], axis=-1)",
        "jnp.concatenate([u, -u], axis=-1)",
        POOLED,
    ),
    "psd: two layers whose polarities are one": Mutant(
        SIGNALS,
        "jnp.concatenate([nn.relu(u), nn.relu(-u)], axis=-1)",
        "jnp.concatenate([nn.relu(u), nn.relu(u)], axis=-1)",
        POOLED,
    ),
    "psd: two layers of windows side by side": Mutant(
        SIGNALS, "steps = [pooling.stride * jnp.arange(n)", "steps = [jnp.arange(n)", POOLED
    ),
    "psd: two layers whose flat patches are as loud as others": Mutant(
        SIGNALS, "v / jnp.maximum(contrast, pooling.floor)", "v / contrast", POOLED
    ),
    "psd: two layers in whose pictures polarities add": Mutant(
        SIGNALS, "code = (positive - negative)", "code = (positive + negative)", POOLED
    ),
    "patches: a filter that keeps the noise": Mutant(
        "data/patches.py",
        "* rho * np.exp(-((rho / CUT) ** 4))",
        "* rho * np.exp(-((rho / CUT) ** 2))",
        TESTS + "the_filter_is_the_one_that_it_says",
    ),
    "patches: test patches from the training part": Mutant(
        "data/patches.py",
        'images[:, :, -COLUMNS:] if split == "test" else images[:, :, :-COLUMNS]',
        "images[:, :, :-COLUMNS]",
        TESTS + "patches_are_windows_of_whitened_photographs",
    ),
    "sparse trap: an activation of each example's own": Mutant(
        AUTOENCODER,
        "mean = replicas.mean(jnp.mean(h, axis=0))",
        "mean = jnp.mean(h, axis=1)",
        MEANS,
    ),
    "sparse: means of one device": Mutant(
        AUTOENCODER,
        "mean = replicas.mean(jnp.mean(h, axis=0))",
        "mean = jnp.mean(h, axis=0)",
        "test_games.py::test_one_and_eight_devices_are_the_same_run_and_trace_every_move_once"
        "[sparse_autoencoder]",
    ),
    "sparse: KL the other way round": Mutant(
        "losses/sparsity.py",
        "on = xlogy(target, target) - target * jnp.log(mean)",
        "on = xlogy(mean, mean) - mean * jnp.log(target)",
        MEANS,
    ),
    "sparse: biases of the activation's share off": Mutant(
        "losses/sparsity.py",
        "- (1.0 - target) * jnp.log1p(-mean)",
        "+ (1.0 - target) * jnp.log1p(-mean)",
        MEANS,
    ),
    "sparse trap: those of largest size": Mutant(
        AUTOENCODER,
        "ordered = jnp.sort(z, axis=-1, descending=True)\n"
        "    least = jnp.take(ordered, k - 1, axis=-1)[:, None]\n"
        "    return jnp.where(z >= least, z, 0.0)",
        "ordered = jnp.sort(jnp.abs(z), axis=-1, descending=True)\n"
        "    least = jnp.take(ordered, k - 1, axis=-1)[:, None]\n"
        "    return jnp.where(jnp.abs(z) >= least, z, 0.0)",
        STACKED + "the_largest_are_kept_not_those_of_largest_size",
    ),
    "sparse: one more unit": Mutant(
        AUTOENCODER, "jnp.take(ordered, k - 1, axis=-1)", "jnp.take(ordered, k, axis=-1)",
        STACKED + "the_largest_are_kept_not_those_of_largest_size",
    ),
    "sparse trap: k as in training": Mutant(
        AUTOENCODER, "round(own.alpha * own.k)", "own.k", NUMBER + "[0-10]"
    ),
    "sparse trap: k that does not fall": Mutant(
        AUTOENCODER, "h = hidden_of(params, x, k_at(own, step))",
        "h = hidden_of(params, x, own.k)",
        NUMBER + "[1-8]",
    ),
    "sparse: a decoder of its own for the k largest": Mutant(
        AUTOENCODER,
        'down = params["w"].T if by_number',
        'down = jax.lax.stop_gradient(params["w"]).T if by_number',
        NUMBER + "[1-8]",
    ),
    "stacked trap: corrupted codes of the layers below": Mutant(
        STACK,
        "logits = down(layer, up(layer, jnp.where(kept, h, 0.0)))\n"
        "            return -jnp.mean(bernoulli(h, logits)), Aux()",
        "h = jnp.where(kept, h, 0.0)\n"
        "            return -jnp.mean(bernoulli(h, down(layer, up(layer, h)))), Aux()",
        MENDS,
    ),
    "stacked trap: nothing masked": Mutant(
        STACK, "up(layer, jnp.where(kept, h, 0.0))", "up(layer, h)", MENDS
    ),
    "stacked: the first layer's share for all": Mutant(
        STACK, "own.masked[number]", "own.masked[0]", MENDS + "[1]"
    ),
    "stacked: images for the codes below": Mutant(
        STACK,
        'code(variables.state["below"], seen(batch))',
        'code(variables.state["below"][:0], seen(batch))',
        MENDS + "[1]",
    ),
    "stacked: layers that are forgotten": Mutant(
        STACK,
        "layers = fresh(key) if previous is None else trained(previous)\n        head",
        "layers = fresh(key)\n        head",
        HANDED,
    ),
    "stacked trap: a start that flatters pretraining": Mutant(
        STACK,
        "bound = 4.0 * math.sqrt(6.0 / (size + width))",
        "bound = math.sqrt(6.0 / (size + width))",
        STACKED + "from_scratch_there_is_one_phase_that_starts_alike",
    ),
    "stacked: one rate for all": Mutant(
        STACK,
        '{"layers": True, "head": False}',
        '{"layers": False, "head": False}',
        STACKED + "pretrained_layers_learn_slower_than_the_output",
    ),
    "stacked: the right class an error": Mutant(
        STACK,
        'wrong = jnp.argmax(logits, axis=-1) != batch["label"]',
        'wrong = jnp.argmax(logits, axis=-1) == batch["label"]',
        TWINS + "a_stacked_autoencoders_classifier",
    ),
}  # fmt: skip
