"""Uploads: every kind of file comes out upright, on white, in eight bits; what is no image is refused."""

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models import images
from models.blobs import Blobs
from models.errors import UserError
from models.images import Crop, Preparation, box, keep, kept, prepare, preview, read

GREY, COLOUR = (1, 16, 16), (3, 16, 16)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def halves(width: int = 40, height: int = 40) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


def corner(array: np.ndarray) -> tuple[int, ...]:
    return tuple(int(v) for v in array[0, 0])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_formats_give_the_same_colours(kind: str) -> None:
    pixels = read(encoded(halves(), kind))
    assert pixels.shape == (40, 40, 3)
    assert pixels.dtype == np.uint8
    for x, colour in ((5, (255, 0, 0)), (35, (0, 0, 255))):
        assert np.abs(pixels[20, x].astype(int) - colour).max() <= 6


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    pixels = read(encoded(halves(60, 40), "JPEG", quality=95, exif=exif))
    assert pixels.shape == (60, 40, 3)
    assert pixels[5, 20, 0] > 200 > pixels[5, 20, 2]  # left became top
    assert pixels[55, 20, 2] > 200 > pixels[55, 20, 0]


def paletted_with_a_clear_colour() -> bytes:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.paste(1, (4, 0, 8, 8))
    return encoded(image, transparency=0)


