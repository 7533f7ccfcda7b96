"""Decoders as ONNX files, checked against the networks that they were made of.

The graph maps `z` (B, D), in prior standard deviations, and `label` (B,) where the model is conditional, to `image`
(B, C, H, W) in [-1, 1]. It carries its description with it, so that `models.foreign.importing` reads it back.

Needs the packages of the extra `export`.
"""

import contextlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import disk
from models.catalog import ModelInfo
from models.checkpoints import load
from models.config import EncodedConfig
from models.core import LatentModel
from models.errors import UserError, reason
from models.families import IMPORTED
from models.foreign.importing import METADATA
from models.foreign.onnx_decoder import Runner
from models.foreign.onnx_files import library
from models.latent import default_labels, prior

TOLERANCE = 1e-3  # largest difference of a pixel in [-1, 1]
_OPSET = 18
_CHECKED = 16  # pictures


class _Decode(nn.Module):
    """`decode` as `forward`, which is what is exported."""

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return self.model.decode(z, label)


def export_onnx(info: ModelInfo, out: Path) -> float:
    """Write a model's decoder as an ONNX file, after comparing what both make of the same latents.

    Args:
        info: The model.
        out: The file; it is replaced.

    Returns:
        The largest difference of a pixel in [-1, 1] to the model.

    Raises:
        UserError: The model has no decoder or is an ONNX file itself, packages are missing, the pictures differ, or
            the file cannot be written.
    """
    model = load(info)
    if not isinstance(model, LatentModel):
        raise UserError("cannot-decode", f"'{info.id}' makes no images.", "Choose a VAE or a GAN.")
    if not info.can("picture"):
        raise UserError(
            "cannot-export", f"'{info.id}' makes points, not pictures.", "Choose a model of images."
        )
    if info.family in IMPORTED and info.weights.suffix == ".onnx":
        problem = f"'{info.id}' was imported from an ONNX file."
        raise UserError("is-onnx", problem, f"Copy that file: {info.weights}.")
    content = _exported(model, info)
    difference = _difference(model, content)
    if difference > TOLERANCE:
        problem = f"The exported decoder's pictures differ from the model's by {difference:.2g}."
        raise UserError("export-differs", problem, "Update torch, onnx and onnxscript, and try again.")
    disk.write(out, content)
    return difference


def _exported(model: LatentModel, info: ModelInfo) -> bytes:
    library("onnx")
    library("onnxscript")
    given: dict[str, Any] = {"z": prior(range(2), model.latent_dim)}
    if model.classes:
        given["label"] = default_labels(range(2), model.classes)
    batch = torch.export.Dim("batch", min=1)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # of the exporter, about itself
            program = torch.onnx.export(  # pyright: ignore[reportUnknownMemberType]
                _Decode(model).eval(),
                kwargs=given,
                input_names=list(given),
                output_names=["image"],
                dynamic_shapes={name: {0: batch} for name in given},
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # the exporter has many classes for what it cannot follow
        # Its own words tell how to report it; what it met is in the cause.
        problem = f"The decoder of '{info.id}' cannot be exported: {reason(error.__cause__ or error)}"
        mixture = isinstance(info.model, EncodedConfig) and info.model.prior_fit == "gmm"
        remedy = (
            "ONNX has no word for a fitted mixture: export a model without one (prior_fit=gmm)."
            if mixture
            else "Update torch, onnx and onnxscript, and try again."
        )
        raise UserError("cannot-export", problem, remedy) from error
    assert program
    proto: Any = program.model_proto
    described = {
        "latent_dim": model.latent_dim,
        "range": [-1, 1],
        "labels": list(info.labels) or 0,
        "dataset": info.dataset,
        "title": info.title,
        "description": info.card.description,
        "licence": info.card.licence,
        "origin": info.card.origin,
    }
    proto.metadata_props.add(key=METADATA, value=json.dumps(described))
    return proto.SerializeToString()


@torch.inference_mode()
def _difference(model: LatentModel, content: bytes) -> float:
    """Return the largest difference of a pixel, over batches of several sizes."""
    run = Runner(content)
    largest = 0.0
    for first, count in ((0, 1), (1, 3), (4, _CHECKED)):
        z = prior(range(first, first + count), model.latent_dim)
        labels = default_labels(range(first, first + count), model.classes) if model.classes else None
        arrays = [z.numpy()] if labels is None else [z.numpy(), labels.numpy()]
        difference = np.abs(run(*arrays) - model.decode(z, labels).numpy())
        largest = max(largest, float(difference.max()))
    return largest
