"""A look at a data set that is here: some of its images side by side. Torch-free until then."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models import datasets, media
from models.datasets import DATASETS, DatasetInfo, folder, places, some_drawn
from models.errors import UserError
from models.media import Pixels

if TYPE_CHECKING:
    from torch import Tensor

_TILE = 64  # pixels a column of a plot of points has, where nothing is said


def preview(name: str, size: int = 0, count: int = 32, columns: int = 8) -> Pixels:
    """Lay out some images of a data set, spread over it; of points, plot them.

    Drawn and own images are made or read one by one, so that this takes no longer for a large set.

    Args:
        name: A name that `models.datasets.info` knows.
        size: Height and width of each image, in pixels; 0: as it is. A folder's images are read at that size if models
            can have it (16, 32, 64), others enlarged or scaled down.
        count: Images at most.
        columns: Images in a row at most.

    Returns:
        uint8, shape (H, W, C), C = 1 if the images are grey; a plot of points is square and RGB.

    Raises:
        UserError: It is unknown, or not here: nothing is downloaded, and no folder is read for the first time.
        ValueError: `count` or `columns` is not positive, or `size` negative.
    """
    if count < 1 or columns < 1 or size < 0:
        raise ValueError(f"no preview of {count} images of size {size} in {columns} columns")
    if not datasets.available(name):
        from models.datasets.standard import where_to_put

        raise UserError("no-data", f"The data set '{name}' is not on this machine.", where_to_put(name))
    info = datasets.info(name)
    if info.points:
        return media.scatter(_points(info, count), side=columns * (size or _TILE))
    tiles = _images(info, count, size)
    if size not in (0, tiles.shape[1]):
        tiles = np.stack([_scaled(tile, size) for tile in tiles])
    return media.contact_sheet(tiles, min(columns, len(tiles)))


def _images(info: DatasetInfo, count: int, size: int) -> Pixels:
    """Return some of the images, shape (N, H, W, C), of that size if they are read or as they are."""
    if info.name not in DATASETS:
        named = datasets.resized(info.name, size) if size in places.SIZES else info.name
        return folder.some_images(replace(info, name=named), count)
    found = some_drawn(info, count) if info.draw else _spread(datasets.load(info.name, "test").images, count)
    return found.permute(0, 2, 3, 1).contiguous().numpy()


def _points(info: DatasetInfo, count: int) -> NDArray[np.floating]:
    return _spread(datasets.load(info.name, "test").images, count).numpy()


def _spread(images: "Tensor", count: int) -> "Tensor":
    """Return some of the images, or points, at even distances."""
    import torch

    count = min(count, len(images))
    return images[torch.arange(count) * len(images) // count]


def _scaled(tile: Pixels, size: int) -> Pixels:
    """Scale an image (H, W, C); a pixel that grows stays a square."""
    scaled = media.picture(tile).resize((size, size), Image.Resampling.BOX)
    return np.asarray(scaled).reshape(size, size, -1)
