"""Mistakes in Boltzmann machines, annealed importance sampling, FVBN and mixtures of Bernoullis."""

from mutants import Mutant

MACHINE, RBM, DBM = "shared/machine.py", "energy/rbm.py", "energy/deep_boltzmann.py"
DEEP, ANNEALING, PARTITION = "shared/deep_machine.py", "shared/annealing.py", "judging/partition.py"
STACK = "energy/deep_autoencoder.py"
FVBN, MIXTURE = "autoregressive/fvbn.py", "autoencoders/bernoulli_mixture.py"
TESTS, LAYERS = "test_energy.py::test_", "test_deep_boltzmann.py::test_"
TWINS = "twins/test_energy.py::test_"
GRADIENT, USES = TWINS + "an_rbms_gradient_is_outer_products", TWINS + "what_an_rbm_is_used_for"
LAYER = LAYERS + "a_layers_gradient_is_outer_products_with_doubled_drives"
PRETRAINED = "test_deep_autoencoder.py::test_a_layers_gradient_is_outer_products_of_what_is_below"
UNROLLED = "test_deep_autoencoder.py::test_layers_are_handed_on_and_unrolled"
MIXED, JOINT = TWINS + "a_mixture_of_bernoullis", TWINS + "a_deep_machine"
SWEEP = TESTS + "a_sweep_follows_the_transition_matrix_and_keeps_the_models_law"
ORDER = TESTS + "annealing_is_unbiased_in_the_right_order_and_biased_in_the_other"
Z = TESTS + "z_over_v_is_z_over_h_is_z_over_both"
OWN_Z = LAYERS + "annealing_of_a_recipe_finds_its_own_z"
COMBINED = TESTS + "runs_are_combined_by_the_mean_of_their_weights"

