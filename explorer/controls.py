"""Widgets that change the view, and the operations that the view asks for."""

import random
from collections.abc import Callable, Sequence

import streamlit as st

from explorer import state
from explorer.text import _
from explorer.words import word
from models.catalog import ModelInfo
from models.requests import Decode, Directions, Point, RenderRequest, Sample, Traverse, default_label
from models.values import MAX_SEED, Value

SMALL = 8  # latent dimensions up to which the axes themselves are the best sliders
SPAN, STEPS = 3.0, 9  # of a traversal
MAX_PSI = 2.0
MAX_START = MAX_SEED - 100_000  # of the Gallery, which counts on from there
TYPED = 2**53 - 1  # the largest number that a field of Streamlit's reports


def default_axes(info: ModelInfo) -> str:
    """Return the directions that suit a model: its own axes if they are few, else principal ones.

    Of one that still trains its own axes too: others turn as it learns, and a point that is named by them moves.
    """
    return "raw" if info.run or (info.latent_dim or 0) <= SMALL else "pca"


def point_of(info: ModelInfo) -> Point:
    """Return the point that the view is at, with everything that it leaves open filled in."""
    point = state.view().point
    changes: dict[str, object] = {"axes": point.axes or default_axes(info)}
    if not info.labels:
        changes["label"] = None
    elif point.label is None:
        changes["label"] = default_label(point.seed, len(info.labels))
    return point.model_copy(update=changes)


# Operations ------------------------------------------------------------------------------------------------


def ask(info: ModelInfo, op: Value) -> RenderRequest:
    """Ask a model for something."""
    return RenderRequest.model_validate({"model": info.digest, "op": op})


def directions(info: ModelInfo, axes: str, keep: Sequence[int] = ()) -> RenderRequest:
    """Ask for the directions of a model."""
    return ask(info, Directions(axes=axes, keep=tuple(keep)))


def picture(info: ModelInfo, *points: Point) -> RenderRequest:
    """Ask for the pictures of points, their latents and their coordinates."""
    return ask(info, Decode(points=points))


def traversal(info: ModelInfo, point: Point, shown: Sequence[int]) -> RenderRequest:
    """Ask for a walk along each of some directions."""
    return ask(info, Traverse(point=point, directions=tuple(shown), steps=STEPS, span=SPAN))


def samples(info: ModelInfo, first: int, number: int, label: int | None = None) -> RenderRequest:
    """Ask for the samples of `number` seeds from `first` on."""
    op = Sample(seed=first, count=number, truncation=state.view().point.truncation, label=label)
    return ask(info, op)


# Widgets ---------------------------------------------------------------------------------------------------


def truncation(page: str) -> None:
    """Choose psi; a widget on another page is another widget, whatever it is called."""
    psi = state.view().point.truncation
    st.slider(
        _("Truncation ψ"),
        0.0,
        MAX_PSI,
        step=0.05,
        format="%.2f",
        help=_(
            "How far from the average picture: each latent is multiplied by ψ. 1 is what the model was "
            "trained on; less gives more typical, less varied pictures; 0 gives one and the same."
        ),
        **state.controlled(f"truncation-{page}", psi, lambda value: state.update_point(truncation=value)),
    )


def seed() -> None:
    """Choose the seed of the point; it is empty where no seed draws the point."""
    point = state.view().point
    st.number_input(
        _("Seed"),
        0,
        TYPED,
        value=None if point.latent else "min",
        step=1,
        placeholder=_("a place of its own"),
        help=_(
            "A seed is a number that draws one random point of the latent space: always the same one. The field is "
            "empty at a place that no seed draws; give one to go to its point."
        ),
        **state.controlled("seed", None if point.latent else point.seed, within(MAX_SEED, state.go_to_seed)),
    )


def within(most: int, change: Callable[[int], None]) -> Callable[[int], None]:
    """Return a callback of a seed's field: instead of a number above `most` it takes that, and says so.

    The field itself would keep what was typed, as if it were used.
    """

    def changed(value: int) -> None:
        change(min(value, most))
        if value > most:
            text = _("A seed is {most} at most: that one is shown instead of {value}.")
            state.notify([text.format(most=most, value=value)])

    return changed


def random_seed() -> None:
    """Go to a random point."""
    state.go_to_seed(random.randrange(1_000_000))


def first_seed() -> None:
    """Choose where the Gallery starts."""
    st.number_input(
        _("First seed"),
        0,
        TYPED,
        step=64,
        help=_(
            "Every picture comes from a seed, a number that draws one random point of the latent space. The "
            "grid shows the seeds from this one on."
        ),
        **state.controlled(
            "first-seed", state.view().start, within(MAX_START, lambda value: state.update(start=value))
        ),
    )


def shuffle() -> None:
    """Let the Gallery start somewhere else."""
    state.update(start=random.randrange(1_000_000))


def label(info: ModelInfo) -> None:
    """Choose the class of the point."""
    st.selectbox(
        _("Class"),
        range(len(info.labels)),
        format_func=lambda index: word(info.labels[index]),
        help=_("This model was told what each training picture shows, so that it can be asked for one kind."),
        **state.controlled("label", point_of(info).label, lambda value: state.update_point(label=value)),
    )


def classes(info: ModelInfo) -> None:
    """Choose which classes the Gallery shows."""
    names = {"rows": _("A row each"), "mixed": _("All mixed")}
    names |= {str(index): word(name) for index, name in enumerate(info.labels)}
    st.selectbox(
        _("Class"),
        list(names),
        format_func=lambda key: str(names.get(key)),
        help=_("This model was told what each training picture shows, so that it can be asked for one kind."),
        **state.controlled("classes", state.view().classes, lambda value: state.update(classes=value)),
    )


_AXES = {
    "pca": lambda: (_("Principal"), _("PCA: the directions in which the pictures differ most")),
    "sefa": lambda: (_("First layer"), _("SeFa: the directions that the model's first layer amplifies most")),
    "raw": lambda: (_("Raw axes"), _("the latent dimensions themselves, the strongest first")),
    "attributes": lambda: (_("Attributes"), _("what a classifier learned to tell apart, by name")),
}


def axes(names: Sequence[str], chosen: str, change: Callable[[str], None]) -> None:
    """Choose what the sliders move along."""
    ordered = [*(name for name in _AXES if name in names), *(name for name in names if name not in _AXES)]
    words = {name: _AXES[name]() if name in _AXES else (name.capitalize(), name) for name in ordered}
    st.segmented_control(
        _("Directions"),
        ordered,
        format_func=lambda name: words[name][0],
        wrap=True,
        help="\n".join(f"- **{title}**: {text}." for title, text in words.values()),
        **state.controlled("axes", chosen, change),
    )
