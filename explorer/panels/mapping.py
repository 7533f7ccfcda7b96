"""How the map of a page is made: the choice, the wait for a new one, and its quality by number."""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer import cache, jobs, maps, navigation
from explorer.panels import following, problem, waiting
from explorer.text import N_, _, percent
from models import catalog, datasets
from models.catalog import ModelInfo
from models.embedding import library, weights
from models.embedding.spec import MapSpec, Method, Of
from models.errors import UserError
from models.jobs import Job
from models.values import parse

if TYPE_CHECKING:
    from models.embedding.maps import EmbeddingMap

_ASKED = "map_asked"  # by model, see `_name`: the spec, and the id of the job that computes it
_FAILED = "map_failed"  # why the last one did not come about, by model
_ATTEMPTS = 3  # to keep weights that a training replaces
_ROUND = "map_round"  # counts the maps that were asked for: another one closes the popover
_COUNTS = (1000, 2000, 5000, 10_000, 20_000, 60_000)
_SLOW = 10_000  # points above which t-SNE takes many minutes
_METHODS: Mapping[Method, str] = {"umap": "UMAP", "pca": "PCA", "tsne": "t-SNE"}
_OF: Mapping[Of, str] = {
    "latents": N_("their latents"),
    "features": N_("what a classifier sees"),
    "pixels": N_("their pixels"),
}
_SHOWN = {"images": N_("Images"), "samples": N_("Samples"), "both": N_("Both")}
_QUALITY = {
    "trustworthiness": N_("Trustworthiness"),
    "knn_map": N_("k-NN accuracy in the map"),
    "knn_space": N_("in the space that is mapped"),
    "knn_pixels": N_("in pixels"),
    "coverage": N_("Coverage"),
}


def chosen(info: ModelInfo) -> "EmbeddingMap | None":
    """Draw how the map is made; return the one to show, None for a model that has none.

    While another is computed the one before stays. Of a model that still trains there is a quick map of its newest
    weights, or one of those that it had when the map was asked for, see `as_of`.

    Raises:
        UserError: The model is not there, or damaged.
    """
    spec, job = st.session_state.get(_ASKED, {}).get(_name(info), (None, ""))
    found = _asked_for(info, spec) if spec is not None else None
    if found is None:
        found = maps.ready(info)
    rough = found is None
    if rough:
        # One that follows a training is there in a moment, and comes again and again: no words for it.
        with nullcontext() if info.run else st.spinner(_("Drawing the map")):
            found = maps.quick(info)
    if found is None:
        st.caption(_("This model has no latent space to draw a map of."))
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        _choice(info, found.spec)
        if rough and not job:
            hint = _("What you see are two principal components; UMAP finds more of what belongs together.")
            if st.button(
                _("Make the map"), key="map-first", icon=":material/map:", type="primary", help=hint
            ):
                _ask(info, library.default_spec(info))
    if info.run:
        _say_of_run(info, found)
    if error := st.session_state.get(_FAILED, {}).get(_name(info)):
        problem.show(error)
    if job:
        waiting.until_over(
            job, key="map", going=_("The map is being made"), settle=lambda over: _settle(info, over)
        )
    return found


def as_of(info: ModelInfo, found: "EmbeddingMap") -> ModelInfo:
    """Return the model as it was when its map was made: one that still trains has other weights by now.

    Raises:
        UserError: These weights are damaged.
    """
    before = None if found.spec.model == info.digest else weights.kept(found.spec.model, info.id)
    if before is None:
        return info
    from models.render import admit

    admit(before)
    return before


def _name(info: ModelInfo) -> str:
    """Return what a map is asked for by: of a model that still trains the weights change all the time."""
    return f"run {info.id}" if info.run else info.digest


def short(info: ModelInfo) -> str:
    """Return what the widgets of a model's map are told apart by, for the same reason."""
    return info.id if info.run else info.digest[:8]


def _asked_for(info: ModelInfo, spec: MapSpec) -> "EmbeddingMap | None":
    """Return the map of a spec, of the weights that this names; None if it is not there yet."""
    before = info if spec.model == info.digest else weights.kept(spec.model, info.id)
    return before and maps.ready(before, spec)


def _say_of_run(info: ModelInfo, found: "EmbeddingMap") -> None:
    """Say which weights of a training the map is of, and offer to follow it."""
    going = following.trains(info.id)
    if found.spec.model == info.digest:
        if going:
            st.caption(_("The model still trains: this map follows its newest weights."))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_("The model as it was when this map was made: it has learnt on since."))
        st.button(
            _("Show the newest"),
            key="map-newest",
            icon=":material/update:",
            type="tertiary",
            on_click=_keep,
            args=(_ASKED, info, None),
        )


def _ask(info: ModelInfo, spec: MapSpec) -> None:
    """Show a map from now on, once it is there."""
    with problem.explained():
        spec = _settled(info, spec)
        there = _asked_for(info, spec)
        job = "" if there else jobs.embed(spec, _("Map of {title}").format(title=info.title)).id
        _keep(_ASKED, info, (spec, job))
        _keep(_FAILED, info, None)
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
        navigation.redraw()


def _settled(info: ModelInfo, spec: MapSpec) -> MapSpec:
    """Return a spec whose weights stay, so that a job finds them; raises UserError where nothing of a run is left."""
    for attempt in range(_ATTEMPTS):
        try:
            weights.keep(info)
            break
        except UserError as error:
            newest = cache.newest(info.id) if error.code == "stale-model" else None
            if newest is None or attempt == _ATTEMPTS - 1:
                raise
            info = newest
    return spec.model_copy(update={"model": info.digest})


