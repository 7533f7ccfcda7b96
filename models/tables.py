"""Tables of options: name -> object, imported when it is first asked for.

Every choice that a person can make (family, objective, data set, metric, ...) is one line in such a table;
selectors, `--help` and the contract tests iterate over the names without importing what stands behind them.
"""

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, cast

from models.errors import UserError

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str:
    """Word the hint that follows an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else f"Choose one of: {', '.join(known)}."


class Table(Mapping[str, T]):
    """Map names to objects given as `"module:attribute"` or directly.

    Args:
        kind: What the entries are, in the singular, for messages ("family", "data set").
        entries: Name to `"module:attribute"` (imported on first access) or to the object itself.
    """

    def __init__(self, kind: str, entries: Mapping[str, str | T]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> T:
        """Return the entry, importing it if need be; raises UserError with the nearest name if unknown."""
        if name not in self._entries:
            code = f"unknown-{self.kind.replace(' ', '-')}"
            raise UserError(code, f"There is no {self.kind} '{name}'.", nearest(name, self._entries))
        entry = self._entries[name]
        if not isinstance(entry, str):
            return entry
        module, _, attribute = entry.partition(":")
        return cast(T, getattr(importlib.import_module(module), attribute))

    def get(self, name: str, default: T | None = None) -> T | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the entry, or the default if it is unknown."""
        return self[name] if name in self._entries else default

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
