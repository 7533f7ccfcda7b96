"""Undo and redo as a plain value: the places before and after the present one."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
KEPT = 200  # places that can be gone back to


@dataclass(frozen=True)
class Timeline(Generic[T]):
    """Where one was, and where one was before going back.

    Args:
        past: The latest place last.
        future: The next place first.
    """

    past: tuple[T, ...] = ()
    future: tuple[T, ...] = ()

    def left(self, place: T) -> "Timeline[T]":
        """Return the timeline after a move away from a place; what was undone before is given up."""
        return Timeline((*self.past, place)[-KEPT:])

    def back(self, present: T) -> tuple["Timeline[T]", T]:
        """Go back one place; raises IndexError where there is none."""
        return Timeline(self.past[:-1], (present, *self.future)), self.past[-1]

    def forward(self, present: T) -> tuple["Timeline[T]", T]:
        """Take one step back again; raises IndexError where there is none."""
        return Timeline((*self.past, present), self.future[1:]), self.future[0]
