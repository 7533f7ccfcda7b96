"""Undo and redo, and the tray of points that a person keeps."""

import streamlit as st

from explorer import cache, controls, favourites, state, tray
from explorer.components.tiles import tiles
from explorer.panels import problem
from explorer.text import _, ngettext
from models.catalog import ModelInfo
from models.errors import UserError
from models.requests import Decode, Point

_ERROR = "tray_error"


def travel() -> None:
    """Draw Undo and Redo."""
    line = state.timeline()
    for key, icon, title, there, act in (
        ("undo", ":material/undo:", _("Undo"), line.past, state.undo),
        ("redo", ":material/redo:", _("Redo"), line.future, state.redo),
    ):
        words = ngettext("{n} move", "{n} moves", len(there)).format(n=len(there))
        st.button(
            title,
            key=key,
            icon=icon,
            disabled=not there,
            help=f"{title}: {words}" if there else None,
            on_click=act,
            type="tertiary",
        )


def keep(info: ModelInfo, point: Point) -> None:
    """Draw the button that keeps the point."""
    here = any(one.point == point for one in tray.kept(info))
    st.button(
        _("Keep"),
        key="keep",
        icon=":material/keep:",
        disabled=here,
        help=_("This point is in the tray already") if here else _("Put this point into the tray"),
        on_click=_guarded,
        args=(tray.keep, info, point),
    )


def _guarded(act, *arguments: object) -> None:
    st.session_state.pop(_ERROR, None)
    try:
        act(*arguments)
    except UserError as error:
        st.session_state[_ERROR] = error


def show(info: ModelInfo, point: Point) -> None:
    """Draw the tray: a click goes to a point."""
    points = tray.kept(info)
    elsewhere = len(tray.kept()) - len(points)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(
            _("Kept points"),
            anchor=False,
            width="content",
            help=_(
                "Points that you want to come back to, to calculate with or to travel between. They last as long as "
                "this browser tab; save them to have them longer."
            ),
        )
        keep(info, point)
        _file()
    if (error := st.session_state.get(_ERROR)) is not None:
        problem.show(error)
    if points:
        request = controls.ask(info, Decode(points=tuple(one.point for one in points)))
        _channels, height, width = info.sample_shape
        tiles(
            cache.sheet((request,), len(points)),
            key="tray",
            size=(width, height),
            names=[one.name for one in points],
            label=_("Kept points"),
            sheet_columns=len(points),
            columns=12,
            marks=[i for i, one in enumerate(points) if one.point == point],
            largest=96,
            on_open=lambda i: tray.visit(points[i]),
        )
        _manage(points)
    else:
        st.caption(_("None yet. Keep some points to calculate with them below, or to travel between them."))
    if elsewhere:
        words = ngettext("{n} more point belongs", "{n} more points belong", elsewhere)
        st.caption(_("{words} to other models.").format(words=words.format(n=elsewhere)))


def _manage(points: list[tray.Kept]) -> None:
    with st.expander(
        _("Rename or delete"), icon=":material/edit:", key="manage-tray", on_change="rerun"
    ) as more:
        if not more.open:
            return
        for number, one in enumerate(points):
            with st.container(horizontal=True, vertical_alignment="bottom"):
                key = f"name-{number}"
                st.text_input(
                    _("Name of point {n}").format(n=number + 1),
                    max_chars=60,
                    label_visibility="collapsed",
                    **state.controlled(key, one.name, lambda name, one=one: tray.rename(one, name)),
                )
                st.button(
                    _("Delete"),
                    key=f"delete-{number}",
                    icon=":material/delete:",
                    help=_("Delete “{name}”").format(name=one.name),
                    on_click=_guarded,
                    args=(tray.drop, one),
                )


def _file() -> None:
    with st.popover(_("Save or load"), icon=":material/save:", key="tray-file"):
        st.download_button(
            _("Save as JSON"),
            tray.to_json(),
            "latent-explorer-points.json",
            "application/json",
            key="save-tray",
            icon=":material/download:",
            disabled=not (tray.kept() or favourites.every()),
            on_click="ignore",
        )
        st.file_uploader(
            _("Load saved points"),
            type=["json"],
            key="load-tray",
            max_upload_size=2,
            on_change=_load,
        )


def _load() -> None:
    file = st.session_state["load-tray"]
    if file is None:
        st.session_state.pop(_ERROR, None)
        return

    def load() -> None:
        missing = tray.from_json(file.getvalue(), cache.models()[0])
        if missing:
            words = ngettext(
                "{n} point belongs to a model that is not here.",
                "{n} points belong to models that are not here.",
                missing,
            )
            state.notify([words.format(n=missing)])

    _guarded(load)
