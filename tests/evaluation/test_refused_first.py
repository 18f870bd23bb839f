"""What python -m gm_jax.evaluation cannot do is said before the pass over the images."""

import io
import json
import os
import re

import numpy as np
import pytest
from test_command import folder, npz, pictures

import gm_jax
from gm_jax.evaluation import statistics
from gm_jax.evaluation.__main__ import main
from gm_jax.evaluation.protocols import PROTOCOLS


@pytest.fixture
def unread(monkeypatch):
    """Fails the test if an image is looked at."""

    def never(*args, **kwargs):
        raise AssertionError("a pass over the images")

    monkeypatch.setattr("gm_jax.evaluation.passes.collect", never)


@pytest.fixture
def sides(tmp_path):
    """Two sets of images."""
    return tuple(npz(tmp_path / f"{s}.npz", images=pictures(22, seed=s)) for s in (0, 1))


def refused(call, *argv, **kwargs):
    """The one line on stderr that a call with exit code 2 leaves."""
    code, result, shown, error = call(*argv, **kwargs)
    (line,) = error.splitlines()
    assert code == 2 and result is None and shown == "" and line.startswith("error: ")
    return line


@pytest.mark.parametrize("option", ["out", "save", "sheet"])
def test_results_that_could_not_be_written(option, call, sides, tmp_path, unread):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "dangling").symlink_to("/proc/nowhere/x")
    for name in ("file/x", "dangling", "/proc/nowhere/x"):
        line = refused(call, *sides, "--metrics=fid_64", f"--{option}={tmp_path / name}")
        assert "cannot be written (" in line and f"choose another --{option}" in line
    line = refused(call, *sides, "--metrics=fid_64", f"--{option}={tmp_path}")
    assert f"{tmp_path} is a folder, not a file" in line


def test_a_cache_that_cannot_be_written(call, sides, unread):
    line = refused(call, *sides, "--metrics=fid_64", "--cache=/proc/nowhere")
    assert "cannot be written" in line and "choose another --cache" in line


def test_numbers_that_make_no_sense(call, sides, unread):
    for argument, words in [
        ("--batch-size=-3", "--batch-size must be at least 1, not -3"),
        ("--batch-size=0", "--batch-size must be at least 1, not 0"),
        ("--samples=1", "--samples must be at least 2, not 1"),
    ]:
        assert words in refused(call, *sides, "--metrics=fid_64", argument)


def test_statistics_that_do_not_go_with_the_images(call, sides, tmp_path, monkeypatch):
    kept = tmp_path / "kept.npz"
    assert call(sides[0], "--metrics=fid_64", f"--save={kept}")[0] == 0
    monkeypatch.setattr("gm_jax.evaluation.passes.collect", None)
    assert "protocols differ in resize" in refused(
        call, sides[1], kept, "--metrics=fid_64", "--protocol=clean"
    )
    for metrics, words in [
        ("kid_64", "statistics of B do not keep them for layer 64"),
        ("swd", "swd needs the images of both sides"),
    ]:
        assert words in refused(call, sides[1], kept, f"--metrics={metrics}")
    assert "MS-SSIM needs the images of A" in refused(call, kept, sides[1], "--metrics=msssim")
    assert "a sheet needs the images" in refused(
        call, sides[1], kept, "--metrics=fid_64", f"--sheet={tmp_path / 's.png'}"
    )


@pytest.mark.slow
def test_results_in_new_folders_and_statistics_of_any_name(call, sides, tmp_path):
    saved, link = tmp_path / "new/saved", tmp_path / "link.json"
    link.symlink_to(tmp_path / "elsewhere/result.json")
    mask = os.umask(0o027)
    try:
        argv = (*sides, "--metrics=fid_64", f"--out={link}", f"--sheet={tmp_path / 'more/s.png'}")
        code, _, _, _ = call(*argv, f"--save={saved}")
    finally:
        os.umask(mask)
    assert code == 0 and [p.name for p in saved.parent.iterdir()] == ["saved"]
    assert saved.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink() and json.loads(link.read_text())["n1"] == 22
    assert (tmp_path / "more/s.png").is_file()
    code, result, _, _ = call(saved, sides[1], "--metrics=fid_64")
    assert code == 0
    value = json.loads(link.read_text())["metrics"][call.name]["value"]
    assert result["metrics"][call.name]["value"] == value


