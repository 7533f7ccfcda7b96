"""Real images that no model was trained on, as a page shows them: the same ones for all sessions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.images import Pixels


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
    """Read the held-out images of a data set; raises UserError where it is not on this machine."""
    from models import datasets

    data = datasets.load(dataset, "test")
    labels = () if data.labels is None else tuple(map(int, data.labels))
    return HeldOut(data.images.permute(0, 2, 3, 1).contiguous().numpy(), labels)
