"""A person's own image, made to fit a model: read, turned upright, cropped, scaled, light on dark. Torch-free.

    data -> read -> prepare -> keep -> "blob:<sha256>", which `Encode` and `Invert` name
    and before, to choose the crop: preview

Pixels are arrays as everywhere: uint8, shape (H, W, C).
"""

import io
import threading
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import Field

from models.blobs import BLOBS
from models.errors import UserError
from models.media import png
from models.values import Value

MAX_BYTES = 20_000_000
MAX_PIXELS = 50_000_000
SIDE = 2048  # pixels that the longer side is kept at: a tenth of it still fills the largest model's images
# The formats that browsers and cameras write. Others are left out on purpose: some run programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_PLAIN = ("L", "RGB", "RGBA", "CMYK", "YCbCr")  # modes whose pixels can be averaged
_ONE_AT_A_TIME = threading.Lock()  # a small file can hold hundreds of megabytes of pixels
_PAPER = (255, 255, 255)
_MIDDLE = 127.5
_INK = 0.1  # of the brightest pixel: below, a pixel is ground
_REMEDY = "Give a PNG, JPEG, WebP, GIF, BMP or TIFF image."

Pixels = NDArray[np.uint8]


class Crop(Value):
    """A square of an image.

    Args:
        x: Its centre, as a share of the image's width; moved inwards as far as the square needs.
        y: Its centre, as a share of the height, downwards.
        size: Its side, as a share of the image's shorter side.
    """

    x: float = Field(default=0.5, ge=0, le=1)
    y: float = Field(default=0.5, ge=0, le=1)
    size: float = Field(default=1.0, gt=0, le=1)


class Preparation(Value):
    """How an image is made to fit a model.

    Args:
        crop: The part that is used.
        tone: `invert` swaps dark and light, `auto` does so if a grey model meets an image with a light border (a
            drawing on paper: the grey data sets are light on black), `keep` never does.
        centre: Whether a grey image, light on dark, is scaled and placed as those of MNIST are: the drawn part,
            at its own proportions, as large as `fill` allows, with its centre of mass in the middle.
        fill: Share of the image's side that the longer side of the drawn part then takes; 20 of 32 pixels, as in
            MNIST (http://yann.lecun.com/exdb/mnist/: 20x20 in 28x28, here padded to 32x32).
    """

    crop: Crop = Crop()
    tone: Literal["auto", "keep", "invert"] = "keep"
    centre: bool = False
    fill: float = Field(default=20 / 32, gt=0, le=1)


def read(data: bytes) -> Pixels:
    """Read an uploaded file: the first frame, upright, on white where it is transparent, as RGB.

    Args:
        data: The content of the file.

    Returns:
        uint8, shape (H, W, 3), its longer side at most 2,048 pixels. Sixteen-bit and floating-point greys are
        scaled to eight bits; CMYK and other colour spaces are converted without their profile.

    Raises:
        UserError: It is no image, is damaged, or is too large in bytes or pixels.
    """
    if len(data) > MAX_BYTES:
        problem = f"The file has {len(data) / 1e6:.0f} MB, more than {MAX_BYTES / 1e6:.0f}."
        raise UserError("image-too-large", problem, "Give a smaller one.")
    try:
        with _ONE_AT_A_TIME, Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise _too_many_pixels()
            image.draft("RGB", (SIDE, SIDE))  # a JPEG is then decoded at a half, a quarter or an eighth
            image.load()
            if image.mode in _PLAIN:  # before it is copied, once for each of what follows
                image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
            upright = ImageOps.exif_transpose(image)
            upright = _flattened(upright)
    except UserError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except UnidentifiedImageError:
        raise UserError("not-an-image", "The file is not an image that can be read.", _REMEDY) from None
    except Exception as error:
        # Over damaged files Pillow's readers raise OSError, ValueError, struct.error, KeyError and more.
        problem = f"The image is damaged or incomplete ({error})."
        raise UserError("bad-image", problem, "Save or send it again.") from error
    upright.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(upright).copy()


def area(data: bytes) -> int:
    """Return how many pixels an image says that it has, without reading them; 0 if it is none, or too large a one."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            pixels = image.width * image.height
    except Exception:  # as above; `read` words it
        return 0
    return pixels if pixels <= MAX_PIXELS else 0


def _too_many_pixels() -> UserError:
    problem = f"The image has more than {MAX_PIXELS / 1e6:.0f} million pixels."
    return UserError("image-too-large", problem, "Scale it down first.")


def _flattened(image: Image.Image) -> Image.Image:
    """Return an image of any mode as RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _eight_bits(image).convert("RGB")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        paper = Image.new("RGBA", clear.size, _PAPER)
        return Image.alpha_composite(paper, clear).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale deep greys to 8 bits: by their type's range where it is known, else by what they hold."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    if image.mode == "F":
        full = 1.0 if top <= 1 else max(top, 255.0)
    else:
        full = 255.0 if image.mode == "I" and top <= 255 else max(top, 65535.0)
    return Image.fromarray(np.clip(np.round(values * (255 / full)), 0, 255).astype(np.uint8))