def _keep(name: str, info: ModelInfo, value: object) -> None:
    """Keep something of a model in the session; None forgets it."""
    waiting.keep(name, _name(info), value)


# The choice ------------------------------------------------------------------------------------------------


def _choice(info: ModelInfo, shown: MapSpec) -> None:
    with st.popover(
        _("How it is made"), icon=":material/tune:", key=f"map-how-{st.session_state.get(_ROUND, 0)}"
    ):
        fields = _fields(info, shown)
        try:
            spec = parse(MapSpec, {"model": info.digest, **fields}, what=_("The map"))
        except UserError as error:
            problem.show(error)
            return
        if spec.method == "tsne" and spec.count > _SLOW:
            st.caption(_("t-SNE of so many points takes many minutes."))
        if st.button(
            _("Make this map"), key="map-make", icon=":material/map:", type="primary", disabled=spec == shown
        ):
            _ask(info, spec)


def _fields(info: ModelInfo, shown: MapSpec) -> dict[str, Any]:
    """Draw the choices; return the fields of a spec, but for the model."""
    at = f"-{short(info)}"
    method: Method = st.segmented_control(
        _("Method"),
        list(_METHODS),
        default=shown.method,
        format_func=lambda name: _METHODS[name],
        required=True,
        key=f"map-method{at}",
        help=_(
            "UMAP and t-SNE keep neighbours together: groups mean something, the distances between them little. PCA "
            "keeps large distances, and flattens the rest."
        ),
    )
    kinds: list[Of] = [
        of for of in _OF if of != "features" or catalog.classifier_for(info.dataset, info.sample_shape)
    ]
    of = st.selectbox(
        _("Points are near if alike in"),
        kinds,
        index=kinds.index(shown.of) if shown.of in kinds else 0,
        format_func=lambda name: _(_OF[name]),
        key=f"map-of{at}",
    )
    count = st.selectbox(
        _("Points"),
        _COUNTS,
        index=min(range(len(_COUNTS)), key=lambda i: abs(_COUNTS[i] - shown.count)),
        format_func=lambda n: f"{n:,}",
        key=f"map-points{at}",
    )
    pictures = _pictures(info, of, shown, at)
    fields: dict[str, Any] = {
        "method": method,
        "of": of,
        "count": count,
        "dataset": "" if pictures == "samples" else info.dataset,
        "generated": {"images": 0, "samples": count, "both": count // 2}[pictures],
    }
    left, right = st.columns(2)  # or a low window would cut the popover off
    if method != "pca":
        fields["neighbours"] = left.slider(
            _("Neighbours"),
            2,
            100,
            shown.neighbours,
            key=f"map-neighbours{at}",
            help=_("Of each point. Few show small groups, many the large shape."),
        )
    if method == "umap":
        fields["min_dist"] = right.slider(
            _("Least distance"),
            0.0,
            1.0,
            shown.min_dist,
            0.05,
            key=f"map-dist{at}",
            help=_("How close points may lie together."),
        )
    return fields


def _pictures(info: ModelInfo, of: Of, shown: MapSpec, at: str) -> str:
    """Draw the choice of what is on the map, as far as there is one."""
    known = bool(info.dataset) and datasets.known(info.dataset) is not None
    real = known and datasets.available(info.dataset) and (of != "latents" or info.can("encode"))
    options = [name for name in _SHOWN if real or name == "samples"]
    now = "samples" if not shown.dataset else "both" if shown.generated else "images"
    if len(options) == 1:
        return options[0]
    return st.segmented_control(
        _("On the map"),
        options,
        default=now if now in options else options[0],
        format_func=lambda name: _(_SHOWN[name]),
        required=True,
        key=f"map-shown{at}-{of}",
        help=_(
            "Images of the data set, samples of the model, or both: where does it miss, where does it make up?"
        ),
    )


# The wait --------------------------------------------------------------------------------------------------


def _settle(info: ModelInfo, job: Job | None) -> None:
    """Show the map that a job has made, or say what came of it; nothing of one that was removed elsewhere."""
    spec, _id = st.session_state.get(_ASKED, {}).get(_name(info), (None, ""))
    if job and job.state == "done" and spec is not None and _asked_for(info, spec):
        _keep(_ASKED, info, (spec, ""))
        return
    _keep(_ASKED, info, None)
    if job and job.problem:
        _keep(_FAILED, info, UserError(job.state, job.problem, job.remedy))


# Words -----------------------------------------------------------------------------------------------------


def title(spec: MapSpec, taken: Collection[str] = ()) -> str:
    """Return what a map is called in a list: in a few words, with as many more as it takes to tell it from others.

    Args:
        spec: The map.
        taken: Names of others.
    """
    samples = _(_SHOWN["samples" if not spec.dataset else "both" if spec.generated else "images"])
    text = " · ".join((_METHODS[spec.method], _(_OF[spec.of]), f"{spec.count:,}", samples))
    details = (
        _("{n} neighbours").format(n=spec.neighbours),
        _("distance {value:.2f}").format(value=spec.min_dist),
        _("seed {n}").format(n=spec.seed),
        spec.metric,
    )
    for detail in details:
        if text not in taken:
            break
        text = f"{text} · {detail}"
    return text


def words(found: "EmbeddingMap") -> str:
    """Say what the map is, and how good it is by number."""
    spec = found.spec
    parts = [
        _("{method} of {n} points, near if alike in {of}").format(
            method=_METHODS[spec.method], n=f"{len(found):,}", of=_(_OF[spec.of])
        )
    ]
    figures = [
        f"{_(title)} {percent(found.quality[name])}"
        for name, title in _QUALITY.items()
        if name in found.quality
    ]
    return " · ".join([*parts, ", ".join(figures)] if figures else parts)
