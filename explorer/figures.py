"""Arrays to charts: plotly figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from explorer.starting import theme_charts
from explorer.text import _

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


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
    figure.update_layout(
        height=220,
        margin={"l": 0, "r": 8, "t": 26, "b": 0},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        xaxis={"title": _("Frame"), "range": [0, len(percent) + 2], "showgrid": False, "zeroline": False},
        yaxis={
            "title": _("Change (% of the range)"),
            "rangemode": "tozero",
            "range": [0, 1.15 * max(*percent, 1e-3)],
        },
    )
    return figure
