"""A run of an older version goes on under this one, as it would have then.

`fixtures/old_run` was begun at commit 4f37c61, on a CPU: `run` is its workdir after two rounds of
`configs/gan_ring.py:smoke` with checkpoint.every=2 and report.every=1 (without events and times),
`end.npz` holds all variables by path after four. On the machine that wrote it, this version's
end is equal bit by bit; another machine may round otherwise.
"""

import json
import shutil
from pathlib import Path

import jax
import numpy as np

import gm_jax
from gm_jax.recipes import complete
from gm_jax.training import checkpoint

OLD = Path(__file__).parent / "fixtures" / "old_run"


def test_a_run_begun_by_an_older_version_goes_on_to_the_same_end(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(OLD / "run", run)
    settings = complete(json.loads((run / "config.json").read_text()))
    settings.steps = 4
    trained = gm_jax.train(settings, run, jax.devices()[:1])
    assert trained.step == 4

    args = checkpoint.ocp.args
    manager = checkpoint.open_checkpoints(run / "checkpoints/train", None, reader=True).manager
    parts = args.Composite(variables=args.StandardRestore(), place=args.JsonRestore())
    saved = manager.restore(4, args=parts)
    found = {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(saved.variables)
    }
    with np.load(OLD / "end.npz") as expected:
        assert sorted(found) == sorted(expected)
        for name, leaf in expected.items():
            assert found[name].dtype == leaf.dtype
            np.testing.assert_allclose(found[name], leaf, rtol=0, atol=1e-6, err_msg=name)
    assert saved.place["position"] == 8

    before = (OLD / "run/metrics.jsonl").read_text()
    log = (run / "metrics.jsonl").read_text()
    assert log.startswith(before)
    assert [json.loads(line)["step"] for line in log.splitlines()] == [1, 2, 3, 4]


def test_a_run_without_settings_that_came_to_be_since_is_no_other_recipe(tmp_path):
    """Its data.json is of the form that held nothing but the spec."""
    run = tmp_path / "run"
    shutil.copytree(OLD / "run", run)
    settings = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(
        json.dumps({k: v for k, v in settings.items() if k not in ("study", "stages")})
    )
    assert set(json.loads((run / "data.json").read_text())) == {"point", "label"}
    assert gm_jax.load(run, devices=jax.devices()[:1]).step == 2
    recipe = complete(settings)
    assert gm_jax.train(recipe, run, jax.devices()[:1]).step == 2
    assert set(json.loads((run / "data.json").read_text())) == {"spec", "size", "examples", "paths"}
