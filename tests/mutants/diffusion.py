"""Mistakes in diffusion models."""

from mutants import Mutant

SAMPLERS, PREDICTION = "shared/samplers.py", "shared/prediction.py"


def _twins(names: str) -> str:
    return " ".join(f"twins/test_diffusion.py::test_{name}" for name in names.split())


DIFFUSION = {
    "x_t with a variance for a deviation": Mutant(
        "ddpm.py", "alpha * x0 + sigma * noise", "alpha * x0 + sigma**2 * noise",
        _twins("l_simple"),
    ),
    "alpha and sigma exchanged in x_t": Mutant(
        "ddpm.py", "alpha * x0 + sigma * noise", "sigma * x0 + alpha * noise", _twins("l_simple")
    ),
    "time 0, which has no noise": Mutant(
        "ddpm.py", "randint(k, (), 1, schedule.steps + 1)", "randint(k, (), 0, schedule.steps + 1)",
        _twins("l_simple"),
    ),
    "guidance trap: a null label that is never shown": Mutant(
        "ddpm.py", "bernoulli(k, settings.label_dropout)", "bernoulli(k, 0.0)", _twins("l_simple")
    ),
    "a label that is dropped although it should not be": Mutant(
        "ddpm.py", "bernoulli(k, settings.label_dropout)", "bernoulli(k, 0.1)",
        _twins("l_simple a_label_is_always_told_where_none_is_to_be_dropped"),
    ),
    "guidance with its sign turned": Mutant(
        "ddpm.py", "output += sampler.guidance *", "output -= sampler.guidance *",
        _twins("samplers"),
    ),
    "guidance of w for 1 + w": Mutant(
        "ddpm.py", "output += sampler.guidance *", "output += (sampler.guidance - 1.0) *",
        _twins("samplers"),
    ),
    "guidance away from itself": Mutant(
        "ddpm.py", "predict(x, t, _labels(batch, drop=True))", "predict(x, t, _labels(batch))",
        _twins("samplers"),
    ),
    "v and x_0 as targets ignored": Mutant(
        "ddpm.py", "prediction.target(x0, noise, alpha, sigma)", "noise", _twins("l_simple")
    ),
    "the target v ignored": Mutant(
        PREDICTION, "sigma: alpha * noise - sigma * x0", "sigma: noise", _twins("l_simple")
    ),
    "the target x_0 ignored": Mutant(
        PREDICTION,
        "target=lambda x0, noise, alpha, sigma: x0",
        "target=lambda x0, noise, alpha, sigma: noise",
        _twins("l_simple"),
    ),
    "x_0 of v with its sign turned": Mutant(
        PREDICTION, "alpha * x_t - sigma * output", "alpha * x_t + sigma * output",
        _twins("samplers"),
    ),
    "x_0 of the noise without alpha": Mutant(
        PREDICTION, "(x_t - sigma * output) / alpha", "x_t - sigma * output", _twins("samplers")
    ),
    "x_0 at the time before": Mutant(
        "ddpm.py", "*_at(schedule, t[None])", "*_at(schedule, t[None] - 1)", _twins("samplers")
    ),
    "x_0 that is not clipped": Mutant(
        "ddpm.py", "jnp.clip(x0, -1.0, 1.0) if sampler.clip else x0", "x0", _twins("samplers")
    ),
    "bits without ln 2": Mutant(
        "ddpm.py", "(math.log(2.0) * math.prod(shape))", "math.prod(shape)", _twins("the_bound")
    ),
    "bits of an image for those of a dimension": Mutant(
        "ddpm.py", "(math.log(2.0) * math.prod(shape))", "math.log(2.0)", _twins("the_bound")
    ),
    "the bound of the other variance": Mutant(
        "ddpm.py", "x0, keys, sampler.variance)", 'x0, keys, "large")', _twins("the_bound")
    ),
    "the bound without L_T": Mutant(
        "shared/bound.py", "lax.scan(term, last, rows)", "lax.scan(term, 0.0 * last, rows)",
        _twins("the_bound"),
    ),
    "the bound at one noise": Mutant(
        "shared/bound.py", "alpha * x0 + sigma * noise", "alpha * x0 + sigma**2 * noise",
        _twins("the_bound"),
    ),
    "the loss of the example summed": Mutant(
        "losses/diffusion.py", "mean((noise - predicted) ** 2", "sum((noise - predicted) ** 2",
        _twins("l_simple"),
    ),
    "the large variance for the small one": Mutant(
        SAMPLERS, '{"large": q.large, "small": q.small}', '{"large": q.large, "small": q.large}',
        _twins("samplers"),
    ),
    "noise in the last step": Mutant(
        SAMPLERS, "np.where(s == 0, 0.0, variances)", "variances", _twins("samplers")
    ),
    "the same noise in each step": Mutant(
        SAMPLERS, "in_axes=(0, None))(keys, number)", "in_axes=(0, None))(keys, 0 * number)",
        _twins("samplers"),
    ),
    "ddim with a variance for a deviation": Mutant(
        SAMPLERS, "schedule.sigma[s] ** 2 - fresh**2", "schedule.sigma[s] ** 2 - fresh",
        _twins("samplers"),
    ),
    "ddim without its noise": Mutant(
        SAMPLERS, "return Table(t, schedule.alpha[s] - kept * schedule.alpha[t], kept, fresh)",
        "return Table(t, schedule.alpha[s] - kept * schedule.alpha[t], kept, 0 * fresh)",
        _twins("samplers"),
    ),
    "betas of the linear schedule": Mutant(
        "shared/schedules.py", "last: float = 0.02", "last: float = 0.2", _twins("l_simple")
    ),
    "the cosine without its square": Mutant(
        "shared/schedules.py", "(1 + offset) * np.pi / 2) ** 2", "(1 + offset) * np.pi / 2)",
        _twins("l_simple"),
    ),
    "a chain shown from its end": Mutant(
        "ddpm.py", "jnp.moveaxis(xs[frames], 0, 1)", "jnp.moveaxis(xs[frames[::-1]], 0, 1)",
        _twins("samplers"),
    ),
    "ddpm: no moving average though the recipe asks": Mutant(
        "ddpm.py", "moves, settings, average)", "moves, settings, 0.0)",
        "twins/test_recipes.py::"
        "test_all_that_samples_come_from_has_the_average_that_is_asked_for[ddpm]",
    ),
    "classifier trap: it never sees noise": Mutant(
        "diffusion/classifier.py", "alpha * x + sigma * normal(noise_keys, shape), level.time",
        "x, level.time", "twins/test_classifier.py",
    ),
    "classifier: noise and image exchanged": Mutant(
        "diffusion/classifier.py", "alpha * x + sigma * normal(noise_keys, shape)",
        "sigma * x + alpha * normal(noise_keys, shape)", "twins/test_classifier.py",
    ),
    "classifier: the likelihood with the wrong sign": Mutant(
        "diffusion/classifier.py", "return -jnp.mean(categorical", "return jnp.mean(categorical",
        "twins/test_classifier.py",
    ),
    "classifier: guidance that ignores the time": Mutant(
        "diffusion/classifier.py", 'network(variables, batch["image"], batch["time"])',
        'network(variables, batch["image"], 0.0 * batch["time"])', "twins/test_classifier.py",
    ),
}  # fmt: skip
