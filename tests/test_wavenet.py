"""WaveNet: the mu-law, what its loss counts, and what it says before it has learned anything."""

import jax
import numpy as np
import pytest
from games import config, opening
from sample_files import write_wav
from scipy import stats

import gm_jax
from gm_jax import UserError
from gm_jax.autoregressive.shared import mulaw
from gm_jax.autoregressive.wavenet import Dilated

KEY = jax.random.key(0)


def test_the_mu_law_and_back():
    encode, decode = jax.jit(mulaw.encode), jax.jit(mulaw.decode)
    symbols = np.arange(256)
    audio = np.asarray(decode(symbols))
    np.testing.assert_array_equal(encode(audio), symbols)
    np.testing.assert_allclose(audio, -audio[::-1], atol=1e-6)
    assert np.all(np.diff(audio) > 0)
    np.testing.assert_allclose(audio[[0, 255]], [-1, 1], rtol=1e-6)
    np.testing.assert_array_equal(encode(np.float32([-7, 0, 7])), [0, mulaw.SILENCE, 255])
    x = np.linspace(-1, 1, 1001, dtype=np.float32)
    # Half a step of the compressed value, 1/255, is |dx| <= (1 + 255 |x|) ln(256) / 255 / 255.
    error = np.abs(decode(encode(x)) - x)
    assert np.all(error <= 1.02 * (1 + 255 * np.abs(x)) * np.log(256) / 255**2)


@pytest.fixture(scope="module")
def wave_game():
    settings = config("wavenet", None)
    phase, batches, variables = opening(settings, jax.devices()[:1])
    return phase.model, variables, jax.jit(batches.prepare)(batches.first, KEY)


def test_wavenets_first_loss_is_ln_256(wave_game):
    model, variables, batch = wave_game
    loss, _ = jax.jit(model.players[0].moves[0].objective)(variables, batch, KEY, 0)
    np.testing.assert_allclose(loss, np.log(256), rtol=1e-5)


def test_wavenet_counts_no_target_inside_its_receptive_field(wave_game):
    model, variables, batch = wave_game
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda p: p + rng.normal(0, 0.1, p.shape).astype(np.float32), variables.params["network"]
    )
    variables = variables._replace(params={"network": params})
    loss, _ = jax.jit(model.players[0].moves[0].objective)(variables, batch, KEY, 0)
    x = mulaw.encode(batch["audio"])
    network = Dilated(256, (1, 2, 4), 4, 8, classes=2)
    logits = jax.jit(network.apply)({"params": params}, x, batch["label"])
    log_p = np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), x[..., None], -1)[..., 0]
    counted = np.asarray(batch["weight"]) > 0
    assert not counted[:, :8].any() and counted[:, 8:].any()
    np.testing.assert_allclose(loss, -log_p[counted].mean(), rtol=1e-5)
    with pytest.raises(UserError, match="data.context 7 is shorter than .* field of 8 samples"):
        gm_jax.build(config("wavenet", None, **{"data.context": 7}))


@pytest.mark.parametrize(
    "change,message",
    [
        ({"network.dilations": ()}, "network.dilations is empty"),
        ({"network.dilations": (1, 0)}, "network.dilations is 0: it must be at least 1"),
        ({"sampler.length": 0}, "sampler.length is 0: it must be at least 1"),
        ({"network.skip": -1}, "network.skip is -1: it must be at least 1"),
    ],
)
def test_settings_that_no_wavenet_can_have_are_refused_in_one_line(change, message):
    with pytest.raises(UserError, match=message) as caught:
        gm_jax.build(config("wavenet", None, **change))
    assert "\n" not in str(caught.value)


def test_wavenet_of_recordings_without_labels_is_refused(tmp_path):
    write_wav(tmp_path / "train" / "noise.wav", np.zeros(200))
    with pytest.raises(UserError, match="no labels: set conditional=False"):
        gm_jax.build(config("wavenet", None, **{"data.path": str(tmp_path)}))


def test_wavenet_speaks_after_silence(wave_game):
    model, variables, batch = wave_game
    outputs = jax.jit(model.functions["sample"])(variables, batch, KEY)
    assert outputs["audio"].shape == (16, 12) and np.all(outputs["rate"] == 8000)
    # Before any training every symbol is as probable as any other.
    symbols = np.ravel(mulaw.encode(outputs["audio"]))
    assert stats.kstest(symbols / 255, "uniform").pvalue > 1e-3
