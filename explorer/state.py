"""What a session shows, as one frozen value that widgets, pages and links share.

Widgets are controlled: each draws what the view says and, when it is moved, changes the view in its callback. So a
page change, a link or another widget never leaves two of them in disagreement.
"""

import struct
import time
from collections.abc import Callable, Iterable
from typing import Any

import streamlit as st

from explorer.compare.together import Together
from explorer.look import Look
from explorer.route import Plane, Route, is_seed
from explorer.timeline import Timeline
from models.requests import Point, Seed
from models.values import Value

_FORMER = "model-before"  # the model that a page was left with, and when
_ECHO = 5.0  # seconds in which that page may still speak of it
_VIEW, _NOTICES, _TIMELINE, _PRIVATE = "view", "notices", "timeline", "private_latents"


class View(Value):
    """What a session shows.

    Args:
        model: Id of the model.
        point: Where in its latent space Explore is; its truncation and axes hold for every page.
        start: First seed of the Gallery's grid.
        classes: What the Gallery shows of a conditional model: `rows` (a row for each class), `mixed`, or an index.
        route: What Interpolate shows.
        plane: What Plane shows.
        rivals: Ids of the models that Compare shows; empty: the model and its counterpart.
        part: Which part of Compare is open.
        images: Numbers of the held-out images that Compare shows: the one that models make again, and the other end
            of their paths.
        quiz: Number of the quiz of Compare's blind test.
        together: Where the models of Compare are.
        look: What the points of Map are coloured by, and which are shown.
    """

    model: str = ""
    point: Point = Point(axes="")
    start: Seed = 0
    classes: str = "rows"
    route: Route = Route()
    plane: Plane = Plane()
    rivals: tuple[str, ...] = ()
    part: str = ""
    images: tuple[Seed, Seed] = (0, 1)
    quiz: int = 1
    together: Together = Together()
    look: Look = Look()


def view() -> View:
    """Return what the session shows."""
    return st.session_state.get(_VIEW) or View()


def put(new: View) -> None:
    """Show something else."""
    st.session_state[_VIEW] = new


def update(**changes: Any) -> None:
    """Change fields of the view; a person who acts has read the notices. A move can be undone."""
    before = view()
    put(View.model_validate({**dict(before), **changes}))
    if before.model and _place(view()) != _place(before):
        st.session_state[_TIMELINE] = timeline().left(_place(before))
    st.session_state.pop(_NOTICES, None)


def _place(shown: View) -> tuple[str, Point]:
    return shown.model, shown.point


def timeline() -> Timeline[tuple[str, Point]]:
    """Return the (model, point) pairs that undo and redo lead to."""
    return st.session_state.get(_TIMELINE) or Timeline()


def undo() -> None:
    """Go back to where the last move started."""
    _travel(*timeline().back(_place(view())))


def redo() -> None:
    """Take the last move back again."""
    _travel(*timeline().forward(_place(view())))


def _travel(new: Timeline[tuple[str, Point]], place: tuple[str, Point]) -> None:
    model, point = place
    if model != view().model:
        choose_model(model)
    update(point=point)
    st.session_state[_TIMELINE] = new


def update_point(**changes: Any) -> None:
    """Change fields of the view's point. Another seed is another place: what was edited by hand is dropped."""
    point = view().point
    if changes.get("seed", point.seed) != point.seed:
        changes = {"edits": (), "latent": (), **changes}
    update(point=Point.model_validate({**dict(point), **changes}))


def half(latent: Iterable[float]) -> tuple[float, ...]:
    """Round a latent to half precision, as a link keeps it: the link then restores exactly what is shown."""
    values = tuple(latent)
    return struct.unpack(f"<{len(values)}e", struct.pack(f"<{len(values)}e", *values))


def go_to(latent: Iterable[float], *, private: bool | None = None, **changes: Any) -> None:
    """Move the point to a latent that no seed draws; it is taken as it is, without truncation or edits.

    Args:
        latent: Where to.
        private: Whether it comes from a person's own image; None: if the point before did.
        changes: Other fields of the point.
    """
    latent = half(latent)
    if is_private(view().point) if private is None else private:
        keep_private(latent)
    update_point(**{"latent": latent, "truncation": 1.0, "edits": (), **changes})


def keep_private(latent: tuple[float, ...]) -> None:
    """Leave a latent out of the link, with all edits of it, wherever the session goes in between."""
    known: frozenset[tuple[float, ...]] = st.session_state.get(_PRIVATE, frozenset())
    st.session_state[_PRIVATE] = known | {latent}


