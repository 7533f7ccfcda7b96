"""Data sets: one table. An entry knows its shape and names; the images load when they are asked for.

Some are named by where they are and not listed, such as a folder of images: `info(name)` finds both. Those of a
person's own that were taken in are `models.datasets.uploads.own()`.
"""

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, overload

from models.datasets import files, places, points
from models.datasets.factors import Factor
from models.datasets.points import Points
from models.errors import UserError
from models.tables import Table

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from models.datasets.drawing import Drawer

Split = Literal["train", "test"]


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


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


_CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_MNIST_FOLDERS = ("mnist", "MNIST/raw", "MNIST")
_STACKED = tuple(
    Factor(f"{colour}_digit", "categorical", _numbers(10), description=f"The digit in {colour}")
    for colour in ("red", "green", "blue")
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
        channels: 1 (grey) or 3 (RGB); of points 2, their coordinates.
        size: Height and width, in pixels; 0 where it holds points and not images.
        train: Number of training images.
        test: Number of test images.
        classes: Names of its labels; empty if it has none.
        factors: Attributes that are known of each image; empty if none are.
        likelihood: The p(x|z) that suits its pixel values.
        load: `"module:attribute"`, a function of this and of the split that returns `(images, labels, factors)`.
        licence: Under which its images may be used.
        source: Where it comes from.
        files: The format of the files that it needs, a name in `models.datasets.files.FILES`; empty if none.
        folders: Names of the folder that they are looked for in.
        fill: How much of the side what is drawn takes, where that is centred in each image; None if it is not.
        points: What is known of its points; None if it holds images.
        draw: `"module:attribute"`, a function of a number, a seed and `start` that draws any number of its images, and
            returns them with their factors; empty if there are only those that there are.
    """

    name: str
    title: str
    channels: Literal[1, 2, 3]
    size: Literal[0, 16, 32, 64]
    train: int
    test: int
    load: str
    licence: str
    source: str
    classes: tuple[str, ...] = ()
    factors: Sequence[Factor] = ()
    likelihood: str = "bernoulli"
    files: str = ""
    folders: tuple[str, ...] = ()
    fill: float | None = None
    points: Points | None = None
    draw: str = ""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Channels, height, width of an image; (2,) where it holds points."""
        return (self.channels, self.size, self.size) if self.size else (self.channels,)


DATASETS = Table[DatasetInfo](
    "data set",
    {
        info.name: info
        for info in (
            DatasetInfo(
                "digits", "Digits", 1, 16, 1438, 359, "models.datasets.standard:digits", "BSD-3-Clause",
                "scikit-learn's load_digits: UCI optical recognition of handwritten digits, enlarged to 16x16",
                _numbers(10), fill=1.0,
            ),
            DatasetInfo(
                "avatars", "Avatars", 3, 64, 20_000, 2_000, "models.datasets.drawn:load", "MIT",
                "Procedural cartoon faces with known attributes, drawn by this project", (),
                _Drawn("models.datasets.avatars"), draw="models.datasets.avatars:draw",
            ),
            DatasetInfo(
                "sprites", "Sprites", 1, 64, 20_000, 2_000, "models.datasets.drawn:load", "MIT",
                "Procedural white shapes with the five factors of dSprites, drawn by this project; the orientation "
                "of a square or an ellipse is ambiguous", (), _Drawn("models.datasets.sprites"),
                draw="models.datasets.sprites:draw",
            ),
            DatasetInfo(
                "mnist", "MNIST", 1, 32, 60_000, 10_000, "models.datasets.standard:mnist", "CC BY-SA 3.0",
                "Y. LeCun, C. Cortes, C. Burges; 28x28, zero-padded to 32x32", _numbers(10),
                files="idx", folders=_MNIST_FOLDERS, fill=20 / 32,
            ),
            DatasetInfo(
                "fashion_mnist", "Fashion-MNIST", 1, 32, 60_000, 10_000,
                "models.datasets.standard:fashion_mnist", "MIT",
                "H. Xiao, K. Rasul, R. Vollgraf, Zalando SE; 28x28, zero-padded to 32x32", _FASHION, files="idx",
                folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "FashionMNIST"), fill=28 / 32,
            ),
            DatasetInfo(
                "cifar10", "CIFAR-10", 3, 32, 50_000, 10_000, "models.datasets.cifar:cifar10", "not stated",
                "A. Krizhevsky, V. Nair, G. Hinton; the binary version", _CIFAR, likelihood="gaussian-optimal",
                files="cifar",
                folders=("cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "CIFAR10/cifar-10-batches-bin"),
            ),
            DatasetInfo(
                "stacked_mnist", "Stacked MNIST", 3, 32, 60_000, 10_000,
                "models.datasets.standard:stacked_mnist", "CC BY-SA 3.0",
                "Three digits of MNIST as the colours of one image: 1,000 modes", factors=_STACKED,
                files="idx", folders=_MNIST_FOLDERS,
            ),
            *(
                DatasetInfo(
                    f"toy:{name}", title, 2, 0, 20_000, 2_000, f"models.datasets.toy:{loader}", "MIT",
                    f"{source}, drawn by this project", classes, likelihood="gaussian-optimal", points=known,
                )
                for name, title, loader, classes, known, source in (
                    ("grid25", "Grid", "mixture", _numbers(25), points.GRID25, "25 Gaussians on a square grid"),
                    ("ring8", "Ring", "mixture", _numbers(8), points.RING8, "Eight Gaussians on a circle"),
                    ("spirals", "Spirals", "spirals", _numbers(2), points.SPIRALS, "Points of two spirals"),
                    ("moons", "Moons", "moons", _numbers(2), points.MOONS, "Points of two half circles"),
                    ("line", "Line", "line", (), points.LINE, "Points along a straight line"),
                )
            ),
        )
    },
)  # fmt: skip


# Data sets that are named by where they are: "folder:/home/me/cats", "own:cats". What is known of one; and the same, or
# None, if that is at hand, with a key of what lies on the disk.
NAMED = Table[Callable[[str], DatasetInfo]](
    "kind of data set",
    {"folder": "models.datasets.folder:describe", "own": "models.datasets.uploads:describe"},
)
_REMEMBERED = Table[Callable[[str], tuple[DatasetInfo, str] | None]](
    "kind of data set",
    {"folder": "models.datasets.folder:remembered", "own": "models.datasets.uploads:remembered"},
)


def _kind(name: str) -> str | None:
    """Return the kind of a data set that is named by where it is; None for an entry of the table."""
    kind, colon, _ = name.partition(":")
    return kind if colon and kind in NAMED else None


def info(name: str) -> DatasetInfo:
    """Return what is known of a data set: of an entry of the table, or of one that is named by where it is.

    Raises:
        UserError: It is unknown; the message suggests the nearest.
    """
    kind = _kind(name)
    if kind:
        return NAMED[kind](name)
    if name and name not in DATASETS and Path(name).is_dir():
        raise UserError(
            "unknown-data-set", f"There is no data set '{name}'.", f"Did you mean 'folder:{name}'?"
        )
    return DATASETS[name]


def known(name: str) -> DatasetInfo | None:
    """Return what is known of a data set if that is at hand; None if images would have to be read, or it is gone."""
    kind = _kind(name)
    if not kind:
        return DATASETS.get(name)
    found = _REMEMBERED[kind](name)
    return found and found[0]


def title(name: str) -> str:
    """Return a data set's name for people, without reading any file."""
    if _kind(name):
        return re.sub(places.SIZE, "", name).removeprefix(places.OWN).rstrip("/").rpartition("/")[2] or name
    return DATASETS[name].title if name in DATASETS else name


def slug(name: str) -> str:
    """Return a data set's name as a part of file names and of ids."""
    text = title(name) if _kind(name) else name
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:60] or "folder"


