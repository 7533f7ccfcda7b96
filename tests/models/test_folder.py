"""A person's own images as a data set: every kind of image, every kind of mistake."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models import catalog, datasets, images
from models.config import Budget
from models.datasets import folder
from models.errors import UserError
from models.training import session

pytestmark = pytest.mark.usefixtures("cache")


def fill(root: Path, count: int, colour: bool = True, start: int = 0) -> Path:
    """Put small noisy images into a folder."""
    root.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        noise = np.random.default_rng(i).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(noise if colour else noise[..., 0]).save(root / f"{i:03}.png")
    return root


def error_of(name: str) -> UserError:
    with pytest.raises(UserError) as caught:
        datasets.load(name)
    return caught.value


def test_a_folder_is_split_by_the_names_of_its_images(tmp_path: Path) -> None:
    name = f"folder:{fill(tmp_path / 'cats', 60)}"
    train, test = datasets.load(name), datasets.load(name, "test")
    info = train.info
    assert (info.name, info.title, info.sample_shape) == (name, "cats", (3, 64, 64))
    assert len(train) == info.train and len(test) == info.test and info.train + info.test == 60
    assert 2 <= len(test) <= 14 and train.images.dtype == torch.uint8
    assert train.labels is None and info.classes == ()
    before = {image.numpy().tobytes() for image in test.images}
    fill(tmp_path / "cats", 20, start=60)
    after = {image.numpy().tobytes() for image in datasets.load(name, "test").images}
    assert before <= after, "more images move none to the other side"


def test_both_sides_have_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "TEST_SHARE", 0.0)
    info = datasets.info(f"folder:{fill(tmp_path / 'few', 16)}")
    assert (info.train, info.test) == (15, 1)


def test_the_only_test_image_of_a_small_folder_may_change_sides() -> None:
    few = [f"{number}.png" for number in (2, 4, 5)]
    more = [f"{number}.png" for number in range(40)]
    assert folder.held_out(few).sum() == 1, "a tenth of them is none"
    only = few[int(folder.held_out(few).argmax())]
    sides = dict(zip(more, folder.held_out(more).tolist(), strict=True))
    assert not sides[only] and 2 <= sum(sides.values()) <= 10
    with_new = folder.held_out([*more, "new.png"]).tolist()
    assert with_new[:40] == list(sides.values()), "where there are several, none changes"


@pytest.mark.parametrize(("size", "shown"), [(16, "?size=16"), (32, "?size=32"), (64, "")])
def test_the_size_is_part_of_the_name(tmp_path: Path, size: int, shown: str) -> None:
    root = fill(tmp_path / "a b", 16)
    name = datasets.resized(f"folder:{root}", size)
    assert name == f"folder:{root}{shown}"
    assert datasets.load(name).images.shape[1:] == (3, size, size)
    assert datasets.sized_for(f"folder:{root}", size) == name
    assert datasets.sized_for(f"folder:{root}?size=16", size) == f"folder:{root}?size=16"
    assert datasets.resized(f"folder:{root}?size=16", size) == name


def test_grey_images_make_a_grey_data_set(tmp_path: Path) -> None:
    root = fill(tmp_path / "grey", 16, colour=False)
    assert datasets.info(f"folder:{root}").channels == 1
    Image.new("RGB", (8, 8), (9, 9, 9)).save(root / "grey-as-rgb.png")
    data = datasets.load(f"folder:{root}")
    assert data.info.channels == 1 and data.images.shape[1] == 1
    Image.new("RGB", (8, 8), (9, 9, 10)).save(root / "coloured.png")
    assert datasets.info(f"folder:{root}").channels == 3


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    for number, kind in enumerate(("dogs", "cats", "deep/er")):
        fill(root / kind, 12, start=100 * number)
    info = datasets.info(f"folder:{root}")
    assert info.classes == ("cats", "deep", "dogs")
    parts = [datasets.load(f"folder:{root}", split) for split in ("train", "test")]
    labels = torch.cat([part.labels_at(slice(None)) for part in parts])
    assert torch.bincount(labels).tolist() == [12, 12, 12]
    one = folder._pixels(root / "cats" / "100.png", 64).transpose(2, 0, 1)
    (place,) = [
        int(label)
        for part in parts
        for image, label in zip(part.images, part.labels_at(slice(None)), strict=True)
        if np.array_equal(image.numpy(), one)
    ]
    assert info.classes[place] == "cats"
    fill(root, 1, start=900)
    assert datasets.info(f"folder:{root}").classes == (), "an image beside the folders has no class"


def test_a_trained_model_keeps_the_names_of_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("cats", "dogs"):
        fill(tmp_path / "pets" / kind, 12)
    options = {"size": "16", "network": "mlp", "width": "4", "latent_dim": "2", "batch_size": "4"}
    config = session.configure(
        f"folder:{tmp_path / 'pets'}", "cgan", budget=Budget(steps=1), options=options, where="cpu"
    )
    outcome = session.train(session.new_run(config, tmp_path / "run"))
    fill(tmp_path / "pets" / "cats", 1, start=50)
    monkeypatch.setattr(folder, "remembered", lambda name: pytest.fail("it walks through the folder"))
    assert catalog.read(outcome.checkpoint).labels == ("cats", "dogs")


def test_one_sub_folder_is_no_class(tmp_path: Path) -> None:
    fill(tmp_path / "set" / "all", 16)
    assert datasets.info(f"folder:{tmp_path / 'set'}").classes == ()


def test_every_mode_and_format_is_read(tmp_path: Path) -> None:
    root = fill(tmp_path / "mixed", 8)
    rgb = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    for mode in ("1", "L", "P", "LA", "RGBA"):
        rgb.convert(mode).save(root / f"{mode}.png")
    for mode in ("CMYK", "YCbCr"):
        rgb.convert(mode).save(root / f"{mode}.jpg")
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(root / "deep.png")
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(root / "float.tiff")
    for ending in ("webp", "gif", "bmp", "ppm"):
        rgb.save(root / f"other.{ending}")
    info = datasets.info(f"folder:{root}")
    assert info.train + info.test == 8 + 13


def test_pixels_are_upright_on_white_and_from_the_middle(tmp_path: Path) -> None:
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:16, 32:64] = (255, 0, 0)  # the upper half of the square in the middle
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(wide).save(tmp_path / "turned.png", exif=exif)
    image = folder._pixels(tmp_path / "turned.png", 16)
    assert image.shape == (16, 16, 3)
    assert image[8, 15].tolist() == [255, 0, 0] and image[8, 0].tolist() == [0, 0, 0]
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (folder._pixels(tmp_path / "clear.png", 16) == 255).all()


def test_hidden_and_broken_files_are_named_and_counted_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fill(tmp_path / "messy", 20)
    fill(root / ".trash", 3)
    (root / ".DS_Store").write_text("x")
    (root / "notes.txt").write_text("x")
    (root / "cut.png").write_bytes((root / "000.png").read_bytes()[:200])
    (root / "empty.jpg").touch()
    os.mkfifo(root / "pipe.png")
    (root / "itself.png").symlink_to(root / "itself.png")
    (root / "large.png").write_bytes(b"\x89PNG" + bytes(100))
    monkeypatch.setattr(images, "MAX_BYTES", 2500)
    for path in root.glob("0*.png"):
        Image.new("RGB", (4, 4), (int(path.stem), 0, 0)).save(path)
    (root / "bulky.bmp").write_bytes(bytes(3000))
    train = datasets.load(f"folder:{root}")
    (line,) = capsys.readouterr().err.splitlines()
    assert "2 hidden (.DS_Store, .trash/)" in line and "7 that cannot be used" in line
    assert "and 2 more" in line and "cut.png" in line and "empty.jpg" in line
    assert train.info.train + train.info.test == 20
    datasets.load(f"folder:{root}", "test")
    assert capsys.readouterr().err == "", "said once for each training"
    assert datasets.load(f"folder:{root}").images.equal(train.images)
    assert capsys.readouterr().err.splitlines() == [line], "also when it is read from the cache"


def test_a_decompression_bomb_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = fill(tmp_path / "bomb", 16)
    Image.new("1", (400, 400)).save(root / "bomb.png")
    monkeypatch.setattr(images, "MAX_PIXELS", 100_000)
    assert len(datasets.load(f"folder:{root}")) < 17
    assert "bomb.png: The image has more than" in capsys.readouterr().err


def test_links_that_lead_back_are_followed_once(tmp_path: Path) -> None:
    root = fill(tmp_path / "looped", 16)
    (root / "again").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    more = fill(tmp_path / "more", 2, start=50)
    (root / "more").symlink_to(more)
    info = datasets.info(f"folder:{root}")
    assert info.train + info.test == 18


def test_names_of_odd_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = fill(tmp_path / "odd", 8)
    for number, kind in enumerate((b"caf\xe9", "日本".encode())):
        os.mkdir(os.path.join(os.fsencode(root), kind))
        for i in range(8):
            os.rename(root / f"{i:03}.png", os.path.join(os.fsencode(root), kind, b"%d.png" % i))
        fill(root, 8 * (number == 0))
    (root / "new\nline.txt").write_text("x")
    info = datasets.info(f"folder:{root}")
    json.dumps(info.classes).encode()
    assert info.classes == () or len(info.classes) == 2
    datasets.load(f"folder:{root}")
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("make", "code", "parts"),
    [
        (lambda root: None, "no-folder", ("There is no folder",)),
        (lambda root: root.write_text(""), "no-folder", ("is a file",)),
        (lambda root: root.mkdir(), "no-images", ("There are no images", "16")),
        (lambda root: fill(root, 15), "too-few-images", ("only 15 images", "16 are needed")),
        (lambda root: fill(root / ".hidden", 20), "no-images", ("1 hidden (.hidden/)",)),
    ],
)
def test_folders_that_are_no_data_set(tmp_path: Path, make, code: str, parts: tuple[str, ...]) -> None:
    root = tmp_path / "it"
    make(root)
    error = error_of(f"folder:{root}")
    assert error.code == code and all(part in str(error) for part in parts), str(error)
    assert not datasets.available(f"folder:{root}") and datasets.known(f"folder:{root}") is None


def test_a_folder_of_broken_images_says_why(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i}.jpg").write_text("no image")
    error = error_of(f"folder:{tmp_path}")
    assert error.code == "no-images" and "None of the files" in error.problem
    assert "20 that cannot be used (0.jpg: The file is not an image" in error.remedy


def test_too_many_files_are_refused_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MAXIMUM", 20)
    assert error_of(f"folder:{fill(tmp_path / 'many', 21)}").code == "too-many-images"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("folder:", "bad-folder"),
        ("folder:/tmp/\0x", "bad-folder"),
        ("folder:/tmp/x?size=48", "bad-size"),
        ("folder:/tmp/x?size=", "bad-size"),
    ],
)
def test_names_that_say_nothing(name: str, code: str) -> None:
    assert error_of(name).code == code
    assert datasets.title(name) and datasets.slug(name) and datasets.known(name) is None


def test_a_path_alone_is_no_data_set(tmp_path: Path) -> None:
    error = error_of(str(tmp_path))
    assert error.code == "unknown-data-set" and f"folder:{tmp_path}" in error.remedy


def test_only_a_folder_can_be_resized() -> None:
    assert datasets.resized("mnist", 32) == datasets.resized("mnist", "32") == "mnist"
    with pytest.raises(UserError, match=r"16 pixels each way, not 32.*Only the images of a folder"):
        datasets.resized("digits", 32)
    with pytest.raises(UserError, match="holds points") as caught:
        datasets.resized("toy:ring8", 32)
    assert "pixels" not in caught.value.problem


def test_images_are_read_once_and_again_when_one_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fill(tmp_path / "kept", 16)
    name = f"folder:{root}"
    assert not datasets.available(name), "nobody has asked for it yet"
    first = datasets.load(name)
    read: list[Path] = []
    plain = folder._pixels
    monkeypatch.setattr(folder, "_pixels", lambda path, size: (read.append(path), plain(path, size))[1])
    assert datasets.load(name).images.equal(first.images) and not read
    state = datasets.state(name)
    assert datasets.available(name) and datasets.known(name) == first.info and state
    fill(root, 1, start=99)
    assert not datasets.available(name) and datasets.known(name) is None
    datasets.load(name)
    assert len(read) == 17 and datasets.state(name) != state
    assert len(list(cache.rglob("*.npz"))) == 1, "what was kept before is gone"
    for path in cache.rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:300])
    assert len(datasets.load(name)) + datasets.info(name).test == 17


def test_a_full_disk_does_not_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert len(datasets.load(f"folder:{fill(tmp_path / 'x', 16)}")) >= 10
    assert "could not be kept" in capsys.readouterr().err


def test_a_checkpoint_cannot_make_the_app_look_into_a_folder(zoo: Path, tmp_path: Path) -> None:
    info = catalog.find("tiny-cgan")
    strange = info.config.model_copy(update={"dataset": f"folder:{fill(tmp_path / 'private', 20)}"})
    other = catalog.ModelInfo(info.path, strange, info.model, info.card)
    assert other.labels == tuple("0123456789")
    assert not datasets.available(other.dataset)
