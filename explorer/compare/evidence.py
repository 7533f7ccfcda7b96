"""What models make of real images, as plain arrays: reconstructions, and what codes near an image decode to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer import cache
from explorer.compare import remade
from models.catalog import ModelInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.images import Pixels


@dataclass(frozen=True)
class Around:
    """What a model makes of codes drawn from the posterior of an image.

    Args:
        images: The image, the pictures of the codes, their mean; uint8, shape (2 + draws, H, W, C).
    """

    images: "Pixels"

    def sharpness(self, image: "Pixels") -> float | None:
        """Return how sharp a picture is, as a ratio to the image; None where that has no detail."""
        from models.metrics.reconstruction import likeness

        return likeness(self.images[0], image).sharpness_ratio


def around(info: ModelInfo, image: "Pixels", draws: int, seed: int = 0) -> Around:
    """Draw codes from q(z|x) of an image and decode them.

    Args:
        info: A model that encodes.
        image: uint8, shape (H, W, C).
        draws: Number of codes.
        seed: Of the draws.
    """
    import numpy as np

    from models.render import decoder

    found = cache.render(remade.asked(info, image, "encode"))
    spread = np.exp(0.5 * found.values["logvar"])
    noise = np.random.default_rng(seed).standard_normal((draws, found.latents.shape[1]))
    codes = (found.latents + spread * noise).astype(np.float32)
    label = found.values.get("label")
    labels = None if label is None else np.repeat(label.astype(np.int64), draws)
    decoded = decoder(info.digest)(codes, labels)
    mean = decoded.astype(np.float64).mean(0).round().astype(np.uint8)
    return Around(np.concatenate([image[None], decoded, mean[None]]))


def reconstructed(
    info: ModelInfo, images: "Sequence[Pixels] | Pixels"
) -> "tuple[Pixels, NDArray[np.float32]]":
    """Return what a model that encodes makes of some images.

    Args:
        info: The model.
        images: uint8, shape (N, H, W, C).

    Returns:
        Reconstructions from the posterior's mean, shape (N, H, W, C), and the PSNR of each in dB, shape (N,).
    """
    import numpy as np

    found = cache.answers(tuple(remade.asked(info, image, "encode") for image in images))
    return np.stack([one.images[1] for one in found]), np.asarray([one.values["psnr_db"][0] for one in found])