def box(width: int, height: int, crop: Crop) -> tuple[float, float, float, float]:
    """Return a crop's left, upper, right and lower edge, in pixels, inside an image of that size."""
    side = max(1.0, crop.size * min(width, height))
    left = min(max(crop.x * width - side / 2, 0.0), width - side)
    upper = min(max(crop.y * height - side / 2, 0.0), height - side)
    return left, upper, left + side, upper + side


def prepare(image: Pixels, shape: tuple[int, ...], how: Preparation | None = None) -> Pixels:
    """Make an image fit a model.

    Args:
        image: RGB, shape (H, W, 3), from `read`.
        shape: Channels (1: luminance, ITU-R BT.601; 3: RGB), height and width of the model's images, square.
        how: What part of it, and how; None for the largest square in the middle, as it is.

    Returns:
        uint8, shape (height, width, channels).
    """
    how = how or Preparation()
    channels, size, _ = shape
    picture = Image.fromarray(image)
    edges = box(picture.width, picture.height, how.crop)
    if channels == 1:
        picture = picture.convert("L")
    result = _scaled(picture, (size, size), edges)
    inverts = how.tone == "invert" or (how.tone == "auto" and channels == 1 and _border(result) > _MIDDLE)
    if how.centre and channels == 1:
        # From the full resolution, so that a small drawing does not lose its detail first.
        part = np.asarray(picture.crop(_whole(edges)))
        result = _centred(255 - part if inverts else part, size, how.fill)
    elif inverts:
        result = 255 - result
    return result.reshape(size, size, channels)


def preview(image: Pixels, crop: Crop, pixels: int = 320) -> Pixels:
    """Show what a crop keeps: the whole image at most `pixels` wide and high, what is left out dimmed."""
    picture = Image.fromarray(image)
    scale = min(1.0, pixels / max(picture.size))
    small = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)
    shown = np.asarray(small).copy()
    left, upper, right, lower = (round(edge * scale) for edge in box(picture.width, picture.height, crop))
    outside = np.ones(shown.shape[:2], bool)
    outside[upper : max(lower, upper + 1), left : max(right, left + 1)] = False
    shown[outside] //= 3
    return shown


def keep(image: Pixels) -> str:
    """Keep an image (H, W, C), as `prepare` returns it, and return the reference that operations name it by."""
    return BLOBS.put(png(image))


def kept(reference: str, shape: tuple[int, ...]) -> Pixels:
    """Return a kept image for a model of a sample shape (C, H, W).

    Returns:
        uint8, shape (H, W, C).

    Raises:
        UserError: It is no longer there, or it was prepared for a model of another shape.
    """
    channels, height, width = shape
    with Image.open(io.BytesIO(BLOBS.get(reference)), formats=("PNG",)) as image:
        fits = image.size == (width, height) and image.mode == ("L" if channels == 1 else "RGB")
        if not fits:
            problem = "The image was prepared for a model whose images have another size or other colours."
            raise UserError("image-does-not-fit", problem, "Choose it again for this model.")
        return np.asarray(image).reshape(height, width, channels).copy()


def _scaled(
    picture: Image.Image, size: tuple[int, int], edges: tuple[float, float, float, float] | None = None
) -> Pixels:
    """Resize a part of a picture; antialiased where it shrinks, without ringing where it grows."""
    left, _, right, _ = edges or (0.0, 0.0, float(picture.width), float(picture.height))
    shrinks = right - left >= size[0]
    method = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    return np.asarray(picture.resize(size, method, box=edges))


def _border(image: Pixels) -> float:
    """Return the median of the outermost pixels of a grey image (H, W): that of its ground."""
    return float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))


def _whole(edges: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    left, upper, right, lower = (round(edge) for edge in edges)
    return left, upper, max(right, left + 1), max(lower, upper + 1)


def _centred(part: Pixels, size: int, fill: float) -> Pixels:
    """Place what is drawn on a dark ground (H, W) as MNIST does, on a black square of `size` pixels."""
    canvas = np.zeros((size, size), np.uint8)
    drawn = np.argwhere(part > max(1.0, _INK * float(part.max(initial=0))))
    if not len(drawn):
        return canvas
    (top, left), (bottom, right) = drawn.min(0), drawn.max(0) + 1
    scale = fill * size / max(bottom - top, right - left)
    height, width = (max(1, round(float(side) * scale)) for side in (bottom - top, right - left))
    small = _scaled(Image.fromarray(part[top:bottom, left:right]), (width, height))
    # Where pixel (0, 0) of the drawn part goes: its centre of mass to the middle, between pixels if size is even.
    mass = small.astype(np.float64)
    rows, columns = mass.sum(1), mass.sum(0)
    y = round((size - 1) / 2 - float(rows @ np.arange(height)) / rows.sum())
    x = round((size - 1) / 2 - float(columns @ np.arange(width)) / columns.sum())
    seen = small[max(0, -y) : size - y, max(0, -x) : size - x]
    canvas[max(0, y) : max(0, y) + seen.shape[0], max(0, x) : max(0, x) + seen.shape[1]] = seen
    return canvas
