"""Training as a background job (`models.jobs`): the job's folder is the run's."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from models.config import RunConfig, parse
from models.errors import UserError
from models.jobs import JobSpec, Report, Stop
from models.training import session
from models.training.loop import Progress
from models.training.runs import Run

# What torch says, without a class for it, where memory ran out and where a GPU is gone, hangs or was reset.
_CPU_MEMORY = ("can't allocate memory", "not enough memory")
_GPU_MEMORY = ("out of memory", "alloc_failed")
_LOST = ("cuda error", "hip error", "cudnn_status", "cublas_status", "nvml", "no cuda gpus")


def train(folder: Path, spec: JobSpec, report: Report, stop: Stop) -> Mapping[str, Any]:
    """Train the run that a spec describes in a folder, or go on with it, up to the end of its budget.

    Returns:
        Its steps, images, seconds and images a second; its metrics by name, those that are numbers.

    Raises:
        UserError: It cannot be trained, it diverged, or the device or the disk is full or gone.
    """
    asked = parse(RunConfig, spec.arguments, what="The run")
    config = asked.model_copy(update={"device": spec.device})
    run = Run(folder)
    run.prepare(config)

    def tell(progress: Progress) -> None:
        values = (f"{name} {value:.4g}" for name, value in progress.scalars.items())
        report(progress.share, "  ".join([f"step {progress.step}", *values]))

    try:
        outcome = session.train(run, report=tell, stop=stop)
    except RuntimeError as error:
        raise worded(error, config) from error
    return {
        "steps": outcome.steps,
        "images": outcome.images,
        "seconds": outcome.seconds,
        "images_per_s": outcome.images_per_s,
        "metrics": {name: value for name, value in outcome.metrics.items() if math.isfinite(value)},
    }


def worded(error: RuntimeError, config: RunConfig) -> Exception:
    """Return what to raise for an error of torch: that memory ran out, that the device failed, or the error itself."""
    text = str(error).lower()
    if any(word in text for word in _CPU_MEMORY):
        return MemoryError(str(error))
    if any(word in text for word in _GPU_MEMORY):
        return session.out_of_memory(config)
    kind = getattr(torch, "AcceleratorError", None)
    if (kind is not None and isinstance(error, kind)) or any(word in text for word in _LOST):
        remedy = "Resume the run once it is back; what was saved last is kept."
        return UserError("device-lost", "The device failed or was taken away during the training.", remedy)
    return error
