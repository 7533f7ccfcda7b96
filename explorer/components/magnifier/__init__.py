"""Pictures of one size side by side: a lens that is at the same place of all, and a wipe between any two of them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.components import define
from explorer.text import _, percent

if TYPE_CHECKING:
    from models.media import Pixels

_HTML = '<div class="magnifier" role="group"></div>'


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture, and how it differs from the first one.

    Args:
        name: What it shows.
        pixels: uint8, shape (H, W, C).
        difference: To be drawn below it, the same shape; None: nothing is.
        lines: What is said below.
    """

    name: str
    pixels: "Pixels"
    difference: "Pixels | None" = None
    lines: Sequence[str] = ()


def _component() -> Any:
    return define(
        "magnifier",
        _HTML,
        css=("tools.css", "magnifier/magnifier.css"),
        js=("latent_pad/parts.js", "latent_pad/picture.js", "magnifier/wipe.js", "magnifier/magnifier.js"),
    )


def _texts() -> dict[str, str]:
    return {
        "glass": _("Pictures under a magnifier: the arrow keys move it, Escape takes it away"),
        "difference": _("Difference: {name}"),
        "scale": _("Difference, on one scale for all"),
        "zoom": _("Magnification"),
        "times": _("{n}×"),
        "hint": _("Point at a picture to magnify the same place of all"),
        "at": _("Column {x}, row {y}"),
        "wipe": _("Wipe"),
        "left": _("On the left"),
        "right": _("On the right"),
        "divider": _("Divider between the two pictures"),
        "share": _("{share} % of {name}"),
    }


def magnifier(panels: Sequence[Panel], *, key: str, label: str, white: float) -> None:
    """Show pictures of one shape.

    Args:
        panels: The first is the one that the others differ from.
        key: Of the element.
        label: What they show, for screen readers.
        white: The difference that is drawn white, as a share of the range.
    """
    data = {
        "panels": [
            {
                "name": panel.name,
                "pixels": _encoded(panel.pixels),
                "difference": None if panel.difference is None else _encoded(panel.difference),
                "lines": list(panel.lines),
            }
            for panel in panels
        ],
        "shape": list(panels[0].pixels.shape),
        "label": label,
        "scale": ["0", percent(white)],
        "texts": _texts(),
    }
    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    _component()(data=[data], key=key)


def _encoded(pixels: "Pixels") -> str:
    return base64.b64encode(pixels.tobytes()).decode()
