"""The link in the address bar: a view to parameters and back, with a sentence for each that does not fit."""

import base64
import binascii
import math
import struct
import time
from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from pydantic import ValidationError

from explorer import cache, look as looks, route, state
from explorer.compare import quiz, rivals, together
from explorer.compare.together import Together
from explorer.controls import MAX_PSI, MAX_START
from explorer.look import Look
from explorer.route import Plane, Route
from explorer.sitemap import COMPARE, EXPLORE, GALLERY, INTERPOLATE, LIBRARY, MAP, PLANE, TRAIN
from explorer.state import View
from explorer.text import _
from models import datasets
from models.catalog import ModelInfo
from models.choices import ROUTES
from models.requests import MAX_DIM, MAX_KEPT, Point
from models.tables import nearest
from models.values import MAX_SEED

_POINT = ("seed", "z", "psi", "class", "axes", "edits", "keep")
_PARAMETERS = {
    GALLERY: ("model", "psi", "from", "class"),
    EXPLORE: ("model", *_POINT),
    INTERPOLATE: ("model", "psi", "keys", "method", "frames"),
    PLANE: ("model", *_POINT, "plane", "spacing"),
    MAP: ("model", *_POINT, "colour", "only"),
    COMPARE: ("model", "models", "part", "seed", "psi", "class", "along", "moves", "images", "quiz"),
    TRAIN: ("model",),
    LIBRARY: ("model",),
}
_KNOWN = tuple(dict.fromkeys(name for names in _PARAMETERS.values() for name in names))
_ROUTE = Route()
_IMAGES = View().images
_WRITTEN = "link_written"
_RACE = 1.0  # seconds in which the browser may still report the link before the last one


def pack(latent: Sequence[float]) -> str:
    """Return a latent as text for a link: half precision, which `state.half` has rounded it to, in base64url."""
    return base64.urlsafe_b64encode(struct.pack(f"<{len(latent)}e", *latent)).decode().rstrip("=")


