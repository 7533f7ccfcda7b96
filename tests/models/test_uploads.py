"""Zips of images as data sets of one's own: what is kept of them, and every kind of bad zip."""

import errno
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models import catalog, datasets, images
from models.config import Budget
from models.datasets import uploads
from models.errors import UserError
from models.training import session


@pytest.fixture(autouse=True)
def data(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of data sets, and an empty cache."""
    root = tmp_path / "data"
    monkeypatch.setenv("EXPLORER_DATA_DIR", str(root))
    return root


def picture(seed: int = 0, size: tuple[int, int] = (20, 30), mode: str = "RGB", form: str = "PNG") -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, form)
    return buffer.getvalue()


def pictures(count: int, where: str = "", start: int = 0) -> dict[str, bytes]:
    return {f"{where}{number}.png": picture(number) for number in range(start, start + count)}


def zipped(files: Mapping[str, bytes], packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def refused(content: bytes, data: Path) -> UserError:
    """Return why a zip is refused; nothing may be left of it."""
    with pytest.raises(UserError) as caught:
        uploads.take_in(content, "bad.zip")
    assert not data.exists() or not list(data.rglob("*.*")), "nothing is left"
    assert uploads.own() == ()
    return caught.value


# What is kept ----------------------------------------------------------------------------------------------


def test_a_zip_becomes_a_data_set(data: Path) -> None:
    told: list[tuple[int, int]] = []
    made = uploads.take_in(io.BytesIO(zipped(pictures(30))), "My Cats.ZIP", lambda *done: told.append(done))
    assert (made.id, made.title, made.images, made.channels) == ("own:my-cats", "My Cats", 30, 3)
    assert made.train + made.test == 30 and made.skipped == () and made.left_out == ""
    assert told == [(number, 30) for number in range(1, 31)]
    assert uploads.own() == (made,) and uploads.find("my-cats") == made
    info = datasets.info(made.id)
    assert (info.name, info.title, info.sample_shape) == ("own:my-cats", "My Cats", (3, 64, 64))
    assert datasets.available(made.id) and datasets.known(made.id) == info, "before an image is read"
    train, test = datasets.load(made.id), datasets.load(made.id, "test")
    assert (len(train), len(test)) == (info.train, info.test) == (made.train, made.test)


def test_the_pixels_are_those_of_a_folder(tmp_path: Path) -> None:
    files = {f"{number}.png": picture(number, (40, 40)) for number in range(20)}
    for name, content in files.items():
        (tmp_path / "as-folder").mkdir(exist_ok=True)
        (tmp_path / "as-folder" / name).write_bytes(content)
    uploads.take_in(zipped(files), "as-zip")
    both = []
    for name in (f"folder:{tmp_path / 'as-folder'}?size=16", "own:as-zip?size=16"):
        parts = [datasets.load(name, split).images for split in ("train", "test")]
        both.append(sorted(image.numpy().tobytes() for image in torch.cat(parts)))
    assert both[0] == both[1]


def test_folders_are_classes_and_the_ones_around_them_are_left_away() -> None:
    files = {
        **pictures(12, "pets/all/cats/"),
        **pictures(12, "pets/all/dogs/young/", 50),
        "readme.txt": b"x",
    }
    made = uploads.take_in(zipped(files), "pets")
    assert made.classes == ("cats", "dogs") == datasets.info("own:pets").classes
    parts = [datasets.load("own:pets", split) for split in ("train", "test")]
    labels = torch.cat([part.labels_at(slice(None)) for part in parts])
    assert torch.bincount(labels).tolist() == [12, 12]
    assert uploads.take_in(zipped(pictures(16, "one/folder/")), "one").classes == ()
    beside = {**pictures(16, "cats/"), **pictures(1, "", 90)}
    assert uploads.take_in(zipped(beside), "beside").classes == ()


def test_names_of_classes_can_be_folders_anywhere(data: Path) -> None:
    files = {
        **pictures(6, "日本/"),
        **pictures(6, "what?/", 10),
        **pictures(6, "000001.png/", 20),
        **pictures(6, "x" * 80 + "/", 30),
    }
    made = uploads.take_in(zipped(files), "odd")
    assert made.classes == ("000001.png", "what_", "x" * 50, "日本")
    assert sorted(path.name for path in (data / "own" / "odd" / "images").iterdir()) == list(made.classes)


def test_images_of_mixed_sizes_modes_and_formats() -> None:
    files = pictures(12)
    for number, mode in enumerate(("1", "L", "LA", "P", "RGBA", "RGB")):
        files[f"mode-{mode}.png"] = picture(number, (9 + number, 300), mode)
    deep = io.BytesIO()
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(deep, "PNG")
    files["deep.png"] = deep.getvalue()
    files["print.jpg"] = picture(1, (900, 40), "CMYK", "JPEG")
    files["no-ending"] = picture(2, (1, 1), form="BMP")
    made = uploads.take_in(zipped(files), "mixed")
    assert made.images == 21 and made.skipped == () and made.channels == 3
    assert datasets.load("own:mixed?size=32").images.shape[1:] == (3, 32, 32)


def test_grey_images_make_a_grey_data_set() -> None:
    files = {f"{number}.png": picture(number, mode="L") for number in range(16)}
    assert uploads.take_in(zipped(files), "grey").channels == datasets.load("own:grey").images.shape[1] == 1


def test_only_the_picture_is_kept(data: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home"
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((400, 700, 3), np.uint8)).save(buffer, "JPEG", exif=exif)
    uploads.take_in(zipped({**pictures(16), "photo.jpg": buffer.getvalue()}), "photos")
    kept = data / "own" / "photos" / "images" / "000016.png"
    with Image.open(kept) as image:
        assert image.size == (uploads.SIDE, uploads.SIDE) and image.mode == "L" and not image.getexif()
    assert b"at home" in buffer.getvalue() and b"at home" not in kept.read_bytes()


def test_hidden_files_are_ignored_and_broken_ones_named_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = picture(form="JPEG")[:400]
    files = {
        **pictures(16, "set/"),
        **pictures(2, "set/.trash/"),
        "__MACOSX/set/._0.png": b"x",
        "set/.DS_Store": b"x",
        "set/Thumbs.db": b"x",
        **{f"set/{number}.txt": b"x" for number in range(7)},
        "set/cut.jpg": cut,
        "set/empty.png": b"",
        "set/large.bmp": bytes(9000),
    }
    monkeypatch.setattr(uploads, "LARGEST_FILE", 8000)
    made = uploads.take_in(zipped(files), "messy")
    assert {one.reason: one.count for one in made.skipped} == {
        "bad-image": 1,
        "image-too-large": 1,
        "not-an-image": 8,
    }
    assert "8 × no image (set/0.txt, set/1.txt, set/2.txt, set/3.txt, set/4.txt, and 3 more)" in made.left_out
    assert "1 × damaged (set/cut.jpg)" in made.left_out and made.images == 16
    assert "trash" not in made.left_out and "DS_Store" not in made.left_out
    assert uploads.find("messy").left_out == made.left_out, "it is kept"


def test_a_file_that_is_damaged_in_the_zip_is_left_out() -> None:
    content = zipped({**pictures(16), "hurt.png": b"\x89PNG" + b"A" * 500}, zipfile.ZIP_STORED)
    made = uploads.take_in(content.replace(b"A" * 500, b"B" * 500), "hurt")
    assert made.left_out == "Left out: 1 × damaged in the zip (hurt.png)."


@pytest.mark.parametrize(
    ("name", "slug", "title"),
    [
        ("Café crème.zip", "cafe-creme", "Café crème"),
        ("C:\\files\\../my set!.zip", "my-set", "my set!"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("", "images", "Images"),
        ("日本", "images", "日本"),
        ("x" * 200, "x" * 50, "x" * 50),
        ("a\nb\0", "ab", "a�b�"),
    ],
)
def test_names(name: str, slug: str, title: str, data: Path) -> None:
    made = uploads.take_in(zipped(pictures(16)), name)
    assert (made.name, made.title) == (slug, title)
    assert (data / "own" / slug / "set.json").is_file()


def test_a_name_that_is_taken_gets_a_number() -> None:
    made = [uploads.take_in(zipped(pictures(16)), "cats.zip").id for _ in range(3)]
    assert made == ["own:cats", "own:cats-2", "own:cats-3"]
    assert [one.id for one in uploads.own()] == made


# Zips that are no data set ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "parts"),
    [
        (b"", "bad-zip", ("no zip file",)),
        (picture(), "bad-zip", ("no zip file, or a damaged one", "again")),
        (zipped(pictures(16))[:-30], "bad-zip", ("no zip file",)),
        (zipped({}), "no-images", ("There are no images", "16 images at least", "PNG")),
        (zipped({"a.txt": b"x"}), "no-images", ("None of the files", "1 × no image (a.txt)", "16")),
        (zipped({"__MACOSX/a.png": picture()}), "no-images", ("There are no images",)),
        (
            zipped(pictures(3)),
            "too-few-images",
            ("only 3 images", "16 are needed", "Pack 16 images at least"),
        ),
        (
            zipped({**pictures(15), "a.png": b"x"}),
            "too-few-images",
            ("only 15 images", "1 × no image (a.png)"),
        ),
    ],
)
def test_what_is_no_data_set_is_explained(
    content: bytes, code: str, parts: tuple[str, ...], data: Path
) -> None:
    error = refused(content, data)
    assert error.code == code and all(part in str(error) for part in parts), str(error)


@pytest.mark.parametrize("place", ["../x.png", "/tmp/x.png", "a/../../x.png", "C:\\x\\x.png", "..\\x.png"])
def test_paths_out_of_the_folder_are_refused(place: str, data: Path) -> None:
    error = refused(zipped({**pictures(16), place: picture()}), data)
    assert error.code == "outside-folder" and place in error.problem and "who made it" in error.remedy


def test_links_are_refused(data: Path) -> None:
    buffer = io.BytesIO(zipped(pictures(16)))
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    error = refused(buffer.getvalue(), data)
    assert error.code == "outside-folder" and "'link.png'" in error.problem


def test_a_zip_with_a_password_is_refused(data: Path) -> None:
    buffer = io.BytesIO(zipped(pictures(16)))
    with zipfile.ZipFile(buffer) as archive:
        where = archive.start_dir
    content = bytearray(buffer.getvalue())
    content[where + 8] |= 1  # the first entry is encrypted, says the list
    error = refused(bytes(content), data)
    assert error.code == "locked-zip" and "password: '0.png'" in error.problem and "without" in error.remedy


def test_many_bytes_from_few_are_refused_before_any_is_read(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped({**pictures(16), "zeros.bmp": bytes(3_000_000)})
    assert len(content) < 100_000
    monkeypatch.setattr(uploads, "LARGEST", 2 * 2**20)
    monkeypatch.setattr(images, "read", lambda data: pytest.fail("it is read"))
    error = refused(content, data)
    assert error.code == "too-large" and "2 MB unpacked" in error.problem and "smaller" in error.remedy


def test_a_zip_that_lies_about_a_size_gives_no_more_than_it_says() -> None:
    size, claimed = (3_000_000).to_bytes(4, "little"), (50).to_bytes(4, "little")
    content = zipped({**pictures(16), "zeros.bmp": bytes(3_000_000)})
    assert content.count(size) == 2, "before the file and in the list"
    made = uploads.take_in(content.replace(size, claimed), "lying")
    assert made.left_out == "Left out: 1 × damaged in the zip (zeros.bmp)."


def bomb(side: int) -> bytes:
    """A black PNG of side x side pixels of one bit, in few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_bomb_of_pixels_is_left_out() -> None:
    content = bomb(8000)  # 64 million pixels
    assert len(content) < 10_000
    made = uploads.take_in(zipped({**pictures(16), "bomb.png": content}), "bomb")
    assert made.left_out == "Left out: 1 × too large (bomb.png)." and made.images == 16


def test_many_large_pictures_are_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PIXELS", 2_000_000)
    error = refused(zipped({**pictures(16), **{f"large{n}.png": bomb(1000) for n in range(3)}}), data)
    assert error.code == "too-large" and "2 million pixels together" in error.problem


def test_200_000_files_are_refused_before_they_are_listed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = zipped({"a.png": b""}, zipfile.ZIP_STORED)
    end = one.index(b"PK\x05\x06")
    start = one.index(b"PK\x01\x02")
    many = 200_000
    size = (end - start) * many
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, many % 65536, many % 65536, size, start, 0)
    monkeypatch.setattr(zipfile, "ZipFile", lambda file: pytest.fail("it is listed"))
    error = refused(one[:start] + one[start:end] * many + tail, data)
    assert (
        error.code == "too-large" and "more than 150,000 files" in error.problem and "fewer" in error.remedy
    )


