"""The point of Explore on a map: what was clicked, what it is called, where it stands."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from explorer import map_pictures, state
from explorer.components.map.reports import Chosen
from explorer.panels import point as place, problem
from explorer.text import _
from explorer.words import word
from models import datasets
from models.catalog import ModelInfo
from models.media import enlarged, png
from models.requests import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.embedding.maps import EmbeddingMap

_SIDE = 112  # CSS pixels of the picture of the point, about
_CHOSEN = "map_choice"  # words for the point that was clicked, with the point
_CLICKED = "map_click"  # on which map a click was, and where, with the point
_SAME = 4e-3  # between latents that are the same but for half precision


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


def mark(found: "EmbeddingMap", at: "Sequence[float] | NDArray[np.float32]") -> None:
    """Let the pin of the point of Explore stand at a place of a map, until the point moves on."""
    x, y = map(float, at)
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
