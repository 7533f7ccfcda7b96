"""Going from a page that draws itself again."""

import re
from pathlib import Path

import pytest

import explorer
from explorer import navigation


class Leaves(Exception):
    """What Streamlit raises at an element when another page is asked for."""


def test_who_leaves_a_page_is_not_brought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def leave() -> None:
        raise Leaves

    monkeypatch.setattr(navigation.st, "empty", leave)
    monkeypatch.setattr(navigation.st, "rerun", lambda: asked.append("again"))
    with pytest.raises(Leaves):
        navigation.redraw()
    assert not asked


def test_every_page_is_drawn_again_that_way() -> None:
    folder = Path(explorer.__file__).parent
    sources = [path for path in folder.rglob("*.py") if path.name != "navigation.py"]
    assert len(sources) > 50
    assert not [path.name for path in sources if re.search(r"\brerun\(", path.read_text("utf-8"))]
