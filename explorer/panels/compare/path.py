"""One way between two real images, in each latent space: frame by frame, and how evenly it goes."""

from collections.abc import Sequence

import streamlit as st

from explorer import background, figures
from explorer.compare import remade, rivals
from explorer.compare.remade import FRAMES, Method, Path
from explorer.components.player import COLUMNS, Film, Reel, player
from explorer.panels import film, problem
from explorer.panels.compare import attempts, subject
from explorer.panels.compare.attempts import Attempt
from explorer.panels.compare.subject import Subject
from explorer.text import _
from models import media
from models.catalog import ModelInfo

_DEFAULT_FRAMES = 25
_STRIP = 6  # images to choose from at each end


def show(models: Sequence[ModelInfo]) -> None:
    """Draw the part for models of one data set."""
    columns = st.columns(2, gap="medium")
    ends: list[Subject | None] = []
    for column, end, title in zip(columns, (0, 1), (_("From"), _("To")), strict=True):
        with column:
            ends.append(subject.choose(models[0], end, title, strip=_STRIP))
    attempts.say_who_cannot(models)
    first, second = ends
    if first is None or second is None:
        return
    above = st.container()  # the film first: what it shows is seen beside what is chosen
    method, frames = _options()
    with above:
        paths = _walk(models, first, second, method, frames)
    if paths:
        _paces(paths)


def _walk(
    models: Sequence[ModelInfo], first: Subject, second: Subject, method: Method, frames: int
) -> dict[str, Path]:
    """Draw the way of each model from one image to the other, once both are found; return them by model."""
    begun = [attempts.begin(models, one, ("encode",), end) for end, one in enumerate((first, second))]
    if not begun[0]:
        return {}
    work = attempts.works([*begun[0], *begun[1]])
    if work.running:
        background.poll(work, attempts.progress)
        return {}
    attempts.offer_again([*begun[0], *begun[1]])
    paths = _paths(begun[0], begun[1], method, frames, private=first.private or second.private)
    if paths:
        _play(first, second, paths)
    return paths


def _options() -> tuple[Method, int]:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        chosen = st.segmented_control(
            _("Way"),
            ["slerp", "lerp"],
            default="slerp",
            required=True,
            format_func=lambda name: film.METHODS[name]()[0],
            key="compare-method",
            width="content",
            persist_state="session",
            help="\n".join(
                f"- **{title}**: {text}."
                for title, text in (film.METHODS[name]() for name in ("slerp", "lerp"))
            ),
        )
        frames = st.slider(
            _("Frames"),
            *FRAMES,
            _DEFAULT_FRAMES,
            key="compare-frames",
            persist_state="session",
            help=_("Pictures from one end to the other, both ends included."),
        )
    return "lerp" if chosen == "lerp" else "slerp", frames


def _paths(
    first: Sequence[Attempt], second: Sequence[Attempt], method: Method, frames: int, *, private: bool
) -> dict[str, Path]:
    """Return the path of each model that has found both ends, by its name; the page says why others have not."""
    paths: dict[str, Path] = {}
    names = rivals.names([attempt.info for attempt in first])
    for start, end in zip(first, second, strict=True):
        with problem.explained():
            found = start.found(), end.found()
            if found[0] is not None and found[1] is not None:
                paths[names[start.info.id]] = remade.path(found[0], found[1], frames, method, private=private)
    return paths


def _play(first: Subject, second: Subject, paths: dict[str, Path]) -> None:
    frames = next(iter(paths.values())).frames
    count, height, width, _channels = frames.shape
    shown = Film(
        reels=[
            Reel(media.png(media.contact_sheet(one.frames, COLUMNS)), name) for name, one in paths.items()
        ],
        count=count,
        size=(width, height),
        marks=(),
        names=(),
        label=_("Ways from one image to the other"),
        ends=(media.png(first.pixels), media.png(second.pixels)),
    )
    player(shown, key="compare-player")
    st.caption(
        _(
            "The framed pictures at both ends are the real images. A model with an encoder starts and ends at what it "
            "encodes them to, another at what a search finds."
        )
    )


def _paces(paths: dict[str, Path]) -> None:
    st.markdown(
        _("**Distance between frames**"),
        width="content",
        help=_(
            "How much each frame differs from the one before: the root of the mean squared difference of their "
            "pixels, in percent of the range from black to white. A flat line means an even pace; a peak is a jump: "
            "the picture turns into something else within few frames. A line that is low all along is a way through "
            "pictures that hardly differ, as blurred ones do."
        ),
    )
    steps = {name: [float(step) for step in one.steps] for name, one in paths.items()}
    st.plotly_chart(figures.paces(steps), key="compare-paces", config={"displayModeBar": False})
    ratio = _("{title}: largest {ratio:.1f} × the mean")
    words = [ratio.format(title=name, ratio=film.evenness(each)) for name, each in steps.items()]
    st.caption(problem.literal(" · ".join(words)))
