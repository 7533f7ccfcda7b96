"""Why one blurs and the other does not: the formulas beside the evidence, computed from the models at hand."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from explorer import cache, controls
from explorer.compare import evidence, reasons, rivals, sweep
from explorer.compare.reasons import Reason
from explorer.components.sweep import Row, sweep as slider
from explorer.panels import pictures, problem
from explorer.text import _
from models import datasets, media
from models.catalog import ModelInfo
from models.errors import UserError
from models.requests import Sample

if TYPE_CHECKING:
    from models.images import Pixels

_WIDTH = 96  # CSS pixels of a picture, at most
_DRAWS = 6  # codes that are drawn of the posterior
_COLUMNS = 10  # pictures a row of the sweep
_IMAGE, _AT = "why-image", "why-at"


def show(models: Sequence[ModelInfo]) -> None:
    """Draw the part for models of one data set."""
    averaging = next((info for info in models if rivals.is_variational(info)), None)
    adversarial = [info for info in models if rivals.is_adversarial(info)]
    _beside((reasons.AVERAGE, reasons.MEAN), lambda: _mean(averaging))
    _beside((reasons.MODE,), lambda: _samples([*adversarial, *([averaging] if averaging else [])]))
    st.caption(_(reasons.SOURCES))
    _sweep(models[0])


def _beside(steps: Sequence[Reason], show: Callable[[], None]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        for step in steps:
            st.markdown(f"**{_(step.title)}**")
            st.markdown(_(step.words))
            st.latex(step.latex)
    with right, problem.explained():
        show()


def _width(info: ModelInfo) -> int:
    side = info.sample_shape[2]
    return side * max(1, _WIDTH // side)


# The mean ----------------------------------------------------------------------------------------------------


def _mean(info: ModelInfo | None) -> None:
    if info is None:
        st.caption(_("Choose a VAE among the models, too: its reconstructions are shown here."))
        return
    _posterior(info)


@st.fragment
def _posterior(info: ModelInfo) -> None:
    with problem.explained():
        try:
            found = cache.held_out(info.dataset, info.sample_shape)
        except UserError as error:
            st.caption(problem.literal(f"{error.problem} {error.remedy}"))
            return
        index = st.session_state.get(_IMAGE, 0) % len(found)
        seen = evidence.around(info, found.images[index], _DRAWS)
        names = [
            _("A held-out image"),
            *(_("Draw {n}").format(n=n + 1) for n in range(_DRAWS)),
            _("Their mean"),
        ]
        shares = [seen.sharpness(image) for image in seen.images]
        captions = [
            names[0],
            *(
                name if share is None else f"{name}: {share:.0%}"
                for name, share in zip(names[1:], shares[1:], strict=True)
            ),
        ]
        pictures.row(list(seen.images), captions, _width(info))
        st.caption(
            _(
                "{title}: codes drawn from q(z|x) of this image, decoded. In percent: sharpness, the variance of the "
                "Laplacian, of that of the image. What all draws agree on stays in their mean; what they do not know "
                "was lost in each of them already."
            ).format(title=problem.literal(info.title))
        )
        st.button(
            _("Another image"),
            key="why-another",
            icon=":material/casino:",
            on_click=lambda: st.session_state.update({_IMAGE: index + 1}),
        )


def _samples(models: Sequence[ModelInfo]) -> None:
    called = rivals.names(models)
    for info in models:
        shown = _drawn(info, _DRAWS)
        pictures.row(list(shown), [_("seed {n}").format(n=n) for n in range(_DRAWS)], _width(info))
        st.caption(problem.literal(_figures(info, called[info.id])))


def _drawn(info: ModelInfo, count: int) -> "Pixels":
    """Return samples of the first seeds, not truncated: the figures beside them are of such ones."""
    return cache.render(controls.ask(info, Sample(count=count))).images


def _figures(info: ModelInfo, name: str) -> str:
    """Word what a model's card says of its sharpness and of its diversity, each as a ratio to real images."""
    words = {
        "sharpness_ratio": _("sharpness {value:.2f} × real"),
        "pairwise_distance_ratio": _("diversity {value:.2f} × real"),
    }
    told = [
        text.format(value=info.card.metrics[key].value)
        for key, text in words.items()
        if key in info.card.metrics
    ]
    return f"{name}: {', '.join(told)}" if told else name


# The sweep ---------------------------------------------------------------------------------------------------


def _sweep(info: ModelInfo) -> None:
    st.subheader(_("Watch the blur come and go"), anchor=False)
    found = sweep.find(cache.models()[0], info.dataset)
    if found is None:
        st.caption(
            _(
                "No two models here differ in β alone. Train some on the page Train with the objective “beta” and "
                "another weight each."
            )
        )
        return
    with problem.explained():
        _slide(found, info)


@st.fragment
def _slide(found: sweep.Sweep, info: ModelInfo) -> None:
    words = _(
        "{count} VAEs that differ in β only: how much the codes are to look like the prior. The same seeds and the "
        "same images, as β moves."
    ).format(count=len(found.models))
    if found.dataset != info.dataset:
        words += " " + _("They are of {dataset}, because there are none of {other}.").format(
            dataset=datasets.title(found.dataset), other=datasets.title(info.dataset)
        )
    st.markdown(words)
    at = min(st.session_state.get(_AT, 0), len(found.models) - 1)
    sheet, rows = _sheet(found)
    _channels, height, width = found.models[0].sample_shape
    slider(
        media.png(sheet),
        size=(width, height),
        rows=rows,
        names=[f"β = {weight:g}" for weight in found.weights],
        figures=[" · ".join(sweep.words(found, index)) for index in range(len(found.models))],
        label=_("Weight β of the KL term"),
        start=at,
        key="why-sweep",
        on_rest=lambda index: st.session_state.update({_AT: index}),
    )
    st.plotly_chart(sweep.chart(found, at), key="why-chart", config={"displayModeBar": False})
    protocol = next((m.protocol for m in found.models[0].card.metrics.values() if m.protocol), "")
    st.caption(problem.literal(_("Figures of the models' cards: {protocol}").format(protocol=protocol)))


def _sheet(found: sweep.Sweep) -> "tuple[Pixels, list[Row]]":
    """Return samples of each model, a row each, then reconstructions of each, then the images themselves."""
    import numpy as np

    count = len(found.models)
    strips = [_drawn(info, _COLUMNS) for info in found.models]
    rows = [Row(_("Samples: the same seeds"), 0)]
    try:
        images = cache.held_out(found.models[0].dataset, found.models[0].sample_shape).images[:_COLUMNS]
    except UserError as error:
        st.caption(problem.literal(f"{error.problem} {error.remedy}"))
    else:
        strips += [evidence.reconstructed(info, images)[0] for info in found.models]
        strips.append(images)
        rows += [Row(_("Held-out images"), 2 * count, False), Row(_("Their reconstructions"), count)]
    return media.contact_sheet(np.concatenate(strips), _COLUMNS), rows
