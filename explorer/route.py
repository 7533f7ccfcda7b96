"""What Interpolate and Plane show beside the point, as values: a route through key frames, a plane's axes."""

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from models.requests import Point, Seed
from models.values import Value

SEEDS = (0, 8, 16, 24)  # of the route that is there at once: those of a conditional model have four classes
MAX_KEYS = 16
FRAMES = (2, 240)  # fewest and most of a route
SPACINGS = ("linear", "quantile")
_SEED = re.compile(r"(\d{1,10})(?::(\d{1,4}))?(?:~(\d(?:\.\d{1,6})?))?")


class Route(Value):
    """A route through key frames.

    Args:
        points: The key frames; empty: the seeds that a route starts with.
        method: How it gets from one to the next, a name in `models.choices.ROUTES`.
        frames: Its pictures, key frames included.
    """

    points: tuple[Point, ...] = Field(default=(), max_length=MAX_KEYS)
    method: str = "slerp"
    frames: int = Field(default=61, ge=FRAMES[0], le=FRAMES[1])


class Plane(Value):
    """A plane through the point.

    Args:
        pair: Its directions, across and upwards; None: the first two.
        spacing: Of its pictures; empty: the one that suits the model.
    """

    pair: tuple[Seed, Seed] | None = None
    spacing: Literal["", "linear", "quantile"] = ""


def keys_of(route: Route, truncation: float) -> tuple[Point, ...]:
    """Return the key frames of a route; those that it starts with are truncated as the samples are."""
    return route.points or tuple(Point(seed=seed, truncation=truncation) for seed in SEEDS)


def moved(keys: Sequence[Point], index: int, by: int) -> tuple[Point, ...]:
    """Return key frames with one of them moved by some places, as far as there are places."""
    rest = [*keys[:index], *keys[index + 1 :]]
    place = min(max(index + by, 0), len(rest))
    return (*rest[:place], keys[index], *rest[place:])


def without(keys: Sequence[Point], index: int) -> tuple[Point, ...]:
    """Return key frames without one of them."""
    return (*keys[:index], *keys[index + 1 :])


def is_seed(point: Point) -> bool:
    """Tell whether a seed, a class and a truncation say all about a point: then it fits a link."""
    return not point.latent and not point.edits


def to_text(keys: Sequence[Point]) -> str:
    """Write the key frames that are seeds for a link: seed:class~truncation, as much of it as there is."""
    words: list[str] = []
    for point in filter(is_seed, keys):
        label = "" if point.label is None else f":{point.label}"
        words.append(f"{point.seed}{label}" + ("" if point.truncation == 1 else f"~{point.truncation:g}"))
    return ",".join(words)


def from_text(text: str) -> tuple[Point, ...]:
    """Read what `to_text` wrote; raises ValueError if it is something else or has too few or too many seeds."""
    words = text.split(",")
    found = [_SEED.fullmatch(word) for word in words[: MAX_KEYS + 1]]
    if not 2 <= len(words) <= MAX_KEYS or None in found:
        raise ValueError("no list of seeds")
    parts = [match.groups() for match in found if match]
    return tuple(
        Point(seed=int(seed), label=None if label is None else int(label), truncation=float(psi or 1))
        for seed, label, psi in parts
    )


def positions(keys: int) -> list[float]:
    """Return where key frames lie on their route, as shares of it in [0, 1]."""
    return [index / (keys - 1) for index in range(keys)]
