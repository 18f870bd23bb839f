"""Scores of samples by a CLIP, and the interval of a share, against their definitions."""

from types import SimpleNamespace

import numpy as np
import pytest

from gm_jax import data
from gm_jax.evaluation import matching
from gm_jax.evaluation.uncertainty import share_interval
from gm_jax.judging import alignment

COUNT = 200
DATA = dict(name="shapes", captions="words", size=8)
RNG = np.random.default_rng(0)
MADE, REAL = (RNG.normal(size=(400, 6)) + 0.6 for _ in range(2))
TEXTS = {}  # Of each caption, in the order in which they are read.


def seen(own, count):
    """Vectors of images, near those of their captions if these have been read."""
    near = np.stack(list(TEXTS.values())[:count]) if len(TEXTS) >= count else 0.0
    return own[:count] + near


@pytest.fixture
def trained(monkeypatch):
    """A model whose samples are black, judged by a CLIP of vectors by row."""
    TEXTS.clear()
    clip = SimpleNamespace(phase=SimpleNamespace(data=DATA))
    evaluate = SimpleNamespace(clip="runs/clip", split="test")

    def encoded(clip, name, values, split="train"):
        if name == "caption":
            rows = [TEXTS.setdefault(row.tobytes(), RNG.normal(size=6)) for row in values]
            return np.stack(rows)
        return seen(REAL if values.any() else MADE, len(values))

    def sample(trained, count, name, split, given=None):
        assert (name, split) == ("sample", "test")
        return {"image": np.zeros((count, 8, 8, 3), np.uint8)}

    monkeypatch.setattr(alignment, "_clip_of", lambda evaluate: (clip, evaluate.clip))
    monkeypatch.setattr(alignment, "_encoded", encoded)
    monkeypatch.setattr(alignment, "sample", sample)
    config = SimpleNamespace(evaluate=evaluate)
    return SimpleNamespace(config=config, phase=SimpleNamespace(data=DATA))


def texts_of(rows):
    return np.stack([TEXTS[row.tobytes()] for row in rows])


def test_the_clip_score_and_its_error(trained):
    """The mean of 2.5 max(cosine, 0), with the standard error of a mean; beside it the data's."""
    row = alignment.clip_score(trained, COUNT)["clip_score"]
    captions = data.open_source(DATA, "test").load(np.arange(COUNT))["caption"]
    pairs = ((seen(x, COUNT), texts_of(captions)) for x in (MADE, REAL))
    scores, own = (matching.clip_scores(*pair) for pair in pairs)
    np.testing.assert_allclose(row["value"], scores.mean())
    np.testing.assert_allclose(row["standard_error"], scores.std(ddof=1) / np.sqrt(COUNT))
    np.testing.assert_allclose(row["of_the_data"], own.mean())


def test_r_precision_is_among_a_hundred(trained):
    row = alignment.r_precision(trained, COUNT)["r_precision"]
    captions = alignment._distinct(data.open_source(DATA, "test"), COUNT)["caption"]
    texts, found = texts_of(captions), {}
    for name, own in (("value", MADE), ("of_the_data", REAL)):
        images, halves = seen(own, COUNT), (slice(100), slice(100, COUNT))
        found[name] = np.mean([matching.recall(images[h], texts[h]) for h in halves])
    assert 0 < found["value"] != found["of_the_data"]
    assert {name: row[name] for name in found} == found


def test_cmmd_is_beside_that_of_other_reals(trained):
    row = alignment.cmmd(trained, COUNT)["cmmd"]
    np.testing.assert_allclose(row["value"], matching.cmmd(MADE[:COUNT], REAL[:COUNT]))
    floor = matching.cmmd(REAL[COUNT:], REAL[:COUNT])
    np.testing.assert_allclose(row["real_against_real"], floor)


@pytest.mark.parametrize("hits, n", [(3, 10), (0, 50), (50, 50), (970, 1000)])
def test_the_interval_of_a_share_is_wilsons(hits, n):
    """Its ends are those p from which the share is 1.96 of p's own standard errors away."""
    low, high = share_interval(hits, n)
    assert -1e-12 <= low <= hits / n <= high <= 1 + 1e-12
    for p, turned in ((low, hits == 0), (high, hits == n)):
        away = abs(hits / n - p) - 1.959963985 * np.sqrt(max(p * (1 - p), 0.0) / n)
        assert abs(away) < 1e-7 or turned
