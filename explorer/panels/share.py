"""What a person takes along: the picture as PNG, and a snippet that makes it again."""

from typing import TYPE_CHECKING

import streamlit as st

from explorer import state
from explorer.text import _
from models.catalog import ModelInfo
from models.media import enlarged, png
from models.requests import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FACTOR = 8


def snippet(info: ModelInfo, point: Point) -> str:
    """Return Python that makes the picture of a point again; it leaves it in `image`."""
    given = {"seed": point.seed}
    given |= {name: value for name, value in dict(point).items() if value != Point.model_fields[name].default}
    if not point.edits:
        given.pop("axes", None)
        given.pop("keep", None)
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return f"""\
from PIL import Image

from models.catalog import find
from models.requests import Decode, Point, RenderRequest
from models.render import render

point = Point({arguments})
request = RenderRequest(model=find({_name(info)!r}).digest, op=Decode(points=(point,)))
image = render(request).images[0]  # uint8, (height, width, channels)
Image.fromarray(image.squeeze()).save("{_file(info, point)}.png")
"""


def _name(info: ModelInfo) -> str:
    return info.id if info.path.name == info.id else str(info.path)


def _file(info: ModelInfo, point: Point) -> str:
    start = "point" if point.latent else f"seed{point.seed}"
    return f"{info.id}-{start}{'-edited' if point.edits else ''}"


def download(info: ModelInfo, point: Point, image: "NDArray[np.uint8]") -> None:
    """Draw the button behind which the picture can be had, enlarged or as the model made it."""
    height, width, _channels = image.shape
    name = _file(info, point)
    with st.popover(_("Download"), icon=":material/download:", key="download"):
        for key, factor, hint in (
            ("large", _FACTOR, _("Every pixel becomes a square of {n} × {n}").format(n=_FACTOR)),
            ("small", 1, _("As the model made it")),
        ):
            st.download_button(
                _("PNG, {width} × {height}").format(width=width * factor, height=height * factor),
                png(enlarged(image, factor)),
                f"{name}-{width * factor}.png",
                "image/png",
                key=f"download-{key}",
                help=hint,
                on_click="ignore",
            )


def code(info: ModelInfo, point: Point) -> None:
    """Draw the snippet, and where the link is."""
    with st.expander(_("Copy as Python"), icon=":material/code:"):
        if info.run:
            st.caption(_("Keep the model on the page Train first: what is called by a run's name changes."))
        else:
            st.caption(_("This makes exactly this picture, wherever Latent Explorer is installed."))
            st.code(snippet(info, point), language="python")
    if state.is_private(point):
        st.caption(_("The link leaves your image out: it leads to the point of the seed instead."))
    else:
        st.caption(_("The address bar holds a link to exactly this view."))
