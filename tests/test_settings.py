"""Settings that no model can have: one line that says what to do, before anything is trained."""

import pytest
from games import config
from written import text_file

import gm_jax


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
        ("vae", {"show.counts": {"manifld": 9}}, "show.counts.manifld: the model has no function"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_before_anything_is_trained(
    system, change, message, digits16
):
    with pytest.raises(gm_jax.UserError, match=message) as caught:
        gm_jax.build(config(system, digits16, **change))
    assert "\n" not in str(caught.value)
