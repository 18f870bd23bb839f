"""Settings that no model can have: one line that says what to do, before anything is trained."""

import jax
import pytest
from games import config
from ml_collections import ConfigDict
from written import text_file

import gm_jax
from gm_jax.recipes import recipe


@pytest.mark.parametrize(
    "system,change,message",
    [
        ("ngram", {"order": 5}, "order 5 sees 4 characters back"),
        ("bengio", {"network.order": 9}, "order 9 sees 8 characters back"),
        ("bengio", {"network.order": 1}, "2 or more"),
        ("gpt", {"sampler.top_p": 0.0}, "top_p 0.0 in"),
        ("gpt", {"sampler.temperature": -1.0}, "temperature -1.0 must be >= 0"),
        ("gpt", {"data.name": "digits"}, "this system is about text, and this data holds image"),
        ("vae", {"data.name": "text", "data.path": str(text_file())}, "is about image, .* text"),
        ("vae", {"posterior.name": "categorical", "bound": "importance"}, "set bound to elbo"),
        ("vae", {"posterior.name": "gauss"}, "unknown posterior 'gauss'; there are: gaussian"),
        ("vae", {"likelihood": "poisson"}, "unknown likelihood"),
        ("vae", {"bound": "iwae"}, "unknown bound 'iwae'; there are: elbo, importance"),
        ("vqvae", {"quantizer.name": "ema"}, "unknown quantizer"),
        ("dae", {"corruption.name": "blur"}, "unknown corruption"),
        ("gated_pixelcnn", {"sampler.top_k": -1}, "top_k -1"),
        ("ddpm", {"sampler.name": "dpm"}, "unknown sampler.name 'dpm'; there are: ddim, ancestral"),
        ("ddpm", {"sampler.steps": 2000}, "sampler.steps 2000 must be in 1"),
        ("ddpm", {"schedule": "cosin"}, "unknown schedule"),
        ("vae", {"steps": 0}, "steps is 0: it must be 1 or more"),
        ("vae", {"checkpoint.keep": 0}, "checkpoint.keep is 0"),
        ("vae", {"dtype": "float23"}, "unknown dtype"),
        ("vae", {"evaluate.scor": 3}, "unknown setting evaluate.scor; there are: agreement"),
        ("gan", {"value_funtion": "minimax"}, "unknown setting value_funtion"),
        ("vae", {"show.counts": {"manifld": 9}}, "show.counts.manifld: the model has no function"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_before_anything_is_trained(
    system, change, message, digits16
):
    with pytest.raises(gm_jax.UserError, match=message) as caught:
        gm_jax.build(config(system, digits16, **change))
    assert "\n" not in str(caught.value)


def test_a_variant_changes_only_what_a_recipe_has():
    with pytest.raises(gm_jax.UserError, match="unknown setting stepps"):
        recipe("small", {"system": "vae", "steps": 4, "batch_size": 2}, small={"stepps": 2})


def test_functions_are_judged_on_examples_that_there_are(tmp_path, digits16):
    settings = config("vae", digits16, **{"show.every": 0, "data.binarize": "fixed"})
    trained = gm_jax.train(settings, tmp_path, jax.devices()[:1])
    for counts, message in (
        ({"bound": 600}, "the split test has 297 examples: 0 stands for all"),
        ({"sample": 8}, "gives no value for each example"),
    ):
        settings.evaluate.counts = ConfigDict(counts)
        with pytest.raises(gm_jax.UserError, match=message):
            gm_jax.evaluate(trained._replace(config=settings), tmp_path)
