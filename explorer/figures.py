"""Arrays to charts: plotly figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from explorer.starting import theme_charts
from explorer.text import N_, _

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from models.training.record import Record


def nothing() -> "Figure":
    """Return a chart of nothing: drawn ahead, it makes the browser load what charts need."""
    from plotly.graph_objects import Figure, Scatter

    theme_charts()
    return Figure(Scatter(x=[], y=[]))


def distances(steps: Sequence[float], keys: Sequence[float]) -> "Figure":
    """Draw how far each frame of a film is from the one before it.

    Args:
        steps: From frame 1 to 2, from 2 to 3 and so on: RMS differences of pixels in [0, 1].
        keys: Where the key frames are, as shares of the way.
    """
    from plotly.graph_objects import Figure, Scatter

    theme_charts()
    frames = list(range(2, len(steps) + 2))
    percent = [100 * float(step) for step in steps]
    mean = sum(percent) / len(percent)
    marked = [min(len(percent) - 1, max(0, round(share * len(percent)) - 1)) for share in keys]
    figure = Figure()
    words = _("Frame %{x}: %{y:.2f} %")
    figure.add_scatter(
        x=frames, y=percent, mode="lines", name=_("Distance"), hovertemplate=words + "<extra></extra>"
    )
    figure.add_trace(
        Scatter(
            x=[1 + share * len(percent) for share in keys],
            y=[percent[index] for index in marked],
            mode="markers",
            marker={"size": 9, "line": {"width": 0}},
            name=_("Key frame"),
            hovertemplate=_("Key frame") + "<extra></extra>",
        )
    )
    figure.add_hline(y=mean, line={"width": 1, "dash": "dot", "color": "#888"})
    return _over_frames(figure, percent)


def paces(steps: Mapping[str, Sequence[float]]) -> "Figure":
    """Draw how far each frame of some films, of as many frames each, is from the one before it.

    Args:
        steps: By the name of the film, as for `distances`.
    """
    from plotly.graph_objects import Figure

    theme_charts()
    figure = Figure()
    every: list[float] = []
    for name, film in steps.items():
        percent = [100 * float(step) for step in film]
        every += percent
        words = _("Frame %{x}: %{y:.2f} %")
        figure.add_scatter(
            x=list(range(2, len(percent) + 2)), y=percent, mode="lines", name=name, hovertemplate=words
        )
    figure.update_layout(showlegend=True)
    return _over_frames(figure, every, len(every) // max(1, len(steps)))


def _over_frames(figure: "Figure", percent: Sequence[float], steps: int | None = None) -> "Figure":
    """Lay out a chart of changes from frame to frame.

    Args:
        figure: The chart.
        percent: All that it shows.
        steps: Changes in a film; None: as many as it shows.
    """
    last = (len(percent) if steps is None else steps) + 2
    figure.update_layout(
        height=220,
        margin={"l": 0, "r": 8, "t": 26, "b": 0},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        xaxis={"title": _("Frame"), "range": [0, last], "showgrid": False, "zeroline": False},
        yaxis={
            "title": _("Change (% of the range)"),
            "rangemode": "tozero",
            "range": [0, 1.15 * max(*percent, 1e-3)],
        },
    )
    return figure


# Figures of a training that belong together, and how they are called. What a run writes and is not named here is left
# out; a new figure is one more entry.
_GROUPS: dict[str, dict[str, str]] = {
    N_("Loss"): {
        "loss": N_("Loss"),
        "generator_loss": N_("Generator"),
        "discriminator_loss": N_("Discriminator"),
    },
    N_("Reconstruction (nats)"): {"reconstruction_nats": N_("Reconstruction")},
    N_("KL (nats)"): {"kl_nats": N_("KL")},
    N_("Discriminator's margin"): {
        "margin": N_("D(real) − D(fake)"),
        "d_real": N_("D(real)"),
        "d_fake": N_("D(fake)"),
    },
    N_("Gradient penalty"): {"penalty": N_("Penalty")},
    N_("Distance from the anchor, at 16 × 16 pixels"): {"drift": N_("Mean absolute difference")},
    N_("Reconstructions (dB)"): {"psnr_db": N_("PSNR")},
    N_("Active units"): {"active_units": N_("Active units")},
    N_("Diversity and sharpness (× real)"): {
        "pairwise_distance_ratio": N_("Diversity"),
        "sharpness_ratio": N_("Sharpness"),
    },
    N_("Covered by samples"): {"classes_covered": N_("Classes"), "modes_covered": N_("Modes")},
    N_("Sure of its class"): {
        "mean_confidence": N_("Mean confidence"),
        "high_quality_share": N_("High quality"),
    },
    N_("Accuracy"): {"accuracy": N_("Accuracy")},
}
_SMOOTHING = 0.15  # weight of the newest value
_LINE = 19  # pixels of a line of a legend


def groups(records: "Sequence[Record]") -> dict[str, list[str]]:
    """Return the charts that some runs have something for: title -> names of their figures."""
    there: set[str] = set()
    for record in records:
        there |= record.names("train") | record.names("validation")
    found = {title: [name for name in names if name in there] for title, names in _GROUPS.items()}
    return {_(title): names for title, names in found.items() if names}


def smoothed(values: Sequence[float]) -> list[float]:
    """Return an exponential moving average that begins without a bias towards zero (as Adam's, Kingma & Ba, 2015)."""
    average, found = 0.0, []
    for number, value in enumerate(values, 1):
        average += _SMOOTHING * (value - average)
        found.append(average / (1 - (1 - _SMOOTHING) ** number))
    return found


def curves(
    records: "Sequence[Record]", titles: Sequence[str], names: Sequence[str], *, log: bool, smooth: bool
) -> "Figure":
    """Draw figures of some runs over the seconds of training.

    Args:
        records: Of the runs.
        titles: Of the runs.
        names: Of the figures.
        log: Whether the axis of values is logarithmic.
        smooth: Whether training's figures are smoothed; those of held-out images are points and stay as they are.
    """
    from plotly.graph_objects import Figure

    theme_charts()
    figure = Figure()
    words = {name: _(word) for group in _GROUPS.values() for name, word in group.items()}
    for record, title in zip(records, titles, strict=True):
        for name in names:
            label = words[name] if len(records) == 1 else f"{title}: {words[name]}"
            seconds, values = record.curve(name)
            if values:
                drawn = smoothed(values) if smooth else values
                figure.add_scatter(x=seconds, y=drawn, mode="lines", name=label)
            seconds, values = record.curve(name, "validation")
            if values:
                held_out = _("{figure}, held-out").format(figure=label)
                figure.add_scatter(
                    x=seconds, y=values, mode="lines+markers", name=held_out, line={"dash": "dot"}
                )
    end = max([1.0, *(record.last().get("seconds", 0.0) for record in records)])  # the same in all charts
    # Names of several runs would lie over the lines: then they stand below, a line each.
    traces: Any = figure.data  # a tuple, which plotly's annotations do not say
    lines = _LINE * (len(traces) + 1) if len(records) > 1 else 0
    above = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"}
    below = {"orientation": "v", "x": 0, "xanchor": "left", "y": -0.14, "yanchor": "top"}
    figure.update_layout(
        height=210 + lines,
        margin={"l": 0, "r": 8, "t": 8 if lines else 26, "b": lines},
        legend=below if lines else above,
        showlegend=True,
        xaxis={"ticksuffix": " s", "zeroline": False, "range": [0, end]},
        yaxis={"type": "log" if log else "linear"},
        uirevision="keep",
    )
    return figure
