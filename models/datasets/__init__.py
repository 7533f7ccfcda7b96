"""Data sets: one table. An entry knows its shape and names; the images load when they are asked for."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from models import paths
from models.datasets.factors import Factor
from models.tables import Table

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Split = Literal["train", "test"]

_DIGITS = tuple("0123456789")
_FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class _Drawn(Sequence[Factor]):
    """`FACTORS` of a module that draws, imported (with numpy) when they are first asked for."""

    def __init__(self, module: str) -> None:
        self._module = module

    @cached_property
    def _factors(self) -> tuple[Factor, ...]:
        return importlib.import_module(self._module).FACTORS

    @overload
    def __getitem__(self, index: int) -> Factor: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Factor]: ...

    def __getitem__(self, index: int | slice) -> Factor | Sequence[Factor]:
        return self._factors[index]

    def __len__(self) -> int:
        return len(self._factors)


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set without loading it.

    Args:
        name: Its id.
        title: Its name for people.
        channels: 1 (grey) or 3 (RGB).
        size: Height and width, in pixels.
        train: Number of training images.
        test: Number of test images.
        classes: Names of its labels; empty if it has none.
        factors: Attributes that are known of each image; empty if none are.
        likelihood: The p(x|z) that suits its pixel values.
        load: `"module:attribute"`, a function of the split that returns `(images, labels, factors)`.
        licence: Under which its images may be used.
        source: Where it comes from.
        folders: Names of the folder that its idx files are looked for in; empty if it needs no files.
        fill: How much of the side what is drawn takes, where that is centred in each image; None if it is not.
    """

    name: str
    title: str
    channels: Literal[1, 3]
    size: Literal[16, 32, 64]
    train: int
    test: int
    load: str
    licence: str
    source: str
    classes: tuple[str, ...] = ()
    factors: Sequence[Factor] = ()
    likelihood: str = "bernoulli"
    folders: tuple[str, ...] = ()
    fill: float | None = None


DATASETS = Table[DatasetInfo](
    "data set",
    {
        info.name: info
        for info in (
            DatasetInfo(
                "digits", "Digits", 1, 16, 1438, 359, "models.datasets.standard:digits", "BSD-3-Clause",
                "scikit-learn's load_digits: UCI optical recognition of handwritten digits, enlarged to 16x16",
                _DIGITS, fill=1.0,
            ),
            DatasetInfo(
                "avatars", "Avatars", 3, 64, 20_000, 2_000, "models.datasets.standard:avatars", "MIT",
                "Procedural cartoon faces with known attributes, drawn by this project", (),
                _Drawn("models.datasets.avatars"),
            ),
            DatasetInfo(
                "sprites", "Sprites", 1, 64, 20_000, 2_000, "models.datasets.standard:sprites", "MIT",
                "Procedural white shapes with the five factors of dSprites, drawn by this project; the orientation "
                "of a square or an ellipse is ambiguous", (), _Drawn("models.datasets.sprites"),
            ),
            DatasetInfo(
                "mnist", "MNIST", 1, 32, 60_000, 10_000, "models.datasets.standard:mnist", "CC BY-SA 3.0",
                "Y. LeCun, C. Cortes, C. Burges; 28x28, zero-padded to 32x32", _DIGITS,
                folders=("mnist", "MNIST/raw", "MNIST"), fill=20 / 32,
            ),
            DatasetInfo(
                "fashion_mnist", "Fashion-MNIST", 1, 32, 60_000, 10_000,
                "models.datasets.standard:fashion_mnist", "MIT",
                "H. Xiao, K. Rasul, R. Vollgraf, Zalando SE; 28x28, zero-padded to 32x32", _FASHION,
                folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "FashionMNIST"), fill=28 / 32,
            ),
        )
    },
)  # fmt: skip


def idx_files(info: DatasetInfo, split: Split) -> tuple[Path, Path] | None:
    """Return the idx files of a split's images and labels, compressed or not; None if they are not here."""
    stem = "train" if split == "train" else "t10k"
    names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
    for root in paths.data_sources():
        for folder in info.folders:
            pairs = [[root / folder / f"{name}{ending}" for ending in ("", ".gz")] for name in names]
            images, labels = (next((path for path in pair if path.is_file()), None) for pair in pairs)
            if images and labels:
                return images, labels
    return None


def available(name: str) -> bool:
    """Tell whether a data set can be loaded without a download."""
    info = DATASETS[name]
    return not info.folders or all(idx_files(info, split) for split in ("train", "test"))


@dataclass(frozen=True)
class ImageData:
    """Images in memory: one uint8 tensor, plus what is known of each.

    Args:
        info: The data set.
        images: uint8, shape (N, C, H, W).
        labels: int64, shape (N,), or None.
        factors: float32, shape (N, F): the value of a continuous factor, the index of a categorical one; or None.
    """

    info: DatasetInfo
    images: "Tensor"
    labels: "Tensor | None" = None
    factors: "Tensor | None" = None

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: "torch.device") -> "ImageData":
        """Return the same data on a device."""
        parts = (None if t is None else t.to(device) for t in (self.labels, self.factors))
        return ImageData(self.info, self.images.to(device), *parts)

    def floats(self, index: "slice | Tensor", device: "torch.device | str" = "cpu") -> "Tensor":
        """Return some images as float32 in [-1, 1], shape (B, C, H, W)."""
        from models.core import to_unit

        return to_unit(self.images[index].to(device))

    def labels_at(self, index: "slice | Tensor", device: "torch.device | str" = "cpu") -> "Tensor":
        """Return the labels of some images, shape (B,); raises ValueError if the data have none."""
        if self.labels is None:
            raise ValueError(f"data set '{self.info.name}' has no labels")
        return self.labels[index].to(device)


Loader = Callable[[Split], "tuple[Tensor, Tensor | None, Tensor | None]"]


def load(name: str, split: Split = "train") -> ImageData:
    """Load a data set into memory.

    Raises:
        UserError: It is unknown, or it is not on this machine and cannot be downloaded.
    """
    info = DATASETS[name]
    loader = Table[Loader]("loader", {name: info.load})[name]
    return ImageData(info, *loader(split))
