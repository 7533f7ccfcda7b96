"""The same point of each latent space, moved by one gesture."""

from collections.abc import Sequence

import streamlit as st

from explorer import cache, controls, link, state
from explorer.compare import rivals
from explorer.compare.together import NAMES, RANKS, Moves
from explorer.components.linked import linked
from explorer.components.tiles import tiles
from explorer.panels import point as explored, problem
from explorer.panels.compare import meeting
from explorer.panels.compare.meeting import Meeting
from explorer.text import _
from explorer.words import word
from models.catalog import ModelInfo
from models.values import MAX_SEED

_SEEDS = 8  # of the sheet


def show(models: Sequence[ModelInfo]) -> None:
    """Draw the part for models of one data set."""
    _show(tuple(models))


@st.fragment
def _show(models: tuple[ModelInfo, ...]) -> None:
    """Draw everything that depends on the place; moving it reruns this and nothing else."""
    with problem.explained():
        if not meeting.ready(models):
            link.publish(link.COMPARE)
            return
        shown = len(state.notices())  # the page has shown these
        try:
            with st.spinner(_("Opening the models")):
                found = meeting.meet(models)
                scene = meeting.scene(found)
        finally:
            problem.show_notices(after=shown)
        _options(found)
        opened = linked(
            scene,
            key="linked",
            url=explored.socket_url(),
            on_move=lambda moves: state.update_together(moves=moves),
            on_open=lambda number, moves: _open(found, number, moves),
        )
        st.caption(_meaning(found.along))
        if opened:
            st.switch_page("views/explore.py")
        _actions(found)
        _sheet(models)
    link.publish(link.COMPARE)


def _options(found: Meeting) -> None:
    """Draw what the models start from, and what they are moved along."""
    labels = meeting.labels(found.models)
    names = meeting.has_names(found.models)
    widths = [0.9, 1.1, *([1.2] if labels else []), *([1.8] if names else [])]
    columns = iter(st.columns(widths, gap="medium"))
    with next(columns):
        st.number_input(
            _("Seed"),
            0,
            controls.TYPED,
            step=1,
            help=_(
                "A seed is a number that draws one random point of the prior, which all models share; what it shows is "
                "another picture in each."
            ),
            **state.controlled(
                "compare-seed", state.view().point.seed, controls.within(MAX_SEED, _go_to_seed)
            ),
        )
    with next(columns):
        controls.truncation(link.COMPARE)
    if labels:
        with next(columns):
            _label(found, labels)
    if names:
        with next(columns):
            _along(found.along)


def _meaning(along: str) -> str:
    """Say what a slider does."""
    if along == NAMES:
        return _(
            "A slider moves all models from where the seed leads in each, as many prior standard deviations towards "
            "what it names. In percent: the balanced accuracy at which a linear classifier of the latent tells it on "
            "held-out samples, of the model where that is lower (50 % is a guess; R² where a number is told)."
        )
    return _(
        "A slider moves all models from where the seed leads in each, as many prior standard deviations: slider k "
        "along the k-th strongest direction of each, which need not mean the same."
    )


def _label(found: Meeting, labels: Sequence[str]) -> None:
    first = next(point.label for point in found.points if point.label is not None)
    st.selectbox(
        _("Class"),
        list(range(len(labels))),
        format_func=lambda index: word(labels[int(index)]),
        help=_("What the models that were told what each training picture shows are asked for."),
        **state.controlled("compare-label", first, lambda value: state.update_together(label=value)),
    )


def _along(chosen: str) -> None:
    titles = {NAMES: _("By name"), RANKS: _("By strength")}
    st.segmented_control(
        _("Directions"),
        list(titles),
        format_func=lambda name: titles[name],
        wrap=True,
        help=_(
            "- **By name**: what a classifier learned to tell apart, found in each latent space.\n"
            "- **By strength**: the directions in which the pictures of each model differ most (PCA)."
        ),
        **state.controlled("compare-along", chosen, lambda name: state.update_together(along=name, moves=())),
    )


def _actions(found: Meeting) -> None:
    with st.container(horizontal=True):
        st.button(
            _("Another seed"), key="compare-random", icon=":material/casino:", on_click=_go_to_random_seed
        )
        st.button(
            _("Reset"),
            key="compare-reset",
            icon=":material/restart_alt:",
            help=_("Go back to where the seed leads"),
            disabled=not found.moves,
            on_click=state.update_together,
            kwargs={"moves": ()},
        )


def _go_to_seed(seed: int) -> None:
    """Go to what a seed draws; as in Explore, moves from another place are dropped."""
    state.go_to_seed(seed)
    state.update_together(moves=())


def _go_to_random_seed() -> None:
    controls.random_seed()
    state.update_together(moves=())


def _open(found: Meeting, number: int, moves: Moves) -> None:
    """Let Explore show a model where it is; the comparison stays as it was, for who comes back."""
    info, point = found.models[number], found.point(number, moves)
    kept = state.view().together.model_copy(update={"moves": moves})
    state.update(rivals=tuple(other.id for other in found.models))
    if info.id != state.view().model:
        state.choose_model(info.id)
    state.update(together=kept)
    state.update_point(latent=(), keep=(), edits=point.edits, axes=point.axes, label=point.label)


def _sheet(models: Sequence[ModelInfo]) -> None:
    """Draw the same seeds in each model, a row each; a click goes to the seed."""
    seed = state.view().point.seed
    first = seed - seed % _SEEDS
    st.subheader(_("The same seeds"), anchor=False)
    requests = tuple(controls.samples(info, first, _SEEDS, meeting.label_of(info, first)) for info in models)
    with st.spinner(_("Drawing samples")):
        sheet = cache.sheet(requests)
    _channels, height, width = models[0].sample_shape
    name, titles = _("{title}, seed {seed}"), list(rivals.names(models).values())
    tiles(
        sheet,
        key="compare-seeds",
        size=(width, height),
        names=[name.format(title=title, seed=first + i) for title in titles for i in range(_SEEDS)],
        label=_("The same seeds in each model"),
        rows=titles,
        heads=[str(first + i) for i in range(_SEEDS)],
        marks=[row * _SEEDS + seed - first for row in range(len(models))],
        largest=96,
        on_open=lambda index: _go_to_seed(first + index % _SEEDS),
    )
