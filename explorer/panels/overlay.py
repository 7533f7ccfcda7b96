"""What is laid over a map: fresh samples of its model and of others, and a person's own image."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer import (
    background,
    cache,
    controls,
    fresh,
    map_data,
    map_pictures,
    navigation,
    own,
    sitemap,
    state,
)
from explorer.compare import rivals
from explorer.components.map.reports import Above
from explorer.components.map.scene import MARKS, Extra, OwnImage
from explorer.panels import pin, problem, upload
from explorer.text import _, percent
from models import images
from models.catalog import ModelInfo
from models.errors import UserError
from models.media import enlarged, png
from models.requests import Encode, Sample
from models.shared import Task
from models.values import MAX_SEED

if TYPE_CHECKING:
    from models.embedding.fresh import Coverage
    from models.embedding.maps import EmbeddingMap
    from models.images import Pixels
    from models.results import RenderResult

COUNTS = (100, 500, 2000)
FIRST = 100_000  # a seed that no map begins with
_PATIENCE = 0.6  # seconds that quick samples are waited for
_GLANCE = 0.3  # seconds between two looks at how far they are
_SIDE = 112  # CSS pixels of a sample's picture, about
_OTHER = "map_other"  # a sample of another model that was clicked, and where the point of Explore was then
_SLOT = "map-own"


@dataclass(frozen=True, eq=False)
class Layer:
    """Samples over a map.

    Args:
        extra: As the browser has to know them.
        who: Whose they are.
        placed: The samples.
    """

    extra: Extra
    who: ModelInfo
    placed: fresh.Placed

    @property
    def samples(self) -> "EmbeddingMap":
        """The samples as a map of their own."""
        return self.placed.samples


# Fresh samples ---------------------------------------------------------------------------------------------


def samples(info: ModelInfo, found: "EmbeddingMap") -> list[Layer]:
    """Draw the choice of fresh samples and how much they cover; return those that are placed already."""
    hint = _(
        "New samples, each beside the points that are most like it: where the model misses what there is, and where "
        "it makes up what there is not. Of other models, too."
    )
    known = {one.id: one for one in rivals.fitting(info, cache.known(info.id))} | {info.id: info}
    titles = rivals.names(list(known.values()))
    with st.container(horizontal=True, vertical_alignment="center"):
        if not st.toggle(_("Fresh samples"), key="map-fresh", persist_state="session", help=hint):
            return []
        with st.popover(_("Which"), icon=":material/tune:", key="map-fresh-which"):
            key = f"map-fresh-of-{info.id}"
            if any(name not in known for name in st.session_state.get(key, ())):  # some are gone since
                st.session_state[key] = [name for name in st.session_state[key] if name in known]
            names = st.multiselect(
                _("Samples of"),
                list(known),
                default=[info.id],
                format_func=lambda name: titles[name],
                max_selections=len(MARKS),
                key=key,
                persist_state="session",
            )
            seeds = _seeds()
    tasks = [(name, fresh.samples(info, found, known[name], seeds)) for name in names]
    layers: list[Layer] = []
    for (name, task), mark in zip(tasks, MARKS, strict=False):
        layer = _layer(known[name], _("Fresh samples") if name == info.id else titles[name], mark, task)
        layers += [layer] if layer else []
    if layers:
        _say_reach(layers[0].placed)
    covers = [(titles[layer.who.id], layer.who, fresh.coverage(layer.who, seeds)) for layer in layers]
    with st.container(gap="xxsmall"):
        for title, who, cover in covers:
            _say(title, who, cover)
    _wait([*(task for _name, task in tasks), *(cover for _title, _who, cover in covers)])
    return layers


def _seeds() -> range:
    """Draw the choice of how many samples, and which."""
    count = st.segmented_control(
        _("How many"),
        COUNTS,
        default=COUNTS[1],
        format_func=lambda n: f"{n:,}",
        required=True,
        key="map-fresh-count",
        persist_state="session",
    )
    first = st.number_input(
        _("First seed"),
        0,
        MAX_SEED - COUNTS[-1],
        FIRST,
        step=1,
        key="map-fresh-seed",
        persist_state="session",
        help=_("The first of as many seeds in a row: the same samples each time."),
    )
    return range(int(first), int(first) + int(count))


def _layer(who: ModelInfo, name: str, mark: str, task: "Task[fresh.Placed]") -> Layer | None:
    if task.wait(_PATIENCE).running:
        return None
    try:
        placed = task.value()
    except UserError as error:
        problem.show(error)
        return None
    key = map_data.publish(placed.samples)
    channels, height, width = who.sample_shape
    extra = Extra(
        key=key,
        address=map_data.address(sitemap.base(), key),
        name=name,
        count=len(placed.samples),
        dim=placed.samples.latents.shape[1],
        shape=(height, width, channels),
        mark=mark,
    )
    return Layer(extra, who, placed)


def _say_reach(placed: fresh.Placed) -> None:
    """Say so where samples were not placed among the images themselves."""
    if placed.missing:
        text = _("Placed among the map's samples alone: its {n} images are not on this machine.")
        st.caption(text.format(n=f"{placed.missing:,}"))
    elif placed.rebuilt:
        text = _("Placed among reconstructions of {n} images: these are not on this machine.")
        st.caption(text.format(n=f"{placed.rebuilt:,}"))


def _say(title: str, who: ModelInfo, task: "Task[Coverage]") -> None:
    """Say how much of the real data samples cover; where that cannot be measured, what the card says, or why."""
    hint = _(
        "Coverage: around each real test image lies a ball up to the fifth nearest other one; the share of balls that "
        "hold a sample. Samples that are like real images cover 97 %. (Naeem et al., 2020)"
    )
    title = problem.literal(title)
    if task.wait(_PATIENCE).running:
        return
    try:
        found = task.value()
    except UserError as error:
        shipped = who.card.metrics.get("coverage")
        if shipped is None:
            st.caption(problem.literal(_("No coverage: {why}").format(why=error.problem)))
            return
        text = _("**{title}** covers {share} of the real images, says its card")
        st.caption(text.format(title=title, share=percent(shipped.value)), help=hint)
        return
    space = _("in what a classifier sees") if found.features else _("in pixels")
    text = _("**{title}** covers {share} of {n} test images {space}")
    words = text.format(title=title, share=percent(found.share), n=f"{found.count:,}", space=space)
    st.caption(words, help=hint)


def _wait(tasks: "Sequence[Task[Any]]") -> None:
    """Draw how far tasks are until one more of them is done, and then the whole page anew."""
    running = [task for task in tasks if task.running]
    if running:
        st.fragment(_poll, run_every=_GLANCE)(running)


def _poll(tasks: "Sequence[Task[Any]]") -> None:
    if not all(task.running for task in tasks):
        navigation.redraw()
    share = sum(task.share for task in tasks) / len(tasks)
    st.progress(share, _("Samples find their places · {share:.0%}").format(share=share))


# A person's own image --------------------------------------------------------------------------------------


def own_image(info: ModelInfo, found: "EmbeddingMap") -> OwnImage | None:
    """Draw the choice of an image of one's own; return it at its place on the map, once it has one."""
    if not info.can("encode"):
        return None
    hint = _(
        "Where the encoder puts it. It stays in this browser tab: seen by nobody else, never part of a link."
    )
    if not st.toggle(_("Your own image"), key="map-own", persist_state="session", help=hint):
        return None
    upload.choose(info)
    image = own.own()
    if image is None:
        return None
    try:
        return _placed(info, found, own.prepared(info, image))
    except UserError as error:  # the map stays
        problem.show(error)
        return None


