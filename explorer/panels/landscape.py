"""The map of a model: its points with all that is known of them in words, the search, the film."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import streamlit as st

from explorer import look as looks, map_data, map_pictures, maps, sitemap, state
from explorer.components.map.scene import Colouring, Shown
from explorer.look import Look
from explorer.panels import film, keyframes, problem
from explorer.text import _, ngettext
from explorer.words import word
from models import datasets, shelf
from models.catalog import ModelInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.embedding.maps import EmbeddingMap

_EDGE = 0.02  # share of values beyond the ends of their colours, on each side
_MOST_FOUND = 20_000
_FEW = 3  # points that a search goes to the first of: more are looked at from afar
_SOURCE = "source"
_LOOKED_AT = 1000  # points whose neighbours tell what a map shows most clearly
_clear: "WeakKeyDictionary[EmbeddingMap, str]" = WeakKeyDictionary()  # what that is


def shown(info: ModelInfo, found: "EmbeddingMap", caption: str = "") -> Shown:
    """Return what the browser has to know of a map, and let it fetch the rest.

    Args:
        info: The model.
        found: The map.
        caption: A line under it.
    """
    key = map_data.publish(found)
    map_pictures.load_ahead(found)
    channels, height, width = info.sample_shape
    colourings = _colourings(info, found)
    return Shown(
        key=key,
        address=map_data.address(sitemap.base(), key),
        name=_("Map of {n} points of {title}").format(n=f"{len(found):,}", title=info.title),
        model=info.digest,
        count=len(found),
        dim=found.latents.shape[1],
        shape=(height, width, channels),
        pictures=map_pictures.kind(found),
        conditional=bool(info.labels),
        label=map_pictures.LABEL if map_pictures.LABEL in found.categories else "",
        colourings=colourings,
        colouring=_clearest(found) or (colourings[0].name if colourings else ""),
        caption=caption,
        series=_series(info, found) if info.run else "",
    )


def _series(info: ModelInfo, found: "EmbeddingMap") -> str:
    """Return what the maps of a run have in common that are made alike, of whichever weights."""
    return shelf.key({"run": info.id, "spec": found.spec.model_dump(exclude={"model"})})


def _colourings(info: ModelInfo, found: "EmbeddingMap") -> list[Colouring]:
    titles = {map_pictures.LABEL: _("Class")}
    data = datasets.known(found.spec.dataset or info.dataset)
    looks_like = {
        (factor.name, value): colour
        for factor in (data.factors if data else ())
        for value, colour in zip(factor.values, factor.colours, strict=False)
    }

    def colours_of(name: str, values: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
        known = [looks_like[name, value] for value in values if (name, value) in looks_like]
        return tuple(known) if len(known) == len(values) else ()

    every = [
        Colouring(
            name,
            titles.get(name) or _title(name),
            "categories",
            n,
            tuple(word(one) for one in kind.names),
            colours=colours_of(name, kind.names),
        )
        for n, (name, kind) in enumerate(found.categories.items())
    ]
    if len(set(found.sources.tolist())) > 1:
        names = (_("Training images"), _("Test images"), _("Samples"))
        every.append(Colouring(_SOURCE, _("Where from"), "sources", names=names))
    every += [
        Colouring(name, _title(maps.value_title(name)), "values", n, None, *_ends(column))
        for n, (name, column) in enumerate(found.values.items())
    ]
    return every


def _clearest(found: "EmbeddingMap") -> str:
    """Return the classes, or the attribute by which neighbours on a map are most alike; empty if it has none."""
    import numpy as np

    from models.embedding.place import nearest

    if map_pictures.LABEL in found.categories or not found.categories:
        return map_pictures.LABEL if found.categories else ""
    if found not in _clear:
        some = np.linspace(0, len(found) - 1, min(len(found), _LOOKED_AT)).astype(int)
        _distances, near = nearest(found.positions[some], found.positions, min(2, len(found)))

        def beyond_chance(codes: "NDArray[np.int16]") -> float:
            shares = np.bincount(codes[codes >= 0]) / max(1, (codes >= 0).sum())
            return float((codes[some] == codes[near[:, -1]]).mean() - (shares**2).sum())

        scores = {name: beyond_chance(kind.codes) for name, kind in found.categories.items()}
        _clear[found] = max(sorted(scores), key=lambda name: scores[name])
    return _clear[found]


def _title(name: str) -> str:
    text = word(name)
    return text[:1].upper() + text[1:]


def _ends(values: "NDArray[np.float32]") -> tuple[float, float]:
    """Return what the lowest and the highest colour stand for: all but a few values lie between them."""
    import numpy as np

    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = np.quantile(known, [_EDGE, 1 - _EDGE])
    return float(low), float(high)


# Colours and filters ---------------------------------------------------------------------------------------


def look(info: ModelInfo, shown: Shown) -> Look:
    """Return what of the view's look the map can show, and say what of a link it cannot."""
    seen, sentences = looks.fitted(state.view().look, shown.colourings, _classes_of(info))
    if seen != state.view().look:
        told = len(state.notices())  # the page has shown these
        state.put(state.view().model_copy(update={"look": seen}))
        state.notify(sentences)
        problem.show_notices(after=told)
    return seen


