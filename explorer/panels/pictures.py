"""Small pictures in a row, with captions: crisp at every size, part of the page itself.

`st.image` would smooth them, and serve each from an address that the next run of a fragment takes away: of pictures
that change several times a second, some would never be seen.
"""

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from models.media import png

if TYPE_CHECKING:
    from models.images import Pixels


def row(images: Sequence["Pixels"], captions: Sequence[str], width: int) -> None:
    """Draw pictures side by side, as many as fit in a line.

    Args:
        images: uint8, shape (H, W, C), of any sizes.
        captions: One for each; they are the alternative texts too.
        width: Of each on the page, in CSS pixels; narrower where there is less room.
    """
    items = "".join(_figure(*item, width) for item in zip(images, captions, strict=True))
    st.html(f'<div class="pictures">{items}</div>')


def wide(file: bytes, text: str) -> None:
    """Draw a PNG as wide as there is room, without a caption.

    Args:
        file: The PNG.
        text: Its alternative text.
    """
    data = base64.b64encode(file).decode()
    st.html(f'<img class="wide-picture" src="data:image/png;base64,{data}" alt="{escape(text)}">')


def _figure(image: "Pixels", caption: str, width: int) -> str:
    data = base64.b64encode(png(image)).decode()
    text = escape(caption)
    kind = "pixels" if image.shape[1] < width else "photo"
    return (
        f'<figure style="width:{width}px"><img class="{kind}" src="data:image/png;base64,{data}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
