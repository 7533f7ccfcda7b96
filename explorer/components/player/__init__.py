"""A player for frames that are all there: it plays them at the display's rate, and scrubs through them."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer.components import define
from explorer.text import _

_HTML = '<div class="player" role="group" tabindex="-1"></div>'
COLUMNS = 16  # frames a row of the sheet


@dataclass(frozen=True)
class Reel:
    """Pictures that are shown one after the other.

    Args:
        frames: PNG of all of them, `COLUMNS` a row.
        name: What they are, said below where there are several reels.
    """

    frames: bytes
    name: str


@dataclass(frozen=True)
class Film:
    """Reels that run at a time, frame by frame, and what stands around them.

    Args:
        reels: Side by side, of as many frames each.
        count: Number of frames.
        size: Width and height of one, in pixels.
        marks: Where the key frames are, as shares of the way in [0, 1].
        names: Of the key frames.
        label: What the film shows, for screen readers.
        ends: PNG of what each reel starts from, and of what it ends at: with them, each is laid out as a row as well.
    """

    reels: Sequence[Reel]
    count: int
    size: tuple[int, int]
    marks: Sequence[float]
    names: Sequence[str]
    label: str
    ends: tuple[bytes, bytes] | None = None


def _component() -> Any:
    return define(
        "player",
        _HTML,
        css=("tools.css", "scrub.css", "player/player.css"),
        js=("latent_pad/parts.js", "scrub.js", "player/rows.js", "player/player.js"),
    )


def _texts() -> dict[str, str]:
    return {
        "play": _("Play"),
        "pause": _("Pause"),
        "swing": _("Play to and fro instead of from the start again"),
        "soft": _("Smooth between the pixels"),
        "open": _("Open this frame in Explore"),
        "speed": _("Speed"),
        "rate": _("{n} frames/s"),
        "at": _("{frame} of {count}"),
        "frame": _("Frame {frame} of {count}"),
        "track": _("Frame"),
        "key": _("Key frame {n}: {name}"),
        "row": _("{name}, frame by frame"),
        "start": _("Real image that it starts from"),
        "end": _("Real image that it ends at"),
    }


def player(film: Film, *, key: str, on_open: Callable[[int], None] | None = None) -> int | None:
    """Show a film; it plays by itself, unless the person's system asks for less motion.

    Args:
        film: What to play.
        key: Of the element.
        on_open: Called with the number of a frame that is to be opened, before the page is drawn anew; None: no frame
            can be opened.

    Returns:
        The number of the frame that was just opened, or None.
    """
    data = {
        "reels": [{"frames": _encoded(reel.frames), "name": reel.name} for reel in film.reels],
        "ends": [_encoded(image) for image in film.ends or ()],
        "opens": on_open is not None,
        "count": film.count,
        "columns": COLUMNS,
        "size": list(film.size),
        "marks": list(film.marks),
        "names": list(film.names),
        "label": film.label,
        "texts": _texts(),
    }

    def valid(frame: object) -> int | None:  # the browser's word, so it is checked
        return frame if type(frame) is int and 0 <= frame < film.count else None

    def opened() -> None:
        frame = valid(st.session_state[key].open)
        if frame is not None and on_open is not None:
            on_open(frame)

    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    return valid(_component()(data=[data], key=key, on_open_change=opened).open)


def _encoded(file: bytes) -> str:
    return base64.b64encode(file).decode()
