"""The latent pad's Python side: what it tells the browser, and what it believes of it."""

import base64
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from explorer.components import latent_pad, script
from explorer.components.latent_pad import Axes, Place, payload, reported, serial

DIM = 5


@pytest.fixture
def axes() -> Axes:
    return Axes(
        kind="pca",
        indices=[0, 1, 7],
        names=["a", "b", "c"],
        details=["50 %", "3.1 %", "< 0.1 %"],
        hints=["x", "y", "z"],
        vectors=np.eye(DIM, dtype=np.float32)[[0, 1, 4]],
        shown=2,
    )


@pytest.fixture
def place() -> Place:
    start = np.arange(DIM, dtype=np.float32)
    latent = start.copy()
    latent[1] = 2.5
    image = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    return Place("ab" * 32, "ab" * 32, 3, latent, start, image, ((1, 2.5),), "a shirt")


def test_the_browser_gets_all_that_it_needs(place: Place, axes: Axes) -> None:
    data = payload(place, axes, url="/api/live", overlap=True, span=3.0, steps=9)

    def floats(text: str) -> list[float]:
        return np.frombuffer(base64.b64decode(text), "<f4").tolist()

    assert floats(data["latent"]) == place.latent.tolist() and floats(data["start"]) == place.start.tolist()
    assert floats(data["axes"]["vectors"]) == axes.vectors.flatten().tolist()
    assert base64.b64decode(data["pixels"]) == place.image.tobytes() and data["shape"] == [4, 3, 3]
    assert data["label"] == 3 and data["dim"] == DIM and data["edits"] == [[1, 2.5]]
    assert data["axes"]["indices"] == [0, 1, 7] and data["moves"] == "" and data["overlap"] is True
    bare = payload(replace(place, label=None), axes, url="", overlap=False, span=3, steps=9)
    assert bare["label"] == -1
    moves = np.arange(3 * DIM, dtype=np.float32).reshape(3, DIM)
    kept = payload(place, replace(axes, moves=moves), url="", overlap=True, span=3, steps=9)
    assert floats(kept["moves"]) == moves.flatten().tolist()


def test_every_text_that_the_scripts_show_is_given() -> None:
    source = script(*latent_pad.SCRIPTS)
    given = set(latent_pad._texts())
    import re

    used = set(re.findall(r"\btexts\.([a-zA-Z]+)", source))
    used |= set(re.findall(r'\["([a-z", ]+)"\]\.map\(name => this\.#tool', source)[0].split('", "'))
    assert used == given


def test_the_serial_names_what_edits_start_from(place: Place, axes: Axes) -> None:
    same = serial(replace(place, model="cd" * 32, latent=place.start, edits=(), alt=""), axes)
    assert same == serial(place, axes)
    others = [
        serial(replace(place, name="cd" * 32), axes),
        serial(replace(place, label=4), axes),
        serial(replace(place, label=None), axes),
        serial(replace(place, start=place.latent), axes),
        serial(place, replace(axes, kind="raw")),
        serial(place, replace(axes, moves=axes.vectors)),
    ]
    assert len({same, *others}) == 7


def test_what_a_browser_reports_is_taken_over(place: Place, axes: Axes) -> None:
    now = serial(place, axes)
    value = {"serial": now, "edits": [[7, -1.23456], [0, 2]]}
    assert reported(value, place, axes) == ((0, 2.0), (7, -1.2346))
    assert reported({"serial": now, "edits": []}, place, axes) == ()


@pytest.mark.parametrize(
    "edits",
    [
        None,
        "0:1",
        {"0": 1},
        [[2, 1.0]],
        [[0, 1.0], [0, 2.0]],
        [[0]],
        [[0, 1, 2]],
        [0, 1],
        [[0, "1"]],
        [[0, None]],
        [[0, True]],
        [[True, 1.0]],
        [[0.0, 1.0]],
        [[0, math.nan]],
        [[0, math.inf]],
        [[0, 101]],
        [[0, 1.0]] * 4,
    ],
)
def test_nothing_that_a_browser_reports_is_believed(place: Place, axes: Axes, edits: Any) -> None:
    assert reported({"serial": serial(place, axes), "edits": edits}, place, axes) is None


@pytest.mark.parametrize("value", [None, 3, [], {}, {"serial": "", "edits": []}, {"edits": [[0, 1.0]]}])
def test_a_report_for_another_place_is_too_late(place: Place, axes: Axes, value: Any) -> None:
    assert reported(value, place, axes) is None


def test_the_callback_runs_with_what_is_valid(
    place: Place, axes: Axes, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted: dict[str, Any] = {}
    session: dict[str, Any] = {}
    monkeypatch.setattr(latent_pad, "_component", lambda: lambda **options: mounted.update(options))
    monkeypatch.setattr(latent_pad.st, "session_state", session)
    moves: list[Any] = []
    switched: list[bool] = []
    latent_pad.latent_pad(
        place, axes, key="pad", url="/api/live", on_move=moves.append, on_keep=switched.append
    )
    assert mounted["key"] == "pad" and mounted["data"][0]["film"] == {"span": 3.0, "steps": 9}

    class Result:
        def __init__(self, move: Any, keep: Any = None) -> None:
            self.move = move
            self.keep = keep

    for edits in ([[0, 1.5]], [[3, 1.5]], "nonsense"):
        session["pad"] = Result({"serial": serial(place, axes), "edits": edits})
        mounted["on_move_change"]()
    session["pad"] = Result({"serial": "stale", "edits": [[0, 1.0]]})
    mounted["on_move_change"]()
    for keep in (True, "yes", None):
        session["pad"] = Result(None, keep)
        mounted["on_keep_change"]()
    assert moves == [((0, 1.5),)] and switched == [True]
