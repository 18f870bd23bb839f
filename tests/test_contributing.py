"""The system that CONTRIBUTING shows is a system."""

import re
import sys
import types
from pathlib import Path

import jax

import gm_jax
from gm_jax import zoo
from gm_jax.recipes import recipe


def test_the_system_in_contributing_trains(tmp_path, monkeypatch):
    text = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    body = code[code.index("def build") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20
    module = types.ModuleType("autoencoder_of_contributing")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # Where dataclasses look up types.
    exec(code, module.__dict__)
    monkeypatch.setitem(zoo.SYSTEMS, "own", module)
    settings = recipe(
        "",
        dict(
            system="own", steps=40, batch_size=16, code=4,
            show=dict(every=0, counts=dict(sample=0, reconstruct=8)),
        ),
    )  # fmt: skip
    trained = gm_jax.train(settings, tmp_path, jax.devices()[:1])
    assert gm_jax.sample(trained, 5, "reconstruct")["image"].shape == (5, 8, 8, 1)
