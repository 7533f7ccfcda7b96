"""What models make of the same real image, and of the way between two: as values, for a page or a report.

    made = [compared(info, image) for info in models]
    pictures = [difference(one, worst(made)) for one in made]
    films = [path(compared(info, first), compared(info, second)) for info in models]

`compared` and `path` wait for the models. A page that must not wait asks `asked` of them itself, and makes of each
answer, or of as much of it as there is, what `measured` returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from explorer import cache, controls
from explorer.text import _
from models import images
from models.catalog import ModelInfo
from models.errors import UserError
from models.requests import Encode, Interpolate, Invert, Point, RenderRequest

if TYPE_CHECKING:  # importing them for more than annotations would import torch
    import numpy as np
    from numpy.typing import NDArray

    from models.media import Pixels
    from models.metrics.reconstruction import Likeness
    from models.render import RenderResult

Way = Literal["encode", "search"]
Method = Literal["slerp", "lerp"]
FRAMES = (9, 60)  # fewest and most of a path
_CAN: dict[Way, str] = {"encode": "encode", "search": "invert"}  # the capability that each way asks for
_MOST_GAIN = 8.0  # as in `models.answers`: the differences of near perfect pictures are not blown up to noise
_REACH = 100.0  # prior standard deviations that a coordinate of a point may be from 0


@dataclass(frozen=True, eq=False)
class Compared:
    """What a model makes of an image.

    Args:
        info: The model.
        way: How its latent was found: the encoder's, or searched for.
        image: What it was to make, uint8, shape (H, W, C).
        made: What it makes, the same shape.
        figures: How near that is, measured on these pixels.
        latent: float32, shape (D,), in prior standard deviations.
        label: The class that it was decoded with; None if the model takes none.
        done: Share of the search that is done; 1 if it is complete.
    """

    info: ModelInfo
    way: Way
    image: "Pixels"
    made: "Pixels"
    figures: "Likeness"
    latent: "NDArray[np.float32]"
    label: int | None
    done: float = 1.0

    @property
    def largest(self) -> float:
        """Largest difference of a pixel, as a share of the range from black to white."""
        return float(abs(self.image.astype(float) - self.made).max()) / 255

    @property
    def point(self) -> Point:
        """The place in latent space, for further requests."""
        latent = tuple(min(_REACH, max(-_REACH, float(value))) for value in self.latent)
        return Point(latent=latent, label=self.label)


@dataclass(frozen=True, eq=False)
class Path:
    """The way of one model between what it makes of two images.

    Args:
        info: The model.
        frames: uint8, shape (N, H, W, C), both ends included.
        steps: How far each frame is from the one before it, shape (N - 1,): RMS differences of pixels in [0, 1].
    """

    info: ModelInfo
    frames: "Pixels"
    steps: "NDArray[np.float32]"


def ways(info: ModelInfo) -> list[Way]:
    """Return how a model can find an image in its latent space, the usual way first; an imported decoder has none."""
    return [way for way, capability in _CAN.items() if info.can(capability)]


def held_out(info: ModelInfo, number: int) -> "Pixels":
    """Return a held-out image of the data that a model was trained on, uint8 (H, W, C); raises as `cache.held_out`.

    Args:
        info: The model.
        number: Of the image; those beyond the last one count from the first again.
    """
    found = cache.held_out(info.dataset, info.sample_shape).images
    return found[number % len(found)]


def asked(info: ModelInfo, image: "Pixels", way: Way) -> RenderRequest:
    """Ask a model for an image, uint8 (H, W, C), as large as its own."""
    reference = images.keep(image)
    return controls.ask(info, Encode(image=reference) if way == "encode" else Invert(image=reference))


def measured(info: ModelInfo, way: Way, result: "RenderResult") -> Compared:
    """Measure what came of `asked`, or has come of it so far."""
    from models.metrics.reconstruction import likeness

    image, made = result.images[0], result.images[1]
    label = int(result.values["label"][0]) if info.labels and "label" in result.values else None
    return Compared(info, way, image, made, likeness(image, made), result.latents[0], label, result.done)


def compared(info: ModelInfo, image: "Pixels", way: Way | None = None) -> Compared:
    """Let a model make an image; a search takes seconds.

    Args:
        info: The model.
        image: uint8, shape (H, W, C), as large as the model's own.
        way: How; None for the usual one.

    Raises:
        UserError: The model cannot find images in its latent space that way, or the image does not fit it.
    """
    way = way or next(iter(ways(info)), None)
    if way is None:
        raise no_way(info)
    return measured(info, way, cache.render(asked(info, image, way)))


def no_way(info: ModelInfo) -> UserError:
    """Say that a model cannot find images in its latent space."""
    text = _(
        "“{title}” came without an encoder, and without the gradient that a search follows: no image can be found in "
        "its latent space."
    )
    return UserError(
        "cannot-invert", text.format(title=info.title), _("Compare models that were trained here.")
    )


def worst(found: Sequence[Compared]) -> float:
    """Return the difference that is drawn white in all difference images, as a share of the range.

    The largest of all, so that none is cut off; an eighth of the range at least.
    """
    return max([1 / _MOST_GAIN, *(one.largest for one in found)])


def difference(one: Compared, white: float) -> "Pixels":
    """Return the absolute difference of each pixel and channel, uint8 (H, W, C).

    Args:
        one: What is compared.
        white: The difference that is drawn white, as a share of the range.
    """
    import numpy as np

    error = np.abs(one.image.astype(np.float32) - one.made) / white
    return np.clip(np.rint(error), 0, 255).astype(np.uint8)


def path(
    first: Compared,
    second: Compared,
    frames: int = 25,
    method: Method = "slerp",
    *,
    private: bool = False,
) -> Path:
    """Walk from what a model makes of one image to what it makes of another.

    Args:
        first: What it makes of the one.
        second: What the same model makes of the other.
        frames: Number of pictures, both ends included.
        method: A name in `models.latent.PATHS`.
        private: Whether one of them is a person's own.

    Raises:
        ValueError: They are of different models.
    """
    info = first.info
    if info.digest != second.info.digest:
        raise ValueError(f"no path from '{info.id}' to '{second.info.id}'")
    op = Interpolate(points=(first.point, second.point), frames=frames, method=method)
    result = cache.render(controls.ask(info, op), private=private)
    return Path(info, result.images, result.values["step"])