def test_a_pipe_stays_one(call, tmp_path):
    """A pipe of the test's own: whoever mends this must not try it on /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    side = npz(tmp_path / "bare.npz", mu=np.zeros(64), sigma=np.eye(64))
    how = ("--metrics=fid_64", "--protocol=clean", f"--out={pipe}")
    assert call(side, side, *how, known=False)[0] == 0
    assert pipe.is_fifo() and json.loads(os.read(reader, 65_536))["protocol"]["name"] == "clean"
    os.close(reader)


def test_a_screen_that_shows_ascii_alone(tmp_path, monkeypatch):
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", screen)
    side = npz(tmp_path / "Gärten.npz", mu=np.zeros(64), sigma=np.eye(64))
    how = ["--metrics=fid_64", "--protocol=clean", f"--out={tmp_path / 'out.json'}"]
    assert main([side, side, *how]) == 0
    screen.flush()
    shown = screen.buffer.getvalue()
    assert b"G?rten.npz (N1 = None)" in shown and shown.count(b"?") == 2 + 2  # names, questions


@pytest.mark.slow
def test_a_run_without_images(call, sides, tmp_path, unread, capsys):
    config = gm_jax.load_config("configs/gan_ring.py:smoke")
    config.update(steps=1, show={"every": 0}, evaluate={"every": 0})
    gm_jax.train(config, tmp_path / "run")
    capsys.readouterr()
    line = refused(call, tmp_path / "run", sides[0], "--metrics=fid_64")
    assert "run generates no images: its samples are point" in line


def test_a_foreign_configuration_beside_images(call, tmp_path):
    a = folder(tmp_path / "a", pictures(22))
    (tmp_path / "a/config.json").write_text('{"model_type": "diffusion"}')
    code, result, _, _ = call(a, a, "--metrics=fid_64")
    assert code == 0 and result["n1"] == 22
    (tmp_path / "a/config.json").write_text("")
    assert "config.json cannot be read" in refused(call, a, a, "--metrics=fid_64")


def test_correlations_for_a_covariance_are_warned_of(call, tmp_path):
    c = npz(tmp_path / "c.npz", mu=np.zeros(64), sigma=np.eye(64))
    _, result, _, _ = call(c, c, "--metrics=fid_64", "--protocol=clean", known=False)
    assert any("a correlation?" in line for line in result["warnings"])
    c = npz(tmp_path / "d.npz", mu=np.zeros(64), sigma=2 * np.eye(64))
    _, result, _, _ = call(c, c, "--metrics=fid_64", "--protocol=clean", known=False)
    assert not any("a correlation?" in line for line in result["warnings"])


def rows(n=100):
    """Features like Inception's: 64 dimensions, their mean some .4, fewer directions than that."""
    mix = np.random.default_rng(0).normal(size=(64, 64)) * np.linspace(1, 0.02, 64) / 40
    return np.abs(np.random.default_rng(1).normal(size=(n, 64)) @ mix + 0.4)


def bare(tmp_path, mean, covariance):
    return npz(tmp_path / "bare.npz", mu=mean, sigma=covariance)


COVARIANCE = np.cov(rows(), rowvar=False)
NO_GAUSSIANS = {
    "negative": (-COVARIANCE, r"has no negative eigenvalue, this matrix has -0\.0"),
    "indefinite": (COVARIANCE - 0.001 * np.eye(64), r"this matrix has -0\.0009\d* \(its largest"),
    "upper half": (np.triu(COVARIANCE), "is not symmetric"),
    "balanced": (COVARIANCE + 0.01 * (np.roll(np.eye(64), 1, 0)), "is not symmetric"),
    "NaN": (np.where(np.eye(64) > 0, np.nan, COVARIANCE), "holds NaN or infinity"),
    "a row": (COVARIANCE[:1], "of no layer of Inception"),
    "objects": (COVARIANCE.astype(object), "holds Python objects"),
    "whole numbers": (COVARIANCE.astype(int), "sigma int64 must both be of floats"),
    "complex": (COVARIANCE.astype(complex), "sigma complex128 must both be of floats"),
}


@pytest.mark.parametrize("case", NO_GAUSSIANS)
def test_what_is_no_covariance(case, call, sides, tmp_path, unread):
    covariance, words = NO_GAUSSIANS[case]
    path = bare(tmp_path, rows().mean(axis=0), covariance)
    line = refused(call, sides[0], path, "--metrics=fid_64", "--protocol=clean")
    assert path in line
    assert re.search(words, line)


@pytest.mark.parametrize("mean", [0.0, 5.0])
def test_rounding_of_float32_sums_is_welcome(mean, tmp_path):
    """E[x xᵀ] - E[x] E[x]ᵀ in float32, of fewer images than dimensions: eigenvalues below zero."""
    x = (rows(20) + mean).astype(np.float32)
    m = x.mean(axis=0)
    covariance = (x.T @ x - len(x) * np.outer(m, m)) / np.float32(len(x) - 1)
    values = np.linalg.eigvalsh(covariance.astype(np.float64))
    assert np.sum(values < 0) > 15
    path = bare(tmp_path, m, covariance)
    assert set(statistics.load(path, PROTOCOLS["clean"]).gaussians) == {"64"}
