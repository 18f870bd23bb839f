"""A run judged through the launcher's door."""

import json

import jax
import numpy as np
import pytest
from games import config

import gm_jax
from gm_jax import scoring
from gm_jax.evaluation.__main__ import main, open_side
from gm_jax.model import GenerativeModel, Phase
from gm_jax.trained import Trained, mapped_functions


def trained(digits16, tmp_path, **overrides):
    settings = config("gan", digits16, **{"show.every": 0, **overrides})
    return gm_jax.train(settings, tmp_path / "run", jax.devices()[:1])


@pytest.mark.slow
def test_the_score_of_the_data_itself_is_the_floor(digits16, tmp_path, monkeypatch):
    """Samples that are real images score like other real images; noise scores far worse."""
    model = trained(digits16, tmp_path)
    with np.load(digits16) as archive:
        real = archive["image"]
    rng = np.random.default_rng(0)
    scores = {}
    for name, images in (
        ("real", real[rng.permutation(200)[:100]]),
        ("noise", rng.permuted(real[:100])),
    ):
        monkeypatch.setattr(scoring, "sample", lambda *_, images=images: {"image": images})
        (row,) = scoring.score_images(model, 100).values()
        scores[name] = row["value"] / row["real_against_real"]
    assert scores["real"] < 1.3 < 10 < scores["noise"]
    monkeypatch.setattr(scoring, "sample", None)  # Refused before any is drawn.
    with pytest.raises(gm_jax.UserError, match="202 real images, there are 200"):
        scoring.score_images(model, 101)


@pytest.mark.slow
def test_evaluation_in_training_is_logged_with_the_metrics(digits16, tmp_path):
    trained(digits16, tmp_path, **{"evaluate.every": 2, "evaluate.score": 32, "report.every": 4})
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").open()]
    values = [row.get("evaluate/fd_classifier_digits16") for row in rows]
    assert [row["step"] for row in rows] == [2, 4] and all(values)


def test_fid_needs_inceptions_weights_and_says_so(digits16, tmp_path, monkeypatch):
    monkeypatch.delenv("GM_JAX_INCEPTION", raising=False)
    model = trained(digits16, tmp_path, **{"evaluate.metrics": "fid"})
    with pytest.raises(gm_jax.UserError, match="no Inception weights at .*FID needs pt_inception"):
        gm_jax.evaluate(model, tmp_path)


@pytest.mark.slow
def test_fid_of_a_run_with_true_weights_through_both_doors(digits16, tmp_path, shared, capsys):
    weights = shared / "data/inception-fid-2015/inception_fid_folded_to_mixed_6e.npz"
    model = trained(
        digits16, tmp_path,
        **{
            "evaluate.metrics": "fid_64", "evaluate.samples": 40, "evaluate.score": 0,
            "evaluate.weights": str(weights), "evaluate.protocol": "pytorch_fid",
        },
    )  # fmt: skip
    (row,) = gm_jax.evaluate(model, tmp_path / "run").values()
    assert row["n1"] == 40 and row["n2"] == 200 and row["protocol"]["name"] == "pytorch_fid"

    np.savez(tmp_path / "reals.npz", image=np.load(digits16)["image"])
    out = tmp_path / "out.json"
    sides = [str(tmp_path / "run"), str(tmp_path / "reals.npz")]
    how = ["--metrics=fid_64", "--samples=40", "--protocol=pytorch_fid", "--grey=repeat"]
    code = main([*sides, *how, f"--weights={weights}", f"--out={out}"])
    assert code == 0, capsys.readouterr().err
    other = json.loads(out.read_text())["metrics"]["fid_64"]
    # The run was loaded from its checkpoint and spread over other devices: samples may round apart.
    np.testing.assert_allclose(other["value"], row["value"], rtol=1e-3)


@pytest.mark.slow
def test_a_tfds_split_is_a_side_of_the_command(shared, monkeypatch):
    folder = str(shared / "data" / "tfds")
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", folder)
    side = open_side("tfds:mnist/test", None, 0)
    assert side.size == 10_000 and next(side.batches()).shape == (64, 28, 28, 1)
    assert side.key and side.key == open_side("tfds:mnist/test", None, 0).key
    assert side.key != open_side("tfds:fashion_mnist/test", None, 0).key


def test_a_bound_is_said_to_be_one(tmp_path):
    """An upper bound on bits, a lower one on a log-likelihood, and exact values beside them."""
    names = ("bits_per_dimension_bound", "bound", "elbo", "bits_per_dimension", "log_likelihood")

    def judge(variables, batch, key):
        return dict.fromkeys(names, batch["label"] + 0.5)

    settings = gm_jax.load_config("configs/ddpm_digits.py:smoke")
    settings.evaluate.update(counts={"judge": 10}, score=0)
    phase = Phase("train", GenerativeModel(None, (), {"judge": judge}), settings.data, 0)
    results = gm_jax.evaluate(Trained(settings, phase, mapped_functions(phase), {}), tmp_path)
    assert [results[name].get("bound") for name in names] == ["upper", "lower", "lower", None, None]
    lines = {line.split()[0]: line.split()[1] for line in gm_jax.report(results).splitlines()}
    assert [lines[name] for name in names[:3]] == ["<=", ">=", ">="]
    assert (
        lines["bits_per_dimension"] == lines["log_likelihood"] == f"{results['elbo']['value']:.4f}"
    )