def see(info: ModelInfo, seen: Look) -> None:
    """Keep how the map looks now."""
    state.update(look=seen.model_copy(update={"dataset": _classes_of(info)}))


def _classes_of(info: ModelInfo) -> str:
    """Return whose classes are meant; of a model without a data set its own."""
    return info.dataset or info.id


# Search ----------------------------------------------------------------------------------------------------


def search(found: "EmbeddingMap", shown: Shown) -> tuple[list[int], tuple[int, str] | None]:
    """Draw the field that finds points; returns their indices, and of a few the first with what names the search."""
    text: str = st.text_input(
        _("Find"),
        max_chars=80,
        placeholder=_("a class, or a number"),
        key="map-find",
        persist_state="session",
        help=_(
            "What is found gets a ring. A number is that of an image in its data set, or a sample's seed; else all "
            "points of a class whose name holds the text."
        ),
    ).strip()
    if not text:
        return [], None
    rows = matches(found, shown, text)
    words = ngettext("{n} point is called that.", "{n} points are called that.", len(rows))
    st.caption(words.format(n=f"{len(rows):,}") if rows else _("No point is called that."))
    return rows, (rows[0], f"{shown.identity} {text}") if 0 < len(rows) <= _FEW else None


def matches(found: "EmbeddingMap", shown: Shown, text: str) -> list[int]:
    """Return the indices of points that a text names: by their number, or by a name of theirs.

    Args:
        found: The map.
        shown: The same in words.
        text: A number, or a part of a name, in small or capital letters.
    """
    import numpy as np

    if text.isdecimal() and len(text) <= 10:
        rows = np.flatnonzero(found.indices == int(text))
        if len(rows):
            return rows[:_MOST_FOUND].tolist()
    hits = np.zeros(len(found), bool)
    columns = [kind.codes for kind in found.categories.values()]
    for colouring in shown.colourings:
        codes = [
            code for code, name in enumerate(colouring.names or ()) if text.casefold() in name.casefold()
        ]
        if codes:
            hits |= np.isin(found.sources if colouring.column == "sources" else columns[colouring.n], codes)
    return np.flatnonzero(hits)[:_MOST_FOUND].tolist()


# The film --------------------------------------------------------------------------------------------------


def way(info: ModelInfo, found: "EmbeddingMap") -> list[tuple[float, float]]:
    """Draw whether the film of Interpolate is to be seen; return its places on a map of latents, else nothing."""
    if found.spec.of != "latents" or not info.can("encode"):
        return []
    hint = _(
        "The way between the key frames of the page Interpolate, each of its pictures beside those like it."
    )
    if not st.toggle(_("Way of the film"), key="map-way", persist_state="session", help=hint):
        return []
    from models.embedding.place import place_latents

    walk = film.walk(info, keyframes.shown())
    if walk is None:
        return []
    return [(float(x), float(y)) for x, y in place_latents(found, walk.result.latents)]
