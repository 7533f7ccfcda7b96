"""`evaluate`: what it writes for the page Compare."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import catalog
from models.catalog import ModelInfo
from models.metrics import figures, library, measuring
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


def test_what_was_measured_is_told_again_in_the_same_words(
    judged: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("evaluate", "tiny-vae", "--n", "30", "--seeds", "2", "--metrics", "sharpness,reconstruction")
    code, text, errors = command(*words, "--json")
    assert code == 0 and "There already" not in errors
    measure = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: pytest.fail("it is measured again"))
    again = command(*words, "--json")
    assert again[:2] == (0, text) and "There already" in again[2]
    table = command(*words)
    assert table[0] == 0 and "sharpness_ratio" in table[1]
    asked: list[str] = []

    def measured(info: ModelInfo, *rest: Any, **options: Any) -> measuring.Measured:
        asked.append(options["device"])
        return measure(info, *rest, **options)

    monkeypatch.setattr(measuring, "measure", measured)
    assert command(*words, "--fresh", "--json")[:2] == (0, text) and asked == ["auto"]


def test_the_command_and_the_page_share_what_was_measured(judged: Path, command: Command) -> None:
    info = catalog.find("tiny-gan")
    spec = library.spec_of(info, n=20, seeds=2)
    assert library.find(spec, info) is None
    words = ("evaluate", "tiny-gan", "--n", "20", "--seeds", "2", "--metrics")
    code, text, _errors = command(*words, "standard", "--json")
    found = library.find(spec, info)
    assert code == 0 and found is not None and found.values == json.loads(text)["metrics"]
    assert found.lacking
    code, _text, errors = command(*words, ",".join(STANDARD))
    assert code == 1 and "needs" in errors, "who names a metric hears that it does not apply"


def test_a_figure_that_is_not_finite_is_told_each_time(
    judged: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = measuring.measure

    def measured(info: ModelInfo, *rest: Any, **options: Any) -> measuring.Measured:
        found = measure(info, *rest, **options)
        values = {**found.report.values, "sharpness_ratio": math.inf}
        return replace(found, report=replace(found.report, values=values))

    monkeypatch.setattr(measuring, "measure", measured)
    words = ("evaluate", "tiny-gan", "--n", "20", "--metrics", "sharpness", "--json")
    for again in (False, True):
        code, text, errors = command(*words)
        assert code == 0 and json.loads(text)["metrics"]["sharpness_ratio"] is None
        assert ("There already" in errors) == again
    assert re.search(r"sharpness_ratio\s+not finite", command(*words[:-1])[1])
