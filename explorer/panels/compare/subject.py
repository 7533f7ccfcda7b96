"""The choice of a real image that all models are given: a held-out one of their data, or a person's own."""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from explorer import cache, own, state
from explorer.components.tiles import tiles
from explorer.panels import problem, upload
from explorer.text import _
from models import media
from models.catalog import ModelInfo
from models.errors import UserError

if TYPE_CHECKING:
    from models.media import Pixels

_OWN_AT = "compare_own"  # the end that shows the person's own image; there is one such image in a session
_ROW = 12  # images in a line; half of it where the line is short


@dataclass(frozen=True, eq=False)
class Subject:
    """A real image.

    Args:
        name: What it is called.
        pixels: uint8, shape (H, W, C), as large as those of the models.
        private: Whether it is the person's own: nothing of it may reach others.
    """

    name: str
    pixels: "Pixels"
    private: bool = False


def choose(info: ModelInfo, end: int, title: str, strip: int = _ROW) -> Subject | None:
    """Draw the choice of an image.

    Args:
        info: One of the models, whose data and shape all have.
        end: Which image, see `state.choose_image`.
        title: What it is for.
        strip: Images at hand to choose from.

    Returns:
        The image; None where none is given yet.
    """
    line = st.container(horizontal=True, vertical_alignment="bottom")
    with line:
        _whose(end, title)
    if _is_own(end):
        return _own(info)
    try:
        images = cache.held_out(info.dataset, info.sample_shape).images
    except UserError as error:  # the data are not here: quietly, for it is nobody's mistake
        _missing(error)
        return None
    number = state.view().images[end]
    if number >= len(images):  # of a larger data set
        number %= len(images)
        state.choose_image(end, number)
    with line, st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        _number(number, len(images), end)
    _strip(images, end, number, strip)
    return Subject(_name(number), images[number])


def _whose(end: int, title: str) -> None:
    words = {False: _("Held-out"), True: _("Your own image")}
    st.segmented_control(
        title,
        list(words),
        format_func=lambda mine: words[mine],
        required=True,
        width="content",
        help=_(
            "Held-out images are of the data that the models have learnt, but none of those that they were trained on."
        ),
        **state.controlled(f"compare-own-{end}", _is_own(end), lambda mine: _show_own(end, mine)),
    )


def _is_own(end: int) -> bool:
    return st.session_state.get(_OWN_AT) == end


def _show_own(end: int, mine: bool) -> None:
    st.session_state[_OWN_AT] = end if mine else None


def _own(info: ModelInfo) -> Subject | None:
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=300):
            upload.choose(info)
        image = own.own()
        if image is not None:
            with st.container(width=400):
                pixels = upload.fit(info, image)
    upload.promise()
    return None if image is None else Subject(_("Your image"), pixels, private=True)


def _missing(error: UserError) -> None:
    words = problem.literal(f"{error.problem} {error.remedy}")
    more = _(
        "Choose your own image above, or a model of digits, avatars or sprites in the sidebar: their data are always "
        "here."
    )
    st.caption(f"{words} {more}")


def _number(number: int, count: int, end: int) -> None:
    st.number_input(
        _("Number"),
        0,
        count - 1,
        step=1,
        width=124,
        **state.controlled(f"compare-image-{end}", number, lambda value: state.choose_image(end, value)),
    )
    st.button(
        _("Another one"),
        key=f"compare-another-{end}",
        icon=":material/casino:",
        on_click=lambda: state.choose_image(end, random.randrange(count)),
    )


def _strip(images: "Pixels", end: int, number: int, most: int) -> None:
    """Draw the images around one, to choose from."""
    first = max(0, min(number - most // 2 + 1, len(images) - most))
    shown = images[first : first + most]
    _count, height, width, _channels = shown.shape
    tiles(
        media.png(media.contact_sheet(shown, most)),
        key=f"compare-strip-{end}",
        size=(width, height),
        names=[_name(first + index) for index in range(len(shown))],
        label=_("Held-out images"),
        sheet_columns=most,
        columns=_ROW,
        marks=[number - first],
        largest=64,
        on_open=lambda index: state.choose_image(end, first + index),
    )


def _name(number: int) -> str:
    return _("Real image {number}").format(number=number)
