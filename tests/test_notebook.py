"""The notebooks run from top to bottom in smoke form, and are committed without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
QUICK = ("evaluation",)  # The others take longer, and `make test-all` runs them.
PICTURES = {
    "autoregression": 5,
    "diffusion_samplers": 7,
    "evaluation": 5,
    "gan_modes": 7,
    "quickstart": 3,
    "vae_manifold": 7,
}


def names():
    for path in NOTEBOOKS:
        marks = () if path.stem in QUICK else pytest.mark.slow
        yield pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", names())
def test_a_notebook_runs_and_shows_pictures(path, tmp_path, monkeypatch):
    monkeypatch.setenv("GM_JAX_SMOKE", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # Where a smoke run is kept.
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(ROOT)}}
    NotebookClient(notebook, timeout=300, resources=where).execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == PICTURES[path.stem]


def test_notebooks_begin_alike_and_are_committed_without_outputs():
    assert [path.stem for path in NOTEBOOKS] == sorted(PICTURES)
    first = set()
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        first.add(code[0].source)
        for cell in code:
            assert not cell.outputs and cell.execution_count is None, f"{path.name} has outputs"
        reading = [cell for cell in code if "GM_JAX_SMOKE" in cell.source]
        assert reading == code[1:2], f"{path.name} is to read GM_JAX_SMOKE in its second cell"
    assert len(first) == 1 and 'find_spec("gm_jax") is None' in first.pop()
