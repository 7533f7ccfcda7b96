"""What to train: data set, family, preset, budget, device and the options that matter; then Start."""

from collections.abc import Mapping
from typing import Any, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import cache, jobs, navigation
from explorer.access import may_change
from explorer.panels import following, options, pictures, problem
from explorer.settings import settings
from explorer.text import _, count, ngettext
from models import datasets
from models.config import Budget, RunConfig
from models.datasets import DATASETS, DatasetInfo, uploads
from models.errors import UserError
from models.families import FAMILIES, POINT_OPTIONS
from models.jobs import Device

CHOSEN, MOST = "training-chosen", 3  # ids of the jobs that the page shows side by side, and how many at most
_DATA, _NEXT, _TAKEN, _ROUND = "training-data", "training-next", "training-taken", "training-round"
_DEVICE, _STARTED = "training-device", "training-started"
_SECONDS, _SHORTEST = 60, 5
_FIRST = ("fashion_mnist", "vae")  # what a lesson begins with, where it is here


def show(first: bool) -> None:
    """Draw what can be chosen, and the button that starts it.

    Args:
        first: Whether there is nothing else to look at.
    """
    turn = st.session_state.get(_STARTED, 0)  # another one folds it: what has begun is below
    folded = f"training-new-{turn}"
    with (
        st.container(border=True)
        if first
        else st.expander(_("New training"), icon=":material/add:", key=folded)
    ):
        info = _dataset()
        if info is None:
            return
        try:
            _family(info)
        except UserError as error:
            problem.show(error)


def device() -> Device:
    """Return the device that is chosen."""
    return cast(Device, st.session_state.get(_DEVICE, "auto"))


def _dataset() -> DatasetInfo | None:
    """Draw the data sets that are here, with a few images; return the chosen one."""
    here = [name for name in DATASETS if datasets.available(name)] + [one.id for one in uploads.own()]
    if not here:
        st.markdown(_("No data set is here."))
        return None
    left, right = st.columns([1, 2], gap="medium", vertical_alignment="center")
    with left:
        if (wanted := st.session_state.pop(_NEXT, None)) in here:
            st.session_state[_DATA] = wanted
        if st.session_state.get(_DATA) not in here:
            st.session_state[_DATA] = _FIRST[0] if _FIRST[0] in here else here[0]
        name = str(
            st.selectbox(_("Data set"), here, format_func=datasets.title, key=_DATA, persist_state="session")
        )
    info = datasets.info(name)
    with left:
        st.caption("  \n".join(problem.literal(fact) for fact in facts(info)))
        _upload()
    with right:
        if preview := cache.preview(name):
            pictures.wide(preview, _("Images of {title}").format(title=info.title))
    return info


def _upload() -> None:
    """Draw where images of one's own are taken in, and what came of the last ones."""
    if taken := st.session_state.pop(_TAKEN, None):
        st.toast(_("{name} is among the data sets now.").format(name=taken.title), icon=":material/check:")
        if taken.left_out:
            st.caption(problem.literal(taken.left_out))
    if not may_change():
        return
    turn = st.session_state.get(_ROUND, 0)  # another one closes the popover and empties the field
    with st.popover(_("Images of your own"), icon=":material/upload:", key=f"training-own-{turn}"):
        file = st.file_uploader(
            _("A zip of images; folders in it are classes"), type=["zip"], key=f"training-zip-{turn}"
        )
        name = st.text_input(
            _("Name"), key="training-zip-name", max_chars=60, placeholder=_("That of the zip")
        )
        if st.button(_("Take them in"), key="training-zip-go", disabled=file is None) and file is not None:
            bar = st.progress(0.0, _("Unpacking"))
            with problem.explained():
                taken = uploads.take_in(
                    file, name.strip() or file.name, lambda done, total: _step(bar, done, total)
                )
                st.session_state[_TAKEN], st.session_state[_NEXT] = taken, taken.id
                st.session_state[_ROUND] = turn + 1
                navigation.redraw()


def _step(bar: DeltaGenerator, done: int, total: int) -> None:
    bar.progress(done / max(1, total), _("Image {done} of {total}").format(done=done, total=total))


def facts(info: DatasetInfo) -> list[str]:
    """Return what is known of a data set, a few words each."""
    size = _("points in the plane")
    if info.size:
        colour = _("in colour") if info.channels == 3 else _("in grey")
        size = _("{size} × {size} pixels, {colour}").format(size=info.size, colour=colour)
    images = ngettext("{n} image", "{n} images", info.train)
    if info.points:
        images = ngettext("{n} point", "{n} points", info.train)
    known = [images.format(n=count(info.train)), size]
    if info.classes:
        known.append(ngettext("{n} class", "{n} classes", len(info.classes)).format(n=len(info.classes)))
    if len(info.factors):
        known.append(
            ngettext("{n} attribute", "{n} attributes", len(info.factors)).format(n=len(info.factors))
        )
    return known


