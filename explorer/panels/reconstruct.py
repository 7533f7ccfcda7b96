"""What a model makes of an image: encoded and decoded, or searched for, with how close it comes."""

from typing import TYPE_CHECKING, Literal

import streamlit as st

from explorer import background, controls, state
from explorer.background import Work
from explorer.panels import pictures
from explorer.text import _
from explorer.words import word
from models import images
from models.catalog import ModelInfo
from models.requests import Encode, Invert, RenderRequest

if TYPE_CHECKING:
    from models.images import Pixels
    from models.render import RenderResult

_SLOT = "own"
_MOVED = "own_moved"
_WIDTH = 160  # CSS pixels of a picture, at most
_PATIENCE = 0.6  # seconds that a quick answer is waited for
_REACH = 100  # prior standard deviations that a coordinate of a point may be from 0


def width(info: ModelInfo) -> int:
    """Return the width of a picture on the page, CSS pixels: a whole number of them for each of its pixels."""
    side = info.sample_shape[2]
    return side * max(1, _WIDTH // side)


def moved() -> bool:
    """Tell, once, that the point has moved to an image, and tell the person."""
    if not st.session_state.pop(_MOVED, False):
        return False
    st.toast(_("You are at your image now: move it with the controls above."), icon=":material/tune:")
    return True


def show(info: ModelInfo, seen: "Pixels") -> None:
    """Draw what the model makes of a prepared image.

    Args:
        info: The model.
        seen: From `models.images.prepare` for this model.
    """
    reference = images.keep(seen)
    place = st.container()  # its pictures stand beside those of the image, the choice of the way below them
    way = _way() if info.can("encode") else "search"
    with place:
        if way == "encode":
            request = controls.ask(info, Encode(image=reference))
            work = background.follow(_SLOT, request).wait(_PATIENCE)
        else:
            request = controls.ask(info, Invert(image=reference))
            work = background.current(_SLOT)
            if work is None or work.request != request:
                background.forget(_SLOT)
                _offer(request)
                return
        background.watch(work, lambda work: _draw(info, work))


def _way() -> Literal["encode", "search"]:
    words = {"encode": _("Encode"), "search": _("Search")}
    chosen = st.segmented_control(
        _("Find the point"),
        list(words),
        default="encode",
        format_func=lambda name: words[name],
        key="own-find",
        help=_(
            "The encoder names a point at once. A search starts there and improves it step by step: it shows how close "
            "the decoder can come at best."
        ),
        label_visibility="collapsed",
        persist_state="session",
    )
    return "search" if chosen == "search" else "encode"


def _offer(request: RenderRequest) -> None:
    st.caption(
        _(
            "The search tries several points at once, follows how the picture changes with each coordinate, and gives "
            "up the worse ones."
        )
    )
    st.button(
        _("Find it"),
        key="own-search",
        icon=":material/search:",
        type="primary",
        on_click=_search,
        args=(request,),
    )


def _search(request: RenderRequest) -> None:
    background.start(_SLOT, request)


def _draw(info: ModelInfo, work: Work) -> None:
    result = work.shown
    if result is not None:
        _compare(info, result)
    searches = work.request.op.op == "invert"
    if work.running:
        share = work.share
        words = _("Searching") if searches else _("Encoding")
        if searches and result is None and work.latest is not None:  # told so far: no pictures
            words = _("Learning a first guess from the model's own pictures, once for each model")
        st.progress(share, f"{words} · {share:.0%}")
        st.button(_("Stop"), key="own-stop", icon=":material/stop:", on_click=work.cancel)
    elif result is not None:
        with st.container(horizontal=True):
            _edit(info, result)
            if searches:
                st.button(
                    _("Search again"),
                    key="own-again",
                    icon=":material/replay:",
                    on_click=background.forget,
                    args=(_SLOT,),
                )
    else:  # stopped before there was anything to see
        _offer(work.request)


def _compare(info: ModelInfo, result: "RenderResult") -> None:
    _seen, picture, difference = result.images
    gain = float(result.values["gain"][0])
    captions = [_("What the model makes"), _("Absolute difference × {gain:.1f}").format(gain=gain)]
    pictures.row([picture, difference], captions, width(info))
    line = [_("PSNR {value:.1f} dB").format(value=float(result.values["psnr_db"][0]))]
    label = _label(info, result)
    if label is not None:
        line.append(_("as {label}").format(label=word(info.labels[label])))
    hint = _(
        "Peak signal-to-noise ratio: how close the picture comes to what the model sees, in decibels. 10 more means a "
        "tenth of the squared error; above 30 the two are hard to tell apart."
    )
    if label is not None:
        hint += " " + _("Of all classes, this one comes nearest.")
    st.markdown("**" + " · ".join(line) + "**", help=hint)


def _label(info: ModelInfo, result: "RenderResult") -> int | None:
    return int(result.values["label"][0]) if info.labels and "label" in result.values else None


def _edit(info: ModelInfo, result: "RenderResult") -> None:
    latent = [float(value) for value in result.latents[0]]
    fits = all(abs(value) <= _REACH for value in latent)
    st.button(
        _("Edit it"),
        key="own-edit",
        icon=":material/tune:",
        type="primary",
        disabled=not fits,
        help=_("Make this the point that you explore; the link leaves it out")
        if fits
        else _("It is too far out for a point that can be edited"),
        on_click=_go,
        args=(latent, _label(info, result)),
    )


def _go(latent: list[float], label: int | None) -> None:
    state.go_to(latent, private=True, label=label)
    st.session_state[_MOVED] = True
