"""Arrays to pictures and charts: sheets of samples, enlarged PNGs, plotly figures."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from explorer.text import _

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from plotly.graph_objects import Figure

COLUMNS = 8  # pictures a row of a sheet


def png(image: "NDArray[np.uint8]") -> bytes:
    """Encode a uint8 image (H, W, C), grey or RGB, as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def sheet(images: "NDArray[np.uint8]", columns: int = COLUMNS) -> bytes:
    """Lay images (N, H, W, C) out in rows and encode them as one PNG; empty places are black."""
    import numpy as np

    n, height, width, channels = images.shape
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:n] = images
    grid = tiles.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return png(grid.reshape(rows * height, columns * width, channels))


def enlarge(image: "NDArray[np.uint8]", factor: int) -> "NDArray[np.uint8]":
    """Enlarge an image (H, W, C) by a whole factor: every pixel becomes a square, nothing is made up."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def distances(steps: Sequence[float], keys: Sequence[float]) -> "Figure":
    """Draw how far each frame of a film is from the one before it.

    Args:
        steps: From frame 1 to 2, from 2 to 3 and so on: RMS differences of pixels in [0, 1].
        keys: Where the key frames are, as shares of the way.
    """
    from plotly.graph_objects import Figure, Scatter

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
