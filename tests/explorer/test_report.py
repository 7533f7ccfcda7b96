"""A report: one page that loads nothing and escapes what it is given, and JSON that says the same in numbers."""

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.graph_objects import Figure, Scatter

from explorer.compare import report, sections
from explorer.compare.quiz import Game, Setup
from explorer.compare.report import Chart, Estimate, Formula, Picture, Report, Section, Table, Text
from models import catalog, media

EVIL = '<script>alert("x")</script>'
PNG = media.png(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
LOADING = ("src", "href", "srcset", "data", "poster", "action", "background")


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def loads(self) -> list[str]:
        """Return all addresses that elements load."""
        return [value or "" for _, attrs in self.tags for name, value in attrs.items() if name in LOADING]


def made(*blocks: Any, title: str = "A report") -> Report:
    return Report(title, (Section("Part", blocks),), {"dataset": "digits"})


def test_nothing_is_loaded_and_pictures_are_in_it() -> None:
    page = Page(report.html(made(Picture(PNG, "A picture", 64), Chart(Figure(Scatter(x=[1], y=[2]))))))
    (source,) = page.loads()
    kind, _, data = source.partition(",")
    assert kind == "data:image/png;base64" and base64.b64decode(data, validate=True) == PNG
    policy = next(attrs["content"] for tag, attrs in page.tags if tag == "meta" and "content" in attrs)
    assert policy is not None and policy.startswith("default-src 'none'") and "http" not in policy


def test_plotly_is_there_once_and_only_for_charts() -> None:
    chart = Chart(Figure(Scatter(x=[1, 2], y=[3, 4])))
    without, one, two = (len(report.html(made(*blocks))) for blocks in ((), (chart,), (chart, chart)))
    assert without < 10_000 and 4e6 < one < 8e6 and two - one < 10_000


@pytest.mark.parametrize(
    "block",
    [
        Text(EVIL),
        Table([EVIL, EVIL], [(EVIL, EVIL)], EVIL),
        Picture(PNG, EVIL, 10),
        Chart(Figure(Scatter(x=[1], y=[1], name=EVIL)), EVIL),
    ],
)
def test_what_it_is_given_runs_nothing(block: Any) -> None:
    text = report.html(made(block, title=EVIL))
    assert EVIL not in text and EVIL not in text.lower()
    assert (
        f"<title>{EVIL.replace('<', '&lt;').replace('>', '&gt;').replace(chr(34), '&quot;')}</title>" in text
    )


def test_tables_keep_numbers_apart_from_how_they_are_written() -> None:
    table = Table(
        ["Figure", "vae", "gan"], [("sharpness", Estimate(0.16761, 0.15, 0.18), None), ("n", 12345, 1234.5)]
    )
    text = report.html(made(table))
    assert "0.1676 (0.15–0.18)" in text and "12,345" in text and "–</td>" in text
    rows = report.data(made(table))["sections"][0]["blocks"][0]["rows"]
    assert rows == [["sharpness", {"value": 0.16761, "low": 0.15, "high": 0.18}, None], ["n", 12345, 1234.5]]


def test_json_has_the_figures_and_no_pixels() -> None:
    chart = Chart(Figure(Scatter(x=np.array([1.5, 2.5]), y=[3, None], name="one")), "words")
    found = report.data(
        made(Picture(PNG, "p", 9, {"seeds": [0, 1]}), chart, Formula("<math></math>", "x^2"), Text("t"))
    )
    shown, drawn, formula, text = json.loads(json.dumps(found))["sections"][0]["blocks"]
    assert shown == {"kind": "picture", "text": "p", "seeds": [0, 1]}
    assert drawn["series"] == [{"name": "one", "x": [1.5, 2.5], "y": [3, None]}]
    assert (
        formula["latex"] == "x^2" and text == {"kind": "text", "text": "t"} and found["dataset"] == "digits"
    )


def test_the_report_of_models(zoo: Path) -> None:
    models = [catalog.find(name) for name in ("tiny-vae", "tiny-gan")]
    found = sections.made(models)
    titles = [section.title for section in found.sections]
    assert titles[:3] == ["Models", "Samples at the same seeds", "Reconstructions of the same images"]
    text, plain = report.html(found), json.loads(json.dumps(report.data(found)))
    assert all(info.digest in text and info.title in text for info in models)
    assert plain["models"] == [{"id": info.id, "digest": info.digest} for info in models]
    pictures = [block for part in plain["sections"] for block in part["blocks"] if block["kind"] == "picture"]
    sampled = [block for block in pictures if "seeds" in block]
    assert [block["model"] for block in sampled] == ["tiny-vae", "tiny-gan"]
    assert sampled[0]["seeds"] == sampled[1]["seeds"] == list(range(32))
    again = [block for block in pictures if "psnr_db" in block]
    assert [block["model"] for block in again] == ["tiny-vae"] and len(again[0]["psnr_db"]) == 16


def test_the_titles_are_those_of_the_sections_that_are_made(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [catalog.find(name) for name in ("tiny-vae", "tiny-gan")]
    assert len(sections.titles(models)) == len(sections.made(models).sections) == len(sections.MAKERS) - 2
    assert not {"numbers", "cards"} & {
        name for name, title in sections.TITLES.items() if title in sections.titles(models)
    }
    monkeypatch.setattr(catalog.ModelInfo, "can", lambda *_: False)  # such as imported decoders
    assert not any("image" in title for title in sections.titles(models))


def test_the_score_of_a_quiz_is_told(zoo: Path) -> None:
    models = [catalog.find(name) for name in ("tiny-vae", "tiny-gan")]
    game = Game(setup=Setup(models=("tiny-vae", "tiny-gan"), real=100), sides=(4,)).answered(range(16))
    section = sections.quiz(models, game)
    (table,) = section.blocks
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["Real images", *(info.title for info in models)]
    share = table.rows[0][1]
    assert (
        isinstance(share, Estimate)
        and share.value == 1
        and 0.5 < share.low < 1
        and share.high == pytest.approx(1)
    )
    assert sections.made(models, [section]).sections[-1] is section
