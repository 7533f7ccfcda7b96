"""The models as cards: a few samples, what was measured, where each comes from; your own can be changed."""

from collections.abc import Sequence

import streamlit as st

from explorer import cache, navigation, state
from explorer.access import may_change
from explorer.panels import picker, pictures, problem, sending
from explorer.text import _
from models import catalog, library
from models.catalog import Card, ModelInfo
from models.errors import UserError
from models.metrics import of_key

_WIDTH = 296  # CSS pixels of a card: three of them beside each other on most screens
_SAMPLES = (4, 2)  # columns and rows of the sheet that a card shows
_FILTER = "shelf-filter"
_ERROR, _STALE, _GO = "shelf-error-", "shelf-stale", "shelf-go"


@st.fragment
def show(found: Sequence[ModelInfo]) -> None:
    """Draw a card for each model that the filter lets through."""
    if st.session_state.pop(_GO, False):
        st.switch_page("views/explore.py")
    if st.session_state.pop(_STALE, False):
        navigation.redraw()  # others of the page list the models, too
    wanted = st.text_input(
        _("Filter"), key=_FILTER, placeholder=_("Name, family or data set"), icon=":material/filter_alt:"
    )
    shown = [info for info in found if _fits(info, wanted)]
    if not shown:
        st.caption(_("No model fits this filter."))
    with st.container(horizontal=True, gap="medium"):
        for info in sorted(shown, key=lambda info: not info.can("picture")):
            with st.container(border=True, width=_WIDTH, key=f"card-{info.id}"):
                _card(info)


def _fits(info: ModelInfo, wanted: str) -> bool:
    text = f"{info.id} {info.title} {info.family} {info.dataset}".lower()
    return all(word in text for word in wanted.lower().split())


def _card(info: ModelInfo) -> None:
    samples = cache.card_samples(info, *_SAMPLES)
    if samples:
        pictures.wide(samples, _("Samples of {title}").format(title=info.title))
    own = "" if info.shipped else f" :small[({problem.literal(info.id)})]"
    st.markdown(f"**{problem.literal(info.title)}**{own}")
    picker.show_figures(info)
    st.caption("  \n".join(problem.literal(fact) for fact in picker.facts(info)[:3]))
    with st.container(horizontal=True):
        if info.can("picture"):
            st.button(
                _("Explore"),
                key=f"open-{info.id}",
                icon=":material/explore:",
                help=_("Open {title} in Explore").format(title=problem.literal(info.title)),
                on_click=_open,
                args=(info.id,),
            )
        with st.popover(_("More"), key=f"more-{info.id}"):
            _more(info)


def _open(name: str) -> None:
    state.choose_model(name)
    st.session_state[_GO] = True


def _more(info: ModelInfo) -> None:
    card = info.card
    if card.description:
        st.markdown(problem.literal(card.description))
    st.caption("  \n".join(problem.literal(fact) for fact in [f"{_('Id')}: {info.id}", *picker.facts(info)]))
    if card.metrics:
        _figures(card)
    if card.command:
        st.caption(_("Trained by"))
        st.code(card.command, language="bash", wrap_lines=True)
    st.caption(_("sha256 of its weights") + f"  \n`{info.config.weights_sha256}`")
    sending.show(info)
    if not info.shipped and may_change():
        _change(info)


def _figures(card: Card) -> None:
    """Draw a table of all that was measured, in words, and under it how."""
    words = {name: found[1] for name in card.metrics if (found := of_key(name))}
    lines = [
        f"| {problem.literal(words.get(name, name.replace('_', ' ')))} | {metric.value:.4g} |"
        for name, metric in card.metrics.items()
    ]
    st.markdown("\n".join([f"| {_('Figure')} | {_('Value')} |", "|:--|--:|", *lines]))
    ways = dict.fromkeys(
        f"{metric.protocol} (n = {metric.n:,})" if metric.n else metric.protocol
        for metric in card.metrics.values()
    )
    st.caption("  \n".join(map(problem.literal, ways)))


def _change(info: ModelInfo) -> None:
    """Draw what can be done with a model of one's own; deleting is asked for twice."""
    st.text_input(
        _("Name"),
        value=info.id,
        key=f"name-{info.id}",
        max_chars=100,
        on_change=_rename,
        args=(info.id, f"name-{info.id}"),
    )
    if error := st.session_state.pop(_ERROR + info.id, None):
        problem.show(error)
    sure = st.checkbox(_("I want to delete it for good"), key=f"sure-{info.id}")
    st.button(
        _("Delete"),
        key=f"delete-{info.id}",
        icon=":material/delete:",
        disabled=not sure,
        on_click=_delete,
        args=(info.id,),
    )


def _rename(name: str, key: str) -> None:
    new = str(st.session_state[key]).strip()
    try:
        if new != name:
            library.rename(catalog.find(name), new)
            if state.view().model == name:
                state.choose_model(new)
            st.session_state[_STALE] = True
    except UserError as error:
        st.session_state[_ERROR + name] = error


def _delete(name: str) -> None:
    try:
        library.delete(catalog.find(name))
        st.session_state[_STALE] = True
    except UserError as error:
        st.session_state[_ERROR + name] = error
