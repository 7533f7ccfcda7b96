"""A comparison as one file: plain values to an HTML page that needs nothing but itself, and to JSON.

    Report(title, (Section(title, (Text(...), Table(...), Picture(...), Chart(...))), ...))
    html(report) -> str;  data(report) -> what `json.dumps` takes

The page loads nothing: styles, pictures (data URIs), charts and plotly.js are in it, and its content security policy
forbids the rest. It follows the reader's light or dark scheme. JSON holds all figures as numbers, and no pixels.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval."""

    value: float
    low: float
    high: float


Cell = str | int | float | Estimate | None  # None: not known


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text; `small` where it is an aside, `strong` where it heads what follows."""

    words: str
    small: bool = False
    strong: bool = False


@dataclass(frozen=True)
class Formula:
    """A formula.

    Args:
        mathml: A `<math>` element, of the program's own: it is not escaped.
        latex: The same, for JSON.
    """

    mathml: str
    latex: str


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        png: The file.
        words: Its caption, and its alternative text.
        width: On the page, in CSS pixels, where there is room.
        about: What JSON says of it instead of its pixels, such as the seeds.
    """

    png: bytes
    words: str
    width: int
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Chart:
    """A plotly figure, with a caption; colours that are not its own are the page's."""

    figure: "Figure"
    words: str = ""


Block = Text | Formula | Table | Picture | Chart


@dataclass(frozen=True)
class Section:
    """A part of a report, with its heading."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A report.

    Args:
        title: Its heading.
        sections: Its parts.
        about: What JSON says of it as a whole.
    """

    title: str
    sections: Sequence[Section]
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])


# HTML --------------------------------------------------------------------------------------------------------

_POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --soft: #5b636d; --line: #d9dce1; --ground: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8eb; --soft: #a4abb5; --line: #3a4048; --ground: #15181d; }
}
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 62rem; color: var(--text);
  background: var(--ground); font: 1rem/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; } h2 { font-size: 1.3rem; margin: 2.6rem 0 0.6rem; }
