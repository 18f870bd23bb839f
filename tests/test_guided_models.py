"""Guidance of whole models, by the data's exact posterior; and classifiers that cannot guide."""

import jax
import jax.numpy as jnp
import pytest
from exact_denoisers import LINEAR, MEANS, SPREAD, log_joint, mixture
from games import config

import gm_jax
from gm_jax.diffusion import ddpm
from gm_jax.diffusion.shared import core
from gm_jax.diffusion.shared.schedules import Points
from gm_jax.settings import read

COUNT = 3000


def at(level):
    """The levels of whole times [B]."""
    t = level.astype(int)
    alpha, sigma = (jnp.asarray(c, jnp.float32)[t][:, None] for c in (LINEAR.alpha, LINEAR.sigma))
    return Points(level, alpha, sigma)


def exact(learned: bool):
    """The noise in x_t [B, 1]: of the first component if it is told so, of the mixture if not."""

    def predict(variables, batch, drop, keys):
        def network(x, level):
            a = at(level)
            variance = a.alpha**2 * SPREAD**2 + a.sigma**2
            first = MEANS[0] + a.alpha * SPREAD**2 / variance * (x - a.alpha * MEANS[0])
            x0 = mixture(x, a) if drop is True else first
            noise = (x - a.alpha * x0) / a.sigma
            return jnp.concatenate([noise, -jnp.ones_like(x)], axis=-1) if learned else noise

        return network

    return predict


def drawn(sampler, learned=False, **guided):
    """Samples of a model of the mixture with exact predictions and an exact classifier."""
    settings = gm_jax.load_config("configs/ddpm_digits.py").to_dict()
    settings |= {"schedule": "linear", "objective": "hybrid" if learned else "simple"}
    settings |= {"conditional": True, "label_dropout": 0.1, "stages": {"classifier": "exact"}}
    settings["sampler"] |= {"clip": False, **sampler, **guided}
    settings = read(ddpm.Settings, settings)

    def guide(variables, batch):
        return lambda x, a: jax.nn.log_softmax(log_joint(x, a), axis=-1)[:, 0]

    model = core.Core(settings, settings.process(), (1,), None, exact(learned), True, guide=guide)
    batch = {"index": jnp.arange(COUNT), "label": jnp.zeros(COUNT, int)}
    sample = jax.jit(lambda key: core.functions(model)["sample"](None, batch, key)["image"])
    return sample(jax.random.key(0))


SAMPLERS = {
    "ancestral": {"name": "ancestral", "steps": 500},
    "dpmpp_2m": {"name": "dpmpp_2m", "steps": 60, "spacing": "log_snr"},
    "heun": {"name": "heun", "steps": 60, "spacing": "log_snr"},
    "learned": {"name": "ancestral", "steps": 500, "variance": "learned"},
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_posterior_of_the_class_turns_the_unconditional_model_into_the_conditional(name):
    """At guidance -1 the model is the unconditional one; the classifier at scale 1 makes it whole.

    Both kinds of guidance at once: p(x) p(y | x), from (1 + w) c - w u of weight -1.
    """
    learned = name == "learned"
    found = drawn(SAMPLERS[name], learned, guidance=-1.0, classifier=1.0)
    assert abs(found.mean() - MEANS[0]) < 0.02 and abs(found.std() - SPREAD) < 0.02
    free = drawn(SAMPLERS[name], learned, guidance=-1.0)
    assert free.std() > 0.5  # Both components.


def guided(**overrides):
    settings = config("ddpm", None, conditional=False, **{"sampler.classifier": 1.0})
    stage = gm_jax.load_config("configs/classifier_digits.py:smoke")
    stage.update_from_flattened_dict(overrides)
    with settings.unlocked():
        settings.stages = {"classifier": stage}
    return settings


@pytest.mark.parametrize(
    "change,message",
    [
        ({"schedule": "linear"}, "the schedule linear of 1000 times, and this model's is cosine"),
        ({"times": 500}, "of the schedule cosine of 500 times, and this model's is cosine of 1000"),
        ({"noised": False}, "images as they are only: train one with noised=True"),
        ({"data.size": 4}, r"has seen images of \(4, 4, 1\), and this model's are of \(8, 8, 1\)"),
    ],
)
def test_a_classifier_that_has_seen_something_else_cannot_guide(change, message):
    with pytest.raises(gm_jax.UserError, match=f"^stages.classifier .*{message}") as caught:
        gm_jax.build(guided(**change))
    assert "\n" not in str(caught.value)


def test_a_classifier_of_other_classes_and_what_is_none_cannot_guide(digits16):
    settings = guided()
    settings.stages.classifier.data.name = "npz"
    settings.stages.classifier.data.path = str(digits16)
    settings.stages.classifier.data.size = 8
    settings.stages.classifier.data.classes = 12
    with pytest.raises(gm_jax.UserError, match="knows 12 classes, and the data has 10"):
        gm_jax.build(settings)
    with settings.unlocked():
        settings.stages = {"classifier": gm_jax.load_config("configs/ddpm_digits.py:smoke")}
    with pytest.raises(gm_jax.UserError, match="stages.classifier is no classifier: give the work"):
        gm_jax.build(settings)
    with settings.unlocked():
        settings.stages = {"classifier": ""}
    with pytest.raises(gm_jax.UserError, match="sampler.classifier needs a classifier of noised"):
        gm_jax.build(settings)