@pytest.mark.parametrize(
    ("data", "left", "right"),
    [
        (encoded(Image.new("RGBA", (8, 8), (255, 0, 0, 0))), (255, 255, 255), (255, 255, 255)),
        (encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 51))), (204, 204, 204), (204, 204, 204)),
        (encoded(Image.new("LA", (8, 8), (100, 255))), (100, 100, 100), (100, 100, 100)),
        (paletted_with_a_clear_colour(), (255, 255, 255), (200, 0, 0)),
        (encoded(Image.new("L", (8, 8), 77)), (77, 77, 77), (77, 77, 77)),
        (encoded(Image.new("1", (8, 8), 1)), (255, 255, 255), (255, 255, 255)),
        (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), (255, 0, 0), (255, 0, 0)),
    ],
    ids=["clear", "translucent", "grey-alpha", "palette", "grey", "one-bit", "cmyk"],
)
def test_modes(data: bytes, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    pixels = read(data)
    assert np.abs(pixels[4, 0].astype(int) - left).max() <= 1
    assert np.abs(pixels[4, 7].astype(int) - right).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    pixels = read(encoded(Image.fromarray(ramp), kind))
    assert np.abs(pixels[..., 0].astype(int).ravel() - np.arange(256)).max() <= 1


@pytest.mark.parametrize(
    ("top", "expected"), [(1.0, 255), (255.0, 255), (1000.0, 255), (0.5, 128), (100.0, 100)]
)
def test_floating_point_greys_are_scaled_by_what_they_hold(top: float, expected: int) -> None:
    values = np.full((4, 4), top, np.float32)
    values[0] = np.nan
    pixels = read(encoded(Image.fromarray(values), "TIFF"))
    assert int(pixels[3, 3, 0]) == expected
    assert int(pixels[0, 0, 0]) == 0


def bomb() -> bytes:
    """A PNG of a few bytes whose header names 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-an-image"),
        (b"hello", "not-an-image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not-an-image"),
        (encoded(Image.fromarray(NOISE))[:2000], "bad-image"),
        (encoded(Image.fromarray(NOISE), "JPEG")[:1000], "bad-image"),
        (encoded(Image.fromarray(NOISE), "TIFF")[:3000], "bad-image"),
        (bomb(), "image-too-large"),
        (b"\x89PNG" + bytes(images.MAX_BYTES), "image-too-large"),
    ],
    ids=["empty", "text", "eps", "png-cut", "jpeg-cut", "tiff-cut", "bomb", "bytes"],
)
def test_what_cannot_be_used_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(UserError) as caught:
        read(data)
    assert caught.value.code == code
    assert caught.value.remedy.endswith(".")


def test_more_pixels_than_allowed_are_refused_before_they_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(UserError) as caught:
        read(encoded(halves()))
    assert caught.value.code == "image-too-large"


def test_damaged_files_never_raise_anything_else() -> None:
    rng = np.random.default_rng(1)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        whole = np.frombuffer(encoded(Image.fromarray(NOISE), kind), np.uint8)
        for _ in range(40):
            broken = whole.copy()
            broken[rng.integers(0, min(len(broken), 200), 4)] = rng.integers(0, 256, 4)
            with suppress(UserError):
                assert read(broken.tobytes()).shape[2] == 3


def test_large_photos_are_kept_at_a_bounded_size() -> None:
    pixels = read(encoded(Image.new("RGB", (6000, 1500), (9, 8, 7)), "JPEG"))
    assert max(pixels.shape) == images.SIDE
    assert pixels.shape[0] == pytest.approx(images.SIDE / 4, abs=1)


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        (Crop(), (30, 0, 70, 40)),
        (Crop(size=0.5), (40, 10, 60, 30)),
        (Crop(x=0, y=1, size=0.5), (0, 20, 20, 40)),
        (Crop(x=1, size=0.25), (90, 15, 100, 25)),
        (Crop(size=0.0001), (49.5, 19.5, 50.5, 20.5)),
    ],
)
def test_a_crop_stays_inside(crop: Crop, expected: tuple[float, ...]) -> None:
    assert box(100, 40, crop) == pytest.approx(expected)


def test_the_crop_decides_what_is_seen() -> None:
    pixels = read(encoded(halves(80, 40)))
    left = prepare(pixels, COLOUR, Preparation(crop=Crop(x=0.1, size=0.5)))
    right = prepare(pixels, COLOUR, Preparation(crop=Crop(x=0.9, size=0.5)))
    assert left.shape == right.shape == (16, 16, 3)
    assert (left == (255, 0, 0)).all()
    assert (right == (0, 0, 255)).all()


@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_an_image_of_the_right_size_stays_as_it_is(shape: tuple[int, int, int]) -> None:
    source = NOISE[:16, :16]
    if shape[0] == 1:
        source = source[..., :1].repeat(3, axis=2)
    assert np.array_equal(prepare(source, shape), source[..., : shape[0]])


def test_grey_models_get_the_luminance() -> None:
    pixels = read(encoded(Image.new("RGB", (20, 20), (200, 100, 50))))
    assert corner(prepare(pixels, GREY)) == (round(0.299 * 200 + 0.587 * 100 + 0.114 * 50),)


def drawing(ground: int, ink: int, size: int = 100) -> np.ndarray:
    """An upright bar, away from the middle."""
    pixels = np.full((size, size, 3), ground, np.uint8)
    pixels[10:70, 15:25] = ink
    return pixels


@pytest.mark.parametrize(
    ("ground", "tone", "shape", "expected"),
    [
        (255, "auto", GREY, 0),
        (0, "auto", GREY, 0),
        (255, "auto", COLOUR, 255),
        (255, "keep", GREY, 255),
        (0, "invert", GREY, 255),
        (255, "invert", COLOUR, 0),
    ],
)
def test_the_tone_of_the_ground(ground: int, tone: Any, shape: tuple[int, int, int], expected: int) -> None:
    assert corner(prepare(drawing(ground, 255 - ground), shape, Preparation(tone=tone)))[0] == expected


@pytest.mark.parametrize("ground", [0, 255])
def test_centring_places_a_drawing_as_mnist_does(ground: int) -> None:
    how = Preparation(tone="auto", centre=True)
    placed = prepare(drawing(ground, 255 - ground), (1, 32, 32), how)[..., 0].astype(float)
    rows, columns = np.nonzero(placed > 20)
    assert rows.max() - rows.min() + 1 == 20
    assert columns.max() - columns.min() + 1 == pytest.approx(20 / 6, abs=1)
    mass = [float((placed.sum(axis) * np.arange(32)).sum() / placed.sum()) for axis in (1, 0)]
    assert mass == pytest.approx([15.5, 15.5], abs=0.5)
    assert placed.max() == pytest.approx(255, abs=2)


def test_an_mnist_like_digit_is_left_where_it_is() -> None:
    first = prepare(drawing(0, 255), (1, 32, 32), Preparation(centre=True))
    again = prepare(first.repeat(3, axis=2), (1, 32, 32), Preparation(centre=True))
    assert np.abs(first.astype(int) - again).mean() < 3


def test_an_empty_drawing_stays_empty() -> None:
    blank = np.full((50, 50, 3), 255, np.uint8)
    assert not prepare(blank, GREY, Preparation(tone="auto", centre=True)).any()


def test_the_preview_dims_what_is_left_out() -> None:
    pixels = np.full((400, 800, 3), 240, np.uint8)
    shown = preview(pixels, Crop(x=0, size=0.5), pixels=200)
    assert shown.shape == (100, 200, 3)
    assert int((shown == 240).all(2).sum()) == 50 * 50
    assert (shown[25:75, :50] == 240).all()
    assert (shown[:, 60:] == 80).all()


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    board = (np.indices((160, 160)).sum(0) % 2 * 255).astype(np.uint8)
    shrunk = prepare(np.repeat(board[..., None], 3, axis=2), GREY)
    assert np.abs(shrunk.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_a_kept_image_comes_back_exactly(shape: tuple[int, int, int]) -> None:
    pixels = prepare(NOISE, shape)
    reference = keep(pixels)
    assert reference == keep(pixels.copy())
    assert np.array_equal(kept(reference, shape), pixels)
    with pytest.raises(UserError) as caught:
        kept(reference, (shape[0], 32, 32))
    assert caught.value.code == "image-does-not-fit"


def fill(blobs: Blobs, *names: bytes) -> list[str]:
    return [blobs.put(name) for name in names]


@pytest.mark.parametrize("blobs", [Blobs(count=2, nbytes=1000), Blobs(count=99, nbytes=2)])
def test_the_least_recently_used_blob_makes_room(blobs: Blobs) -> None:
    a, b = fill(blobs, b"a", b"b")
    assert blobs.get(a) == b"a"
    (c,) = fill(blobs, b"c")
    assert (blobs.get(a), blobs.get(c), len(blobs)) == (b"a", b"c", 2)
    with pytest.raises(UserError) as caught:
        blobs.get(b)
    assert caught.value.code == "no-upload"
    assert "again" in caught.value.remedy


def test_the_same_bytes_count_once_and_too_many_are_refused() -> None:
    blobs = Blobs(count=9, nbytes=6)
    first = blobs.put(b"abc")
    assert [blobs.put(b"abc"), blobs.put(b"abc")] == [first, first]
    other = blobs.put(b"xyz")
    assert (blobs.get(first), blobs.get(other)) == (b"abc", b"xyz")
    with pytest.raises(UserError) as caught:
        blobs.put(b"1234567")
    assert caught.value.code == "upload-too-large"
    assert blobs.get(first) == b"abc"


def test_blobs_hold_their_limit_under_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    blobs = Blobs(count=20, nbytes=400)
    work: Callable[[int], str] = lambda i: blobs.put(str(i).encode() * (1 + i % 5))  # noqa: E731
    with ThreadPoolExecutor(8) as pool:
        references = list(pool.map(work, range(500)))
    assert len(blobs) <= 20
    held = [r for r in references if r in blobs._blobs]
    assert blobs._held == sum(len(blobs._blobs[r]) for r in set(held)) <= 400