def resized(name: str, size: int | str) -> str:
    """Return the name of a data set whose images have another size; raises UserError if there is none."""
    if not _kind(name):
        there = info(name)
        if there.points:
            problem = f"'{name}' holds points, which have no size."
            raise UserError("bad-size", problem, "Leave the option 'size' out.")
        if str(size) == str(there.size):
            return name
        problem = f"The images of '{name}' have {there.size} pixels each way, not {size}."
        raise UserError(
            "bad-size", problem, "Only the images of a folder, or of a set of your own, can be resized."
        )
    return places.place(re.sub(places.SIZE, "", name), size).name


def sized_for(name: str, size: int) -> str:
    """Return the name of a data set whose images have a size, where it leaves that open; else its name as it is."""
    return resized(name, size) if _kind(name) and not re.search(places.SIZE, name) else name


def available(name: str) -> bool:
    """Tell whether a data set can be loaded without a download, or without reading a folder for the first time."""
    if _kind(name):
        return state(name) is not None
    return all(files.found(info(name), split) is not None for split in get_args(Split))


def state(name: str) -> str | None:
    """Return a key of what lies on the disk for a data set, which changes with it; None if it is not here."""
    if kind := _kind(name):
        kept = _REMEMBERED[kind](name)
        return kept and kept[1]
    found = files.found(info(name), "train")
    return None if found is None else " ".join(map(str, found))


