"""How fast training is, against a loop written the way most tutorials write it.

Both loops train the same networks (preset `standard`) from the same weights, with the same objective, batch size and
penalty interval, on the same images, in the same process. They take turns, and the median of the rounds counts, so
that what else the machine does meets both alike.

Ours is `models.training.loop.Trainer`: data in memory as one uint8 tensor, batches by index, channels_last, bf16
where the device computes it fast, fused optimizers, real and fake images judged in one pass, no synchronisation
in a step. It also averages weights, which the plain loop does not do.

The plain loop (`explorer.bench.plain`): fp32, NCHW, a DataLoader with 0 workers over PIL images with torchvision's
ToTensor and Normalize, `.item()` of the loss in each step, Adam with its defaults.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from explorer.bench import plain
from models.config import AutoencoderTraining, Budget, GanTraining, RunConfig, parse
from models.core import LatentModel
from models.datasets import DATASETS, ImageData, available, load
from models.training import session
from models.training.loop import Trainer
from models.training.runs import Run

Step = Callable[[], object]
Size = Literal[32, 64]


def measure(device: session.Device, seconds: float, rounds: int, size: Size = 32) -> dict[str, Any]:
    """Measure images a second.

    Args:
        device: Where both loops compute.
        seconds: Time for each loop in each round.
        rounds: How often the loops take turns.
        size: Of the images: 32, Fashion-MNIST; or 64, avatars.

    Returns:
        What `bench train --json` prints.
    """
    where = session.device(device)
    data, title = _images() if size == 32 else (load("avatars", "train"), "avatars")
    result: dict[str, Any] = {"device": where.type, "threads": torch.get_num_threads(), "dataset": title}
    with tempfile.TemporaryDirectory() as folder:
        for family in ("vae", "gan"):
            trainer = _trainer(family, data, device, Path(folder) / family)
            other = _plain(family, trainer, data, where)
            result[family] = _compare(trainer.advance, other, trainer.batch_size, where, seconds, rounds)
    return result


def _images() -> tuple[ImageData, str]:
    """Return 32x32 grey images: Fashion-MNIST or, where its files are not here, digits brought to that size."""
    if available("fashion_mnist"):
        return load("fashion_mnist", "train"), "fashion_mnist"
    digits = load("digits", "train")
    images = digits.images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return ImageData(DATASETS["fashion_mnist"], images, digits.labels), "digits, enlarged to 32x32"


def _trainer(family: str, data: ImageData, device: session.Device, folder: Path) -> Trainer:
    # A penalty in each of the first steps, which helps at the start, would make the rate depend on the round.
    options: Mapping[str, Any] = {"penalty_dense_steps": 0} if family == "gan" else {}
    budget = Budget(steps=10**9)
    config = session.configure(
        data.info, family, preset_name="standard", options=options, budget=budget, where=device
    )
    run = Run.create(folder, config)
    return Trainer(session.recipe_for(config), data, data, run, budget)


def _plain(family: str, trainer: Trainer, data: ImageData, device: torch.device) -> Step:
    """Return a step of the plain loop, from the weights that the trainer's model has now."""
    config: RunConfig = trainer.run.config()
    twin = session.recipe_for(config).modules["model"].to(device)
    for parameter in twin.parameters():
        parameter.data = parameter.data.contiguous()
    assert isinstance(twin, LatentModel)
    twin.load_state_dict(trainer.recipe.modules["model"].state_dict())
    batches = plain.batches(data.images, trainer.batch_size, device)
    if family == "vae":
        training = parse(AutoencoderTraining, config.training, what="The benchmark")
        return plain.vae_step(twin, batches, training)
    return plain.gan_step(twin, batches, parse(GanTraining, config.training, what="The benchmark"))


def _compare(
    ours: Step, other: Step, batch: int, device: torch.device, seconds: float, rounds: int
) -> dict[str, float]:
    for step in (ours, other):
        _rate(step, batch, device, min(seconds, 1.0))  # to warm up
    turns = [[_rate(step, batch, device, seconds) for step in (ours, other)] for _ in range(rounds)]
    rates = [median(rate) for rate in zip(*turns, strict=True)]
    ratio = median(mine / plain_rate for mine, plain_rate in turns)
    return {
        "images_per_s": round(rates[0], 1),
        "plain_images_per_s": round(rates[1], 1),
        "ratio": round(ratio, 3),
    }


def _rate(step: Step, batch: int, device: torch.device, seconds: float) -> float:
    """Return the images a second of a step, repeated for some time."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        count += 1
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return count * batch / (time.perf_counter() - started)
