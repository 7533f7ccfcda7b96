"""Fresh samples, and an image, placed on a map: computed in threads of their own, samples once for all sessions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer import map_data
from models import datasets
from models.catalog import ModelInfo
from models.shared import COSTLY, Progress, Shared, Task

if TYPE_CHECKING:  # importing it for more than annotations would import torch
    from models.embedding.fresh import Coverage
    from models.embedding.maps import EmbeddingMap
    from models.embedding.space import Space
    from models.images import Pixels


@dataclass(frozen=True, eq=False)
class Placed:
    """Samples on a map.

    Args:
        samples: As a map of their own.
        missing: Points of the map that they were not compared with: images that are not at hand.
        rebuilt: Points whose reconstructions they were compared with, for the same reason.
    """

    samples: "EmbeddingMap"
    missing: int
    rebuilt: int


_REACHING = 0.7  # share of the time that the space of a map takes
_spaces: "Shared[Space]" = Shared(keep=2)
_samples: "Shared[Placed]" = Shared(keep=16)
_coverages: "Shared[Coverage]" = Shared(keep=64)


def space(info: ModelInfo, found: "EmbeddingMap") -> "Task[Space]":
    """Return the task that finds the space of a map again; its value raises UserError as `space_of` does."""

    def reach(progress: Progress) -> "Space":
        from models.embedding.space import space_of

        with COSTLY:
            return space_of(found, info, progress)

    name = found.spec.dataset  # its images may come, or go, while the process lives
    return _spaces.begin(f"{map_data.publish(found)} {_state(name)}", reach)


def samples(info: ModelInfo, found: "EmbeddingMap", who: ModelInfo, seeds: range) -> "Task[Placed]":
    """Return the task that places samples on a map; its value raises UserError as `place_samples` does.

    Args:
        info: The map's model.
        found: The map.
        who: Whose samples.
        seeds: Which.
    """

    def put(progress: Progress) -> Placed:
        from models.embedding.fresh import place_samples

        reached = space(info, found)
        while reached.wait(0.1).running:
            progress(_REACHING * reached.share)
        done = reached.value()
        with COSTLY:
            samples = place_samples(
                done, info, who, seeds, lambda share: progress(_REACHING + (1 - _REACHING) * share)
            )
        return Placed(samples, len(found) - len(done.rows), done.rebuilt)

    where = f"{map_data.publish(found)} {_state(found.spec.dataset)}"
    return _samples.begin(f"{where} {who.digest} {seeds}", put)


def coverage(who: ModelInfo, seeds: range) -> "Task[Coverage]":
    """Return the task that measures how much of the data samples cover; its value raises UserError as that does."""

    def measure(progress: Progress) -> "Coverage":
        from models.embedding.fresh import coverage as measured

        with COSTLY:
            return measured(who, seeds, progress)

    return _coverages.begin(f"{who.digest} {seeds} {_state(who.dataset)}", measure)


def _state(dataset: str) -> str:
    """Return what lies on the disk for a data set, in short."""
    known = bool(dataset) and datasets.known(dataset) is not None
    return str(datasets.state(dataset)) if known else ""


def place_image(reached: "Space", pixels: "Pixels", label: int | None) -> tuple[float, float]:
    """Return where on a map an image belongs.

    Args:
        reached: The map's space.
        pixels: The image as the map's model sees it, uint8, shape (H, W, C).
        label: What a conditional encoder is told of it.
    """
    import torch

    from models.core import to_unit

    x = to_unit(torch.tensor(pixels)).permute(2, 0, 1)[None].contiguous()
    with torch.inference_mode():
        seen = reached.sight.images(x, None if label is None else torch.tensor([label]))
    across, up = reached.place(seen.float().numpy())[0].tolist()
    return across, up