def test_more_files_than_fit_into_memory_are_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAXIMUM", 20)
    error = refused(zipped({f"{number}.png": b"" for number in range(21)}), data)
    assert error.code == "too-large" and "more than 20 files" in error.problem
    with_hidden = {**pictures(16), **{f"__MACOSX/._{number}.png": b"" for number in range(16)}}
    assert uploads.take_in(zipped(with_hidden), "mac").images == 16


def test_a_full_disk_leaves_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, written = Path.write_bytes, []

    def full(path: Path, content: bytes) -> int:
        if len(written) == 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    error = refused(zipped(pictures(20)), data)
    assert error.code == "disk-full" and "Free some space" in error.remedy and len(written) == 10
    assert list((data / "own").iterdir()) == []


def test_what_stops_it_leaves_nothing(data: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        uploads.take_in(zipped(pictures(20)), "stopped", stop)
    assert list((data / "own").iterdir()) == []


# What is done with them ------------------------------------------------------------------------------------


def test_a_set_is_deleted_with_what_is_kept_of_it(data: Path, cache: Path) -> None:
    uploads.take_in(zipped(pictures(16)), "gone")
    for size in (16, 64):
        datasets.load(datasets.resized("own:gone", size))
    assert len(list(cache.rglob("*.npz"))) == 2
    uploads.delete("gone")
    assert list((data / "own").iterdir()) == [] and not list(cache.rglob("*.npz"))
    assert not datasets.available("own:gone") and datasets.known("own:gone") is None
    with pytest.raises(UserError, match="no data set 'own:gone'") as caught:
        uploads.delete("gone")
    assert caught.value.code == "unknown-data-set"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("own:cots", "unknown-data-set"),
        ("own:", "bad-folder"),
        ("own:../cats", "bad-own"),
        ("own:.cats", "bad-own"),
        ("own:cats?size=48", "bad-size"),
    ],
)
def test_names_that_there_are_not(name: str, code: str) -> None:
    uploads.take_in(zipped(pictures(16)), "cats")
    with pytest.raises(UserError) as caught:
        datasets.load(name)
    assert caught.value.code == code and datasets.known(name) is None
    if name == "own:cots":
        assert "Did you mean 'own:cats'?" in caught.value.remedy


