"""A route as a film: how it goes from key frame to key frame, the player, how even it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from explorer import background, cache, controls, figures, route, state
from explorer.components.player import COLUMNS, Film, Reel, player
from explorer.panels import keyframes, problem
from explorer.text import _
from models.catalog import ModelInfo
from models.choices import ROUTES
from models.errors import UserError
from models.requests import Interpolate, Nearest, Point, RenderRequest

if TYPE_CHECKING:
    from models.render import RenderResult

_QUIET = ("no-data", "shape-mismatch")  # nothing that the person has done wrong
METHODS: dict[str, Callable[[], tuple[str, str]]] = {
    "slerp": lambda: (
        _("Arc"),
        _(
            "spherical interpolation (slerp) keeps the usual distance from the centre of the latent space, where the "
            "model has seen most of its points"
        ),
    ),
    "lerp": lambda: (
        _("Straight"),
        _("linear interpolation (lerp) passes nearer to the centre, where pictures are more average"),
    ),
    "data": lambda: (
        _("Through the data"),
        _(
            "the shortest way over points that real pictures are encoded to (for a GAN: over samples), measured by "
            "how much the picture changes, with frames at even distances"
        ),
    ),
}


@dataclass(frozen=True)
class Walk:
    """A route with its pictures.

    Args:
        keys: Its key frames.
        op: How it goes.
        request: The same, asked of the model.
        result: What came of it.
    """

    keys: tuple[Point, ...]
    op: Interpolate
    request: RenderRequest
    result: "RenderResult"

    @property
    def steps(self) -> list[float]:
        """How far each frame is from the one before: RMS differences of pixels in [0, 1]."""
        return [float(step) for step in self.result.values["step"]]


def options() -> None:
    """Draw how the route goes, and in how many frames."""
    shown = state.view().route
    words = {name: METHODS[name]() if name in METHODS else (name, name) for name in ROUTES}
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.segmented_control(
            _("Way"),
            list(ROUTES),
            format_func=lambda name: words[name][0],
            width="content",
            help="\n".join(f"- **{title}**: {text}." for title, text in words.values()),
            **state.controlled("method", shown.method, lambda value: state.update_route(method=value)),
        )
        st.slider(
            _("Frames"),
            *route.FRAMES,
            help=_("All pictures of the film, key frames included, in equal numbers between key frames."),
            **state.controlled("frames", shown.frames, lambda value: state.update_route(frames=value)),
        )


def walk(info: ModelInfo, keys: tuple[Point, ...]) -> Walk | None:
    """Render the route; a way through data that are not here becomes an arc, and the page says so.

    Returns:
        None while the way is looked for: the page then shows how far that is.
    """
    shown = state.view().route
    op = Interpolate(points=keys, frames=shown.frames, method=shown.method)
    request = controls.ask(info, op)
    if shown.method == "data":
        words = _("Looking for the way; later ones are found at once")
        if not background.ready("route", request, words):
            return None
        try:
            cache.render(request)
        except UserError as error:
            if error.code not in _QUIET:
                raise
            words = problem.literal(f"{error.problem} {error.remedy}")
            st.caption(f"{words} {_('The arc is shown instead.')}")
            op = op.model_copy(update={"method": "slerp"})
            request = controls.ask(info, op)
    return Walk(keys, op, request, cache.render(request))


def play(info: ModelInfo, film: Walk, *, beside: bool) -> int | None:
    """Draw the player.

    Args:
        info: The model.
        film: What to play.
        beside: Show the nearest real image of each frame.

    Returns:
        The number of a frame that was just opened, which is then the point of Explore, or None.
    """
    _channels, height, width = info.sample_shape
    latents = film.result.latents

    def go_to(frame: int) -> None:
        nearest = round(frame * (len(film.keys) - 1) / (len(latents) - 1))
        private = any(state.is_private(key) for key in film.keys)
        state.go_to(
            latents[frame].tolist(), private=private, label=keyframes.label_of(info, film.keys[nearest])
        )

    reels = [Reel(cache.sheet((film.request,), COLUMNS), _("Made by the model"))]
    if beside and (nearest := _nearest(info, film.op)) is not None:
        reels.append(Reel(nearest, _("Nearest real image")))
    shown = Film(
        reels=reels,
        count=len(latents),
        size=(width, height),
        marks=route.positions(len(film.keys)),
        names=[keyframes.name_of(info, key) for key in film.keys],
        label=_("Film of {n} key frames").format(n=len(film.keys)),
    )
    return player(shown, key="player", on_open=go_to)


def _nearest(info: ModelInfo, op: Interpolate) -> bytes | None:
    request = controls.ask(info, Nearest(of=op))
    if not background.ready("beside", request, _("Looking for the nearest real images")):
        return None
    try:
        return cache.sheet((request,), COLUMNS)
    except UserError as error:
        if error.code not in _QUIET:
            raise
        st.caption(problem.literal(f"{error.problem} {error.remedy}"))
        return None


def evenness(steps: Sequence[float]) -> float:
    """Return the largest distance between neighbouring frames over the mean one; 1 is perfectly even."""
    mean = sum(steps) / len(steps)
    return max(steps) / mean if mean else 1.0


def distances(info: ModelInfo, film: Walk) -> None:
    """Draw how far the frames are apart."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.markdown(
            _("**Distance between frames**"),
            width="content",
            help=_(
                "How much each frame differs from the one before: the root of the mean squared difference of their "
                "pixels, in percent of the range from black to white. A flat line means even spacing: the film moves "
                "on at a steady pace. A peak is a jump: the picture turns into something else within few frames. "
                "The dotted line is the mean."
            ),
        )
        text = _("largest {ratio:.1f} × the mean").format(ratio=evenness(film.steps))
        st.caption(text, width="content")
    figure = figures.distances(film.steps, route.positions(len(film.keys)))
    st.plotly_chart(figure, key="distances", config={"displayModeBar": False})
    if len({keyframes.label_of(info, key) for key in film.keys}) > 1:
        st.caption(
            _("A class cannot be half of another: it changes in the middle between two key frames, at once.")
        )
