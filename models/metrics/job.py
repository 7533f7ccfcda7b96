"""Measurements as background jobs (`models.jobs`): what is measured is kept, see `models.metrics.library`.

Without torch until one works.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models import catalog
from models.errors import UserError
from models.jobs import JobSpec, Report, Stop
from models.metrics.spec import Measurement, Measurements
from models.values import parse


class _Stopped(Exception):
    """Somebody wants it to end."""


def evaluate(folder: Path, spec: JobSpec, report: Report, stop: Stop) -> Mapping[str, Any]:
    """Measure some models one after the other; what is there already is not measured again.

    One that cannot be measured does not keep the others from it. It ends between two metrics, or two seeds of one, and
    keeps nothing of a model that is not measured in full.

    Returns:
        The ids of the models and the seconds; nothing if it was stopped.

    Raises:
        UserError: There is no such model, or one cannot be measured so: raised at the end, of the first.
    """
    del folder
    from models.metrics.measuring import obtain

    asked = parse(Measurements, spec.arguments, what="The measurement").of
    models = [_found(one) for one in asked]
    started = time.perf_counter()
    failures: list[UserError] = []
    for number, (one, info) in enumerate(zip(asked, models, strict=True)):

        def tell(name: str, done: int, total: int, number: int = number, title: str = info.id) -> None:
            if stop():
                raise _Stopped
            report((number + done / max(1, total)) / len(asked), f"{title}: {name}" if name else "")

        try:
            obtain(one, info, device=spec.device, progress=tell)
        except _Stopped:
            return {}
        except UserError as error:  # the others can still be measured
            failures.append(UserError(error.code, f"{info.id}: {error.problem}", error.remedy))
    if failures:
        raise failures[0]
    report(1.0)
    seconds = round(time.perf_counter() - started, 2)
    return {"models": list(dict.fromkeys(info.id for info in models)), "seconds": seconds}


def _found(asked: Measurement) -> catalog.ModelInfo:
    info = catalog.find(asked.model)
    if info.digest != asked.model:
        problem = "The model has other weights than when it was to be measured."
        raise UserError("stale-model", problem, "Ask for its figures again.")
    return info
