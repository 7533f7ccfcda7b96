"""Inception-FID and KID, where the package and the weights that published figures are made with are at hand.

Nothing is downloaded here, and nobody waits for a network that is not there.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.core import to_pixels
from models.metrics.context import JUDGED, Context
from models.metrics.fidelity import frechet_distance, kernel_distance, subsets

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # TensorFlow's of 2015, as torch-fidelity converts them
SIZE = 299  # pixels to which images are enlarged: bilinear, as TensorFlow 1 did it
_SOURCE = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"


def where() -> Path:
    """Return where the weights are looked for: torch's folder of checkpoints."""
    return Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS


def missing() -> str | None:
    """Return a sentence that says what is missing and where to get it; None if nothing is."""
    if importlib.util.find_spec("torch_fidelity") is None:
        return "The package torch-fidelity is not installed: pip install torch-fidelity."
    if not where().is_file():
        return f"Its weights are not on this machine: put {_SOURCE}/{WEIGHTS} at {where()}."
    return None


@cache
def _network() -> Any:
    from torch_fidelity.feature_extractor_inceptionv3 import (  # pyright: ignore[reportMissingImports,reportMissingTypeStubs]
        FeatureExtractorInceptionV3,
    )

    kind: Any = FeatureExtractorInceptionV3
    return kind("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(where())).eval()


def features(x: Tensor) -> Tensor:
    """Return the 2,048 features of images (B, C, H, W) in [-1, 1], shape (B, 2048); grey ones as RGB."""
    network = _network().to(x.device)
    return network(to_pixels(x).expand(-1, 3, -1, -1))[0].flatten(1)


def measure(context: Context) -> dict[str, float]:
    """Measure both distances."""
    samples, real = context.paired(lambda images: context.rows(features, images, JUDGED))
    pairs = subsets(len(samples), len(real), context.seed)
    return {"fid": frechet_distance(samples, real), "kid": kernel_distance(samples, real, pairs)}
