"""Golden outputs of reference implementations: weights and inputs by a formula, outputs on file.

Every weight, input and noise is a hash of its name (ABOUT.md beside the files): a test writes the
weights under their published names, reads them by the library's own reader and compares outputs.
"""

import gzip
import hashlib
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

# Only float64 sees every mistake: it is tested each time, float32 in test-all.
TOLERANCES = {"float64": 1e-9, "float32": 2e-5}
PRECISIONS = ("float64", pytest.param("float32", marks=pytest.mark.slow))


class Golden(NamedTuple):
    """One file of cases: what was computed, and the outputs as CASE/OUTPUT."""

    salt: str
    cases: dict[str, dict]
    outputs: dict[str, np.ndarray]

    def unit(self, name: str, shape) -> np.ndarray:
        """Numbers in [0, 1), float64: splitmix64 seeded by a hash of the name."""
        seed = int.from_bytes(
            hashlib.sha256((self.salt + name).encode()).digest()[:8], byteorder="little"
        )
        count = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
        z = np.uint64(seed) + count * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (((z ^ (z >> np.uint64(31))) >> np.uint64(40)) / 2.0**24).reshape(shape)

    def value(self, name: str, shape) -> np.ndarray:
        """An input or a noise of mean 0 and variance 1, float32."""
        return (math.sqrt(3.0) * (2.0 * self.unit(name, shape) - 1.0)).astype(np.float32)

    def weights(self, keys, prefix: str = "") -> dict[str, np.ndarray]:
        """{name: float32 array} of [name, shape] pairs; the prefix is hashed with the name."""
        return {name: self._weight(prefix + name, shape) for name, shape in keys}

    def _weight(self, name: str, shape) -> np.ndarray:
        r = 2.0 * self.unit(name, shape) - 1.0
        if name.endswith("logit_scale"):
            values = np.full(shape, math.log(1.0 / 0.07))
        elif len(shape) >= 2:
            values = r * math.sqrt(3.0 / math.prod(shape[1:]))
        elif len(shape) == 1 and name.endswith(("weight", "running_var")):
            values = 1.0 + 0.2 * r
        else:
            values = 0.1 * r
        return values.astype(np.float32)


def golden(shared: Path, file: str) -> Golden:
    """The cases of models, schedulers, pipelines or bounds."""
    folder = shared / "data" / "diffusers-golden"
    described = json.loads((folder / f"{file}.json").read_text())
    with np.load(folder / f"{file}.npz") as outputs:
        return Golden(described["salt"], described["cases"], dict(outputs))


def layouts(shared: Path) -> dict:
    """Keys and shapes of the full-size models, and their numbers of parameters."""
    file = shared / "data" / "diffusers-golden" / "layouts.json.gz"
    return json.loads(gzip.decompress(file.read_bytes()))
