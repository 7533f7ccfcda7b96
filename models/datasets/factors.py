"""The description of one known factor of variation of a procedural data set."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Factor:
    """Describe one column of a factor table.

    Attributes:
        name: Identifier, unique in its table.
        kind: "categorical" columns hold the index of a value, "continuous" ones the value itself.
        description: What the factor changes, in plain words.
        moved_by: Changes of an image that change its value: "shift", "crop" or "flip".
        colours: What the values look like where they are colours, sRGB in [0, 255], one each; else empty.
        values: Names of the categories; empty for a continuous factor.
        low: Smallest value of a continuous factor.
        high: Largest value of a continuous factor.

    Raises:
        ValueError: The values or the range do not fit the kind.
    """

    name: str
    kind: Literal["categorical", "continuous"]
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    description: str = ""
    moved_by: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"factor name {self.name!r} is not an identifier")
        if self.kind == "categorical":
            if len(self.values) < 2:
                raise ValueError(f"categorical factor {self.name} needs at least two values")
            if len(set(self.values)) != len(self.values):
                raise ValueError(f"categorical factor {self.name} names a value twice")
            if self.colours and len(self.colours) != len(self.values):
                raise ValueError(f"categorical factor {self.name} needs a colour for each value")
        elif self.values or self.colours:
            raise ValueError(f"continuous factor {self.name} cannot have named values")
        elif not self.low < self.high:
            raise ValueError(f"factor {self.name} has the empty range [{self.low}, {self.high}]")
