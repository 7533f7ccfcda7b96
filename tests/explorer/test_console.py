"""How commands print: numbers, durations, progress."""

import pytest

from explorer.commands import console


def test_json_has_no_nan() -> None:
    assert console._finite({"a": float("nan"), "b": [float("inf"), 1.5]}) == {"a": None, "b": [None, 1.5]}


def test_durations() -> None:
    assert [console.duration(s) for s in (0.4, 42, 725, 11_220, float("inf"))] == [
        "0:00",
        "0:42",
        "12:05",
        "3:07:00",
        "-:--",
    ]


def test_progress_off_a_terminal_comes_now_and_then_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = iter((0.0, 0.0, 4.0, 11.0, 11.0, 12.0))
    line = console.ProgressLine(10, lambda: next(now))
    for text in ("a", "b", "c"):
        line.show(text)
    assert capsys.readouterr().err == "a\nc\n"
    line.show("d")
    for _ in range(2):
        line.close()
    assert capsys.readouterr().err == "d\n"


def test_a_text_that_does_not_fit_is_wrapped_beside_the_other_columns_or_below_them() -> None:
    header, rows = ("name", "value", "text"), [("one", "12", "word " * 20), ("longer", "3", "short")]
    whole = console.table(header, rows, right=(1,)).splitlines()
    assert whole[1].split() == ["one", "12", *["word"] * 20] and len(whole) == 3
    assert console.table(header, rows, right=(1,), width=200).splitlines() == whole
    beside = console.table(header, rows, right=(1,), width=64).splitlines()
    assert beside == [
        "name    value  text",
        "one        12  " + " ".join(["word"] * 10),
        15 * " " + " ".join(["word"] * 10),
        "longer      3  short",
    ]
    below = console.table(header, rows, right=(1,), width=50).splitlines()
    assert below[2:5] == ["one        12", "    " + " ".join(["word"] * 9), "    " + " ".join(["word"] * 9)]
    assert below[-2:] == ["longer      3", "    short"] and max(map(len, below)) <= 50
