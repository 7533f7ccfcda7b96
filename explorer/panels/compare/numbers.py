"""What can be measured of each model, with intervals: a claim in a sentence, the table, the curves."""

from collections.abc import Sequence

import streamlit as st

from explorer import cache, jobs, navigation, words
from explorer.compare import charts, claims, protocols, rivals, tables
from explorer.compare.measured import MeasuredTable, table
from explorer.compare.protocols import SLOW, Wanted
from explorer.panels import problem, waiting
from explorer.text import N_, _
from models import datasets
from models.catalog import ModelInfo
from models.errors import UserError
from models.jobs import Job
from models.metrics import inception
from models.metrics.comparison import shared_dataset
from models.metrics.figures import Figures

_PROTOCOL_TITLES = {"quick": N_("Quick"), "full": N_("Full")}
_SLOW_TITLES = {"inversion": N_("Inversion"), "likelihood": N_("Likelihood"), "fid": N_("FID and KID")}
_ASKED = "numbers_asked"  # id of the job that measures, by the models
_FAILED = "numbers_failed"  # why that did not come about, by the same
_CHART = {"displayModeBar": False}


def show(models: Sequence[ModelInfo]) -> None:
    """Draw the part for models of one data set."""
    shared_dataset(models)
    protocol, slow = _choice(models)
    wanted = [*protocols.standard(models, protocol), *protocols.slow(models, slow)]
    missing = [(info, spec) for info, spec in wanted if cache.figures(info, spec) is None]
    _measure(models, missing)
    there = [(info, found) for info in models for found in protocols.measured([info], protocol)]
    if len(there) >= rivals.LEAST:
        draw([info for info, _found in there], [found for _info, found in there])


# The choice, and the wait ------------------------------------------------------------------------------------


def _choice(models: Sequence[ModelInfo]) -> tuple[str, list[str]]:
    """Draw how it is measured; return the protocol, and what takes long and is wanted."""
    at = "-".join(info.digest[:8] for info in models)
    unavailable = inception.missing()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        protocol = st.segmented_control(
            _("Samples of each model"),
            list(protocols.PROTOCOLS),
            default=protocols.default(models),
            format_func=lambda name: f"{_(_PROTOCOL_TITLES[name])} · {protocols.PROTOCOLS[name]:,}",
            required=True,
            key=f"numbers-protocol-{at}",
            persist_state="session",
            help=_("Five independent draws of so many, and as many held-out images as there are."),
        )
        slow = st.pills(
            _("Also, a minute or more"),
            [name for name in SLOW if name != "fid" or unavailable is None],
            selection_mode="multi",
            format_func=lambda name: _(_SLOW_TITLES[name]),
            key=f"numbers-slow-{at}",
            persist_state="session",
            help=_(
                "Inversion looks for each of 64 held-out images among those that a model can make: the one way to ask "
                "a GAN how well it reconstructs. Likelihood is how probable held-out images are, of models that tell. "
                "FID and KID are what is published, in features of photographs."
            ),
        )
    if unavailable:
        st.caption(
            _(
                "Inception-FID needs a network that is not here; “latent-explorer evaluate --metrics fid” says how "
                "to get it."
            )
        )
    return protocol, list[str](slow)


def _measure(models: Sequence[ModelInfo], missing: Wanted) -> None:
    """Draw the way to what was not measured yet, how far it is, and why it failed.

    Args:
        models: Those that are compared: what is missing shrinks while it is measured.
        missing: What was not measured yet.
    """
    key = "-".join(info.digest for info in models)
    specs = [spec for _info, spec in missing]
    called = rivals.names(models)
    titles = list(dict.fromkeys(called[info.id] for info, _spec in missing))
    if name := st.session_state.get(_ASKED, {}).get(key):
        going = (
            _("Measuring {models}").format(models=problem.literal(", ".join(titles)))
            if titles
            else _("Measuring")
        )
        waiting.until_over(name, key="numbers", going=going, settle=lambda job: _settle(key, job))
        return
    if not missing:
        waiting.keep(_FAILED, key, None)
        return
    if error := st.session_state.get(_FAILED, {}).get(key):
        problem.show(error)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(_("Measure"), key="numbers-measure", icon=":material/straighten:", type="primary"):
            with problem.explained():
                title = _("Figures of {models}").format(models=", ".join(titles))
                job = jobs.measure(specs, title)
                waiting.keep(_FAILED, key, None)
                waiting.keep(_ASKED, key, job.id)
                navigation.redraw()
        st.caption(_words(missing, titles))


def _words(missing: Wanted, titles: Sequence[str]) -> str:
    """Say what is not measured yet, and what the data set limits."""
    parts = [_("Not measured yet: {models}.").format(models=", ".join(titles))]
    spec = missing[0][1]
    data = datasets.known(spec.dataset)
    if data and data.test < spec.n:
        parts.append(
            _("{data} has {n} held-out images: what compares distributions looks at no more.").format(
                data=data.title, n=f"{data.test:,}"
            )
        )
    if data and not datasets.available(spec.dataset):
        parts.append(_("{data} is downloaded first.").format(data=data.title))
    return problem.literal(" ".join(parts))


def _settle(key: str, job: Job | None) -> None:
    """Forget a job that is over, and keep why it failed."""
    waiting.keep(_ASKED, key, None)
    if job and job.problem:
        waiting.keep(_FAILED, key, UserError(job.code or job.state, job.problem, job.remedy))


# What was measured -------------------------------------------------------------------------------------------


def draw(models: Sequence[ModelInfo], found: Sequence[Figures]) -> None:
    """Draw the figures of some models, measured in the same way."""
    first, *others = claims.claims(models, found)
    st.markdown(f"**{problem.literal(first)}**")
    if others:
        st.markdown("\n".join(f"- {problem.literal(sentence)}" for sentence in others))
    shown = table(models, found)
    st.html(tables.table_html(shown))
    _notes(shown)
    _charts(models, found)


def _notes(shown: MeasuredTable) -> None:
    st.caption(
        _(
            "● is better than every other by more than chance moves it: the 95 % interval of the difference excludes 0 "
            "(of twenty figures that do not differ, one would be marked too). Below each mean its 95 % interval, over "
            "the draws, or over images where it is a mean over the same images: these are compared image by image "
            "where the value of each is kept, and else as if the images were others, which is more careful as a rule. "
            "Real: training images in place of samples. Unfold a figure for what it measures and when it misleads."
        )
    )
    for sentence in (*shown.left_out, shown.protocol):
        st.caption(problem.literal(sentence))


def _charts(models: Sequence[ModelInfo], found: Sequence[Figures]) -> None:
    for column, chart in zip(st.columns(2), charts.charts(models, found), strict=False):
        with column:
            st.subheader(chart.title, anchor=False)
            _chart(chart)
    there = charts.attributes(found)
    if not there:
        return
    st.subheader(_(charts.SEEN), anchor=False)
    chosen = there[0]
    if len(there) > 1:
        chosen = st.selectbox(
            _("Attribute"),
            there,
            format_func=lambda name: words.word(name).capitalize(),
            key="numbers-attribute",
        )
    _chart(charts.seen(models, found, chosen))


def _chart(chart: charts.Chart) -> None:
    st.plotly_chart(chart.figure, key=f"numbers-{chart.name}", config=_CHART)
    st.caption(chart.caption)