@dataclass(frozen=True)
class ImageData:
    """Images, or points, in memory: one tensor, plus what is known of each.

    Args:
        info: The data set.
        images: uint8, shape (N, C, H, W); points are float32, shape (N, 2), in about [-1, 1].
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

    def split(self, share: float = 0.05, seed: int = 0, most: int = 2000) -> "tuple[ImageData, ImageData]":
        """Part the images at random, the same way each time.

        Args:
            share: Of the images that the second part has: two at least, so that they can be compared.
            seed: Another one chooses others.
            most: Images that it has at most.

        Returns:
            All but the second part, in their order, and the second part.

        Raises:
            ValueError: There are fewer than four images.
        """
        from models.latent import generator

        if len(self) < 4:
            raise ValueError(f"{len(self)} images cannot be parted")
        import torch

        count = max(2, min(most, round(share * len(self))))
        order = torch.randperm(len(self), generator=generator(seed, _SPLIT))
        return self.take(order[count:].sort().values), self.take(order[:count])

    def fetch(self, index: "slice | Tensor") -> None:
        """Return when some of the images are there: at once, unless they are being drawn."""
        del index

    def finish(self, rest: bool) -> None:
        """End what is done for them meanwhile: nothing, unless they are being drawn; with `rest` it is done first."""
        del rest

    def take(self, index: "Tensor") -> "ImageData":
        """Return some of the images, with what is known of them."""
        labels, factors = (None if t is None else t[index] for t in (self.labels, self.factors))
        return ImageData(self.info, self.images[index], labels, factors)

    def floats(self, index: "slice | Tensor", device: "torch.device | str" = "cpu") -> "Tensor":
        """Return some images as float32 in [-1, 1], shape (B, C, H, W); points as they are, shape (B, 2)."""
        from models.core import to_unit

        chosen = self.images[index].to(device)
        return chosen if self.info.points else to_unit(chosen)

    def labels_at(self, index: "slice | Tensor", device: "torch.device | str" = "cpu") -> "Tensor":
        """Return the labels of some images, shape (B,); raises ValueError if the data have none."""
        if self.labels is None:
            raise ValueError(f"data set '{self.info.name}' has no labels")
        return self.labels[index].to(device)


_SPLIT = 5  # stream of random numbers, see `models.latent.generator`
SEEDS: Mapping[Split, int] = {"train": 0, "test": 1}  # of data sets that are drawn


def drawn_on(data: ImageData, count: int) -> ImageData:
    """Return the test images of a data set that is drawn and some more; of another one as many as there are."""
    if not data.info.draw:
        return data
    import torch

    images, factors = drawer(data.info)(count, SEEDS["test"], start=data.info.test)
    known = factors if data.factors is None else torch.cat([data.factors, factors])
    return ImageData(data.info, torch.cat([data.images, images]), None, known)


def some_drawn(info: DatasetInfo, count: int) -> "Tensor":
    """Draw the first test images of a data set that is drawn, uint8 (N, C, H, W); without loading the others."""
    return drawer(info)(min(count, info.test), SEEDS["test"])[0]


def drawer(info: DatasetInfo) -> "Drawer":
    """Return what draws a data set that is drawn."""
    return Table["Drawer"]("drawing", {"draw": info.draw})["draw"]


Loader = Callable[[DatasetInfo, Split], "tuple[Tensor, Tensor | None, Tensor | None]"]


def load(name: str, split: Split = "train") -> ImageData:
    """Load a data set into memory.

    Raises:
        UserError: It is unknown, or it is not on this machine and cannot be downloaded.
    """
    found = info(name)
    loader = Table[Loader]("loader", {name: found.load})[name]
    return ImageData(found, *loader(found, split))


def begin(name: str, split: Split = "train") -> ImageData:
    """Load a data set; one that is drawn, and for the first time, is there at once and draws itself as it is used.

    Raises:
        UserError: See `load`.
    """
    found = info(name)
    if not found.draw:
        return load(name, split)
    from models.datasets import drawn

    return drawn.begin(found, split)
