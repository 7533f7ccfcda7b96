"""Which package may import which, and what may not cost the import of torch or streamlit."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The heavy packages that listing models and opening the first page must not wait for.
HEAVY = {"torch", "torchvision", "torchmetrics", "streamlit", "plotly", "umap", "sklearn", "diffusers"}


def imports(path: Path) -> Iterator[str]:
    """Yield the top-level packages that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize(
    ("folder", "banned"),
    [
        ("models", {"explorer", "streamlit", "plotly"}),
        ("explorer/views", {"torch", "torchvision", "umap"}),
        ("explorer/panels", {"torch", "torchvision", "umap"}),
        ("explorer/commands", {"streamlit"}),
    ],
)
def test_imports_run_one_way(folder: str, banned: set[str]) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {str(path.relative_to(ROOT)): banned.intersection(imports(path)) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


def loaded_after(code: str) -> set[str]:
    """Return the heavy packages that a fresh interpreter has loaded after some code."""
    report = "import json, sys; print('\\n' + json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return HEAVY.intersection(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "module",
    [
        "models.archives",
        "models.blobs",
        "models.config",
        "models.requests",
        "models.paths",
        "models.plane",
        "models.tables",
        "models.errors",
        "models.families",
        "models.images",
        "models.values",
        "models.datasets",
        "models.datasets.previews",
        "models.datasets.uploads",
        "models.catalog",
        "models.disk",
        "models.embedding.files",
        "models.embedding.library",
        "models.embedding.maps",
        "models.embedding.place",
        "models.jobs",
        "models.media",
        "models.metrics",
        "models.metrics.library",
        "models.metrics.spec",
        "models.shared",
        "models.shelf",
        "models.training.record",
        "models.training.runs",
        "explorer.cli",
        "explorer.live",
    ],
)
def test_torch_free_modules_stay_torch_free(module: str) -> None:
    assert loaded_after(f"import {module}") == set()


@pytest.mark.parametrize(
    "command", [["models"], ["models", "--json"], ["datasets", "--json"], ["--help"], ["train", "--help"]]
)
def test_lists_and_help_load_neither_torch_nor_streamlit(command: list[str]) -> None:
    assert loaded_after(f"from explorer.cli import main; assert main({command!r}) == 0") == set()


def test_no_file_is_too_long() -> None:
    folders, kinds = ("explorer", "models", "tests"), ("*.py", "*.js", "*.css")
    files = [path for name in folders for kind in kinds for path in (ROOT / name).rglob(kind)]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {path: n for path, n in lengths.items() if n > 450} == {}


def test_no_module_hides_a_package() -> None:
    # `streamlit run explorer/app.py` puts explorer/ first on sys.path.
    names = {path.stem for path in (ROOT / "explorer").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names.isdisjoint({"models", "tests", "umap", "torch", "plotly", "streamlit", "pages"})