ENERGIES = {
    "energy trap: weighed after the move": Mutant(
        ANNEALING,
        """        total = total + log_density(v, beta) - log_density(v, before)
        return (move(fold_in(keys, number), v, beta), total), None""",
        """        v = move(fold_in(keys, number), v, beta)
        total = total + log_density(v, beta) - log_density(v, before)
        return (v, total), None""",
        ORDER,
    ),
    "energy: moved at the step before": Mutant(
        ANNEALING,
        "move(fold_in(keys, number), v, beta)",
        "move(fold_in(keys, number), v, before)",
        ORDER,
    ),
    "energy: the same noise at each step": Mutant(
        ANNEALING, "move(fold_in(keys, number), v, beta)", "move(keys, v, beta)", ORDER
    ),
    "energy trap: the mean of logs": Mutant(
        PARTITION,
        '"value": float(top + math.log(mean))',
        '"value": float(log_weights.mean())',
        COMBINED,
    ),
    "energy: an interval of the weights, not of their mean": Mutant(
        PARTITION, " / math.sqrt(len(weights))", "", COMBINED
    ),
    "energy: the interval of log Z the wrong way round": Mutant(
        PARTITION,
        "float(values.mean() - high),",
        "float(values.mean() + high),",
        TESTS + "log_likelihoods_are_reported_with_the_interval_of_z",
    ),
    "energy trap: exp in place of softplus": Mutant(
        MACHINE,
        "softplus = jax.nn.softplus(self.hidden_drive(params, v))",
        "softplus = jnp.log(1.0 + jnp.exp(self.hidden_drive(params, v)))",
        TESTS + "large_drives_do_not_overflow",
    ),
    "energy: free energies without the visible biases": Mutant(
        MACHINE,
        'return -self.visible.log_weight(v, params["b"]) - jnp.sum(softplus, axis=-1)',
        "return -jnp.sum(softplus, axis=-1)",
        Z,
    ),
    "energy: Z without hidden biases": Mutant(
        MACHINE,
        'return h @ params["c"] + self.visible.log_sum(params["b"], drive)',
        'return self.visible.log_sum(params["b"], drive)',
        Z,
    ),
    "energy: one block of states": Mutant(
        MACHINE,
        "numbers = first * 2**inner + jnp.arange(2**inner)",
        "numbers = jnp.arange(2**inner) + 0 * first",
        TESTS + "states_are_visited_in_blocks",
    ),
    "energy trap: the integral without half the square": Mutant(
        MACHINE,
        "drive * (0.5 * drive + b / deviation)",
        "drive * (drive + b / deviation)",
        TESTS + "z_of_gaussian_units_is_its_integral",
    ),
    "energy trap: Gaussian units driven without their deviation": Mutant(
        MACHINE, "return b + deviation * drive", "return b + drive",
        TESTS + "z_of_gaussian_units_is_its_integral",
    ),
    "energy: noise of a Gaussian unit of deviation 1": Mutant(
        MACHINE,
        "mean(b, drive) + deviation * normal",
        "mean(b, drive) + normal",
        TESTS + "gaussian_units_are_drawn_with_their_deviation",
    ),
    "energy: the same noise for both layers": Mutant(
        MACHINE, "else flip(of_h, mean)", "else flip(of_v, mean)", SWEEP
    ),
    "energy trap: hidden units that are not drawn": Mutant(
        MACHINE, "else flip(of_h, mean)", "else mean", SWEEP
    ),
    "energy: the same noise in each sweep": Mutant(
        MACHINE,
        "return self.sweep(params, fold_in(keys, step), v)",
        "return self.sweep(params, keys, v)",
        SWEEP,
    ),
    "energy trap: doubled weights alone": Mutant(
        MACHINE,
        'drive = params["c"] + product(v * self.visible.scale, params["w"], self.dtype)\n'
        "        return self.up * drive",
        'drive = product(v * self.visible.scale, params["w"], self.dtype)\n'
        '        return params["c"] + self.up * drive',
        TESTS + "drives_are_multiplied_with_their_biases",
    ),
    "energy trap: visible drives doubled without their biases": Mutant(
        MACHINE,
        'return self.down * params["b"], self.down * drive',
        'return params["b"], self.down * drive',
        TESTS + "drives_are_multiplied_with_their_biases",
    ),
    "energy trap: pixels that stay in [-1, 1]": Mutant(
        MACHINE,
        "return (image.reshape(len(image), -1) + 1.0) / 2.0",
        "return image.reshape(len(image), -1)",
        USES,
    ),
    "energy: a gradient through the hidden means": Mutant(
        MACHINE,
        "rbm.energy(params, v, rbm.hidden(params_now, v))",
        "rbm.energy(params, v, rbm.hidden(params, v))",
        LAYER,
    ),
    "energy: means of one device's pixels": Mutant(
        MACHINE,
        "replicas.mean(jnp.mean(v, axis=0)) - before",
        "jnp.mean(v, axis=0) - before",
        "test_games.py::test_a_move_changes_all_its_player_owns_and_nothing_else_on_all_devices"
        "_alike[rbm]",
    ),
    "rbm trap: persistent chains that begin at the data": Mutant(
        RBM,
        'keys, start = jax.random.split(key, negatives.chains), variables.state["chain"]',
        "keys, start = example_keys(key, batch), v",
        GRADIENT,
    ),
    "rbm trap: chains that are not kept": Mutant(
        RBM,
        'state |= {"chain": fantasy} if persistent else {}',
        'state |= {"chain": variables.state["chain"]} if persistent else {}',
        GRADIENT,
    ),
    "rbm: always one step": Mutant(
        RBM,
        "rbm.chain(params, keys, start, negatives.steps)",
        "rbm.chain(params, keys, start, 1)",
        GRADIENT,
    ),
    "rbm: the sign of the update": Mutant(
        RBM, "loss = data - model + 0.5", "loss = model - data + 0.5", GRADIENT
    ),
    "rbm trap: biases that decay": Mutant(
        RBM,
        'settings.decay * jnp.sum(params["w"] ** 2)',
        'settings.decay * sum(jnp.sum(p**2) for p in params.values())',
        GRADIENT,
    ),
    "rbm: annealing without the hidden units' ln 2": Mutant(
        ANNEALING, ' + len(params["c"]) * jnp.log(2.0)', "", OWN_Z + "[rbm]"
    ),
    "rbm trap: exact likelihoods without Z": Mutant(
        RBM,
        '-free_energy(variables, batch, key)["free_energy"] - log_z}',
        '-free_energy(variables, batch, key)["free_energy"] - 0.0 * log_z}',
        USES,
    ),
    "rbm trap: grey values with a likelihood": Mutant(
        RBM,
        'if units.name == "gaussian" or image.cardinality == 2:',
        "if image.cardinality:",
        TESTS + "what_does_not_go_is_said_in_a_line",
    ),
    "dbm trap: the first machine not doubled": Mutant(
        DBM, "Machine(machine.binary(), up=2.0, dtype=dtype)",
        "Machine(machine.binary(), dtype=dtype)", LAYER,
    ),
    "dbm trap: the second machine doubled upwards": Mutant(
        DBM, "Machine(machine.binary(), down=2.0, dtype=dtype)",
        "Machine(machine.binary(), up=2.0, dtype=dtype)", LAYER,
    ),
    "dbm trap: a second machine of means": Mutant(
        DBM,
        "h1 = flip(machine.fold_in(keys, 0), first_rbm.hidden(variables.state[\"below\"], v))",
        "h1 = first_rbm.hidden(variables.state[\"below\"], v)",
        LAYER,
    ),
    "dbm trap: half the sum of biases": Mutant(
        DEEP,
        'first["c"] + second["b"]',
        '0.5 * (first["c"] + second["b"])',
        LAYERS + "assembly_adds_the_biases_of_the_layer_that_both_machines_have",
    ),
    "dbm: layers that are forgotten": Mutant(
        DBM,
        'first, second = previous.state["below"], previous.params["machine"]',
        'second = previous.params["machine"]',
        LAYERS + "layers_are_handed_on_and_put_together",
    ),
    "dbm trap: drives that stay doubled": Mutant(
        DEEP,
        'mu1 = jax.nn.sigmoid(params["c1"] + below + above)',
        'mu1 = jax.nn.sigmoid(params["c1"] + 2.0 * below + above)',
        LAYERS + "the_mean_field_is_a_fixed_point_that_no_drive_is_doubled_in",
    ),
    "dbm: a mean field that does not see h2": Mutant(
        DEEP,
        'mu1 = jax.nn.sigmoid(params["c1"] + below + above)',
        'mu1 = jax.nn.sigmoid(params["c1"] + below + 0.0 * above)',
        LAYERS + "the_mean_field_is_a_fixed_point_that_no_drive_is_doubled_in",
    ),
    "dbm: a bound without entropies": Mutant(
        DEEP,
        "return entropy - self.energy(params, v, mu1, mu2)",
        "return -self.energy(params, v, mu1, mu2)",
        LAYERS + "the_bound_is_below_log_p_and_equal_without_w2",
    ),
    "dbm: chains that see v alone": Mutant(
        DEEP,
        'return flip(own[2], jax.nn.sigmoid(params["c1"] + below + above))',
        'return flip(own[2], jax.nn.sigmoid(params["c1"] + below))',
        LAYERS + "a_sweep_draws_both_neighbours_and_then_h1",
    ),
    "dbm: one draw for both neighbours": Mutant(
        DEEP, "flip(own[1], h2)", "flip(own[0], h2)",
        LAYERS + "a_sweep_draws_both_neighbours_and_then_h1",
    ),
    "dbm: a gradient through the mean field": Mutant(
        DBM, "*dbm.means(now, v)", "*dbm.means(params, v)", JOINT
    ),
    "dbm trap: chains that begin anew": Mutant(
        DBM, '{"chain": h1})', '{"chain": variables.state["chain"]})', JOINT
    ),
    "dbm: annealing without the units of h2": Mutant(
        DBM,
        "hidden = (units + settings.second.units) * jnp.log(2.0)",
        "hidden = units * jnp.log(2.0)",
        OWN_Z + "[deep_boltzmann]",
    ),
    "deep autoencoder trap: a code of probabilities": Mutant(
        STACK, "this = rbm._replace(linear=top)", "this = rbm", PRETRAINED
    ),
    "deep autoencoder trap: a code without noise": Mutant(
        MACHINE,
        "h = mean + normal(of_h, mean.shape[1:]) if self.linear",
        "h = mean if self.linear",
        TESTS + "linear_hidden_units_have_noise_of_deviation_1",
    ),
    "deep autoencoder trap: visible units that are drawn": Mutant(
        STACK, "drawn=False, dtype=dtype", "dtype=dtype", PRETRAINED
    ),
    "deep autoencoder trap: draws of the layers below": Mutant(
        "shared/stack.py",
        "v = rbm.hidden(layer, v)",
        "v = jax.numpy.round(rbm.hidden(layer, v))",
        PRETRAINED,
    ),
    "deep autoencoder: the layers of the decoder as in the encoder": Mutant(
        STACK, "for layer in reversed(layers)]", "for layer in layers]", UNROLLED
    ),
    "deep autoencoder trap: a decoder with hidden biases": Mutant(
        STACK,
        '"w": layer["w"].T, "bias": layer["b"]}',
        '"w": layer["w"].T, "bias": jnp.zeros_like(layer["b"])}',
        UNROLLED,
    ),
    "deep autoencoder: layers that are forgotten": Mutant(
        STACK,
        "below = params[:number] if previous is None else trained(previous)",
        "below = params[:number]",
        UNROLLED,
    ),
    "deep autoencoder trap: codes that are squashed": Mutant(
        STACK,
        "    return layer_of(v, top, dtype)",
        "    return jax.nn.sigmoid(layer_of(v, top, dtype))",
        TWINS + "a_deep_autoencoder",
    ),
    "deep autoencoder: the mean over pixels": Mutant(
        STACK,
        "squares = jnp.sum((jax.nn",
        "squares = jnp.mean((jax.nn",
        TWINS + "a_deep_autoencoder",
    ),
    "fvbn: a pixel that sees itself": Mutant(
        FVBN,
        'w = jnp.tril(params["w"], -1).astype(dtype)',
        'w = jnp.tril(params["w"]).astype(dtype)',
        TWINS + "fvbn",
    ),
    "fvbn trap: a mask on the gradient alone": Mutant(
        FVBN,
        'w = jnp.tril(params["w"], -1).astype(dtype)',
        'w = (params["w"] + jnp.tril(params["w"], -1) - jax.lax.stop_gradient(jnp.tril('
        'params["w"], -1))).astype(dtype)',
        TWINS + "fvbn",
    ),
    "fvbn: weights that are not used have a penalty": Mutant(
        FVBN,
        'jnp.sum(jnp.tril(params["w"], -1) ** 2)',
        'jnp.sum(params["w"] ** 2)',
        TWINS + "fvbn",
    ),
    "fvbn: rows for columns in the cache": Mutant(
        FVBN,
        'params["w"][:, jnp.maximum(position - 1, 0)]',
        'params["w"][jnp.maximum(position - 1, 0)]',
        TWINS + "fvbn",
    ),
    "em: responsibilities over examples": Mutant(
        MIXTURE, "jax.nn.softmax(terms, axis=-1)", "jax.nn.softmax(terms, axis=0)", MIXED
    ),
    "em: shares that do not count": Mutant(
        MIXTURE,
        'return x @ logits.T + constant + jnp.log(mixture["shares"])',
        "return x @ logits.T + constant",
        MIXED,
    ),
    "em trap: an M step after each batch": Mutant(
        MIXTURE, "whole = (step + 1) % settings.batches == 0", "whole = step >= 0", MIXED
    ),
    "em: counts that are never forgotten": Mutant(
        MIXTURE, "jnp.where(whole, 0.0, n)", "n", MIXED
    ),
    "em: no pseudo-counts": Mutant(
        MIXTURE, '(counts["means"] + smoothing)', 'counts["means"]', MIXED
    ),
    "em: counts of one device": Mutant(
        MIXTURE,
        "lambda n: n * replicas.size(), replicas.mean(seen)",
        "lambda n: n * replicas.size(), seen",
        "test_games.py::test_a_move_changes_all_its_player_owns_and_nothing_else_on_all_devices"
        "_alike[bernoulli_mixture]",
    ),
}  # fmt: skip
