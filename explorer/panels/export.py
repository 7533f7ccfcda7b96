"""A film as a file: a strip of pictures, a GIF or a video, made when it is asked for."""

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from explorer.text import _
from models.catalog import ModelInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KINDS = {
    "mp4": (lambda: _("MP4 video"), "video/mp4", 1024),
    "gif": (lambda: _("GIF"), "image/gif", 512),
    "png": (lambda: _("PNG strip"), "image/png", 512),
}  # name, type, largest side of a frame in pixels
_STRIP = 24  # pictures of a strip, at most


def sizes(side: int, largest: int) -> list[int]:
    """Return by what a picture can be enlarged: powers of two that stay within the largest side."""
    return [times for times in (1, 2, 4, 8, 16, 32, 64) if times * side <= largest] or [1]


def content(images: "NDArray[np.uint8]", kind: str, times: int, rate: int, pictures: int) -> bytes:
    """Return the file.

    Args:
        images: Frames, shape (N, H, W, C).
        kind: `png`, `gif` or `mp4`.
        times: Every pixel becomes a square of times x times.
        rate: Frames a second.
        pictures: Of a strip: frames at even distances, the first and the last included.
    """
    from models import media

    if kind != "png":
        return media.animation(images, f".{kind}", rate, times)
    import numpy as np

    chosen = images[np.linspace(0, len(images) - 1, pictures).round().astype(int)]
    return media.png(media.enlarged(media.contact_sheet(chosen, pictures), times))


def show(info: ModelInfo, images: "NDArray[np.uint8]") -> None:
    """Draw the button behind which the film can be had."""
    count, height, width, _channels = images.shape
    with st.popover(_("Export"), icon=":material/download:", key="export"):
        kind = str(
            st.segmented_control(
                _("Format"),
                list(_KINDS),
                default="mp4",
                required=True,
                format_func=lambda name: _KINDS[name][0](),
                key="export-kind",
            )
        )
        name, mime, largest = _KINDS[kind]
        choices = sizes(max(height, width), largest)
        times = st.selectbox(
            _("Size of a frame"),
            choices,
            index=min(len(choices) - 1, choices.index(max(t for t in choices if t * height <= 256))),
            format_func=lambda times: _("{width} × {height} pixels").format(
                width=times * width, height=times * height
            ),
            help=_("Whole multiples of what the model makes, so that every pixel stays a crisp square."),
            key=f"export-size-{kind}",
        )
        rate, pictures = 20, min(count, 10)
        if kind == "png":
            most = min(count, _STRIP)
            if most > 2:
                pictures = st.slider(_("Pictures"), 2, most, pictures, key="export-pictures")
        else:
            rate = st.slider(_("Frames a second"), 1, 60 if kind == "mp4" else 50, rate, key="export-rate")
            st.caption(_("{seconds:.1f} seconds").format(seconds=count / rate))
        st.download_button(
            _("Download {format}").format(format=name()),
            partial(content, images, kind, times, rate, pictures),
            f"{info.id}-interpolation.{kind}",
            mime,
            key="download-film",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
