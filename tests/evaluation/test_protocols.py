import numpy as np
import pytest

from gm_jax.evaluation import EvaluationError, protocols, quantise
from gm_jax.evaluation.protocols import PROTOCOLS, Provenance, preprocess, refuse_mismatch

TF, TORCH, CLEAN = (PROTOCOLS[name] for name in ("tf2015", "pytorch_fid", "clean"))


def test_quantisation_is_explicit():
    levels = np.arange(256)
    x = levels / 127.5 - 1
    np.testing.assert_array_equal(quantise(x), levels)
    between = np.array([100.4, 100.6]) / 127.5 - 1
    np.testing.assert_array_equal(quantise(between), [100, 101])
    np.testing.assert_array_equal(quantise(between, "truncate"), [100, 100])
    np.testing.assert_array_equal(quantise(np.array([-1.0005, 1.0005])), [0, 255])


@pytest.mark.parametrize("bad", [[0.0, 2.0], [-3.0, 0.0], [0.0, np.nan], [0.0, np.inf]])
def test_floats_outside_are_refused(bad):
    with pytest.raises(EvaluationError, match=r"must lie in \[-1, 1\]"):
        quantise(np.array(bad))


def test_scales():
    x = np.array([0, 128, 255], np.uint8).reshape(1, 1, 1, 3)
    for protocol, expected in [
        (TF, [-1, 0, 127 / 128]),
        (CLEAN, [-1, 0, 127 / 128]),
        (TORCH, [-1, 256 / 255 - 1, 1]),
    ]:
        out = preprocess(x, protocol)
        assert out.shape == (1, 299, 299, 3)
        np.testing.assert_allclose(out[0, 5, 7], expected, atol=1e-6)


def test_channels():
    grey = np.random.default_rng(0).integers(0, 256, (2, 9, 9, 1), dtype=np.uint8)
    with pytest.raises(EvaluationError, match=r"grey \(1 channels\).*grey='repeat'"):
        preprocess(grey, TF)
    with pytest.raises(EvaluationError, match="with alpha"):
        preprocess(np.repeat(grey, 4, axis=-1), TF)
    repeated = preprocess(grey, TF._replace(grey="repeat"))
    np.testing.assert_array_equal(repeated, preprocess(np.repeat(grey, 3, axis=-1), TF))


@pytest.mark.parametrize(
    "change, named",
    [
        ({"resize": "pil_bicubic"}, "resize: 'tf1_bilinear' .* 'pil_bicubic'"),
        ({"scale": "2(x/255)-1"}, "scale"),
        ({"quantisation": "truncate"}, "quantisation: 'round' .* 'truncate'"),
        ({"precision": "default"}, "precision"),
        ({"ddof": 0}, "ddof"),
        ({"grey": "repeat"}, "grey"),
    ],
)
def test_a_mismatch_is_refused_by_name(change, named):
    a = Provenance(TF, "inception", "abc")
    refuse_mismatch(a, a._replace(protocol=TF._replace(name="same thing")))
    with pytest.raises(EvaluationError, match=f"protocols differ in {named}"):
        refuse_mismatch(a, a._replace(protocol=TF._replace(**change)))


def test_other_weights_and_features_are_refused():
    a = Provenance(TF, "inception", "abc")
    with pytest.raises(EvaluationError, match="weights differ: abc and abd"):
        refuse_mismatch(a, a._replace(weights="abd"))
    with pytest.raises(EvaluationError, match="features differ: inception and classifier_mnist"):
        refuse_mismatch(a, a._replace(features="classifier_mnist"))
    refuse_mismatch(a, a._replace(weights=None))


def test_provenance_survives_json():
    a = Provenance(CLEAN, "inception", "abc")
    assert protocols.from_json(protocols.to_json(a)) == a