def is_private(point: Point) -> bool:
    """Tell whether a point comes from a person's own image: it is kept out of the link."""
    return bool(point.latent) and point.latent in st.session_state.get(_PRIVATE, ())


def public() -> View:
    """Return the view as a link may show it: a private point becomes that of its seed."""
    shown = view()
    if not is_private(shown.point):
        return shown
    plain = shown.point.model_copy(update={"latent": (), "edits": (), "keep": (), "label": None})
    return shown.model_copy(update={"point": plain})


def go_to_seed(seed: int) -> None:
    """Move the point to what a seed draws, wherever it is."""
    update_point(seed=seed, latent=(), edits=())


def choose_axes(axes: str, latent: Iterable[float]) -> None:
    """Move along other directions from now on; the point stays where it is.

    Args:
        axes: Of the directions.
        latent: Where the point is. Edits mean nothing along other directions, so they become part of it.
    """
    if view().point.edits:
        go_to(latent, axes=axes, keep=())
    else:
        update_point(axes=axes, keep=())


def correct_point(sentences: list[str], **changes: Any) -> None:
    """Change fields of the point that do not fit the model, and say so beside the other notices."""
    put(view().model_copy(update={"point": Point.model_validate({**dict(view().point), **changes})}))
    notify(sentences)


def set_edit(direction: int, coordinate: float) -> None:
    """Move the point to a coordinate along a direction, keeping its other edits."""
    edits = {**dict(view().point.edits), direction: round(coordinate, 3)}
    update_point(edits=tuple(sorted(edits.items())))


def update_route(**changes: Any) -> None:
    """Change fields of the route that Interpolate shows."""
    update(route=Route.model_validate({**dict(view().route), **changes}))


def update_plane(**changes: Any) -> None:
    """Change fields of the plane that Plane shows."""
    update(plane=Plane.model_validate({**dict(view().plane), **changes}))


def choose_image(end: int, number: int) -> None:
    """Let Compare show another held-out image.

    Args:
        end: 0: the one that models make again, where their paths begin; 1: where these end.
        number: Of the image.
    """
    first, second = view().images
    update(images=(number, second) if end == 0 else (first, number))


def update_together(**changes: Any) -> None:
    """Change fields of the place that the models of Compare share."""
    update(together=Together.model_validate({**dict(view().together), **changes}))


def choose_model(name: str) -> None:
    """Show another model at the same seeds; edits, latents and classes of the former one mean nothing there."""
    point, route = view().point, view().route
    keys = tuple(key.model_copy(update={"label": None}) for key in route.points if is_seed(key))
    update(
        model=name,
        point=Point(seed=point.seed, truncation=point.truncation, axes=""),
        classes="rows",
        route=route.model_copy(update={"points": keys if len(keys) > 1 else ()}),
        plane=Plane(),
    )


def open_model(name: str) -> None:
    """Show another model on another page, whatever the page that is left still says.

    A part of a page that is drawn again by itself may send what the widgets held before, a moment after.
    """
    st.session_state[_FORMER] = (view().model, time.monotonic())
    choose_model(name)


def pick_model(name: str) -> None:
    """Show the model that a person picked in the list, unless it is an echo; see `open_model`."""
    former, since = st.session_state.get(_FORMER, ("", 0.0))
    if name != former or time.monotonic() - since > _ECHO:
        choose_model(name)


def notices() -> list[str]:
    """Return the sentences about what did not fit, until the person does something."""
    return st.session_state.get(_NOTICES, [])


def notify(sentences: list[str]) -> None:
    """Add sentences about what did not fit, each once."""
    if sentences:
        st.session_state[_NOTICES] = list(dict.fromkeys([*notices(), *sentences]))


def start_again() -> None:
    """Forget everything that this session shows, its link included."""
    st.session_state.clear()
    st.query_params.clear()


def controlled(key: str, value: Any, change: Callable[[Any], None]) -> dict[str, Any]:
    """Return the arguments that make a widget draw a value and report a new one.

    The value is set only where it differs: setting it makes the browser drop a drag that has begun since.

    Args:
        key: The widget's key; not shared by pages.
        value: What it is to show.
        change: Called with what the person chose.
    """
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value

    def changed() -> None:
        chosen = st.session_state[key]
        if chosen is not None:  # a cleared field means: leave it as it was
            change(chosen)

    return {"key": key, "on_change": changed}
