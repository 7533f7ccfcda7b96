"""A look at a data set: its images side by side, of every kind of data set that is here."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import images
from models.datasets import DATASETS, folder, previews, uploads
from models.errors import UserError


@pytest.fixture(autouse=True)
def data(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder of data sets, and an empty cache."""
    monkeypatch.setenv("EXPLORER_DATA_DIR", str(tmp_path / "data"))


def picture(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 20, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def pets() -> None:
    """Twenty images of the person's own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.png", picture(number))
    uploads.take_in(buffer.getvalue(), "pets")


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize(
    ("name", "size", "shape"),
    [
        ("own:pets", 32, (2 * 32, 8 * 32, 3)),
        ("own:pets", 0, (2 * 64, 8 * 64, 3)),
        ("own:pets?size=16", 0, (2 * 16, 8 * 16, 3)),
        ("own:pets", 40, (2 * 40, 8 * 40, 3)),
        ("digits", 0, (2 * 16, 8 * 16, 1)),
        ("digits", 48, (2 * 48, 8 * 48, 1)),
        ("sprites", 32, (2 * 32, 8 * 32, 1)),
        ("toy:moons", 32, (256, 256, 3)),
    ],
)
def test_a_look_at_a_data_set(name: str, size: int, shape: tuple[int, ...]) -> None:
    sheet = previews.preview(name, size, 12)
    assert sheet.shape == shape and sheet.dtype == np.uint8 and len(np.unique(sheet)) > 1


@pytest.mark.usefixtures("pets")
def test_a_look_shows_the_images_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    plain = folder._pixels
    monkeypatch.setattr(folder, "_pixels", lambda path, size: (read.append(path), plain(path, size))[1])
    sheet = previews.preview("own:pets", 16, 4, columns=4)
    assert len(read) == 4, "no more than are shown"
    shown = [sheet[:, 16 * place : 16 * place + 16] for place in range(4)]
    for tile, number in zip(shown, (0, 5, 10, 15), strict=True):
        assert np.array_equal(tile, images.prepare(images.read(picture(number)), (3, 16, 16)))
    assert previews.preview("digits", 32, 1).reshape(16, 2, 16, 2).std((1, 3)).max() == 0, (
        "pixels stay squares"
    )


def test_no_look_at_what_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.paths._DEBIAN_DATASETS", tmp_path)
    for name in ("mnist", "own:gone", f"folder:{tmp_path}"):
        with pytest.raises(UserError, match="not on this machine") as caught:
            previews.preview(name)
        assert caught.value.code == "no-data" and name in caught.value.problem
    with pytest.raises(UserError, match="no data set 'nothing'"):
        previews.preview("nothing")
    with pytest.raises(ValueError, match="0 images"):
        previews.preview(next(iter(DATASETS)), count=0)
