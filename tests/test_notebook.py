"""The quickstart runs from top to bottom."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

QUICKSTART = Path(__file__).parent.parent / "notebooks" / "quickstart.ipynb"


def test_the_quickstart_runs_and_shows_pictures(tmp_path):
    notebook = nbformat.read(QUICKSTART, as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs"), "commit the notebook without outputs"
        if cell.cell_type == "code":
            # The full recipe is for a reader; `:smoke` shows that every line runs.
            cell.source = cell.source.replace("ddpm_digits.py", "ddpm_digits.py:smoke")
            cell.source = cell.source.replace('"runs/', f'"{tmp_path}/')
    root = {"metadata": {"path": str(QUICKSTART.parent.parent)}}
    NotebookClient(notebook, timeout=300, resources=root).execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 2
