"""Real images that no model was trained on, as a page shows them: the same ones for all sessions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models import datasets
from models.catalog import ModelInfo
from models.errors import UserError

if TYPE_CHECKING:
    from models.images import Pixels

_MOST = 1000  # images that are kept of a data set, spread over it


@dataclass(frozen=True)
class HeldOut:
    """Held-out images of a data set.

    Args:
        images: uint8, shape (N, H, W, C), not to be written into.
        labels: The class of each; empty if the data have none.
    """

    images: "Pixels"
    labels: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def read(dataset: str) -> HeldOut:
    """Read held-out images; nothing is downloaded, and no folder is read for the first time.

    They take the way of a model's pictures: to [-1, 1], and back to eight bits.

    Raises:
        UserError: The data set is not on this machine.
    """
    if not datasets.available(dataset):
        from models.datasets.standard import where_to_put

        problem = f"The data set “{datasets.title(dataset)}” is not on this machine."
        raise UserError("no-data", problem, where_to_put(dataset))
    import torch

    from models.results import pictures

    data = datasets.load(dataset, "test")
    count = min(_MOST, len(data))
    index = torch.arange(count) * len(data) // max(1, count)
    labels = () if data.labels is None else tuple(map(int, data.labels[index]))
    return HeldOut(pictures(data.floats(index)), labels)


def check(info: ModelInfo, found: HeldOut) -> HeldOut:
    """Return held-out images if a model makes such ones; raises UserError if their shape is another."""
    channels, height, width = info.sample_shape
    if found.images.shape[1:] != (height, width, channels):
        problem = (
            f"The images of “{datasets.title(info.dataset)}” have another shape than those of “{info.title}”."
        )
        raise UserError("different-sizes", problem, "Choose models of this data set's size.")
    return found
