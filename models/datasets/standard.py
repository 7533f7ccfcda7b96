"""The data sets that come with a package, are drawn here, or lie on the machine as idx files."""

import gzip
import hashlib
import http.client
import importlib.util
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from models import paths
from models.datasets import (
    DATASETS,
    SEEDS,
    DatasetInfo,
    Split,
    avatars as avatar_drawing,
    cifar,
    load,
    places,
    sprites as sprite_drawing,
)
from models.datasets.files import idx_files, progress_line
from models.disk import replacing
from models.errors import UserError


class Draw(Protocol):
    """Draws a number of images of a seed; returns them, uint8 (N, C, H, W), and their factors, float32 (N, F)."""

    def __call__(
        self, count: int, seed: int, *, progress: Callable[[int, int], None]
    ) -> tuple[Tensor, Tensor]:
        """Draw them; `progress` is told (drawn, count)."""
        ...


def digits(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return scikit-learn's 8x8 digits, enlarged to 16x16; every fifth image is a test image."""
    del info
    rows = _digits()
    x = torch.tensor(rows[:, :-1].astype(np.float32)).view(-1, 1, 8, 8) * (255 / 16)
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    labels = torch.tensor(rows[:, -1].astype(np.int64))
    test = torch.arange(len(x)) % 5 == 4
    chosen = test if split == "test" else ~test
    return x.round().to(torch.uint8)[chosen], labels[chosen], None


def _digits() -> NDArray[np.uint8]:
    """Return a row for each digit, (1797, 65): its pixels in [0, 16], and its class.

    From the file in scikit-learn's folder, because importing it takes over a second; by import where it is not there.
    """
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            with gzip.open(path, "rt") as file:
                return np.loadtxt(file, dtype=np.uint8, delimiter=",")
    from sklearn import datasets  # pyright: ignore[reportMissingTypeStubs]

    bunch = cast(Any, datasets.load_digits())
    return np.column_stack([bunch.data, bunch.target]).astype(np.uint8)


def avatars(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the procedural faces; drawn once, then read from the cache folder."""
    return _drawn(info, split, avatar_drawing.draw, ("avatar*.py", "shapes.py"))


def sprites(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the procedural shapes; drawn once, then read from the cache folder."""
    return _drawn(info, split, sprite_drawing.draw, ("sprites.py",))


def _drawn(info: DatasetInfo, split: Split, draw: Draw, code: tuple[str, ...]) -> tuple[Tensor, None, Tensor]:
    """Return the images of a data set that is drawn, and their factors.

    Args:
        info: Says how many there are.
        split: Which of them.
        draw: Draws a number of images of a seed, and tells its progress.
        code: Patterns of the files that draw them: a change of these must not show old pictures.
    """
    name = info.name
    count = info.train if split == "train" else info.test
    folder = Path(__file__).parent
    files = sorted(path for pattern in (*code, "drawing.py") for path in folder.glob(pattern))
    key = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    path = paths.cache() / name / f"{split}-{count}-{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            return torch.as_tensor(stored["images"]), None, torch.as_tensor(stored["factors"])
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile):
        pass  # not there yet, or damaged: it is drawn again
    images, factors = draw(count, SEEDS[split], progress=progress_line(f"Drawing {name} ({split})"))
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, images=images.numpy(), factors=factors.numpy())
    except OSError as error:
        print(f"The {name} could not be kept for next time: {error}.", file=sys.stderr)
    return images, None, factors


def mnist(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return MNIST, zero-padded to 32x32."""
    return _idx(info, split, torchvision_name="MNIST")


def fashion_mnist(info: DatasetInfo, split: Split) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return Fashion-MNIST, zero-padded to 32x32."""
    return _idx(info, split, torchvision_name="FashionMNIST")


def _idx(info: DatasetInfo, split: Split, *, torchvision_name: str) -> tuple[Tensor, Tensor, None]:
    name = info.name
    found = idx_files(info, split)
    if found is None:
        _download(name, torchvision_name)
        found = idx_files(info, split)
    if found is None:
        raise UserError("no-data", f"The files of '{name}' are incomplete.", where_to_put(name))
    images, labels = (read_idx(path) for path in found)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        problem = f"The files of '{name}' do not fit each other: {found[0].name} and {found[1].name}."
        raise UserError("bad-data", problem, "Delete them and fetch the data set again.")
    padding = (info.size - images.shape[-1]) // 2
    return F.pad(images[:, None], (padding,) * 4), labels.long(), None


def stacked_mnist(info: DatasetInfo, split: Split) -> tuple[Tensor, None, Tensor]:
    """Return random digits of MNIST as the red, green and blue of one image: 1,000 modes, alike in number.

    The factors are the three digits. Metz et al. (2017), Unrolled GANs, arXiv:1611.02163, section 3.3.1.
    """
    digits = load("mnist", split)
    count = info.train if split == "train" else info.test
    rng = torch.Generator().manual_seed(SEEDS[split])
    index = torch.randint(len(digits), (count, 3), generator=rng)
    return digits.images[:, 0][index], None, digits.labels_at(index).float()


def where_to_put(name: str) -> str:
    """Say what to do about a data set whose files are missing."""
    if name.startswith(places.OWN):
        return "It was deleted, or taken in on another machine."
    if name not in DATASETS:
        return "Its folder was not read here yet, or has changed since."
    if DATASETS[name].files == "cifar":
        return cifar.where_to_put()
    folder = DATASETS[name].folders[0]
    debian = " or run 'apt-get install dataset-fashion-mnist'" if name == "fashion_mnist" else ""
    return (
        f"Put its four idx files (.gz or not) into {paths.data() / folder}, or set EXPLORER_DATA_DIR to the folder "
        f"that holds '{folder}'{debian}; 'digits', 'avatars' and 'sprites' are always there."
    )


def _download(name: str, torchvision_name: str) -> None:
    import torchvision  # pyright: ignore[reportMissingTypeStubs]  # costs seconds to import

    try:
        getattr(torchvision.datasets, torchvision_name)(str(paths.data()), download=True)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise UserError(
            "no-data",
            f"The data set '{name}' is not on this machine and could not be downloaded.",
            where_to_put(name),
        ) from error


def read_idx(path: Path) -> Tensor:
    """Read an idx file of unsigned bytes, compressed or not.

    Raises:
        UserError: It is truncated or of another format.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zero, kind, rank = struct.unpack(">HBB", content[:4])
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        if zero or kind != 8:
            raise ValueError("not an idx file of unsigned bytes")
        array = np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, struct.error, ValueError, zlib.error) as error:
        remedy = "Delete it and fetch the data set again."
        raise UserError(
            "bad-data", f"The file {path.name} of a data set cannot be read: {error}.", remedy
        ) from error
    return torch.tensor(array)
