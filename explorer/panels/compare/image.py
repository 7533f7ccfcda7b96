"""One real image, as each model makes it again: side by side, with differences, under one lens."""

from collections.abc import Sequence

import streamlit as st

from explorer import background
from explorer.background import Works
from explorer.compare import remade, rivals
from explorer.compare.remade import Compared, Way
from explorer.components.magnifier import Panel, magnifier
from explorer.panels.compare import attempts, subject
from explorer.panels.compare.attempts import Attempt
from explorer.panels.compare.subject import Subject
from explorer.text import _
from models.catalog import ModelInfo

_WAYS: dict[str, tuple[Way, ...]] = {
    "encode": ("encode",),
    "search": ("search",),
    "both": ("encode", "search"),
}


def show(models: Sequence[ModelInfo]) -> None:
    """Draw the part for models of one data set."""
    chosen = subject.choose(models[0], 0, _("Image"))
    ways = _ways(models)
    attempts.say_who_cannot(models)
    if chosen is None:
        return
    begun = attempts.begin(models, chosen, ways, 0)
    if not begun:
        return
    background.watch(attempts.works(begun), lambda work: _draw(chosen, begun, work))
    if len({one.way for one in begun}) > 1 and ways != _WAYS["both"]:
        st.caption(
            _(
                "Mind the way: who is searched for looks longer than who is encoded, and comes nearer. “Both” compares "
                "like with like."
            )
        )
    _explain()


def _ways(models: Sequence[ModelInfo]) -> tuple[Way, ...]:
    if not any(len(remade.ways(info)) > 1 for info in models):
        return _WAYS["both"]
    words = {"encode": _("Encode"), "search": _("Search"), "both": _("Both")}
    chosen = st.segmented_control(
        _("With an encoder"),
        list(words),
        default="encode",
        required=True,
        format_func=lambda name: words[name],
        key="compare-ways",
        persist_state="session",
        help=_(
            "A model with an encoder names the point of the image at once; one without, such as a GAN, must search for "
            "it. A search in both is the fairer comparison of the two decoders: it shows how close each can come at "
            "best."
        ),
    )
    return _WAYS[chosen or "encode"]


def _draw(chosen: Subject, begun: Sequence[Attempt], work: Works) -> None:
    found = attempts.results(begun)
    white = remade.worst(found)
    names = titles(found, [one.info for one in begun])
    panels = [Panel(chosen.name, chosen.pixels)]
    panels += [
        Panel(name, one.made, remade.difference(one, white), figures(one))
        for name, one in zip(names, found, strict=True)
    ]
    label = _("The image and what each model makes of it")
    magnifier(panels, key="compare-magnifier", label=label, white=white)
    if work.running:
        attempts.progress(work)
    attempts.offer_again(begun)


def titles(found: Sequence[Compared], models: Sequence[ModelInfo]) -> list[str]:
    """Return what each picture is called: its model, one of some, and how it was found."""
    words = {"encode": _("{title}, encoded"), "search": _("{title}, searched for")}
    names = rivals.names(list({info.id: info for info in models}.values()))
    return [words[one.way].format(title=names[one.info.id]) for one in found]


def figures(one: Compared) -> list[str]:
    """Word how near a picture is to its image, in lines."""
    known = one.figures
    ratio = known.sharpness_ratio
    return [
        _("PSNR {value:.1f} dB").format(value=known.psnr_db),
        _("SSIM {value:.2f}").format(value=known.ssim),
        _("Sharpness –") if ratio is None else _("Sharpness {value:.2f} × image").format(value=ratio),
    ]


def _explain() -> None:
    st.caption(
        _("What the figures favour"),
        help="\n".join(
            f"- {line}"
            for line in (
                _(
                    "**PSNR** (peak signal-to-noise ratio) favours blur: it counts the squared error of each pixel, "
                    "and where a model is not sure of an edge the average of all that it could be costs least. 10 dB "
                    "more mean a tenth of the squared error."
                ),
                _(
                    "**SSIM** (structural similarity) compares means, contrast and pattern of small windows; 1 is "
                    "the same. It notices lost contrast, which PSNR hardly does."
                ),
                _(
                    "**Sharpness** is the variance of the Laplacian over that of the image: below 1 the picture is "
                    "blurred; above 1 it has noise or edges that are not in the image. It does not ask whether they "
                    "are in the right place."
                ),
                _(
                    "**Differences** are absolute, of each colour, on one scale for all models: white is the largest "
                    "of them all, as the strip below the real image says."
                ),
            )
        ),
    )
