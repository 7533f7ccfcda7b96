"""Training images where the encoder puts them, to lay over a plane."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer import background, cache, controls
from explorer.components.plane import Cloud
from explorer.panels import problem
from explorer.text import _
from explorer.words import word
from models.catalog import ModelInfo
from models.datasets import available, known
from models.errors import UserError
from models.requests import Codes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COUNTS = (1000, 2000, 5000, 10_000)
_QUIET = ("no-data", "shape-mismatch")  # nothing that the person has done wrong


def show(info: ModelInfo, vectors: "NDArray[np.float32]") -> Cloud | None:
    """Draw the choice of data to lay over a plane, and return them.

    Args:
        info: The model.
        vectors: The plane's directions, unit rows (2, D).

    Returns:
        None where nothing is to be seen, or can be, or not yet: the page then shows how far they are.
    """
    if not info.can("encode"):
        st.caption(_("This model has no encoder, so no data can be laid over the map."))
        return None
    if not info.dataset:
        return None
    whole = info.latent_dim == 2
    shown = st.toggle(
        _("Encoded images"),
        value=whole and known(info.dataset) is not None and available(info.dataset),
        key=f"codes-{'whole' if whole else 'part'}",
        persist_state="session",
        help=_(
            "Training images where the encoder puts them (the mean of their posterior), seen along the two "
            "directions. Where the plane is not the whole latent space, they lie before or behind it."
        ),
    )
    if not shown:
        return None
    with st.container(horizontal=True):
        count = st.selectbox(
            _("Images"),
            _COUNTS,
            index=1,
            format_func=lambda n: f"{n:,}",
            width=150,
            key="codes-count",
            persist_state="session",
        )
        request = controls.ask(info, Codes(count=count))
        if not background.ready("codes", request, _("Encoding images")):
            return None
        try:
            found = cache.render(request)
        except UserError as error:
            if error.code not in _QUIET:
                raise
            st.caption(problem.literal(error.problem), help=problem.literal(error.remedy))
            return None
        groups, names = _groups(info, found.values, len(found.latents))
    return Cloud((found.latents @ vectors.T).astype("float32"), groups, names)


def _groups(
    info: ModelInfo, values: Mapping[str, Any], count: int
) -> "tuple[NDArray[np.uint8], Sequence[str]]":
    """Return what the images are coloured by, and its names: their class, or an attribute that is chosen here."""
    import numpy as np

    data = known(info.dataset)
    if data is None:
        return np.zeros(count, np.uint8), ("",)
    if "labels" in values:
        return values["labels"].astype(np.uint8), tuple(map(word, data.classes))
    kinds = [number for number, factor in enumerate(data.factors) if factor.kind == "categorical"]
    if "factors" not in values or not kinds:
        return np.zeros(count, np.uint8), ("",)
    column = st.selectbox(
        _("Colour by"),
        kinds,
        format_func=lambda number: word(data.factors[number].name).capitalize(),
        width=150,
        key=f"codes-colour-{info.dataset}",
        persist_state="session",
    )
    return values["factors"][:, column].astype(np.uint8), [
        word(name).capitalize() for name in data.factors[column].values
    ]
