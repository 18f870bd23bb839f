"""The command, on weights that reach the 64-dimensional layer alone."""

import hashlib
import json

import numpy as np
import pytest
from test_weights import stem

from gm_jax.evaluation import protocols, weights
from gm_jax.evaluation.__main__ import main

NAME = "fd_inception_{}_64"


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    """Runs the command on small weights: returns (exit code, JSON, stdout, stderr)."""
    np.savez(tmp_path / "w.npz", **stem())
    digest = hashlib.sha256((tmp_path / "w.npz").read_bytes()).hexdigest()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(weights.OFFICIAL.variable, raising=False)

    def run(*argv, known=True):
        out = tmp_path / "out.json"
        out.unlink(missing_ok=True)
        given = [f"--weights={tmp_path / 'w.npz'}", f"--weights-sha256={digest}"] if known else []
        code = main([f"--out={out}", "--batch-size=8", *given, *map(str, argv)])
        printed = capsys.readouterr()
        return code, json.loads(out.read_text()) if out.exists() else None, *printed

    run.name = NAME.format(digest[:8])
    run.features = protocols.inception_features(
        weights.load_inception(tmp_path / "w.npz", digest), protocols.PROTOCOLS["clean"]
    )
    return run
