"""The system that CONTRIBUTING shows is a system."""

import re
from pathlib import Path

import jax
from games import config

import gm_jax
from gm_jax import zoo


def test_the_system_in_contributing_trains(tmp_path, monkeypatch, digits16):
    text = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    body = code[code.index("def build") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20
    names = {}
    exec(code, names)
    monkeypatch.setitem(zoo.SYSTEMS, "autoencoder", names["build"])
    settings = config("vae", digits16, **{"steps": 40, "show.every": 0})
    with settings.unlocked():
        settings.system, settings.code = "autoencoder", 4
        settings.show.counts, settings.evaluate.counts = {"reconstruct": 8}, {}
    trained = gm_jax.train(settings, tmp_path, jax.devices()[:1])
    assert gm_jax.sample(trained, 5, "reconstruct")["image"].shape == (5, 8, 8, 1)