def _placed(info: ModelInfo, found: "EmbeddingMap", seen: "Pixels") -> OwnImage | None:
    """Return a prepared image at its place; None while that is looked for, which is shown."""
    work = background.follow(_SLOT, controls.ask(info, Encode(image=images.keep(seen)))).wait(_PATIENCE)
    reached = fresh.space(info, found).wait(_PATIENCE)
    if work.running:
        background.poll(work, partial(background.progress, _("Encoding")))
        return None
    if reached.running:
        _wait([reached])
        return None
    result = work.shown
    if result is None:
        return None
    place = fresh.place_image(reached.value(), seen, _label(info, result))
    return OwnImage(place, result.images[0], result.images[1])


def _label(info: ModelInfo, result: "RenderResult") -> int | None:
    return int(result.values["label"][0]) if info.labels and "label" in result.values else None


# What was clicked ------------------------------------------------------------------------------------------


def pick(
    info: ModelInfo, found: "EmbeddingMap", layers: Sequence[Layer], image: OwnImage | None, above: Above
) -> None:
    """Make what was clicked the point of Explore; a sample of another model is kept at hand instead.

    Args:
        info: The map's model.
        found: The map.
        layers: The samples over it.
        image: The person's own, over it.
        above: What was clicked.
    """
    if above.key is None:
        if image is not None and _pick_own(info):
            pin.mark(found, image.place)
        return
    layer = next((one for one in layers if one.extra.key == above.key), None)
    if layer is None:
        return
    seed = int(layer.samples.indices[above.index])
    label = map_pictures.label_of(layer.samples, above.index) if layer.who.labels else None
    if layer.who.digest == info.digest:
        state.update_point(seed=seed, latent=(), edits=(), truncation=1.0, label=label)
        pin.say(_("seed {n}").format(n=seed))
        pin.mark(found, layer.samples.positions[above.index])
    else:
        st.session_state[_OTHER] = (info.digest, state.view().point, layer.who, seed, label)


def _pick_own(info: ModelInfo) -> bool:
    """Make the person's own image the point of Explore, if it is encoded; tells that."""
    work = background.current(_SLOT)
    result = None if work is None or work.running else work.shown
    if result is None:
        return False
    state.go_to(result.latents[0].tolist(), label=_label(info, result), private=True)
    pin.say(_("Your own image"))
    return True


def other(info: ModelInfo) -> str:
    """Draw the sample of another model that was clicked last; returns the page to go to, empty to stay."""
    digest, point, who, seed, label = st.session_state.get(_OTHER, ("", None, info, 0, None))
    if (digest, point) != (info.digest, state.view().point):  # the map, or its point, is another one since
        return ""
    image = cache.render(controls.ask(who, Sample(seed=seed, count=1, label=label))).images[0]
    factor = max(1, _SIDE // image.shape[0])
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        alt = _("What {title} makes of seed {seed}").format(title=who.title, seed=seed)
        st.image(png(enlarged(image, factor)), width=factor * image.shape[1], alt=alt)
        with st.container():
            st.markdown(f"**{problem.literal(who.title)}**")
            st.caption(_("seed {n}").format(n=seed))
            words = _("Open with its model")
            if st.button(words, key="map-open-other", icon=":material/explore:", type="primary"):
                state.choose_model(who.id)
                state.update_point(seed=seed, latent=(), edits=(), truncation=1.0, label=label)
                return "views/explore.py"
    return ""