def unpack(text: str) -> tuple[float, ...]:
    """Return the latent that `pack` made a text of; raises ValueError if it is none."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return struct.unpack(f"<{len(data) // 2}e", data)
    except (binascii.Error, struct.error) as error:
        raise ValueError(str(error)) from None


def write(view: View, page: str) -> dict[str, str]:
    """Return the parameters that show a view on a page again; defaults are left out."""
    point = view.point
    label = view.together.label if page == COMPARE else point.label
    label = "" if label is None else str(label)
    pair = view.plane.pair or ()
    values = {
        "model": view.model,
        "seed": str(point.seed),
        "z": pack(point.latent),
        "psi": "" if point.truncation == 1 else f"{point.truncation:g}",
        "class": label if page != GALLERY else ("" if view.classes == "rows" else view.classes),
        "axes": point.axes,
        "edits": ",".join(f"{index}:{value:g}" for index, value in point.edits),
        "keep": ",".join(map(str, point.keep)),
        "from": str(view.start) if view.start else "",
        "keys": route.to_text(view.route.points) if sum(map(route.is_seed, view.route.points)) > 1 else "",
        "method": "" if view.route.method == _ROUTE.method else view.route.method,
        "frames": "" if view.route.frames == _ROUTE.frames else str(view.route.frames),
        "plane": ",".join(map(str, pair)),
        "spacing": view.plane.spacing,
        "models": ",".join(view.rivals),
        "part": view.part,
        "images": "" if view.images == _IMAGES else ",".join(map(str, view.images)),
        "quiz": str(view.quiz) if view.part == rivals.QUIZ else "",
        "along": view.together.along,
        "moves": together.to_text(view.together.moves),
        "colour": view.look.colour or "",
        "only": looks.to_text(view.look),
    }
    return {name: values[name] for name in _PARAMETERS[page] if values[name]}


def read(
    params: Mapping[str, str], page: str, view: View, known: Sequence[ModelInfo]
) -> tuple[View, list[str]]:
    """Apply parameters to a view.

    Args:
        params: From the address bar.
        page: The page that they are for.
        view: What is shown where they say nothing.
        known: The models that can be shown.

    Returns:
        The new view, and a sentence for each parameter that did not fit: what is wrong, what is shown instead.
    """
    reader = _Reader(params, {info.id: info for info in known}, view)
    return reader.read(page), reader.notices


def _is_below(text: str, limit: int) -> bool:
    """Tell whether text is a whole number in [0, limit); Python refuses to read one of thousands of digits."""
    return text.isdecimal() and len(text) <= 9 and int(text) < limit


class _Reader:
    def __init__(self, params: Mapping[str, str], known: Mapping[str, ModelInfo], view: View) -> None:
        self.params = params
        self.known = known
        self.view = view
        self.notices: list[str] = []

    def read(self, page: str) -> View:
        for name in self.params:
            if name not in _KNOWN:
                unknown = _("The link has a parameter “{name}”, which means nothing here.").format(name=name)
                self.notices.append(f"{unknown} {nearest(name, _KNOWN)}")
        model = self._model()
        info = self.known.get(model)
        point = self.view.point
        if model != self.view.model:
            point = Point(axes="")
        changes: dict[str, object] = {
            "seed": self._number("seed", int, point.seed, 0, MAX_SEED),
            "truncation": self._number("psi", float, point.truncation, 0, MAX_PSI),
            "axes": self.params.get("axes", point.axes),
            "latent": self._latent(info, () if "seed" in self.params else point.latent),
            "edits": self._edits(() if "seed" in self.params else point.edits),
            "keep": self._keep(() if "seed" in self.params else point.keep),
        }
        classes = len(info.labels) if info else 0
        shown = self.view.classes if model == self.view.model else "rows"
        if page in (EXPLORE, PLANE, MAP):
            changes["label"] = self._label(classes, None if model != self.view.model else point.label)
        elif page == GALLERY and "class" in self.params:
            shown = self._classes(classes)
        names = self._rivals(model)
        start = self._number("from", int, self.view.start, 0, MAX_START)
        place = Point.model_validate({**dict(point), **changes})
        return self.view.model_copy(
            update={
                "model": model,
                "point": place,
                "start": int(start),
                "classes": shown,
                "route": self._route(classes, self.view.route if model == self.view.model else _ROUTE),
                "plane": self._plane(self.view.plane if model == self.view.model else Plane()),
                "rivals": names,
                "part": self._part(page),
                "images": self._images(info),
                "quiz": int(self._number("quiz", int, self.view.quiz, 1, quiz.MAX_NUMBER)),
                "together": self._together(info, names) if page == COMPARE else self.view.together,
                "look": self._look(),
            }
        )

    def _route(self, classes: int, default: Route) -> Route:
        frames = self._number("frames", int, default.frames, *route.FRAMES)
        method = self._name("method", tuple(ROUTES), default.method)
        return Route(points=self._keys(classes, default.points), method=method, frames=int(frames))

    def _keys(self, classes: int, default: tuple[Point, ...]) -> tuple[Point, ...]:
        if "keys" not in self.params:
            return default
        instead = _("Other key frames are shown instead.")
        try:
            keys = route.from_text(self.params["keys"])
        except ValueError:
            why = _("which is not a list of 2 to {most} seeds such as 3,17,42").format(most=route.MAX_KEYS)
            self._wrong("keys", why, instead)
            return default
        if any(key.label is not None and key.label >= classes for key in keys):
            self._wrong_class(classes, instead, "keys")
            return default
        return keys

    def _plane(self, default: Plane) -> Plane:
        spacing = self._name("spacing", route.SPACINGS, default.spacing)
        pair = default.pair
        if "plane" in self.params:
            words = self.params["plane"].split(",")
            if len(words) == 2 and words[0] != words[1] and all(_is_below(word, MAX_DIM) for word in words):
                pair = tuple(int(word) for word in words)
            else:
                why = _("which is not a pair of two directions such as 0,1")
                self._wrong("plane", why, _("The first two are shown instead."))
        return Plane.model_validate({"pair": pair, "spacing": spacing})

    def _rivals(self, model: str) -> tuple[str, ...]:
        if "models" not in self.params:
            return self.view.rivals if model in self.view.rivals else ()
        names = tuple(dict.fromkeys(self.params["models"].split(",")))
        if rivals.fit([self.known[name] for name in names if name in self.known]) and set(names) <= set(
            self.known
        ):
            return names
        why = _("which are no {least} to {most} models of one data set").format(
            least=rivals.LEAST, most=rivals.MOST
        )
        self._wrong("models", why, _("The model and its counterpart are shown instead."))
        return ()

    def _images(self, info: ModelInfo | None) -> tuple[int, int]:
        if "images" not in self.params:
            return self.view.images
        data = datasets.known(info.dataset) if info else None
        limit = data.test if data else MAX_SEED
        words = self.params["images"].split(",")
        if len(words) == 2 and all(_is_below(word, limit) for word in words):
            return int(words[0]), int(words[1])
        why = _("which are no two numbers of held-out images, from 0 to {last}").format(last=limit - 1)
        self._wrong("images", why, _("Others are shown instead."))
        return _IMAGES

    def _together(self, info: ModelInfo | None, names: Sequence[str]) -> Together:
        shown = rivals.chosen(info, names, list(self.known.values())) if info else []
        default = self.view.together
        return Together(
            models=tuple(other.id for other in shown),
            along=self._name("along", together.KINDS, default.along),
            moves=self._moves(default.moves if "along" not in self.params else ()),
            label=self._label(max((len(other.labels) for other in shown), default=0), default.label),
        )

    def _moves(self, default: together.Moves) -> together.Moves:
        text = self.params.get("moves")
        if text is None:
            return default
        try:
            return together.from_text(text)
        except ValueError:
            why = _(
                "which is not a list of direction:distance such as 0:1.5,3:-2, {count} at most, of {most} at most"
            )
            why = why.format(count=together.MOST, most=f"{together.FARTHEST:g}")
            self._wrong("moves", why, _("The samples are shown as they are."))
            return ()

    def _look(self) -> Look:
        """Return what is asked for; whether a map knows of it tells `explorer.look.fitted`."""
        if "colour" not in self.params and "only" not in self.params:
            return (
                Look() if "seed" in self.params else self.view.look
            )  # a map's own link without them has none
        filters = self._only() if "only" in self.params else Look()
        if "colour" not in self.params:
            return filters
        try:
            return Look(colour=self.params["colour"], classes=filters.classes, ranges=filters.ranges)
        except ValueError:
            why = _("which is no name of what a map knows of its points")
            self._wrong("colour", why, _("It is coloured otherwise."))
            return filters

    def _only(self) -> Look:
        try:
            return looks.from_text(self.params["only"])
        except ValueError:
            why = _("which is not a list of what is shown such as label:0,3;error:0.1..0.2")
            self._wrong("only", why, _("All points are shown."))
            return Look()

    def _part(self, page: str) -> str:
        # Where the first part is open, the link may not say so: to go back to it must lead there.
        return self._name("part", rivals.PARTS, "" if page == COMPARE else self.view.part)

    def _name(self, parameter: str, names: Sequence[str], default: str) -> str:
        name = self.params.get(parameter, default)
        if name in names or parameter not in self.params:
            return name
        why = _("which is none of {names}").format(names=", ".join(names))
        self._wrong(parameter, why, nearest(name, names))
        return default

    def _wrong(self, name: str, why: str, instead: str) -> None:
        text = _("The link asks for {name} “{value}”, {why}. {instead}")
        value = self.params[name]
        value = value if len(value) <= 40 else value[:40] + "…"
        self.notices.append(text.format(name=name, value=value, why=why, instead=instead))

    def _model(self) -> str:
        fallback = self.view.model if self.view.model in self.known else next(iter(self.known), "")
        named = [name for name in self.params.get("models", "").split(",") if name in self.known]
        if named and fallback not in named:
            fallback = named[0]  # of those that are to be compared
        name = self.params.get("model", fallback)
        if name in self.known or not self.known:
            return name if name in self.known else fallback
        instead = _("{hint} {title} is shown instead.")
        hint = nearest(name, self.known)
        why = _("which makes no pictures") if cache.makes_no_pictures(name) else _("which is not here")
        self._wrong("model", why, instead.format(hint=hint, title=self.known[fallback].title))
        return fallback

    def _number(
        self, name: str, kind: Callable[[str], float], default: float, low: float, high: float
    ) -> float:
        if name not in self.params:
            return default
        try:
            value = kind(self.params[name])
        except ValueError:
            value = math.nan
        if low <= value <= high:
            return value
        what = _("a whole number") if kind is int else _("a number")
        why = _("which is not {what} from {low} to {high}").format(
            what=what, low=f"{low:.9g}", high=f"{high:.10g}"
        )
        self._wrong(name, why, _("It shows {value} instead.").format(value=f"{default:g}"))
        return default

    def _label(self, classes: int, default: int | None) -> int | None:
        text = self.params.get("class")
        if text is None:
            return default
        if _is_below(text, classes):
            return int(text)
        self._wrong_class(classes, _("The class that goes with the seed is shown instead."))
        return None

    def _classes(self, classes: int) -> str:
        text = self.params["class"]
        if classes and (text in ("rows", "mixed") or _is_below(text, classes)):
            return text
        self._wrong_class(classes, _("All of them are shown instead."))
        return "rows"

    def _wrong_class(self, classes: int, instead: str, name: str = "class") -> None:
        if classes:
            why = _("but the classes of this model are 0 to {last}").format(last=classes - 1)
        else:
            why, instead = _("but this model has no classes"), _("It is left out.")
        self._wrong(name, why, instead)

    def _latent(self, info: ModelInfo | None, default: tuple[float, ...]) -> tuple[float, ...]:
        text = self.params.get("z")
        if text is None:
            return default
        dim = (info.latent_dim if info else 0) or 0
        try:
            latent = Point(latent=unpack(text)).latent
        except ValueError:
            latent = ()
        if latent and len(latent) == dim:
            return latent
        why = _("which is not a point of a space of {dim} dimensions").format(dim=dim)
        self._wrong("z", why, _("The point of the seed is shown instead."))
        return ()

    def _edits(self, default: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
        text = self.params.get("edits")
        if text is None:
            return default
        try:
            pairs = [part.split(":") for part in text.split(",") if part]
            edits = tuple(sorted({int(index): float(value) for index, value in pairs}.items()))
            return Point(edits=edits).edits
        except (ValueError, ValidationError):
            why = _("which is not a list of direction:coordinate such as 0:1.5,3:-2")
            self._wrong("edits", why, _("The sample is shown without edits."))
            return ()

    def _keep(self, default: tuple[int, ...]) -> tuple[int, ...]:
        text = self.params.get("keep")
        if text is None:
            return default
        words = text.split(",")
        if len(words) <= MAX_KEPT and all(_is_below(word, MAX_DIM) for word in words):
            return tuple(dict.fromkeys(int(word) for word in words))
        why = _("which is not a list of directions such as 0,1,2")
        self._wrong("keep", why, _("No direction is kept fixed."))
        return ()


def restore(page: str, known: Sequence[ModelInfo]) -> None:
    """Take the view from the address bar where it is not what this session wrote there itself.

    That is the case at the start of a session and when a person goes back or forward in the browser. A run that
    overlaps with the last one may carry the address from before it: so soon, a difference means nothing.
    """
    params = st.query_params.to_dict()
    written, when = st.session_state.get(_WRITTEN, (None, 0.0))
    if params == written or (written is not None and (not params or time.monotonic() - when < _RACE)):
        return
    new, sentences = read(params, page, state.view(), known)
    state.put(new)
    state.notify(sentences)
    st.session_state[_WRITTEN] = (params, 0.0)


def publish(page: str) -> None:
    """Write the view into the address bar, without what comes from a person's own image."""
    params = write(state.public(), page)
    if params != st.query_params.to_dict():
        st.query_params.from_dict(params)
        st.session_state[_WRITTEN] = (params, time.monotonic())