.small, figcaption, caption { color: var(--soft); font-size: 0.875rem; }
figure { margin: 1.1rem 0; } figcaption { margin-top: 0.4rem; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; image-rendering: pixelated; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { caption-side: bottom; text-align: left; padding-top: 0.5rem; }
th, td { padding: 0.4rem 1.1rem 0.4rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td.text { overflow-wrap: anywhere; min-width: 6rem; } .strong { font-weight: 600; margin-bottom: 0.2rem; }
th { font-weight: 600; } td.number { text-align: right; white-space: nowrap; }
math { font-size: 1.1rem; overflow-x: auto; max-width: 100%; }
.chart > div { min-height: 12rem; }
"""
_DRAW = """
const dark = matchMedia("(prefers-color-scheme: dark)");
const tones = () => dark.matches ? ["#e6e8eb", "#3a4048", "#5bb8e8"] : ["#1f2328", "#d9dce1", "#1c6fa8"];
function drawn(figure) {
  const [text, line, first] = tones();
  const axis = {gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true};
  const colorway = [first, "#d9822b", "#3a9d6a", "#a66bc4", "#c8475a"];
  const template = {layout: {font: {color: text}, xaxis: axis, yaxis: axis, colorway}};
  return {...figure.layout, template, paper_bgcolor: "transparent", plot_bgcolor: "transparent"};
}
function draw() {
  for (const node of document.querySelectorAll(".chart")) {
    const figure = JSON.parse(node.querySelector("script").textContent);
    const options = {displayModeBar: false, responsive: true};
    Plotly.react(node.querySelector("div"), figure.data, drawn(figure), options);
  }
}
draw();
dark.addEventListener("change", draw);
"""


def html(report: Report) -> str:
    """Return a report as one HTML page that loads nothing."""
    sections = "".join(
        f"<section><h2>{escape(section.title)}</h2>{''.join(map(_html, section.blocks))}</section>"
        for section in report.sections
    )
    charts = any(isinstance(block, Chart) for section in report.sections for block in section.blocks)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(report.title)}</h1>{sections}{_scripts() if charts else ''}</body></html>"
    )


def _scripts() -> str:
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script><script>{_DRAW}</script>"


@singledispatch
def _html(block: object) -> str:
    raise TypeError(f"{type(block).__name__} is no block of a report")


@_html.register
def _(block: Text) -> str:
    kind = "small" if block.small else "strong" if block.strong else "plain"
    return f'<p class="{kind}">{escape(block.words)}</p>'


@_html.register
def _(block: Formula) -> str:
    return f"<p>{block.mathml}</p>"


@_html.register
def _(block: Table) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in block.head)
    rows = "".join(
        f'<tr><th scope="row">{escape(_cell(first))}</th>{"".join(map(_column, rest))}</tr>'
        for first, *rest in block.rows
    )
    words = f"<caption>{escape(block.words)}</caption>" if block.words else ""
    return (
        f'<div class="table"><table>{words}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


@_html.register
def _(block: Picture) -> str:
    words, uri = escape(block.words), base64.b64encode(block.png).decode()
    image = f'<img src="data:image/png;base64,{uri}" alt="{words}" width="{block.width}">'
    return f"<figure>{image}<figcaption>{words}</figcaption></figure>"


@_html.register
def _(block: Chart) -> str:
    figure = json.loads(block.figure.to_json() or "{}")
    figure["layout"].pop("template", None)  # the page brings its own
    text = json.dumps(figure).replace("<", "\\u003c")  # nothing in it ends the script
    words = f"<figcaption>{escape(block.words)}</figcaption>" if block.words else ""
    return f'<figure class="chart"><script type="application/json">{text}</script><div></div>{words}</figure>'


def _column(cell: Cell) -> str:
    kind = "text" if isinstance(cell, str) else "number"
    return f'<td class="{kind}">{escape(_cell(cell))}</td>'


def _cell(cell: Cell) -> str:
    match cell:
        case None:
            return "–"
        case Estimate():
            return f"{_number(cell.value)} ({_number(cell.low)}–{_number(cell.high)})"
        case str():
            return cell
        case int():
            return f"{cell:,}"
        case _:
            return _number(cell)


def _number(value: float) -> str:
    """Write a figure with four digits, in full."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


# JSON --------------------------------------------------------------------------------------------------------


def data(report: Report) -> dict[str, Any]:
    """Return all that a report says, for `json.dumps`: figures as numbers, pictures as what is known of them."""
    sections = [
        {"title": section.title, "blocks": [_data(block) for block in section.blocks]}
        for section in report.sections
    ]
    return {"title": report.title, **report.about, "sections": sections}


@singledispatch
def _data(block: object) -> dict[str, Any]:
    raise TypeError(f"{type(block).__name__} is no block of a report")


@_data.register
def _(block: Text) -> dict[str, Any]:
    return {"kind": "text", "text": block.words}


@_data.register
def _(block: Formula) -> dict[str, Any]:
    return {"kind": "formula", "latex": block.latex}


@_data.register
def _(block: Table) -> dict[str, Any]:
    rows = [[_plain(cell) for cell in row] for row in block.rows]
    return {"kind": "table", "head": list(block.head), "rows": rows, "text": block.words}


@_data.register
def _(block: Picture) -> dict[str, Any]:
    return {"kind": "picture", "text": block.words, **block.about}


@_data.register
def _(block: Chart) -> dict[str, Any]:
    traces: Any = block.figure.data  # a tuple, which plotly's annotations do not say
    series = [
        {"name": trace.name, **{axis: _values(trace[axis]) for axis in ("x", "y") if axis in trace}}
        for trace in traces
    ]
    return {"kind": "chart", "text": block.words, "series": series}


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Estimate):
        return {"value": cell.value, "low": cell.low, "high": cell.high}
    return cell


def _values(column: Any) -> list[Any]:
    return [value.item() if hasattr(value, "item") else value for value in (() if column is None else column)]
