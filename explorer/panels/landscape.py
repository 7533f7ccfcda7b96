"""The map of a model: its points with all that is known of them in words, the search, the point that was clicked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import streamlit as st

from explorer import look as looks, map_data, map_pictures, maps, sitemap, state
from explorer.components.map.reports import Chosen
from explorer.components.map.scene import Colouring, Shown
from explorer.look import Look
from explorer.panels import film, keyframes, point as place, problem
from explorer.text import _, ngettext
from explorer.words import word
from models import datasets, shelf
from models.catalog import ModelInfo
from models.media import enlarged, png
from models.requests import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.embedding.maps import EmbeddingMap

_EDGE = 0.02  # share of values beyond the ends of their colours, on each side
_MOST_FOUND = 20_000
_FEW = 3  # points that a search goes to the first of: more are looked at from afar
_SIDE = 112  # CSS pixels of the picture of the point, about
_SOURCE = "source"
_LOOKED_AT = 1000  # points whose neighbours tell what a map shows most clearly
_clear: "WeakKeyDictionary[EmbeddingMap, str]" = WeakKeyDictionary()  # what that is
_CHOSEN = "map_choice"  # words for the point that was clicked, with the point
_CLICKED = "map_click"  # on which map a click was, and where, with the point
_SAME = 4e-3  # between latents that are the same but for half precision


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
    if not st.toggle(_("The film of Interpolate"), key="map-way", persist_state="session", help=hint):
        return []
    from models.embedding.place import place_latents

    walk = film.walk(info, keyframes.shown())
    if walk is None:
        return []
    return [(float(x), float(y)) for x, y in place_latents(found, walk.result.latents)]


# The point that was clicked --------------------------------------------------------------------------------


def own(found: "EmbeddingMap", rows: "Sequence[int] | NDArray[np.int64]") -> bool:
    """Tell whether some points come from a person's own images: their latents are then kept out of links."""
    import numpy as np

    from models.embedding.maps import Source

    personal = bool(found.spec.dataset) and found.spec.dataset not in datasets.DATASETS
    return personal and bool((found.sources[np.asarray(rows)] != Source.GENERATED).any())


def pick(info: ModelInfo, found: "EmbeddingMap", choice: Chosen) -> None:
    """Make what was clicked the point of Explore."""
    from models.embedding.maps import Source

    first = choice.rows[0]
    latent = latent_of(found, choice)
    if latent is None:
        st.session_state[_CHOSEN] = (_("This model cannot encode that image."), state.view().point)
        return
    label = map_pictures.label_of(found, first) if info.labels else None
    if len(choice.rows) == 1 and found.sources[first] == Source.GENERATED:
        state.update_point(seed=int(found.indices[first]), latent=(), edits=(), truncation=1.0, label=label)
    else:
        state.go_to(latent.tolist(), label=label, private=own(found, choice.rows))
    say(words(found, choice))
    mark(found, choice.place or found.positions[first])


def say(text: str) -> None:
    """Call the point of Explore something, until it moves on."""
    st.session_state[_CHOSEN] = (text, state.view().point)


def latent_of(found: "EmbeddingMap", choice: Chosen) -> "NDArray[np.float64] | None":
    """Return the latent of a point, or that between some; None where there is none.

    It is the weighted mean, made as long as the latents are on average, as `models.embedding.place.inverse` and the
    browser do: what was seen is what one gets.

    Args:
        found: The map.
        choice: The points, and what they weigh.
    """
    import numpy as np

    latents = found.latents[list(choice.rows)].astype(np.float64)
    if not np.isfinite(latents).all():
        return None
    weights = np.asarray(choice.weights)
    mean = weights @ latents
    length = float(np.linalg.norm(mean))
    return mean * (float(weights @ np.linalg.norm(latents, axis=1)) / length) if length > 0 else mean


def words(found: "EmbeddingMap", choice: Chosen) -> str:
    """Return what something on the map is called."""
    row, *others = choice.rows
    if others:
        return _("A place between points")
    numbers = (_("training image {n}"), _("test image {n}"), _("seed {n}"))
    number = numbers[int(found.sources[row])].format(n=int(found.indices[row]))
    known = found.categories.get(map_pictures.LABEL)
    code = -1 if known is None else int(known.codes[row])
    return number if known is None or code < 0 else f"{word(known.names[code])} · {number}"


def mark(found: "EmbeddingMap", place: "Sequence[float] | NDArray[np.float32]") -> None:
    """Let the pin of the point of Explore stand at a place of a map, until the point moves on."""
    x, y = map(float, place)
    st.session_state[_CLICKED] = (found.spec, _standing(), (x, y))


def _standing() -> Point:
    """Return the point of Explore without what does not move it."""
    point = state.view().point
    return point.model_copy(update={"keep": (), **({} if point.edits else {"axes": ""})})


def spot(info: ModelInfo, found: "EmbeddingMap") -> tuple[float, float] | None:
    """Return where the point of Explore is on a map, without a wait.

    What was clicked on this map is where the click was, and what is one of its points is there. Anything else has a
    place only among the latents of an encoder, between those like it: elsewhere all pictures would have to be looked
    at again. None where it is not known, or not rendered yet.
    """
    import numpy as np

    from models.embedding.place import place_latents

    spec, point, clicked = st.session_state.get(_CLICKED, (None, None, None))
    if (spec, point) == (found.spec, _standing()):
        return clicked
    rendered = place.there(info)
    if rendered is None:
        return None
    latent, label = rendered
    apart = np.abs(found.latents - latent).max(axis=1)  # NaN where there is no latent
    if info.labels and map_pictures.LABEL in found.categories:
        apart[found.categories[map_pictures.LABEL].codes != label] = np.inf
    nearest = int(np.nan_to_num(apart, nan=np.inf).argmin())
    if apart[nearest] < _SAME:
        at = found.positions[nearest]
    elif found.spec.of == "latents" and info.can("encode"):
        at = place_latents(found, latent[None])[0]
    else:
        return None
    x, y = at.tolist()
    return x, y


def here(info: ModelInfo, pinned: bool) -> bool:
    """Draw the point of Explore; tell whether it is to be opened there.

    Args:
        info: The model.
        pinned: Whether the map shows where it is.
    """
    located = place.locate(info)
    said, point = st.session_state.get(_CHOSEN, ("", None))
    if point != state.view().point:  # it was moved elsewhere since
        said = _("The pin is there; a click moves it.") if pinned else _("A click on the map moves it.")
    image = located.image
    factor = max(1, _SIDE // image.shape[0])
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.image(png(enlarged(image, factor)), width=factor * image.shape[1], alt=located.place.alt)
        with st.container():
            title = _("**The point of Explore**")
            st.markdown(f":material/location_on: {title}" if pinned else title)
            st.caption(problem.literal(said))
            return st.button(
                _("Open in Explore"), key="open-point", icon=":material/explore:", type="primary"
            )
