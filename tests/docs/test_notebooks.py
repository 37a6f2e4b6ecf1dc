"""The notebooks contain the output of one execution in order, and run again from beginning to end."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import gbdt_pairloss

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 180  # for a cell, which may compile kernels

# Text that belongs to one machine: its folders, and addresses of objects.
OF_A_MACHINE = re.compile(
    r"(?<![\w.:/])/(?:home|root|tmp|Users|usr|opt|var|mnt|work|private|srv|data)/|\b[A-Z]:\\\\Users|file://|"
    r"/ipykernel_\d+|\bobject at 0x[0-9a-f]+"
)

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def without_images(value: Any) -> Any:
    """Return the notebook except its images, whose encoding may contain any letters."""
    if isinstance(value, dict):
        return {key: without_images(item) for key, item in value.items() if key != "image/png"}
    return [without_images(item) for item in value] if isinstance(value, list) else value


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@every_notebook
def test_a_notebook_has_the_format_with_cell_ids(path: Path) -> None:
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert not any("execution" in cell["metadata"] for cell in notebook["cells"])
    assert "widgets" not in notebook["metadata"]


@every_notebook
def test_a_notebook_was_executed_in_order_without_errors_or_warnings(path: Path) -> None:
    cells = code_cells(read(path))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["id"]
            assert output.get("name") != "stderr", (cell["id"], output["text"])


@every_notebook
def test_a_notebook_ends_with_a_figure(path: Path) -> None:
    outputs = code_cells(read(path))[-1]["outputs"]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@every_notebook
def test_a_notebook_contains_no_paths_or_addresses_of_a_machine(path: Path) -> None:
    found = OF_A_MACHINE.search(json.dumps(without_images(read(path)), ensure_ascii=False))
    assert found is None, found


@every_notebook
def test_a_notebook_is_smaller_than_400_kb(path: Path) -> None:
    assert path.stat().st_size < 400_000


@pytest.mark.slow
@every_notebook
def test_a_notebook_runs_from_beginning_to_end(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    pytest.importorskip("lightgbm", minversion="4.0")
    pytest.importorskip("xgboost")

    # The kernel has another working directory and must import the package under test.
    packages = [str(Path(gbdt_pairloss.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, packages)))
    for name in ("GBDT_PAIRLOSS_MOVIELENS", "MPLBACKEND"):  # other data, and a backend without figures
        monkeypatch.delenv(name, raising=False)
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", (cell["id"], output["text"])
    assert any("image/png" in output.get("data", {}) for output in code_cells(notebook)[-1]["outputs"])
