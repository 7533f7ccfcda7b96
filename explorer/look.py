"""How the points of a map look: what they are coloured by, and which of them are shown. Torch-free.

Of classes those that stay are named, of values a range is: a link says "only=label:0,6;error:0.1..0.25".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from explorer.text import _
from models.tables import nearest
from models.values import Value

if TYPE_CHECKING:
    from explorer.components.map.scene import Colouring

UNKNOWN = -1  # code of points whose class is not known
_MOST = 32_767  # codes are int16
_BETWEEN = ".."

Name = Annotated[str, Field(pattern=r"^[\w .-]{1,60}$")]
Code = Annotated[int, Field(ge=UNKNOWN, le=_MOST)]


class Classes(Value):
    """A filter by classes.

    Args:
        by: Name of a colouring with classes.
        codes: Those that are shown.
    """

    by: Name
    codes: tuple[Code, ...] = Field(min_length=1, max_length=1000)


class Range(Value):
    """A filter by values.

    Args:
        by: Name of a colouring with values.
        low: Those below are not shown; None: all low ones are.
        high: Those above are not; None: all high ones are.
    """

    by: Name
    low: float | None = None
    high: float | None = None


class Look(Value):
    """How a map looks.

    Args:
        colour: Name of what colours its points; empty: what the map begins with.
        classes: Points of other classes are left out.
        ranges: And points with other values.
        dataset: Whose classes are meant; empty: a link says nothing of that.
    """

    colour: Name | None = None
    classes: tuple[Classes, ...] = Field(default=(), max_length=40)
    ranges: tuple[Range, ...] = Field(default=(), max_length=40)
    dataset: str = ""


def to_text(look: Look) -> str:
    """Write which points are shown, for a link; empty: all."""
    classes = [f"{one.by}:{','.join(map(str, one.codes))}" for one in look.classes]
    ranges = [f"{one.by}:{_end(one.low)}{_BETWEEN}{_end(one.high)}" for one in look.ranges]
    return ";".join([*classes, *ranges])


def _end(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def from_text(text: str) -> Look:
    """Read what `to_text` wrote; raises ValueError if it is something else."""
    classes: list[Classes] = []
    ranges: list[Range] = []
    for part in text.split(";"):
        by, colon, rest = part.rpartition(":")
        low, dots, high = rest.partition(_BETWEEN)
        if not colon:
            raise ValueError(part)
        if dots:
            ranges.append(Range(by=by, low=_value(low), high=_value(high)))
        else:
            classes.append(Classes(by=by, codes=tuple(_code(word) for word in rest.split(","))))
    return Look(classes=tuple(classes), ranges=tuple(ranges))


def _value(text: str) -> float | None:
    return float(text) if text else None


def _code(text: str) -> int:
    if len(text) > 6:  # Python refuses to read a number of thousands of digits, with another error
        raise ValueError(text)
    return int(text)


def fitted(look: Look, colourings: "Sequence[Colouring]", dataset: str) -> tuple[Look, list[str]]:
    """Return what of a look a map can show, and a sentence for each part of a link that it cannot.

    Args:
        look: What is asked for.
        colourings: What is known of the map's points.
        dataset: Of its model: classes of another one mean nothing here.
    """
    if look.dataset not in ("", dataset):
        return Look(dataset=dataset), []
    known = {one.name: one for one in colourings}
    wrong: list[str] = []
    if look.colour is not None and look.colour not in known:
        text = _("This map knows no “{name}” to colour its points by. {hint}")
        wrong.append(text.format(name=look.colour, hint=nearest(look.colour, known) if known else ""))
    filters = (*look.classes, *look.ranges)
    fitting = [one for one in filters if one.by in known and _fits(one, known[one.by])]
    if len(fitting) < len(filters):
        names = ", ".join(dict.fromkeys(one.by for one in filters if one not in fitting))
        text = _("This map cannot leave out points by “{names}” as it is asked to: it shows them all.")
        wrong.append(text.format(names=names))
    kept = Look(
        colour=look.colour if look.colour in known else None,
        classes=tuple(one for one in fitting if isinstance(one, Classes)),
        ranges=tuple(one for one in fitting if isinstance(one, Range)),
        dataset=dataset,
    )
    return kept, [] if look.dataset else wrong


def _fits(one: Classes | Range, colouring: "Colouring") -> bool:
    if isinstance(one, Range) or colouring.names is None:
        return isinstance(one, Range) and colouring.names is None
    return max(one.codes) < len(colouring.names)