def _suited(info: DatasetInfo) -> list[str]:
    """Return the families that can learn a data set."""
    found = [name for name in FAMILIES if not info.points or name in POINT_OPTIONS]
    found = [name for name in found if info.classes or not FAMILIES[name].conditional]
    return [name for name in found if name != "classifier" or info.classes or len(info.factors)]


def _family(info: DatasetInfo) -> None:
    families = _suited(info)
    columns = st.columns([1.2, 1.2, 0.9, 1.2], vertical_alignment="bottom", gap="medium")
    with columns[0]:
        at = families.index(_FIRST[1]) if _FIRST[1] in families else 0
        family = str(
            st.selectbox(
                _("Family"),
                families,
                at,
                format_func=lambda name: FAMILIES[name].title,
                key="training-family",
                persist_state="session",
            )
        )
    with columns[1]:
        preset = str(
            st.selectbox(
                _("Preset"),
                list(FAMILIES[family].presets),
                key=f"training-preset-{family}",
                persist_state="session",
                format_func=options.title,
                help=_("Options that go together; the time is what you say here."),
            )
        )
    with columns[2]:
        longest = settings().train_seconds
        # Without limits, which would leave what is beyond them in the field and go on with what was there before.
        seconds = int(
            st.number_input(
                _("Seconds"),
                value=min(_SECONDS, longest),
                step=10,
                key="training-seconds",
                persist_state="session",
                help=_("Of training. A minute shows what a model is up to; more makes it better."),
            )
        )
    with columns[3]:
        found = cache.devices()
        device = str(
            st.selectbox(
                _("Device"),
                list(found),
                format_func=lambda name: found[name],
                key=_DEVICE,
                persist_state="session",
            )
        )
    _options(info, family, preset, seconds, device)


def _options(info: DatasetInfo, family: str, preset: str, seconds: int, device: str) -> None:
    if sentence := FAMILIES[family].presets[preset].lesson:
        st.caption(_(sentence))
    standard = cache.training_defaults(info.name, family, preset)
    key = f"training-{info.name}-{family}-{preset}"
    turn = f"{key}-turn"  # another one is for other widgets, which are as by default
    if times := st.session_state.get(turn, 0):
        key = f"{key}-{times}"
    changed = options.knobs(family, standard, key)
    with st.expander(_("All options")):
        changed |= options.rest(family, standard, key)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        started = st.button(_("Start"), type="primary", icon=":material/play_arrow:", key="training-start")
        if changed:
            words = ", ".join(f"{options.title(n)} {options.value_title(v)}" for n, v in changed.items())
            st.caption(problem.literal(_("Changed: {words}").format(words=words)))
            st.button(
                _("As by default"),
                type="tertiary",
                icon=":material/undo:",
                key="training-default",
                on_click=_reset,
                args=(turn,),
            )
    if started:
        start(_config(info, family, preset, seconds, device, changed), preset)


def _reset(turn: str) -> None:
    """Let options be what they are by default again."""
    st.session_state[turn] = st.session_state.get(turn, 0) + 1


def _config(
    info: DatasetInfo, family: str, preset: str, seconds: int, device: str, changed: Mapping[str, Any]
) -> RunConfig:
    from models.training import session

    longest = settings().train_seconds
    if not min(_SHORTEST, longest) <= seconds <= longest:
        problem = _("{n} seconds cannot be trained for.").format(n=seconds)
        remedy = _("Choose from {least} to {most}.").format(
            least=min(_SHORTEST, longest), most=f"{longest:g}"
        )
        raise UserError("bad-seconds", problem, remedy)
    budget = Budget(seconds=seconds)
    return session.configure(
        info.name,
        family,
        preset_name=preset,
        budget=budget,
        options=changed,
        where=cast(Device, device),
    )


def start(config: RunConfig, preset: str) -> None:
    """Put a training in the queue and show it, beside those shown that still go on; raises UserError."""
    family = FAMILIES[str(config.model["family"])]
    title = _("{family} on {dataset}").format(family=family.title, dataset=datasets.title(config.dataset))
    if preset != next(iter(family.presets)):  # those of a lesson are to be told apart
        title = f"{title}, {options.title(preset)}"
    new = jobs.train(config, title).id
    live = [name for name in st.session_state.get(CHOSEN, []) if name != new and following.trains(name)]
    st.session_state[CHOSEN] = [*live, new][-MOST:]
    st.session_state[_STARTED] = st.session_state.get(_STARTED, 0) + 1
    navigation.redraw()
