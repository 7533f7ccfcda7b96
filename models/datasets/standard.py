"""The data sets that come with a package, are drawn here, or lie on the machine as idx files."""

import gzip
import http.client
import importlib.util
import struct
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from models import paths
from models.datasets import DATASETS, SEEDS, DatasetInfo, Split, cifar, load, places
from models.datasets.files import idx_files
from models.errors import UserError


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
