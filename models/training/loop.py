"""The trainer: one loop for every family.

Data lie on the device as one uint8 tensor; a batch is an index into it. Random numbers of a step come from a
generator seeded by (run seed, step), the order of the images by (run seed, epoch): nothing random has to be
saved, and a resumed run takes exactly the steps that an uninterrupted one would have taken.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from models.checkpoints import as_sheet, sheet_seeds
from models.config import Budget, parse
from models.datasets import ImageData
from models.errors import UserError
from models.latent import default_labels, generator, prior
from models.media import Pixels
from models.training.augmentation import augmented
from models.training.recipe import Batch, Recipe
from models.training.runs import Run

EVENT_SECONDS = 1.0
SAVE_SECONDS = 15.0
VALIDATE_SHARE = 0.1  # of the budget, between validations
_STEP, _ORDER, _EVAL = 1, 2, 3  # streams of random numbers


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int
    images: int
    seconds: float
    share: float
    images_per_s: float
    scalars: Mapping[str, float]

    @property
    def seconds_left(self) -> float:
        """Estimate of the time left, from the time so far."""
        return self.seconds * (1 / self.share - 1) if self.share > 0 else math.inf


class Trainer:
    """Drives a recipe over data and keeps the run's folder.

    Args:
        recipe: What a step is.
        data: Training images.
        held_out: Images to validate on.
        run: Where everything is written to.
        budget: When to stop; it drives the schedules.
        seed: Of the order of images and of every step's random numbers.
    """

    def __init__(
        self, recipe: Recipe, data: ImageData, held_out: ImageData, run: Run, budget: Budget, seed: int = 0
    ) -> None:
        self.recipe = recipe
        self.data = recipe.prepare(data).to(recipe.device)
        self.held_out = recipe.prepare(held_out)
        self.run = run
        self.budget = budget
        self.seed = seed
        self.step = 0
        self.seconds = 0.0
        self.batch_size = min(recipe.config.batch_size, len(data))
        self._order = lru_cache(maxsize=2)(self._permutation)

    @property
    def images(self) -> int:
        """Images seen so far, repeats counted."""
        return self.step * self.batch_size

    @property
    def share(self) -> float:
        """Share of the budget that is used, in [0, 1]."""
        return self.budget.progress(self.step, self.seconds)

    def _permutation(self, epoch: int) -> Tensor:
        order = torch.randperm(len(self.data), generator=generator(self.seed, _ORDER, epoch))
        return order.to(self.recipe.device)

    def batch(self) -> Batch:
        """Return the batch of the current step: shuffled anew each epoch, the last incomplete one left out."""
        per_epoch = len(self.data) // self.batch_size
        epoch, position = divmod(self.step, per_epoch)
        index = self._order(epoch)[position * self.batch_size : (position + 1) * self.batch_size]
        x = self.data.floats(index, self.recipe.device)
        x = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
        labels, factors = (None if t is None else t[index] for t in (self.data.labels, self.data.factors))
        return Batch(x, labels, factors, len(self.data))

    def advance(self, steps: int = 1) -> Mapping[str, Tensor]:
        """Take some steps (fewer if the budget ends) and return the last one's scalars, still on the device."""
        scalars: Mapping[str, Tensor] = {}
        for _ in range(steps):
            if self.share >= 1:
                break
            started = time.perf_counter()
            rng = generator(self.seed, _STEP, self.step, device=self.recipe.device)
            batch = self.batch()
            batch = replace(batch, x=augmented(batch.x, self.recipe.config, rng))
            scalars = self.recipe.step(batch, self.share, self.step, rng)
            self.step += 1
            self.seconds += time.perf_counter() - started
        return scalars

    def set(self, name: str, value: object) -> None:
        """Change one option from the next step on, and keep it with the run.

        Raises:
            UserError: It is unknown or invalid, or it is fixed once the training has begun.
        """
        config, live = self.recipe.config, self.recipe.live
        if name in type(config).model_fields and name not in live:
            remedy = f"These can be changed: {', '.join(sorted(live))}."
            raise UserError("fixed-option", f"'{name}' is fixed once the training has begun.", remedy)
        changed = {**config.model_dump(), name: value}
        self.recipe.config = parse(type(config), changed, what="The training configuration")
        training = self.recipe.config.model_dump(mode="json")
        self.run.write_config(self.run.config().model_copy(update={"training": training}))

    def save(self) -> None:
        """Write everything needed to resume."""
        self.run.save_state(self.recipe.state_dict(), self.step, self.seconds)

    def load(self) -> None:
        """Go back to what was last saved; to the start if nothing was."""
        found = self.run.load_state()
        step = 0
        if found:
            tensors, step, self.seconds = found
            try:
                self.recipe.load_state_dict(tensors)
            except (RuntimeError, KeyError, IndexError, ValueError) as error:
                raise self.run.bad_state() from error
        self.step = step
        self.run.forget_events_after(step)

    def fit(
        self,
        report: Callable[[Progress], None] = lambda progress: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Mapping[str, float]:
        """Train until the budget ends or `stop` says so, with events, snapshots and saves on the way.

        Returns:
            The last validation's metrics.

        Raises:
            UserError: The loss is no longer a number, or the folder cannot be written.
        """
        last_event = last_save = time.perf_counter()
        done, done_seconds = self.step, self.seconds
        next_snapshot = max(1, self.step)
        next_validation = self.share + VALIDATE_SHARE
        scalars: Mapping[str, Tensor] = {}
        while self.share < 1 and not stop():
            scalars = self.advance() or scalars
            now = time.perf_counter()
            if now - last_event >= EVENT_SECONDS or self.share >= 1:
                rate = (self.step - done) * self.batch_size / max(self.seconds - done_seconds, 1e-9)
                self._event("train", self._read(scalars), rate, report)
                last_event, done, done_seconds = now, self.step, self.seconds
            if self.step >= next_snapshot:
                self.snapshot()
                next_snapshot = max(self.step + 1, round(self.step * 1.3))
            if next_validation <= self.share < 1:
                self._event("validation", self.recipe.validate(self.held_out), 0.0, None)
                next_validation += VALIDATE_SHARE
            if now - last_save >= SAVE_SECONDS:
                self._read(scalars)  # never keep weights that have diverged
                self.save()
                last_save = time.perf_counter()
        self._read(scalars)
        self.save()
        self.snapshot()
        metrics = self.recipe.validate(self.held_out)
        self._event("validation", metrics, 0.0, None)
        return metrics

    def snapshot(self) -> None:
        """Write a sheet of pictures from the latents of seeds 0 to 63; of points, a scatter plot of more."""
        sheet = self.sheet()
        if sheet is not None:
            self.run.snapshot(sheet, self.step)

    def sheet(self) -> Pixels | None:
        """Return what the seeds of a sheet make, as one image (H, W, C); None for a model without a decoder."""
        config = self.recipe.modules["model"].config
        dim, classes = int(getattr(config, "latent_dim", 0)), int(getattr(config, "classes", 0))
        if not dim:
            return None
        seeds = sheet_seeds(self.data.info.points is not None)
        labels = default_labels(seeds, classes).to(self.recipe.device) if classes else None
        x = self.recipe.preview(prior(seeds, dim).to(self.recipe.device), labels)
        return None if x is None else as_sheet(x.cpu(), self.held_out)

    def _read(self, scalars: Mapping[str, Tensor]) -> dict[str, float]:
        values = {name: float(value) for name, value in scalars.items()}
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            raise UserError(
                "diverged",
                f"Training diverged at step {self.step}: {broken[0]} is no longer a number.",
                "Try a smaller learning rate, e.g. --set learning_rate=1e-4; the last saved state is kept.",
            )
        return values

    def _event(
        self,
        kind: Literal["train", "validation"],
        scalars: Mapping[str, float],
        rate: float,
        report: Callable[[Progress], None] | None,
    ) -> None:
        progress = Progress(self.step, self.images, self.seconds, self.share, rate, scalars)
        event: dict[str, Any] = {
            "kind": kind,
            "step": self.step,
            "images": self.images,
            "seconds": round(self.seconds, 3),
            "progress": round(self.share, 5),
            **scalars,
        }
        self.run.append(event if kind == "validation" else {**event, "images_per_s": round(rate, 1)})
        if report:
            report(progress)
