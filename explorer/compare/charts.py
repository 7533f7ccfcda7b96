"""Curves of what was measured: power spectra, sharpness and classes of samples beside those of real images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer import words
from explorer.compare import rivals
from explorer.starting import theme_charts
from explorer.text import N_, _
from models import datasets
from models.catalog import ModelInfo
from models.metrics.figures import Figures

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Values = NDArray[np.float32]
_REAL = "#888888"  # readable on light and dark grounds alike
_BINS = 48
_TICKS = [1 / 2**power for power in range(6, 0, -1)]  # cycles a pixel
SEEN = N_("What the classifier sees")
_HEIGHT = 320
_LEGEND = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}


def _figure(x: Mapping[str, Any], y: Mapping[str, Any], **layout: Any) -> "Figure":
    from plotly.graph_objects import Figure

    theme_charts()
    return Figure(
        layout={
            "height": _HEIGHT,
            "margin": {"l": 0, "r": 8, "t": 40, "b": 0},
            "legend": _LEGEND,
            "xaxis": {"zeroline": False, **x},
            "yaxis": {"zeroline": False, **y},
            **layout,
        }
    )


@dataclass(frozen=True)
class Chart:
    """A chart of what was measured.

    Args:
        name: For keys.
        title: For people.
        figure: The chart.
        caption: How to read it.
    """

    name: str
    title: str
    figure: "Figure"
    caption: str


def charts(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> list[Chart]:
    """Return the charts of sharpness, as far as their curves were measured.

    Args:
        models: The models.
        measured: Figures of each, measured in the same way.
    """
    found: list[Chart] = []
    power, real = _curves(models, measured, "spectrum", "spectrum_real")
    if power:
        frequencies = next(one for one in measured if "spectrum" in one.series).curve("spectrum_frequency")
        caption = _(
            "Blur is a curve that falls below the grey one to the right; noise and checkerboard rise above it. Dotted: "
            "half the Nyquist frequency."
        )
        found.append(Chart("spectra", _("Radial power spectrum"), spectra(frequencies, power, real), caption))
    values, real = _curves(models, measured, "sharpness", "sharpness_real")
    if values:
        caption = _("The variance of the Laplacian: how strong the fine detail of an image is.")
        found.append(Chart("sharpness", _("Sharpness of single images"), sharpness(values, real), caption))
    return found


def attributes(measured: Sequence[Figures]) -> list[str]:
    """Return what the classifier sees in samples: names of attributes, or an empty one for classes; none without."""
    there = {key for one in measured for key in one.series}
    return [name for name, (key, _real, _names) in _attributes(measured).items() if key in there]


def seen(models: Sequence[ModelInfo], measured: Sequence[Figures], attribute: str) -> Chart:
    """Return the chart of how often the classifier sees each class, or value of an attribute; see `attributes`."""
    key, real_key, names = _attributes(measured)[attribute]
    values, real = _curves(models, measured, key, real_key)
    figure = shares([words.word(name) for name in names], values, real)
    caption = _("Bars far below the grey one are what a model has forgotten, or rarely makes.")
    return Chart("classes", _(SEEN), figure, caption)


def _attributes(measured: Sequence[Figures]) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Return by attribute its series, that of real images, and the names of its values; classes have no name."""
    data = datasets.known(measured[0].spec.dataset)
    if data is None:
        return {}
    found = {"": ("class_shares", "class_shares_real", data.classes)}
    for factor in data.factors:
        name = factor.name
        found[name] = (f"factor_shares_{name}", f"real_factor_shares_{name}", factor.values)
    return found


def _curves(
    models: Sequence[ModelInfo], measured: Sequence[Figures], key: str, real: str
) -> tuple[dict[str, Values], Values]:
    """Return a series of each model that has it, by what it is called, and that of real images."""
    called = rivals.names(models).values()
    there = {name: one for name, one in zip(called, measured, strict=True) if key in one.series}
    curves = {name: one.curve(key) for name, one in there.items()}
    return curves, next((one.curve(real) for one in there.values()), np.empty(0, np.float32))


def spectra(frequencies: Values, models: Mapping[str, Values], real: Values) -> "Figure":
    """Draw the mean power of samples at each radial frequency, both axes logarithmic.

    Args:
        frequencies: In cycles a pixel, shape (F,); 0 is left out.
        models: Power by title, each of shape (F,).
        real: Of real images, shape (F,).
    """
    figure = _figure(
        {"type": "log", "title": _("Radial frequency (cycles a pixel)"), "tickvals": _TICKS, "tickformat": ".2~g"},
        {"type": "log", "title": _("Mean power"), "exponentformat": "power"},
    )  # fmt: skip
    hover = _("%{x:.3f} cycles a pixel: %{y:.2e}")
    for title, power, line in _with_real(models, real):
        figure.add_scatter(
            x=frequencies[1:], y=np.maximum(power[1:], 1e-12), mode="lines", name=title, line=line,
            hovertemplate=hover,
        )  # fmt: skip
    figure.add_vline(x=0.25, line={"width": 1, "dash": "dot", "color": _REAL})
    return figure


def sharpness(models: Mapping[str, Values], real: Values) -> "Figure":
    """Draw how sharp single images are: histograms over a logarithmic axis.

    Args:
        models: Variances of the Laplacian by title, or quantiles of them, each of shape (N,).
        real: Of real images.
    """
    least = 1e-7
    logs = {title: np.log10(np.maximum(one, least)) for title, one in (*models.items(), ("", real))}
    ends = [float(np.quantile(one, share)) for one in logs.values() for share in (0.002, 0.998)]
    low, high = min(ends), max(ends)
    edges = np.linspace(low - 0.05, high + 0.05, _BINS + 1)
    figure = _figure(
        {"type": "log", "title": _("Variance of the Laplacian"), "exponentformat": "power", "dtick": 1},
        {"title": _("Share of images (%)"), "rangemode": "tozero"},
    )
    for title, line in [(one, line) for one, _power, line in _with_real(models, real)]:
        values = logs[title if title in models else ""]
        shares = 100 * np.histogram(values, edges)[0] / len(values)
        figure.add_scatter(
            x=10 ** ((edges[1:] + edges[:-1]) / 2), y=shares, mode="lines", name=title,
            line={**line, "shape": "hvh"}, hovertemplate="%{x:.2g}: %{y:.1f} %",
        )  # fmt: skip
    return figure


def shares(names: Sequence[str], models: Mapping[str, Values], real: Values) -> "Figure":
    """Draw how often each class, or value of an attribute, occurs.

    Args:
        names: Of the classes.
        models: Shares by title, each of shape (classes,).
        real: Of real images.
    """
    figure = _figure(
        {}, {"title": _("Share of images (%)"), "rangemode": "tozero"}, barmode="group", bargap=0.3
    )
    for title, values, line in _with_real(models, real):
        colour = {"color": line["color"]} if "color" in line else {}
        figure.add_bar(
            x=list(names), y=100 * values, name=title, marker={**colour, "line": {"width": 0}},
            hovertemplate="%{x}: %{y:.1f} %",
        )  # fmt: skip
    return figure


def _with_real(models: Mapping[str, Values], real: Values) -> list[tuple[str, Values, dict[str, Any]]]:
    """Return what is drawn: title, values, and the line's options, the models first so that they have their colours."""
    lines: list[tuple[str, Values, dict[str, Any]]] = [
        (title, one, {"width": 2}) for title, one in models.items()
    ]
    return [*lines, (_("Real"), real, {"width": 2, "dash": "dot", "color": _REAL})]
