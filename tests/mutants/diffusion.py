"""Mistakes in diffusion models."""

from mutants import Mutant
from mutants.diffusion_choices import CHOICES

CORE, PROCESSES, PREDICTION = "shared/core.py", "shared/processes.py", "shared/prediction.py"
SAMPLERS, TABLES, SCHEDULES = "shared/samplers.py", "shared/tables.py", "shared/schedules.py"
BOUND, GUIDANCE = "shared/bound.py", "shared/guidance.py"


def _twins(names: str) -> str:
    return " ".join(f"twins/test_diffusion.py::test_{name}" for name in names.split())


DIFFUSION = {
    "x_t with a variance for a deviation": Mutant(
        PROCESSES, "alpha * x0 + sigma * noise", "alpha * x0 + sigma**2 * noise",
        _twins("l_simple"),
    ),
    "alpha and sigma exchanged in x_t": Mutant(
        PROCESSES, "alpha * x0 + sigma * noise", "sigma * x0 + alpha * noise", _twins("l_simple")
    ),
    "time 0, which has no noise": Mutant(
        SCHEDULES, "randint(k, (), 1, self.steps + 1)", "randint(k, (), 0, self.steps + 1)",
        _twins("l_simple"),
    ),
    "guidance trap: a null label that is never shown": Mutant(
        CORE, "bernoulli(k, settings.label_dropout)", "bernoulli(k, 0.0)", _twins("l_simple")
    ),
    "a label that is dropped although it should not be": Mutant(
        CORE, "bernoulli(k, settings.label_dropout)", "bernoulli(k, 0.1)",
        _twins("l_simple a_label_is_always_told_where_none_is_to_be_dropped"),
    ),
    "guidance with its sign turned": Mutant(
        GUIDANCE, "return output + weight *", "return output - weight *",
        _twins("samplers"),
    ),
    "guidance of w for 1 + w": Mutant(
        GUIDANCE, "return output + weight *", "return output + (weight - 1.0) *",
        _twins("samplers"),
    ),
    "guidance away from itself": Mutant(
        CORE, "self.predict(variables, batch, True, None)",
        "self.predict(variables, batch, False, None)",
        _twins("samplers"),
    ),
    "v and x_0 as targets ignored": Mutant(
        PROCESSES, "process.prediction.target(batch.x0, batch.noise, alpha, sigma)",
        "batch.noise", _twins("l_simple")
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
        PREDICTION, "output, x_t, alpha, sigma: alpha * x_t - sigma * output",
        "output, x_t, alpha, sigma: alpha * x_t + sigma * output",
        _twins("samplers"),
    ),
    "x_0 of the noise without alpha": Mutant(
        PREDICTION, "(x_t - sigma * output) / alpha,", "x_t - sigma * output,", _twins("samplers")
    ),
    "x_0 at the time before": Mutant(
        TABLES, "columns(table.points, slice(None, -1)),",
        "columns(table.points, slice(1, None)),", _twins("samplers")
    ),
    "x_0 that is not clipped": Mutant(
        "shared/sampling.py",
        "guidance.thresholded(denoise, guidance.clipped) if self.clip else denoise",
        "denoise", _twins("samplers")
    ),
    "bits without ln 2": Mutant(
        CORE, "nats / (math.log(2.0) * size)", "nats / size", _twins("the_bound")
    ),
    "bits of an image for those of a dimension": Mutant(
        CORE, "nats / (math.log(2.0) * size)", "nats / math.log(2.0)", _twins("the_bound")
    ),
    "the bound of the other variance": Mutant(
        CORE, "denoise, x0, keys, variance)", 'denoise, x0, keys, "large")', _twins("the_bound")
    ),
    "the bound without L_T": Mutant(
        BOUND, "lax.scan(term, last,", "lax.scan(term, 0.0 * last,",
        _twins("the_bound"),
    ),
    "the bound at one noise": Mutant(
        BOUND, "at.alpha * x0 + at.sigma * noise", "at.alpha * x0 + at.sigma**2 * noise",
        _twins("the_bound"),
    ),
    "the loss of the example summed": Mutant(
        "losses/diffusion.py", "mean((noise - predicted) ** 2", "sum((noise - predicted) ** 2",
        _twins("l_simple"),
    ),
    "the large variance for the small one": Mutant(
        SAMPLERS, '"small": q.small, "learned"', '"small": q.large, "learned"',
        _twins("samplers"),
    ),
    "noise in the last step": Mutant(
        SAMPLERS, "np.where(s.sigma > 0 if noisy is None else noisy, variances, 0.0)", "variances",
        _twins("samplers"),
    ),
    "the same noise in each step": Mutant(
        "shared/sampling.py", "in_axes=(0, None))(keys, number)",
        "in_axes=(0, None))(keys, 0 * number)",
        _twins("samplers"),
    ),
    "ddim with a variance for a deviation": Mutant(
        SAMPLERS, "s.sigma**2 - fresh**2", "s.sigma**2 - fresh",
        _twins("samplers"),
    ),
    "ddim without its noise": Mutant(
        SAMPLERS, "s.alpha - kept * t.alpha, kept, fresh)",
        "s.alpha - kept * t.alpha, kept, 0 * fresh)",
        _twins("samplers"),
    ),
    "betas of the linear schedule": Mutant(
        SCHEDULES, "last: float = 0.02", "last: float = 0.2", _twins("l_simple")
    ),
    "the cosine without its square": Mutant(
        SCHEDULES, "(1 + offset) * np.pi / 2) ** 2", "(1 + offset) * np.pi / 2)",
        _twins("l_simple"),
    ),
    "a chain shown from its end": Mutant(
        CORE, "chain(core, variables, batch, key, frames)[1]",
        "chain(core, variables, batch, key, frames[::-1])[1]",
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
    "latent diffusion: the prompt is trained on": Mutant(
        "diffusion/latent_diffusion.py", "return batch if training else asked(batch)",
        "return asked(batch)",
        "twins/test_latent_diffusion.py::test_a_prompt_is_of_samples_and_not_of_training",
    ),
} | CHOICES  # fmt: skip
