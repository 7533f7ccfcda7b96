"""`evaluate`: what it writes for the page Compare."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from models.metrics import figures
from models.metrics.spec import STANDARD

Command = Callable[..., tuple[int, str, str]]


def test_all_of_it_goes_to_a_file_that_the_page_can_read(
    judged: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "new" / "vae.json"
    names = "sharpness,prdc,classes"
    words = (
        "evaluate",
        "tiny-vae",
        "--n",
        "30",
        "--seeds",
        "2",
        "--metrics",
        names,
        "-o",
        str(out),
        "--json",
    )
    code, text, errors = command(*words)
    said, found = json.loads(text), figures.read(out)
    assert code == 0 and str(out) in errors
    assert found.values == said["metrics"] and found.floors == said["floors"]
    assert found.counts == said["counts"] and found.spec.metrics == ("sharpness", "prdc", "classes")
    assert found.classifier is not None and found.classifier.digest == said["features"]["digest"]
    assert len(found.curve("spectrum")) == 9 and float(found.curve("class_shares").sum()) == pytest.approx(1)


def test_the_standard_metrics_are_those_that_apply(judged: Path, tmp_path: Path, command: Command) -> None:
    out = tmp_path / "gan.json"
    code, text, _errors = command(
        "evaluate", "tiny-gan", "--n", "20", "--metrics", "standard", "-o", str(out), "--json"
    )
    found = figures.read(out)
    assert code == 0 and found.spec.metrics == STANDARD
    assert {"sharpness_ratio", "precision", "nearest_ratio"} <= json.loads(text)["metrics"].keys()
    assert found.lacking.items() >= {"reconstruction": "encode", "latent": "encode", "mig": "encode"}.items()
