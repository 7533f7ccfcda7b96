"""A map as a chart of plotly's: a page of its own that needs neither the app nor the network."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from explorer.components.map.scene import Colouring
from explorer.text import _

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from plotly.graph_objects import Figure

    from models.embedding.maps import EmbeddingMap

# Petroff (2021), arXiv:2107.02270, and two of Okabe and Ito's: those of components/map/colours.js.
_COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
    "#009e73", "#cc79a7",
)  # fmt: skip
_UNKNOWN = "#8c8c8c"
_OVER = {"square": "#22262b", "diamond": "#0e7470", "triangle": "#d6336c"}  # further points, by their mark
_SYMBOLS = {"square": "square", "diamond": "diamond", "triangle": "triangle-up"}
_CROWD = 4000  # points above which they are smaller and fainter


def figure(
    found: "EmbeddingMap",
    colouring: Colouring | None,
    title: str,
    above: "Sequence[tuple[str, str, EmbeddingMap]]" = (),
) -> "Figure":
    """Draw a map.

    Args:
        found: The map.
        colouring: What its points are coloured by: a trace with an entry in the legend for each name, or a scale.
        title: Of the chart.
        above: Further points: name, mark and places of each set.
    """
    from plotly.graph_objects import Figure

    drawn = Figure()
    words = _words(found)
    if colouring is None or colouring.names is None:
        _scale(drawn, found, colouring, words)
    else:
        _groups(drawn, found, colouring, colouring.names, words)
    for name, mark, points in above:
        style = {
            "color": _OVER[mark],
            "symbol": _SYMBOLS[mark],
            "size": 6,
            "line": {"color": "#fff", "width": 1},
        }
        _points(drawn, points, slice(None), escape(name), style, _words(points))
    hidden = {"visible": False, "showgrid": False, "zeroline": False}
    drawn.update_layout(
        template="plotly_white",
        title={"text": escape(title), "x": 0.01},
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        xaxis=hidden,
        yaxis={**hidden, "scaleanchor": "x"},
        legend={"itemsizing": "constant"},
        dragmode="pan",
    )
    return drawn


def page(
    found: "EmbeddingMap",
    colouring: Colouring | None,
    title: str,
    above: "Sequence[tuple[str, str, EmbeddingMap]]" = (),
) -> bytes:
    """Return the chart of `figure` as an HTML file with all that it needs."""
    drawn = figure(found, colouring, title, above)
    settings = {"displaylogo": False, "scrollZoom": True, "responsive": True}
    return drawn.to_html(config=settings, include_plotlyjs=True, full_html=True).encode()


def _groups(
    drawn: "Figure",
    found: "EmbeddingMap",
    colouring: Colouring,
    names: Sequence[str],
    words: "NDArray[np.str_]",
) -> None:
    codes = codes_of(found, colouring)
    colours = [f"rgb{colour}" for colour in colouring.colours] or _COLOURS
    for code in (-1, *range(len(names))):
        rows = (codes == code).nonzero()[0]
        if len(rows):
            name, colour = (
                (names[code], colours[code % len(colours)]) if code >= 0 else (_("unknown"), _UNKNOWN)
            )
            _points(drawn, found, rows, escape(name), {**_dots(found), "color": colour}, words)


def _scale(
    drawn: "Figure", found: "EmbeddingMap", colouring: Colouring | None, words: "NDArray[np.str_]"
) -> None:
    style = {**_dots(found), "color": _UNKNOWN}
    if colouring is not None:
        values = list(found.values.values())[colouring.n]
        bar = {"title": {"text": escape(colouring.title)}}
        style |= {"color": values, "cmin": colouring.low, "cmax": colouring.high}
        style |= {"colorscale": "Viridis", "colorbar": bar, "showscale": True}
    _points(drawn, found, slice(None), "", style, words)


def codes_of(found: "EmbeddingMap", colouring: Colouring) -> "NDArray[np.integer]":
    """Return which of a colouring's names each point has, -1 where it is not known, shape (N,)."""
    if colouring.column == "sources":
        return found.sources
    return list(found.categories.values())[colouring.n].codes


def _dots(found: "EmbeddingMap") -> dict[str, float]:
    many = len(found) > _CROWD
    return {"size": 3 if many else 5, "opacity": 0.6 if many else 0.85}


def _points(
    drawn: "Figure",
    found: "EmbeddingMap",
    rows: "NDArray[np.int64] | slice",
    name: str,
    style: dict[str, object],
    words: "NDArray[np.str_]",
) -> None:
    x, y = found.positions[rows].round(4).T
    hover = "%{text}<extra>" + name + "</extra>"
    drawn.add_scattergl(
        x=x, y=y, mode="markers", marker=style, name=name, text=words[rows], hovertemplate=hover,
        showlegend=bool(name),
    )  # fmt: skip


def _words(found: "EmbeddingMap") -> "NDArray[np.str_]":
    """Return what the points are called, shape (N,)."""
    import numpy as np

    kinds = (_("training image {n}"), _("test image {n}"), _("seed {n}"))
    pairs = zip(found.sources.tolist(), found.indices.tolist(), strict=True)
    return np.array([kinds[source].format(n=n) for source, n in pairs])
