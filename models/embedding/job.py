"""Maps as background jobs (`models.jobs`): the result is kept in the cache of maps, see `models.embedding.library`.

Without torch until one works.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.embedding import weights
from models.embedding.spec import MapSpec
from models.errors import UserError
from models.jobs import JobSpec, Report, Stop
from models.values import parse


class _Stopped(Exception):
    """Somebody wants it to end."""


def embed(folder: Path, spec: JobSpec, report: Report, stop: Stop) -> Mapping[str, Any]:
    """Compute the map that a spec describes, or find it in the cache.

    Returns:
        Its points, seconds and figures; nothing if it was stopped, as half a map is none.

    Raises:
        UserError: There is no such model, or it cannot be mapped so.
    """
    del folder
    from models.embedding.compute import obtain
    from models.training.session import device

    asked = parse(MapSpec, spec.arguments, what="The map")
    info = weights.find(asked.model)
    if info.digest != asked.model:
        problem = "The model has other weights than when its map was asked for."
        raise UserError("stale-model", problem, "Ask for its map again.")

    def tell(share: float) -> None:
        if stop():
            raise _Stopped
        report(share)

    started = time.perf_counter()
    try:
        found = obtain(asked, info, device=device(spec.device).type, progress=tell)
    except _Stopped:
        return {}
    seconds = round(time.perf_counter() - started, 2)
    return {"points": len(found), "seconds": seconds, "quality": dict(found.quality)}
