"""The training images nearest to the picture: is it new, or learnt by heart?"""

from typing import TYPE_CHECKING

import streamlit as st

from explorer import background, controls
from explorer.background import Work
from explorer.panels import pictures, problem
from explorer.panels.fold import fold
from explorer.text import _
from explorer.words import word
from models.catalog import ModelInfo
from models.datasets import known
from models.errors import UserError
from models.requests import Decode, Nearest, Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.render import RenderResult

_SLOT = "nearest"
_COUNTS = (4, 8, 16)
_WIDTH = 96  # CSS pixels of a picture, about
_PATIENCE = 0.5  # seconds that a quick answer is waited for


@st.fragment
def show(info: ModelInfo, point: Point, image: "NDArray[np.uint8]") -> None:
    """Draw the panel, once it is open; where nobody knows what the model was trained on, nothing.

    Args:
        info: The model.
        point: Where it is.
        image: Its picture, uint8 (H, W, C).
    """
    title = _("Nearest real images")
    place = fold(title, key="nearest", icon=":material/image_search:") if info.dataset else None
    if place is None:
        background.forget(_SLOT)
        return
    with place, problem.explained():
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            space, count = _space(info), _count()
        op = Nearest.model_validate({"of": Decode(points=(point,)), "k": count, "space": space})
        work = background.follow(_SLOT, controls.ask(info, op)).wait(_PATIENCE)
        background.watch(work, lambda work: _draw(info, image, work))


def _space(info: ModelInfo) -> str:
    words = {
        "features": (
            _("Features"),
            _("what a classifier of these data sees, which is nearest to what people see"),
        ),
        "pixels": (
            _("Pixels"),
            _("the root of the mean squared difference; a small shift counts as much as another picture"),
        ),
        "latent": (_("Latent space"), _("how far apart the encoder puts them, in prior standard deviations")),
    }
    spaces = [name for name in words if name != "latent" or info.can("encode")]
    if st.session_state.get("nearest-space") not in (None, *spaces):  # of another model
        del st.session_state["nearest-space"]
    chosen = st.segmented_control(
        _("Compared by"),
        spaces,
        default="features",
        format_func=lambda name: words[name][0],
        key="nearest-space",
        persist_state="session",
        help="\n".join(f"- **{words[name][0]}**: {words[name][1]}." for name in spaces),
    )
    return chosen or "features"


def _count() -> int:
    chosen = st.segmented_control(
        _("How many"), _COUNTS, default=8, key="nearest-count", persist_state="session", required=True
    )
    return int(chosen or 8)


def _draw(info: ModelInfo, image: "NDArray[np.uint8]", work: Work) -> None:
    try:
        result = work.shown
    except UserError as error:  # the data are not here: quietly, for it is nobody's mistake
        st.caption(problem.literal(f"{error.problem} {error.remedy}"))
        return
    if result is None:
        words = _("Comparing the training images, which is needed once")
        st.progress(work.share, f"{words} · {work.share:.0%}")
        return
    side = image.shape[1]
    size = side * max(1, _WIDTH // side)
    pictures.row([image, *result.images], [_("This picture"), *_captions(info, result)], size)
    op = work.request.op
    if op.op == "nearest" and op.space == "features" and result.values["space"][0]:
        st.caption(_("There is no classifier of these data here, so pixels are compared."))


def _captions(info: ModelInfo, result: "RenderResult") -> list[str]:
    """Return the distance of each image, with its class where the data have classes."""
    distances = [f"{value:.3g}" for value in result.values["distances"][0]]
    labels, data = result.values.get("labels"), known(info.dataset)
    if labels is None or data is None or not data.classes:
        return distances
    return [
        f"{word(data.classes[int(label)])} · {distance}"
        for label, distance in zip(labels[0], distances, strict=True)
    ]
