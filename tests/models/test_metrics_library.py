"""Figures as they are kept: computed once, named by all that they depend on, and never trusted blindly."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import catalog, paths, shelf
from models.errors import UserError
from models.metrics import METRICS, figures, goal_of, library, measuring
from models.metrics.figures import LONGEST, QUANTILES, Figures, packed
from models.metrics.spec import STANDARD, Measurement

NAMES = ("prdc", "sharpness", "reconstruction")


def asked(model: str = "tiny-vae", **options: Any) -> tuple[Measurement, catalog.ModelInfo]:
    info = catalog.find(model)
    return library.spec_of(info, **{"n": 40, "seeds": 2, "metrics": NAMES, **options}), info


def kept(spec: Measurement, info: catalog.ModelInfo) -> Path:
    return library.path_of(library.key(spec, info))


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be measured any more."""
    monkeypatch.setattr(measuring, "make", lambda *_, **__: pytest.fail("it is measured again"))


def test_what_was_measured_is_read_as_it_was(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, info = asked()
    first = measuring.obtain(spec, info, device="cpu")
    assert first.values["sharpness_ratio"] > 0 and first.intervals["precision"].count == 2
    assert first.counts["precision"] == 40 and first.floors.keys() >= {"precision", "coverage"}
    assert first.classifier is not None and first.classifier.id == "tiny-classifier"
    assert (first.device, first.versions["torch"]) == ("cpu", shelf.versions(["torch"])["torch"])
    assert len(first.curve("psnr_db")) == 40 and first.curve("psnr_db").dtype == np.float32
    assert float(first.curve("psnr_db").mean()) == pytest.approx(first.values["psnr_db"], rel=1e-5)
    forbid(monkeypatch)
    assert measuring.obtain(spec, info, device="cpu") == first == library.find(spec, info)


def test_figures_are_those_of_the_report(judged: Path) -> None:
    spec, info = asked()
    found = measuring.measure(info, "digits", metrics=NAMES, n=40, seeds=2, device="cpu").report
    one = measuring.obtain(spec, info, device="cpu")
    assert one.values == found.values and one.floors == found.floors and one.intervals == found.intervals
    np.testing.assert_array_equal(one.curve("spectrum"), found.series["spectrum"])


def test_what_does_not_apply_is_left_out_and_said(judged: Path) -> None:
    gan = measuring.obtain(*asked("tiny-gan"), device="cpu")
    assert gan.lacking == {"reconstruction": "encode"}
    assert "psnr_db" not in gan.values and gan.values["precision"] >= 0
    few = measuring.obtain(*asked(n=4, metrics=("prdc", "fd")), device="cpu")
    assert few.values == {} and few.lacking == {"prdc": "neighbours", "fd": "covariance"}
    with pytest.raises(UserError, match="no metric 'sharpnes'"):
        measuring.obtain(*asked(metrics=("sharpnes",)), device="cpu")


@pytest.mark.parametrize("damage", ["empty", "half", "poison", "version", "value", "key", "list"])
def test_what_is_damaged_is_measured_again(judged: Path, damage: str) -> None:
    spec, info = asked(metrics=("sharpness",))
    first = measuring.obtain(spec, info, device="cpu")
    path = kept(spec, info)
    whole = path.read_text()
    data = json.loads(whole)
    data["figures"]["values"]["sharpness_ratio"] = 7.0
    contents = {
        "empty": "",
        "half": whole[: len(whole) // 2],
        "poison": "__import__('os').system('true')",
        "version": whole.replace('"format": 1', '"format": 2'),
        "value": json.dumps(data),
        "key": whole.replace(library.key(spec, info), "0" * 64),
        "list": "[" * 100_000,
    }
    path.write_text(contents[damage])
    assert library.cached(spec, info) is None
    again = measuring.obtain(spec, info, device="cpu")
    assert again.values == first.values and library.cached(spec, info) == again


def test_figures_of_something_else_under_its_name_are_not_used(judged: Path) -> None:
    spec, info = asked(metrics=("sharpness",))
    other, _ = asked(metrics=("sharpness",), n=30)
    figures.write(kept(spec, info), measuring.make(other, info, device="cpu"), library.key(spec, info))
    assert library.cached(spec, info) is None


def test_the_key_changes_with_all_that_figures_depend_on(
    judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, info = asked()
    keys = [library.key(spec, info), library.key(*asked("tiny-gan")), library.key(*asked(n=41))]
    keys += [library.key(*asked(seeds=3)), library.key(*asked(metrics=()))]
    with monkeypatch.context() as patch:
        patch.setattr(library, "VERSION", 99)
        keys.append(library.key(spec, info))
    with monkeypatch.context() as patch:
        patch.setattr("models.datasets.state", lambda name: "other images")
        keys.append(library.key(spec, info))
    with monkeypatch.context() as patch:
        patch.setattr("models.catalog.classifier_for", lambda *_: None)
        keys.append(library.key(spec, info))
    with monkeypatch.context() as patch:
        patch.setattr(shelf, "_version", lambda name: "99")
        keys.append(library.key(spec, info))
    assert len(set(keys)) == len(keys) == 9 and library.key(spec, info) == keys[0]


@pytest.mark.slow
def test_two_processes_at_once_leave_one_whole_file(
    judged: Path, two_at_once: Callable[[str, str], list[str]]
) -> None:
    spec, info = asked(metrics=("sharpness",))
    code = (
        "import sys; from models import catalog; from models.metrics.measuring import obtain\n"
        "from models.metrics.spec import Measurement\n"
        "spec = Measurement.model_validate_json(sys.argv[1])\n"
        "print(obtain(spec, catalog.find('tiny-vae'), device='cpu').model_dump_json())"
    )
    said = [Figures.model_validate_json(text) for text in two_at_once(code, spec.model_dump_json())]
    assert said[0] == said[1] == library.cached(spec, info)
    assert sorted(path.suffix for path in library.folder().iterdir()) == [".json", ".lock"]


def test_what_cannot_be_kept_is_done_without(
    judged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "file"))
    assert measuring.obtain(*asked(metrics=("sharpness",)), device="cpu").values["sharpness_ratio"] > 0
    assert "Not kept for next time" in capsys.readouterr().err


def test_many_values_are_kept_as_quantiles_few_as_they_are() -> None:
    spec = Measurement(model="", dataset="digits")
    values = torch.rand(LONGEST * 4, generator=torch.Generator().manual_seed(0))
    found = Figures(spec=spec, values={}, series={"many": packed(values), "few": packed(values[:LONGEST])})
    many = found.curve("many")
    assert len(many) == QUANTILES and many[0] == values.min() and many[-1] == values.max()
    assert float(many.mean()) == pytest.approx(float(values.mean()), abs=0.002)
    np.testing.assert_array_equal(found.curve("few"), values[:LONGEST])
    assert found.curve("none").shape == (0,)


def test_what_models_are_compared_by_is_kept_image_by_image(
    judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "LONGEST", 10)
    spec, info = asked(metrics=("sharpness", "reconstruction"), seeds=1)
    made = measuring.make(spec, info, device="cpu")
    each = made.of_images("psnr_db")
    assert each is not None and len(each) == made.counts["psnr_db"] == 40
    assert float(each.mean()) == pytest.approx(made.values["psnr_db"], rel=1e-5)
    assert made.intervals["sharpness_real"].over == "images"
    assert made.of_images("sharpness_real") is None, "no model is better by what real images are"


# What is shipped ---------------------------------------------------------------------------------------------


def test_shipped_figures_are_found_by_weights_and_classifier(
    judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, info = asked(metrics=("sharpness",))
    made = measuring.make(spec, info, device="cpu")
    path = paths.shipped_metrics() / "tiny.json"
    figures.write(path, made)
    (paths.shipped_metrics() / "broken.json").write_text("{}")
    forbid(monkeypatch)
    assert measuring.obtain(spec, info) == made == library.shipped(spec, info)
    assert library.shipped(*asked("tiny-gan")) is None and library.shipped(*asked(n=41)) is None
    with monkeypatch.context() as patch:
        patch.setattr("models.catalog.classifier_for", lambda *_: None)
        assert library.shipped(spec, info) is None
    path.write_text(path.read_text().replace("tiny-classifier", "other-classifier"))
    assert library.shipped(spec, info) is None


def test_what_the_project_ships_is_small_and_current() -> None:
    there = sorted(paths.shipped_metrics().glob(f"*{figures.SUFFIX}"))
    assert there
    for path in there:
        found = figures.read(path)
        info = next(one for one in catalog.models() if one.digest == found.spec.model)
        assert library.shipped(found.spec, info) == found, f"{path.name} is of another classifier"
        assert found.spec.metrics in (STANDARD, ("inversion",), ("likelihood",)) and found.values
        assert path.stat().st_size < 100_000


# Which values are better -------------------------------------------------------------------------------------


def test_every_goal_is_of_a_figure() -> None:
    for name, metric in METRICS.items():
        assert metric.goals.keys() <= metric.values.keys(), name
        assert not set(metric.goals) & set(metric.real), f"{name}: real images are no better or worse"


def test_goals_are_found_by_the_key_of_a_figure() -> None:
    found = {
        key: goal_of(key) for key in ("fd_net", "recall", "density", "mig_shape", "kl_nats", "no-figure")
    }
    assert found == {
        "fd_net": "lower", "recall": "higher", "density": None, "mig_shape": "higher", "kl_nats": None,
        "no-figure": None,
    }  # fmt: skip
