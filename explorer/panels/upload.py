"""A person's own image: chosen or drawn, cropped with the result in view, then handed to `reconstruct`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import streamlit as st

from explorer import navigation, own, state
from explorer.components.draw_pad import draw_pad
from explorer.own import Own
from explorer.panels import pictures, problem, reconstruct
from explorer.panels.fold import fold
from explorer.text import _
from models.catalog import ModelInfo
from models.errors import UserError
from models.images import preview

if TYPE_CHECKING:
    from models.images import Pixels

_TYPES = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"]
_ERROR = "own_error"
_ZOOM = 8.0  # at most


@st.fragment
def show(info: ModelInfo) -> None:
    """Draw the panel, once it is open; its widgets rerun it and nothing else."""
    if reconstruct.moved():
        navigation.redraw()  # the point is elsewhere: the rest of the page must follow
    place = fold(_("Your own image"), key="own-image", icon=":material/add_photo_alternate:")
    if place is None:
        return
    with place, problem.explained():
        if not info.can("encode") and not info.can("invert"):
            st.markdown(
                _(
                    "This decoder came without an encoder, and without the gradient that a search follows: your own "
                    "image cannot be found in its latent space. Choose a model that was trained here."
                )
            )
            return
        columns = st.columns([1, 1.3, 1.3], gap="medium")
        with columns[0]:
            choose(info)
        image = own.own()
        if image is not None:
            with columns[1]:
                seen = fit(info, image)
            with columns[2]:
                reconstruct.show(info, seen)
        else:
            with columns[1]:
                _explain(info)
        promise()


def promise() -> None:
    """Say that an own image stays private."""
    st.caption(
        _(
            "Your image is private to this browser tab: it is held in memory, seen by nobody else, and never part "
            "of a link."
        )
    )


def _guarded(act: Callable[..., None], *arguments: object) -> None:
    st.session_state.pop(_ERROR, None)
    try:
        act(*arguments)
    except UserError as error:
        st.session_state[_ERROR] = error


def _load() -> None:
    file = st.session_state["own-file"]
    if file is None:
        own.forget()
        st.session_state.pop(_ERROR, None)
    else:
        _guarded(own.load, file.name, file.getvalue())


def choose(info: ModelInfo) -> None:
    """Draw the ways to give an image: a file, or a drawing where the model's pictures are grey."""
    way = "file"
    if info.sample_shape[0] == 1:
        chosen = st.segmented_control(
            _("Your own image"),
            ["file", "draw"],
            default="file",
            format_func=lambda name: {"file": _("Upload"), "draw": _("Draw")}[name],
            key="own-way",
            label_visibility="collapsed",
            persist_state="session",
        )
        way = chosen or "file"
    if way == "draw":
        draw_pad(key="own-drawing", on_use=lambda url: _guarded(own.draw, url))
    else:
        st.file_uploader(
            _("Choose an image"),
            type=_TYPES,
            key="own-file",
            label_visibility="collapsed",
            max_upload_size=20,
            on_change=_load,
        )
    if (error := st.session_state.get(_ERROR)) is not None:
        problem.show(error)
    image = own.own()
    crossed = (
        way == "file" and st.session_state.get("own-file") is not None
    )  # the file has a cross of its own
    if image is not None and not crossed:
        st.button(
            _("Remove {name}").format(name=problem.literal(image.name)),
            key="own-remove",
            icon=":material/delete:",
            type="tertiary",
            on_click=own.forget,
        )


def _explain(info: ModelInfo) -> None:
    ways = _("Upload a picture, or draw one.") if info.sample_shape[0] == 1 else _("Upload a picture.")
    if info.can("encode"):
        text = _(
            "The encoder finds its place in the latent space, and the decoder makes a picture of it again: what is "
            "lost is what the model cannot tell."
        )
    else:
        text = _(
            "This model has no encoder, so a search looks for the point of the latent space whose picture comes "
            "nearest; it takes a few seconds."
        )
    st.markdown(f"{ways} {text}")
    st.caption(_("Then edit it with the same controls as any other point."))


def fit(info: ModelInfo, image: Own) -> "Pixels":
    """Draw the choice of the part and the tone; return what the model will see, which is shown."""
    seen = own.prepared(info, image)
    shown = {_("What the model sees"): seen}
    if not image.drawn:
        shown = {_("Your image"): preview(image.pixels, image.crop)} | shown
    pictures.row(list(shown.values()), list(shown), reconstruct.width(info))
    if not image.drawn:
        _crop(image)
    if info.sample_shape[0] == 1:
        _grey(info, image)
    return seen


def _crop(image: Own) -> None:
    columns = st.columns(3)
    axes: tuple[tuple[str, Literal["x", "y"]], ...] = ((_("Across"), "x"), (_("Down"), "y"))
    for column, (title, axis), place, room in zip(columns, axes, image.place(), image.room(), strict=False):
        with column:
            st.slider(
                title,
                0.0,
                1.0,
                step=0.01,
                format="percent",
                disabled=room < 1,
                help=_("Where the square that is used lies, from one edge to the other."),
                **state.controlled(
                    f"own-{axis}", round(place, 2), lambda share, axis=axis: own.move(axis, share)
                ),
            )
    with columns[2]:
        st.slider(
            _("Zoom"),
            1.0,
            _ZOOM,
            step=0.1,
            format="%.1f",
            **state.controlled("own-zoom", round(1 / image.crop.size, 1), own.zoom),
        )


def _grey(info: ModelInfo, image: Own) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if not image.drawn:
            words = {"auto": _("Automatic"), "keep": _("As it is"), "invert": _("Inverted")}
            st.segmented_control(
                _("Tones"),
                list(words),
                format_func=lambda name: words[name],
                wrap=True,
                help=_(
                    "The pictures that this model knows are light on black. *Automatic* swaps dark and light where the "
                    "border of your image is light, as in a drawing on paper."
                ),
                **state.controlled("own-tone", image.tone, lambda value: own.change(tone=value)),
            )
        st.toggle(
            _("Scale and centre"),
            help=_("Place what is light on the black ground as in the data that the model was trained on."),
            **state.controlled(
                "own-centre", own.centred(info, image), lambda value: own.change(centre=value)
            ),
        )
