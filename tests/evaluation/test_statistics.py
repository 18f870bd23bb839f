"""One pass, its file, and the comparison of two."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from gm_jax.data.source import from_arrays
from gm_jax.evaluation import (
    EvaluationError,
    Features,
    collect,
    frechet_of_features,
    kernel_distance,
    moments,
    sharing,
    statistics,
)
from gm_jax.evaluation.collection import Needs
from gm_jax.evaluation.distances import gaussian_of_moments
from gm_jax.evaluation.image_sets import of_source
from gm_jax.evaluation.metrics import (
    compare,
    metric_name,
    needs,
    parse_metrics,
    report,
    warnings,
    with_layers,
)
from gm_jax.evaluation.neighbours import neighbourhoods
from gm_jax.evaluation.protocols import NATIVE, PROTOCOLS
from gm_jax.evaluation.uncertainty import floor, uncertainty
from gm_jax.fingerprint import fingerprint
from gm_jax.model import Field


def toy(name="toy", seed=0):
    """Layers of 5 dimensions and of 1008 logits, linear in the pixels."""
    rng = np.random.default_rng(seed)
    shapes = {"a": 5, "logits_unbiased": 1008}
    params = {k: (rng.normal(size=(48, d)) / 300).astype(np.float32) for k, d in shapes.items()}

    def apply(params, images):
        x = images.reshape(len(images), -1).astype("float32") - 128
        return {layer: x @ w for layer, w in params.items()}

    return Features(name, fingerprint(params), shapes, params, apply)


def images(n, seed=0, side=4):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


ALL = Needs(("a",), ("a",), True)


def made(n=203, seed=0, protocol=NATIVE, wanted=ALL, cuts=(7, 100), features=None):
    batches = np.split(images(n, seed), cuts)
    return collect(features or toy(), protocol, batches, n, wanted, batch_size=16)


def rows(n=203, seed=0):
    return np.asarray(toy().apply(toy().params, images(n, seed))["a"])


def test_one_pass_gives_what_each_metric_needs():
    result = made()
    assert result.n == 203 and result.provenance.weights == toy().fingerprint
    np.testing.assert_allclose(result.features["a"], rows(), rtol=1e-4, atol=1e-5)
    mean, covariance = result.gaussians["a"]
    exact = result.features["a"].astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-8)
    np.testing.assert_allclose(covariance, np.cov(exact, rowvar=False), rtol=1e-8, atol=1e-12)
    assert [g.n for g in result.groups["a"]] == [21] * 3 + [20] * 7
    third = exact[3::10]
    group = gaussian_of_moments(result.groups["a"][3])
    np.testing.assert_allclose(group.factor @ group.factor.T, np.cov(third, rowvar=False))
    assert 1 <= result.score[0] <= 1008


def test_the_batches_and_chunks_do_not_show(monkeypatch):
    whole = made(cuts=())
    monkeypatch.setattr("gm_jax.evaluation.collection._CHUNK", 32)
    parts = made(cuts=(1, 2, 50))
    np.testing.assert_allclose(parts.gaussians["a"][1], whole.gaussians["a"][1], rtol=1e-8)
    np.testing.assert_allclose(parts.score, whole.score, rtol=1e-8)
    for a, b in zip(parts.groups["a"], whole.groups["a"], strict=True):
        assert a.n == b.n
        for x, y in zip(*map(moments.mean_and_covariance, (a, b)), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-10)


def test_flat_memory_for_distances_and_the_inception_score():
    """What a pass keeps does not grow with the images unless features are asked for."""

    def size(n):
        result = made(n, wanted=Needs(("a",), (), True), cuts=())
        arrays = [*result.gaussians["a"]] + [x for g in result.groups["a"] for x in g[1:]]
        assert result.features == {} == result.patches
        return sum(x.nbytes for x in arrays)

    assert size(40) == size(400)


def test_a_file_keeps_it_all(tmp_path):
    first = made()
    statistics.save(first, tmp_path / "s.npz")
    again = statistics.load(tmp_path / "s.npz")
    assert again.provenance == first.provenance
    assert (again.n, again.score) == (first.n, first.score)
    for x, y in zip(again.gaussians["a"], first.gaussians["a"], strict=True):
        np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(again.features["a"], first.features["a"])
    for x, y in zip(again.groups["a"], first.groups["a"], strict=True):
        assert x.n == y.n
        np.testing.assert_allclose(x.outer, y.outer, rtol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["s.npz"]


def test_broken_and_foreign_files(tmp_path):
    path = tmp_path / "s.npz"
    statistics.save(made(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EvaluationError, match="broken or truncated"):
        statistics.load(path)
    np.savez(path, something=np.zeros(3))
    with pytest.raises(EvaluationError, match="not a statistics file"):
        statistics.load(path)
    np.savez(path, gm_jax=np.array('{"format": "gm_jax statistics 9"}'))
    with pytest.raises(EvaluationError, match="gm_jax statistics 9"):
        statistics.load(path)


def test_a_bare_file_needs_its_protocol(tmp_path):
    path = tmp_path / "bare.npz"
    np.savez(path, mu=np.zeros(64), sigma=np.eye(64))
    with pytest.raises(EvaluationError, match="not how they were made: state its protocol"):
        statistics.load(path)
    bare = statistics.load(path, PROTOCOLS["clean"])
    assert bare.n is None and bare.provenance.protocol.name == "clean"
    assert set(bare.gaussians) == {"64"}
    assert any("how many images" in line for line in warnings(bare, None))
    np.savez(path, mu=np.zeros(65), sigma=np.eye(65))
    with pytest.raises(EvaluationError, match="of no layer of Inception"):
        statistics.load(path, PROTOCOLS["clean"])


METRICS = parse_metrics("fd_a,kid_a,prdc_a,is")


def test_values_names_and_what_travels_with_them():
    a, b = made(seed=1), made(150, cuts=())
    results = compare(a, b, METRICS)
    x, y = (s.features["a"].astype(np.float64) for s in (a, b))
    assert set(results) == {
        "fd_toy", "kid_toy", "precision_toy", "recall_toy", "density_toy", "coverage_toy", "is_toy"
    }  # fmt: skip
    fd = results["fd_toy"]
    np.testing.assert_allclose(fd["value"], frechet_of_features(x, y), rtol=1e-9)
    assert (fd["n1"], fd["n2"]) == (203, 150)
    interval, limit = uncertainty(a.groups["a"], gaussian_of_moments_of(y), fd["value"])
    np.testing.assert_allclose(fd["interval95"], interval, rtol=1e-6)
    np.testing.assert_allclose(fd["infinity"], limit, rtol=1e-6)
    assert fd["floor"] == dict(
        zip(("value", "std", "images_a_side"), floor(b.groups["a"]), strict=True)
    )
    assert results["kid_toy"]["value"] == kernel_distance(x, y)[0]
    assert results["kid_toy"]["subset_size"] == 150
    assert results["precision_toy"]["value"] == neighbourhoods(y, x).precision
    assert results["recall_toy"]["value"] == neighbourhoods(y, x).recall
    assert "interval95" not in compare(a, b, METRICS, with_uncertainty=False)["fd_toy"]


def gaussian_of_moments_of(x):
    return gaussian_of_moments(moments.update(moments.init(x.shape[1]), x))


def test_only_inception_is_called_fid():
    for name, word, expected in [
        ("inception", "fid_a", "fid_a"),
        ("inception_0123abcd", "fid_a", "fd_inception_0123abcd_a"),
        ("classifier_mnist", "fid_a", "fd_classifier_mnist"),
        ("classifier_mnist", "fd", "fd_classifier_mnist"),
    ]:
        s = made(features=toy(name), wanted=Needs(("a",)))
        assert set(compare(s, s, parse_metrics(word), False)) == {expected}
    with pytest.raises(EvaluationError, match="fid needs the layer 2048"):
        compare(s, s, parse_metrics("fid"))


def test_a_report_says_what_its_numbers_mean():
    a, b = (
        made(seed=1, protocol=PROTOCOLS["clean"]),
        made(150, cuts=(), protocol=PROTOCOLS["clean"]),
    )
    result = report(a, b, METRICS)
    assert (result["n1"], result["n2"]) == (203, 150)
    assert result["protocol"] == PROTOCOLS["clean"]._asdict()
    assert (result["features"], result["weights"]) == ("toy", toy().fingerprint)
    assert result["metrics"] == compare(a, b, METRICS)


def test_layers_are_named_where_there_are_several():
    two = parse_metrics("fd_a,kid_b")
    assert metric_name("kid", "b", "toy", two) == "kid_toy_b"
    assert metric_name("kid", "a", "toy", two[:1]) == "kid_toy"
    assert metric_name("precision", "2048", "inception") == "precision"
    assert metric_name("fd", "768", "inception") == "fid_768"
    assert metric_name("sfid", "sfid", "inception_01234567") == "sfd_inception_01234567"


def test_what_cannot_be_compared_is_refused_by_name():
    a = made()
    with pytest.raises(EvaluationError, match="protocols differ in resize"):
        compare(a, made(protocol=PROTOCOLS["clean"]), METRICS)
    with pytest.raises(EvaluationError, match="weights differ"):
        compare(a, made(features=toy(seed=1)), METRICS)
    with pytest.raises(EvaluationError, match="features differ"):
        compare(a, made(features=toy("other")), METRICS)
    bare = a._replace(features={}, score=None)
    with pytest.raises(EvaluationError, match="the statistics of B do not keep them"):
        compare(a, bare, parse_metrics("kid_a"))
    with pytest.raises(EvaluationError, match="swd needs the images of both sides"):
        compare(a, bare, parse_metrics("swd"))
    with pytest.raises(EvaluationError, match="MS-SSIM needs the images"):
        compare(a, bare, parse_metrics("msssim"))


def test_few_images_are_warned_of():
    a = made(4, wanted=Needs(("a",)), cuts=())
    assert any("4 images for 5 dimensions" in line for line in warnings(a, None))
    assert not warnings(made(), None)


def test_one_image_and_nan_features_are_refused():
    with pytest.raises(EvaluationError, match="at least 2 images, not 1"):
        made(1, cuts=())
    broken = toy()
    broken = broken._replace(apply=lambda p, x: {"a": toy().apply(p, x)["a"] * np.nan})
    with pytest.raises(EvaluationError, match="3 of 3 feature vectors hold NaN"):
        made(30, features=broken, wanted=Needs(("a",)), cuts=())


def test_metrics_of_pixels_from_the_same_pass():
    big = np.random.default_rng(0).integers(0, 256, (5, 176, 176, 3), dtype=np.uint8)
    batches = [big[:3], big[3:]]
    result = collect(toy(), NATIVE, batches, 5, Needs(patches=4, ssim=True))
    assert result.ssim[1] == 2 and 0 <= result.ssim[0] <= 1
    assert {s: len(p) for s, p in result.patches.items()} == {176: 512, 88: 512, 44: 512, 22: 512}
    results = compare(result, result, parse_metrics("swd,msssim"))
    assert results["swd"] == {"value": 0.0, "images_a_side": 4}
    assert results["msssim"]["pairs"] == 2
    with pytest.raises(EvaluationError, match="161 pixels a side, these have 4 x 4"):
        made(wanted=Needs(ssim=True))


def test_words_for_metrics():
    with pytest.raises(EvaluationError, match="unknown metric 'fjd'"):
        parse_metrics("fid,fjd")
    with pytest.raises(EvaluationError, match="no metric in ' ,'"):
        parse_metrics(" ,")
    layers = ("64", "768", "2048", "sfid", "logits_unbiased")
    filled = with_layers(parse_metrics("fid, fid_768,sfid,is,kid_64,swd"), layers)
    assert [m.layer for m in filled] == ["2048", "768", "sfid", "logits_unbiased", "64", None]
    assert needs(filled, (30_000, 20_000)) == Needs(
        ("2048", "768", "sfid"), ("64",), True, 16_384, False
    )
    with pytest.raises(EvaluationError, match=r"fid needs the layer 2048.*as in fid_768"):
        with_layers(parse_metrics("fid"), ("64", "768"))


PROCESS = """
import jax, sys
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"127.0.0.1:{sys.argv[2]}", 2, int(sys.argv[1]))
sys.path.insert(0, sys.argv[3])
from test_statistics import *
statistics.save(made(), sys.argv[4])
"""


@pytest.mark.slow
def test_two_processes_make_the_statistics_of_one(tmp_path):
    outs = [str(tmp_path / f"{i}.npz") for i in range(2)]
    env = os.environ | {"JAX_PLATFORMS": "cpu"}
    here = os.path.dirname(__file__)
    runs = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(i), "29517", here, out], env=env)
        for i, out in enumerate(outs)
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    first, second = map(statistics.load, outs)
    assert_same(first, made())
    np.testing.assert_array_equal(first.gaussians["a"][1], second.gaussians["a"][1])


def assert_same(shared, alone):
    """Statistics that several processes made together and those of one, and what follows."""
    assert shared.n == alone.n
    np.testing.assert_allclose(shared.features["a"], alone.features["a"], rtol=1e-5, atol=1e-5)
    for a, b in zip(shared.groups["a"], alone.groups["a"], strict=True):
        assert a.n == b.n
    kinds, other = parse_metrics("fd_a,kid_a,prdc_a,is"), made(seed=1)
    found, expected = (compare(s, other, kinds) for s in (shared, alone))
    for name in expected:
        np.testing.assert_allclose(found[name]["value"], expected[name]["value"], rtol=1e-4)
    for key in ("interval95", "infinity"):
        np.testing.assert_allclose(found["fd_toy"][key], expected["fd_toy"][key], rtol=1e-4)


@pytest.mark.parametrize("count,n", [(3, 203), (4, 13)])
def test_processes_that_share_a_pass_find_the_statistics_of_one(count, n, monkeypatch):
    """In threads that exchange as processes do. Of 13 images, some processes lack groups."""
    mine, barrier, sent = threading.local(), threading.Barrier(count, timeout=300), [None] * count

    def allgather(values):
        sent[mine.index] = np.asarray(values)
        barrier.wait()
        rows = np.stack(sent)
        barrier.wait()
        return rows

    def process(index):
        mine.index = index
        return made(n)

    alone = made(n)
    told = SimpleNamespace(process_index=lambda: mine.index, process_count=lambda: count)
    with monkeypatch.context() as patched:
        patched.setattr(sharing, "jax", told)
        patched.setattr(sharing.multihost_utils, "process_allgather", allgather)
        with ThreadPoolExecutor(count) as pool:
            results = list(pool.map(process, range(count)))
    for result in results:
        if n > 100:
            assert_same(result, alone)
        np.testing.assert_allclose(result.gaussians["a"][1], alone.gaussians["a"][1], rtol=1e-4)
        np.testing.assert_allclose(result.score, alone.score, rtol=1e-5)
        np.testing.assert_array_equal(result.features["a"], results[0].features["a"])


@pytest.mark.parametrize("place", [0, 1, 128, 200])
def test_a_set_with_one_other_pixel_has_another_key(place):
    images = np.random.default_rng(0).integers(0, 256, (201, 4, 4, 1)).astype(np.uint8)
    changed = images.copy()
    changed[place, 3, 3] ^= 1
    spec = {"image": Field((4, 4, 1), 256)}
    one, same, other = (
        of_source(from_arrays("set", {"image": x}, spec)) for x in (images, images.copy(), changed)
    )
    assert one.key == same.key != other.key
    np.testing.assert_array_equal(np.concatenate(list(one.batches())), images)
