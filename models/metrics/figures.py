"""All that was measured of a model, as it is kept and shown.

In a file it is JSON, which is read whole or refused. Torch-free.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models import disk
from models.errors import UserError
from models.metrics import MEMORY_IMAGES, Need, is_of_images
from models.metrics.intervals import Interval
from models.metrics.spec import Measurement
from models.values import Value, parse

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
SUFFIX = ".json"
LONGEST = MEMORY_IMAGES  # values of a series that are kept as they are, in order; more are kept as quantiles
MOST_IMAGES = (
    50_000  # whose values are kept in order, of figures that models are compared by: 53 kB for 10,000
)
QUANTILES = 501
_MOST_BYTES = 8 << 20  # of a file
_DTYPE = "<f4"


class Network(Value):
    """The classifier whose features and verdicts figures are of."""

    id: str
    digest: str

    @property
    def name(self) -> str:
        """Its name, with enough of its hash to tell it from another."""
        return f"{self.id}@{self.digest[:8]}"


class Figures(Value):
    """All that was measured of a model.

    Args:
        spec: What was asked for.
        values: Figures by key; where there are several seeds, their means.
        floors: The same figures of training images in place of samples.
        intervals: See `models.metrics.repeats.Report`.
        series: Curves and values of single images, packed; `curve` returns one.
        counts: How many samples, or real images, each figure is of; of those too that are not finite, and not kept.
        lacking: Of the metrics that were asked for and do not apply, what they need: a name in `NEEDS`.
        classifier: Whose features and verdicts figures are of; None without.
        device: That computed.
        versions: Of the libraries that computed.
        seconds: That it took.
    """

    spec: Measurement
    values: dict[str, float]
    floors: dict[str, float] = Field(default={})
    intervals: dict[str, Interval] = Field(default={})
    series: dict[str, str] = Field(default={})
    counts: dict[str, int] = Field(default={})
    lacking: dict[str, Need] = Field(default={})
    classifier: Network | None = None
    device: str = ""
    versions: dict[str, str] = Field(default={})
    seconds: float = 0.0

    def of_images(self, key: str) -> NDArray[np.float32] | None:
        """Return the values that a figure is the mean of, image by image, shape (N,); None where they are not kept."""
        interval, values = self.intervals.get(key), self.curve(key)
        is_whole = interval is not None and is_of_images(key) and interval.count == len(values)
        return values if is_whole else None

    def curve(self, key: str) -> NDArray[np.float32]:
        """Return a series, shape (N,); empty if there is none.

        Values of more than `LONGEST` samples, or images that no models are compared on, are `QUANTILES` evenly spaced
        quantiles of them, so that they are as many of each size as there were; which is of which is not kept.
        """
        data = base64.b64decode(self.series.get(key, ""), validate=True)
        return np.frombuffer(data, _DTYPE).astype(np.float32)


class _File(Value):
    """What a file says: the figures, what they were computed from (see `models.metrics.library.key`), and its hash."""

    format: int = FORMAT
    key: str = ""
    figures: Figures
    digest: str = ""


def packed(values: "Tensor | NDArray[Any] | Sequence[float]", most: int = LONGEST) -> str:
    """Return a series as it is kept: as it is up to so many values, see `Figures.curve`."""
    found = np.asarray(values, np.float32).ravel()
    if len(found) > most:
        found = np.quantile(found, np.linspace(0, 1, QUANTILES)).astype(np.float32)
    return base64.b64encode(found.astype(_DTYPE).tobytes()).decode()


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Return the figures that are numbers; the PSNR of a perfect copy is none."""
    return {key: float(value) for key, value in values.items() if math.isfinite(value)}


def write(path: Path, figures: Figures, key: str = "") -> None:
    """Write figures: at once or not at all.

    Args:
        path: Where to; its folder is made.
        figures: The figures.
        key: Names what they were computed from.

    Raises:
        UserError: They cannot be written.
    """
    file = _File(key=key, figures=figures)
    signed = file.model_copy(update={"digest": _digest(file)})
    disk.write(path, signed.model_dump_json(indent=1) + "\n")


def read(path: Path, key: str = "") -> Figures:
    """Read figures, after checking all of the file.

    Args:
        path: The file.
        key: What they must have been computed from.

    Raises:
        UserError: There is none ("no-figures"); it is damaged, of another version, or not what the key says
            ("bad-figures").
    """
    try:
        content = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""
    except FileNotFoundError:
        problem = f"There are no figures {path.name}."
        raise UserError("no-figures", problem, "Compute them with 'latent-explorer evaluate'.") from None
    except OSError as error:
        raise _bad(path, error.strerror or "they cannot be read") from error
    file = _parsed(path, content)
    if file.digest != _digest(file):
        raise _bad(path, "their content is not what its digest says")
    if file.key != key:
        raise _bad(path, "they were computed from something else")
    return file.figures


def _parsed(path: Path, content: bytes) -> _File:
    try:
        data = json.loads(content)
        version = data["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _bad(path, "the file is damaged, or holds something else") from None
    if version != FORMAT:
        raise _bad(path, "another version wrote them")
    return parse(_File, data, what=f"The figures {path.name}", code="bad-figures")


def _bad(path: Path, why: str) -> UserError:
    return UserError("bad-figures", f"The figures {path.name} cannot be used: {why}.", "Compute them again.")


def _digest(file: _File) -> str:
    rest = file.model_dump(mode="json", exclude={"digest"})
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