def test_a_set_whose_description_is_damaged_is_not_listed(data: Path) -> None:
    uploads.take_in(zipped(pictures(16)), "cats")
    (data / "own" / "cats" / "set.json").write_text('{"name": "cats"')
    (data / "own" / "Not mine").mkdir()
    assert uploads.own() == ()
    with pytest.raises(UserError, match="damaged") as caught:
        datasets.info("own:cats")
    assert caught.value.code == "bad-data" and "upload it again" in caught.value.remedy


def test_a_model_is_trained_on_it_and_the_training_resumed(tmp_path: Path) -> None:
    files = {**pictures(12, "cats/"), **pictures(12, "dogs/", 50)}
    uploads.take_in(zipped(files), "Pets")
    options = {"size": "16", "network": "mlp", "width": "4", "latent_dim": "2", "batch_size": "4"}
    config = session.configure("own:pets", "cvae", budget=Budget(steps=1), options=options, where="cpu")
    assert config.dataset == "own:pets?size=16" and config.model["classes"] == 2
    run = session.new_run(config, tmp_path / "run")
    session.train(run)
    outcome = session.train(run, budget=Budget(steps=2))
    info = catalog.read(outcome.checkpoint)
    assert outcome.steps == 2 and info.id == "pets-cvae" and info.labels == ("cats", "dogs")
    assert "--dataset 'own:pets?size=16'" in info.card.command
    assert datasets.sized_for("own:pets", info.model.size) == info.dataset
