"""A person's own image, in the session alone: what was given, and how it is to be made to fit a model."""

import base64
import binascii
import struct
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from explorer.text import _
from models import datasets, images
from models.catalog import ModelInfo
from models.errors import UserError
from models.images import Crop, Pixels, Preparation

Tone = Literal["auto", "keep", "invert"]
_OWN = "own_image"
_WHOLE = Crop()
_PNG = "data:image/png;base64,"
_MAX_DRAWING = 1_000_000  # characters
_MAX_SIDE = 1024  # pixels of a drawing


@dataclass(frozen=True, eq=False)
class Own:
    """An image that a person gave.

    Args:
        pixels: RGB, uint8, shape (H, W, 3).
        name: Of the file.
        drawn: Whether it was drawn here, light on dark.
        crop: The part that is used.
        tone: As in `models.images.Preparation`.
        centre: The same; None for what suits the model's data.
    """

    pixels: Pixels
    name: str
    drawn: bool = False
    crop: Crop = _WHOLE
    tone: Tone = "auto"
    centre: bool | None = None

    def room(self) -> tuple[float, float]:
        """Return how far the crop can move, across and down, in pixels."""
        height, width, _channels = self.pixels.shape
        left, upper, right, lower = images.box(width, height, self.crop)
        return width - (right - left), height - (lower - upper)

    def place(self) -> tuple[float, float]:
        """Return where in that room it is, in [0, 1]; the middle where there is none."""
        height, width, _channels = self.pixels.shape
        left, upper, _right, _lower = images.box(width, height, self.crop)
        across, down = self.room()
        return left / across if across else 0.5, upper / down if down else 0.5


def own() -> Own | None:
    """Return the image of this session."""
    return st.session_state.get(_OWN)


def load(name: str, data: bytes) -> None:
    """Take the content of a file; raises UserError if it is no image that can be used."""
    forget()
    st.session_state[_OWN] = Own(images.read(data), name)


def draw(url: object) -> None:
    """Take a drawing, light on dark, as the browser sends it: a data URL of a PNG; raises UserError."""
    forget()
    st.session_state[_OWN] = Own(_drawing(url), _("the drawing"), drawn=True)


def _drawing(url: object) -> Pixels:
    unreadable = UserError("bad-drawing", _("The drawing cannot be read."), _("Draw it again."))
    if not isinstance(url, str) or not url.startswith(_PNG) or len(url) > _MAX_DRAWING:
        raise unreadable
    try:
        data = base64.b64decode(url.removeprefix(_PNG), validate=True)
        # Asked before it is unpacked: a megabyte of PNG can hold a gigabyte of pixels.
        width, height = struct.unpack(">II", data[16:24])
    except (binascii.Error, struct.error):
        raise unreadable from None
    if max(width, height) > _MAX_SIDE:
        raise unreadable
    pixels = images.read(data)
    if not pixels.any():
        raise UserError("empty-drawing", _("Nothing is drawn yet."), _("Draw something, then use it."))
    return pixels


def forget() -> None:
    """Drop the image."""
    st.session_state.pop(_OWN, None)


def change(**changes: Any) -> None:
    """Make the image fit in another way."""
    image = own()
    if image is not None:
        st.session_state[_OWN] = replace(image, **changes)


def zoom(factor: float) -> None:
    """Use a smaller part of the image, around the same centre."""
    if (image := own()) is not None:
        change(crop=image.crop.model_copy(update={"size": 1 / factor}))


def move(axis: Literal["x", "y"], share: float) -> None:
    """Move the crop to a share of the room that it has."""
    if (image := own()) is None:
        return
    room, side = image.room()["xy".index(axis)], image.pixels.shape["yx".index(axis)]
    centre = (share * room + (side - room) / 2) / side
    change(crop=image.crop.model_copy(update={axis: min(1.0, max(0.0, centre))}))


def centred(info: ModelInfo, image: Own) -> bool:
    """Tell whether the drawn part is scaled and centred: as asked for, else as in the model's data."""
    return image.centre if image.centre is not None else _fill(info) is not None


def _fill(info: ModelInfo) -> float | None:
    known = datasets.known(info.dataset)
    return known.fill if known else None


def prepared(info: ModelInfo, image: Own) -> Pixels:
    """Return exactly what a model will see of an image, uint8 (H, W, C)."""
    how = {
        "crop": image.crop,
        "tone": "keep" if image.drawn else image.tone,
        "centre": info.sample_shape[0] == 1 and centred(info, image),
        "fill": _fill(info) or 1.0,
    }
    return images.prepare(image.pixels, info.sample_shape, Preparation.model_validate(how))
