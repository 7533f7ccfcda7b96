"""Measurements as jobs: what they tell, that they stop, and that they keep nothing half."""

from pathlib import Path
from typing import Any

import pytest

from models import catalog
from models.errors import UserError
from models.jobs import KINDS, evaluation
from models.metrics import job, library, measuring
from models.metrics.spec import Measurement, Measurements

pytestmark = pytest.mark.usefixtures("judged")


def wanted(*names: str) -> tuple[Measurement, ...]:
    metrics = ("sharpness", "diversity")
    return tuple(library.spec_of(catalog.find(name), n=30, seeds=3, metrics=metrics) for name in names)


def found(spec: Measurement) -> bool:
    info = next(one for one in catalog.models() if one.digest == spec.model)
    return library.cached(spec, info) is not None


def test_a_job_measures_models_in_turn_and_keeps_their_figures(tmp_path: Path) -> None:
    specs = wanted("tiny-vae", "tiny-gan")
    order = evaluation(specs, owner="me", title="Figures")
    assert KINDS[order.kind].arguments is Measurements and (order.owner, order.title) == ("me", "Figures")
    told: list[tuple[float, str]] = []
    outcome = job.evaluate(tmp_path, order, lambda share, line="": told.append((share, line)), lambda: False)
    assert outcome["models"] == ["tiny-vae", "tiny-gan"] and outcome["seconds"] > 0
    assert all(map(found, specs))
    shares = [share for share, _line in told]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    # For each model two metrics for each of three draws, and their two floors.
    assert [line for _share, line in told].count("tiny-gan: sharpness") == 4
    assert len([line for _share, line in told if line]) == 16


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    order = evaluation(wanted("tiny-vae"))
    lines: list[str] = []
    for _ in range(2):
        job.evaluate(tmp_path, order, lambda share, line="": lines.append(line), lambda: False)
    assert lines.count("tiny-vae: diversity") == 4


@pytest.mark.parametrize(("lines", "whole"), [(3, 0), (12, 1)])
def test_a_job_stops_between_two_steps_and_keeps_whole_models_only(
    tmp_path: Path, lines: int, whole: int
) -> None:
    specs = wanted("tiny-vae", "tiny-gan")
    told: list[str] = []
    outcome = job.evaluate(
        tmp_path, evaluation(specs), lambda share, line="": told.append(line), lambda: len(told) >= lines
    )
    assert outcome == {} and len(told) == lines
    assert [found(spec) for spec in specs] == [True] * whole + [False] * (2 - whole)
    assert len(list(library.folder().glob("*.json"))) == whole


def test_the_job_of_other_weights_is_refused(tmp_path: Path) -> None:
    order = evaluation([Measurement(model="tiny-vae", dataset="digits")])
    with pytest.raises(UserError) as caught:
        job.evaluate(tmp_path, order, lambda share, line="": None, lambda: False)
    assert caught.value.code == "stale-model"


def test_arguments_that_are_no_measurement_are_refused(tmp_path: Path) -> None:
    order = evaluation(wanted("tiny-vae")).model_copy(update={"arguments": {"of": [{"model": "a", "m": 3}]}})
    with pytest.raises(UserError, match="The measurement"):
        job.evaluate(tmp_path, order, lambda share, line="": None, lambda: False)


def test_a_model_that_cannot_be_measured_does_not_keep_the_others_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measuring.obtain

    def obtain(spec: Measurement, info: catalog.ModelInfo, **options: Any) -> Any:
        if info.id == "tiny-vae":
            raise UserError("not-finite", "It makes images that are not finite.", "Choose another model.")
        return whole(spec, info, **options)

    monkeypatch.setattr(measuring, "obtain", obtain)
    specs = wanted("tiny-vae", "tiny-gan")
    with pytest.raises(UserError) as caught:
        job.evaluate(tmp_path, evaluation(specs), lambda share, line="": None, lambda: False)
    assert caught.value.problem == "tiny-vae: It makes images that are not finite."
    assert [found(spec) for spec in specs] == [False, True]
