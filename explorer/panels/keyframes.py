"""The key frames of a route: pictures to choose, reorder, remove and add."""

import random
from collections.abc import Callable, Sequence

import streamlit as st

from explorer import cache, controls, route, state, tray
from explorer.components.tiles import tiles
from explorer.text import _
from explorer.words import word
from models.catalog import ModelInfo
from models.requests import Decode, Point, default_label
from models.values import MAX_SEED

_CHOSEN = "chosen_key"
_LARGEST = 88  # CSS pixels of a picture
_RANDOM = 4  # key frames of a random route


def label_of(info: ModelInfo, point: Point) -> int | None:
    """Return the class that a key frame is of; None where the model has none."""
    if not info.labels:
        return None
    return default_label(point.seed, len(info.labels)) if point.label is None else point.label


def name_of(info: ModelInfo, point: Point) -> str:
    """Name a key frame."""
    if point.latent:
        name = _("a place of its own")
    else:
        name = (_("seed {seed}, edited") if point.edits else _("seed {seed}")).format(seed=point.seed)
    label = label_of(info, point)
    return name if label is None else f"{word(info.labels[label])}, {name}"


def shown() -> tuple[Point, ...]:
    """Return the key frames of the route that the view shows."""
    view = state.view()
    return route.keys_of(view.route, view.point.truncation)


def _put(keys: Sequence[Point], chosen: int | None = None) -> None:
    state.update_route(points=tuple(keys))
    st.session_state[_CHOSEN] = chosen


def _choose(index: int) -> None:
    st.session_state[_CHOSEN] = None if st.session_state.get(_CHOSEN) == index else index


def _add(point: Point) -> None:
    keys = shown()
    if len(keys) < route.MAX_KEYS:
        _put((*keys, point), len(keys))


def _shuffle() -> None:
    psi = state.view().point.truncation
    _put([Point(seed=random.randrange(1_000_000), truncation=psi) for _unused in range(_RANDOM)])


def show(info: ModelInfo) -> tuple[Point, ...]:
    """Draw the key frames and what can be done with them; return them."""
    keys = shown()
    chosen = st.session_state.get(_CHOSEN)
    if chosen is not None and chosen >= len(keys):
        chosen = None
    request = controls.ask(info, Decode(points=keys))
    _channels, height, width = info.sample_shape
    names = [name_of(info, key) for key in keys]
    tiles(
        cache.sheet((request,), len(keys)),
        key="keys",
        size=(width, height),
        names=[_("Key frame {n}: {name}").format(n=n + 1, name=name) for n, name in enumerate(names)],
        label=_("Key frames"),
        sheet_columns=len(keys),
        columns=max(10, len(keys)),
        marks=[] if chosen is None else [chosen],
        largest=_LARGEST,
        on_open=_choose,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        _adding(info, len(keys))
        _changing(keys, chosen)
        st.caption(
            _("Click a picture to move or remove it.")
            if chosen is None
            else _("Chosen: {name}").format(name=names[chosen]),
            width="content",
        )
    return keys


def _button(key: str, icon: str, words: str, act: Callable[..., None], *arguments: object, off: bool) -> None:
    st.button(
        words, key=key, icon=f":material/{icon}:", on_click=act, args=arguments, disabled=off, type="tertiary"
    )


def _changing(keys: Sequence[Point], chosen: int | None) -> None:
    index = -1 if chosen is None else chosen
    first, last = index <= 0, index in (-1, len(keys) - 1)
    _button(
        "key-back",
        "arrow_back",
        _("Earlier"),
        lambda: _put(route.moved(keys, index, -1), index - 1),
        off=first,
    )
    _button(
        "key-on", "arrow_forward", _("Later"), lambda: _put(route.moved(keys, index, 1), index + 1), off=last
    )
    few = index < 0 or len(keys) <= 2
    _button("key-remove", "delete", _("Remove"), lambda: _put(route.without(keys, index)), off=few)
    _button("keys-shuffle", "casino", _("Shuffle"), _shuffle, off=False)


def _adding(info: ModelInfo, count: int) -> None:
    full = count >= route.MAX_KEYS
    with st.popover(_("Add"), icon=":material/add:", key="add-key", disabled=full):
        seed = st.number_input(_("Seed"), 0, MAX_SEED, value=1, step=1, key="key-seed")
        label = None
        if info.labels:
            label = st.selectbox(
                _("Class"),
                range(len(info.labels)),
                format_func=lambda i: word(info.labels[i]),
                key="key-label",
            )
        new = Point(seed=seed, label=label, truncation=state.view().point.truncation)
        with st.container(horizontal=True):
            st.button(
                _("Add the seed"),
                key="add-seed",
                icon=":material/add:",
                type="primary",
                on_click=_add,
                args=(new,),
            )
            st.button(
                _("Add the point of Explore"),
                key="add-point",
                icon=":material/explore:",
                on_click=_add,
                args=(controls.point_of(info),),
            )
        kept = tray.kept(info)
        if not kept:
            st.caption(_("Points that you keep in Explore can be added here, too."))
            return
        _channels, height, width = info.sample_shape
        st.caption(_("Kept points: a click adds one."))
        tiles(
            cache.sheet((controls.ask(info, Decode(points=tuple(one.point for one in kept))),), len(kept)),
            key="add-kept",
            size=(width, height),
            names=[one.name for one in kept],
            label=_("Kept points"),
            sheet_columns=len(kept),
            columns=6,
            largest=56,
            on_open=lambda index: _add(kept[index].point),
        )
