"""Mistakes in the choices of diffusion models, in their samplers and in what they are used for."""

from mutants import Mutant

CONVOLUTIONS = "test_convolutions_by_hand.py::test_"
FUNCTIONS, LEVELS = "test_diffusion_functions.py::test_", "test_noise_levels.py::test_"
PROCESSES, PREDICTION, WEIGHTING = (
    "shared/processes.py", "shared/prediction.py", "shared/weighting.py",
)  # fmt: skip
SAMPLERS, MULTISTEP, TABLES = "shared/samplers.py", "shared/multistep.py", "shared/tables.py"
SCHEDULES, BOUND, ODE = "shared/schedules.py", "shared/bound.py", "shared/likelihood.py"
GUIDANCE, USES = "shared/guidance.py", "shared/uses.py"


def _twins(names: str) -> str:
    return " ".join(f"twins/test_diffusion.py::test_{name}" for name in names.split())


def _tests(file: str):
    return lambda names: " ".join(f"test_diffusion_{file}.py::test_{n}" for n in names.split())


_oracles, _uses, _choices, _learned = map(_tests, ("oracles", "uses", "choices", "learned"))

CHOICES = {
    "learned variance: the gradient stopped on the variance, not on the mean": Mutant(
        PROCESSES, "jax.lax.stop_gradient(output), v)", "output, jax.lax.stop_gradient(v))",
        _learned("the_hybrid_loss_teaches_the_variance_and_not_the_mean_by_the_bound"),
    ),
    "learned variance: the bound in nats": Mutant(
        PROCESSES, "nats / (jnp.log(2.0) * x0[0].size)", "nats / x0[0].size",
        _twins("learned_variances"),
    ),
    "learned variance: split on the wrong axis": Mutant(
        PROCESSES, "jnp.split(output, 2, axis=-1)) if", "jnp.split(output, 2, axis=1)) if",
        _twins("learned_variances"),
    ),
    "learned variance: the halves exchanged": Mutant(
        PROCESSES, "return tuple(jnp.split(output, 2, axis=-1)) if",
        "return tuple(jnp.split(output, 2, axis=-1)[::-1]) if", _twins("learned_variances"),
    ),
    "learned variance: beta~_1 that is 0": Mutant(
        BOUND, "np.concatenate([q.small[1:2], q.small[1:]])", "np.maximum(q.small, 1e-20)",
        _twins("learned_variances"),
    ),
    "learned variance: f of beta~_t for f of beta_t": Mutant(
        BOUND, "f * jnp.log(self.large) + (1.0 - f) * jnp.log(self.small)",
        "f * jnp.log(self.small) + (1.0 - f) * jnp.log(self.large)", _twins("learned_variances"),
    ),
    "learned variance: noise of the table's deviation": Mutant(
        TABLES, "if noisy and f is not None", "if False",
        _learned("a_learned_variance_is_what_the_sampler_draws_by"),
    ),
    "importance sampling: terms not divided by their probability": Mutant(
        "shared/importance.py", "1.0 / (len(p) * p[t])", "1.0 + 0.0 * p[t]",
        _learned("importance_sampling_keeps_the_mean_and_lowers_its_variance"),
    ),
    "importance sampling: terms remembered at the time after": Mutant(
        "shared/importance.py", "history.terms.at[t - 1, slot]", "history.terms.at[t, slot]",
        _twins("learned_variances"),
    ),
    "weights: the noise's weight put on the loss of v": Mutant(
        WEIGHTING, "own = prediction.weight(level.alpha, level.sigma)",
        "own = jnp.exp(level.log_snr)", _twins("weighted_losses"),
    ),
    "weights: min-SNR as a maximum": Mutant(
        WEIGHTING, "jnp.minimum(_snr(level), settings.most)",
        "jnp.maximum(_snr(level), settings.most)", _twins("weighted_losses"),
    ),
    "weights: P2's gamma ignored": Mutant(
        WEIGHTING, "(settings.k + _snr(level)) ** settings.power", "(settings.k + _snr(level))",
        _choices("weights_are_the_papers"),
    ),
    "weights: 0 / 0 at an SNR of 0": Mutant(
        WEIGHTING, "jnp.where(own > 0.0, own, 1.0), 1.0)", "own, jnp.nan)",
        _choices("weights_are_the_papers"),
    ),
    "the bound's weight without its slope": Mutant(
        WEIGHTING, "0.5 * level.slope * _snr(level)", "0.5 * _snr(level)",
        _choices("the_bounds_weight_adds_up_to_the_bound"),
    ),
    "EDM: c_in of a deviation for a variance": Mutant(
        PROCESSES, "(sigma**2 + (sigma_data * alpha) ** 2) ** -0.5",
        "(sigma**2 + (sigma_data * alpha) ** 2) ** -1.0", _twins("edm"),
    ),
    "EDM: c_noise without its quarter": Mutant(
        PROCESSES, "0.25 * jnp.log(sigma / alpha)", "jnp.log(sigma / alpha)",
        _choices("edms_identities"),
    ),
    "EDM: c_skip and c_out of other deviations": Mutant(
        PREDICTION, "return ratio * sigma_data * (ratio**2 + sigma_data**2) ** -0.5",
        "return ratio * (ratio**2 + sigma_data**2) ** -0.5", _twins("edm"),
    ),
    "EDM: Heun's last step to sigma 0 with a second evaluation": Mutant(
        SAMPLERS, "        if end.sigma == 0:\n            return [first._replace(x=None)]\n", "",
        _oracles("samplers_with_noise_draw_the_mixture"),
    ),
    "EDM: churn outside of its range": Mutant(
        SAMPLERS, "largest > 0 and churn.least <= point.ratio <= churn.most", "largest > 0",
        _oracles("churn_is_added_only_within_its_range"),
    ),
    "EDM: churn beyond sqrt(2) - 1": Mutant(
        SAMPLERS, "min(churn.amount / grid.steps, np.sqrt(2.0) - 1.0)", "churn.amount / grid.steps",
        _oracles("churn_is_added_only_within_its_range"),
    ),
    "flow: the velocity turned round": Mutant(
        PREDICTION, "target=lambda x0, noise, alpha, sigma: noise - x0",
        "target=lambda x0, noise, alpha, sigma: x0 - noise", _twins("velocity_and_its_plain_loss"),
    ),
    "DPM-Solver++ 2M: the slope of the wrong sign": Mutant(
        MULTISTEP, "slope[:2] = 1.0 / r0, -1.0 / r0", "slope[:2] = -1.0 / r0, 1.0 / r0",
        _oracles("the_order_of_each_deterministic_sampler_is_the_theorys"),
    ),
    "DPM-Solver++ 2M: h of the step after for that before": Mutant(
        MULTISTEP, "r0 = (lambdas[0] - lambdas[1]) / h", "r0 = 0.5",
        _oracles("the_order_of_each_deterministic_sampler_is_the_theorys"),
    ),
    "PLMS: the second point evaluated once": Mutant(
        MULTISTEP, "(first, first, second), (second, first, second)", "(first, first, second)",
        _oracles("the_order_of_each_deterministic_sampler_is_the_theorys"),
    ),
    "Heun: the slope at the end alone": Mutant(
        SAMPLERS, "{0: 0.5, 1: 0.5}", "{1: 1.0}",
        _oracles("the_order_of_each_deterministic_sampler_is_the_theorys"),
    ),
    "a chain that is kept whole": Mutant(
        TABLES, "    kept_at = np.unique(np.asarray(keep, int))",
        "    kept_at = np.arange(table.evaluations + 1)",
        _oracles("memory_does_not_grow_with_the_steps_unless_states_are_kept"),
    ),
    "ODE: a new probe at each evaluation": Mutant(
        ODE,
        "jax.jvp(velocity, (y,), (probe,))\n        return value, jnp.sum(moved * probe, axes)",
        "jax.jvp(velocity, (y,), (probe.at[:, 0].multiply(jnp.sign(jnp.sin(at.time))),))\n"
        "        return value, jnp.sum("
        "moved * probe.at[:, 0].multiply(jnp.sign(jnp.sin(at.time))), axes)",
        _uses("ode_likelihood_of_a_mixture_and_of_correlated_data_is_exact"),
    ),
    "ODE: raw levels, no dequantisation": Mutant(
        ODE, "x = image + (uniform(uniform_keys, shape) - 0.5) * (2.0 / 255.0)", "x = image",
        _uses("images_are_dequantised_within_their_level"),
    ),
    "ODE: the scale of the levels forgotten": Mutant(
        ODE, " + math.log2(255.0 / 2.0)", "",
        _uses("bits_by_the_ode_are_those_of_the_density"),
    ),
    "ODE: without its divergence": Mutant(
        ODE, "return total - 0.5 * squares", "return 0.0 * total - 0.5 * squares",
        _uses("ode_likelihood_of_a_mixture_and_of_correlated_data_is_exact"),
    ),
    "RePaint: what is known noised to t, not t - 1": Mutant(
        USES, "map(jnp.asarray, (s.alpha, s.sigma, scale, added))",
        "map(jnp.asarray, (t.alpha, t.sigma, scale, added))",
        _uses("inpainting_nears_the_conditional_as_resampling_grows_and_keeps_what_is_known"),
    ),
    "RePaint: no returns": Mutant(
        USES, "        if left.get(point, 0):", "        if False:",
        _uses("inpainting_nears_the_conditional_as_resampling_grows_and_keeps_what_is_known"),
    ),
    "SDEdit: the share of steps left out for that taken": Mutant(
        USES, "grid.after(grid.steps - max(int(grid.steps * strength + 1e-9), 1))",
        "grid.after(int(grid.steps * strength + 1e-9))",
        _uses("editing_begins_at_the_share_of_steps_that_is_asked_for"),
    ),
    "inversion with the steps of sampling": Mutant(
        USES, "run(samplers.inversion(grid), denoise, image, _no_noise)",
        "run(samplers.ddim(grid), denoise, image, _no_noise)",
        _uses("inversion_then_sampling_returns_the_image"),
    ),
    "classifier guidance with a deviation for a variance": Mutant(
        GUIDANCE, "scale * at.sigma**2 / at.alpha", "scale * at.sigma / at.alpha",
        _uses("classifier_guidance_by_the_exact_posterior_draws_the_class"),
    ),
    "classifier guidance away from the class": Mutant(
        GUIDANCE, "shift = scale *", "shift = -scale *",
        _uses("classifier_guidance_by_the_exact_posterior_draws_the_class"),
    ),
    "guidance of the variance, too": Mutant(
        GUIDANCE, "if not learned:", "if True:",
        _uses("guidance_of_weight_0_is_the_conditional_model_itself"),
    ),
    "thresholding that does not divide": Mutant(
        GUIDANCE, "jnp.clip(x0, -largest, largest) / largest", "jnp.clip(x0, -largest, largest)",
        _uses("dynamic_thresholding_keeps_a_share_of_each_example"),
    ),
    "zero terminal SNR: alpha shifted and not scaled": Mutant(
        SCHEDULES, "(schedule.alpha - last) * first / (first - last)", "schedule.alpha - last",
        _choices("a_zero_terminal_snr_keeps_the_first_level_and_the_shape"),
    ),
    "inpaint: the lower half is known": Mutant(
        "diffusion/shared/core.py",
        "(jnp.arange(core.shape[0]) < core.shape[0] // 2)",
        "(jnp.arange(core.shape[0]) >= core.shape[0] // 2)",
        FUNCTIONS + "the_lower_half_is_made_anew_and_the_upper_half_kept",
    ),
    "inpaint: jumps for repetitions": Mutant(
        "diffusion/shared/core.py",
        "plan.jump, plan.resample,",
        "plan.resample, plan.jump,",
        FUNCTIONS + "the_lower_half_is_made_anew_and_the_upper_half_kept",
    ),
    "edit: the share of steps that is left out": Mutant(
        "diffusion/shared/core.py",
        "uses.rest_of(grid, settings.strength)",
        "uses.rest_of(grid, 1.0 - settings.strength)",
        FUNCTIONS + "an_edit_begins_at_its_share_of_the_steps",
    ),
    "interpolation: from a noise to itself": Mutant(
        "diffusion/shared/core.py",
        "ends = (core.start(example_keys(k, batch)) for",
        "ends = (core.start(example_keys(key, batch)) for",
        FUNCTIONS + "the_way_from_one_noise_to_another_is_a_great_circle",
    ),
    "ODE: noise of deviation 1 on every schedule": Mutant(
        "diffusion/shared/core.py",
        "sampling.start_deviation(schedule, table)\n        )",
        "1.0\n        )",
        FUNCTIONS + "bits_of_the_ode_are_those_of_the_datas_density",
    ),
    "samples start from noise of deviation 1": Mutant(
        "diffusion/shared/core.py",
        "return self.deviation * normal(keys, self.shape)",
        "return normal(keys, self.shape)",
        FUNCTIONS + "samples_have_the_datas_deviation",
    ),
    "classifier guidance without its scale": Mutant(
        "diffusion/shared/core.py",
        "guidance.classifier(denoise, log_prob, self.sampler.classifier)",
        "guidance.classifier(denoise, log_prob, 1.0)",
        FUNCTIONS + "a_classifier_turns_the_model_into_its_posterior",
    ),
    "vlb: terms of drawn times as they are": Mutant(
        "diffusion/shared/core.py",
        "return jnp.mean(factor * bits)",
        "return jnp.mean(bits)",
        "twins/test_diffusion.py::test_learned_variances",
    ),
    "importance sampling: the mean for the root of squares": Mutant(
        "shared/importance.py",
        "jnp.sqrt(jnp.mean(history.terms**2, axis=-1))",
        "jnp.mean(history.terms, axis=-1)",
        LEVELS + "times_are_drawn_by_the_root_of_their_mean_squares",
    ),
    "Karras' spacing with another rho": Mutant(
        "shared/grids.py",
        "def _karras(schedule, steps, rho=7.0)",
        "def _karras(schedule, steps, rho=5.0)",
        LEVELS + "spacings_of_ratios",
    ),
    "leading: the last time too late": Mutant(
        "shared/grids.py",
        "times = 1 + np.arange(steps)[::-1] *",
        "times = np.arange(1, steps + 1)[::-1] *",
        LEVELS + "spacings_of_times",
    ),
    "EDM: noise of another deviation": Mutant(
        "shared/schedules.py",
        "mean=-1.2, deviation=1.2",
        "mean=-1.2, deviation=1.0",
        LEVELS + "edms_levels_are_quantiles_between_the_ends",
    ),
    "sigmoid: an end that is not rescaled": Mutant(
        "shared/schedules.py",
        "return (high - 1.0 / (1.0 + xp.exp(-(u * (end - start) + start)))) / (high - low)",
        "return 1.0 - 1.0 / (1.0 + xp.exp(-(u * (end - start) + start)))",
        LEVELS + "the_sigmoid_is_the_papers",
    ),
    "DPM-Solver++ 3M: full order at the end of few steps": Mutant(
        "shared/sampling.py",
        "multistep.dpmpp(grid, 3, lower_last=s.steps < 15)",
        "multistep.dpmpp(grid, 3, lower_last=s.steps < 10)",
        LEVELS + "dpm_solvers_order_falls_at_the_end_below_fifteen_steps",
    ),
    "first stage: a gradient by way of its adaptive weight": Mutant(
        "autoencoders/first_stage.py",
        "return lax.stop_gradient(weight)",
        "return weight",
        "twins/test_first_stage.py::test_the_adaptive_weight_is_a_number_and_no_path_for_gradients",
    ),
    "first stage: a looser clamp": Mutant(
        "shared/bottlenecks.py",
        "jnp.clip(log_variance, *LOG_VARIANCE)",
        "jnp.clip(log_variance, -30.0, 30.0)",
        "twins/test_first_stage.py::test_log_variances_are_clamped",
    ),
    "classifier: a last map that nothing bends": Mutant(
        "nn/classifier.py",
        "jnp.mean(nn.swish(Norm(self.dtype)(x)), axis=(1, 2))",
        "jnp.mean(Norm(self.dtype)(x), axis=(1, 2))",
        CONVOLUTIONS + "the_classifier_of_noised_images",
    ),
    "classifier: told the level as it is": Mutant(
        "nn/classifier.py",
        "(nn.swish(embedding))",
        "(embedding)",
        CONVOLUTIONS + "the_classifier_of_noised_images",
    ),
    "diffusion: one key for times, noise and dropped labels": Mutant(
        "diffusion/shared/core.py",
        "keys = (example_keys(k, batch) for k in jax.random.split(key, 4))",
        "keys = (example_keys(key, batch) for k in jax.random.split(key, 4))",
        "twins/test_keys.py::test_every_draw_has_a_key_of_its_own",
    ),
    "classifier: one key for time and noise": Mutant(
        "diffusion/classifier.py",
        "time_keys, noise_keys = jax.vmap(jax.random.split, out_axes=1)(keys)",
        "time_keys, noise_keys = keys, keys",
        "twins/test_keys.py::test_every_draw_has_a_key_of_its_own",
    ),
    "samplers with noise: DDIM without for Euler's with": Mutant(
        "shared/sampling.py",
        '"euler_ancestral": lambda grid, s: samplers.ddim(grid, 1.0)',
        '"euler_ancestral": lambda grid, s: samplers.ddim(grid, s.eta)',
        LEVELS + "which_samplers_add_noise_and_how_much",
    ),
    "samplers with churn: noise of deviation 1": Mutant(
        "shared/sampling.py",
        "samplers.Churn(s.churn, *s.churn_range, s.churn_noise)",
        "samplers.Churn(s.churn, *s.churn_range)",
        LEVELS + "which_samplers_add_noise_and_how_much",
    ),
}  # fmt: skip
