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

from models.checkpoints import as_pairs, as_sheet, sheet_seeds
from models.config import Budget, parse
from models.core import Classifies
from models.datasets import ImageData
from models.errors import UserError
from models.latent import default_labels, generator, prior
from models.media import Pixels
from models.metrics import POINT_SAMPLES
from models.training.augmentation import augmented
from models.training.recipe import Batch, HeldOut, Recipe
from models.training.runs import Run
from models.training.speed import Mark, Speed, between

EVENT_SECONDS = 1.0
# At the beginning events follow each other sooner, so that curves begin: how long, and how soon.
_FIRST_SECONDS, _FIRST_EVENTS = 2.0, 0.25
SAVE_SECONDS = 15.0
PUBLISH_SECONDS = 3.0  # between two checkpoints of a model that still trains, for who looks at it meanwhile
_PUBLISH_SHARE = 0.04  # of the time that they may take
# Shares of the budget after which there is a validation: the first come early, so that somebody who watches sees some.
VALIDATE_AT = (0.01, 0.02, 0.05, *(tenth / 10 for tenth in range(1, 10)))
PAIRS = 16  # held-out images whose reconstructions are shown
POINTS = 1000  # of points, held out or sampled, that are looked at on the way
# A validation on the way looks at few images, because they cost time: at 32 pixels 128, at 64 half of that.
_HELD_OUT_ROWS = 4096
_SAMPLES, _LAST = 64, 512  # at the end there are more samples, and all images that are held out
_BOUND = 1e12  # what no figure of a training that learns anything comes near
_STEP, _ORDER = 1, 2  # streams of random numbers


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int
    images: int
    seconds: float
    share: float
    speed: Speed
    scalars: Mapping[str, float]

    @property
    def images_per_s(self) -> float:
        """Images a second, lately."""
        return self.speed.images_per_s

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
        judge: A classifier with a head `label`, for validations to tell what samples show; it changes no weight.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: ImageData,
        held_out: ImageData,
        run: Run,
        budget: Budget,
        seed: int = 0,
        judge: Classifies | None = None,
    ) -> None:
        self.recipe = recipe
        self.data = recipe.prepare(data).to(recipe.device)
        self.held_out = recipe.prepare(held_out)
        self.run = run
        self.budget = budget
        self.seed = seed
        self.step = 0
        self.seconds = 0.0
        self._judge = judge
        self._stepping = 0.0
        self._shown: Tensor | None = None  # latents of a sheet
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

    def _index(self) -> Tensor:
        """Return which images the current step sees: shuffled anew each epoch, the last incomplete batch left out."""
        per_epoch = len(self.data) // self.batch_size
        epoch, position = divmod(self.step, per_epoch)
        return self._order(epoch)[position * self.batch_size : (position + 1) * self.batch_size]

    def batch(self) -> Batch:
        """Return the batch of the current step."""
        index = self._index()
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
            self.data.fetch(self._index())  # once in the life of a cache: no part of the budget
            started = time.perf_counter()
            rng = generator(self.seed, _STEP, self.step, device=self.recipe.device)
            batch = self.batch()
            batch = replace(batch, x=augmented(batch.x, self.recipe.config, rng))
            prepared = time.perf_counter()
            scalars = self.recipe.step(batch, self.share, self.step, rng)
            ended = time.perf_counter()
            self.step += 1
            self.seconds += ended - started
            self._stepping += ended - prepared
        return scalars

    def mark(self) -> Mark:
        """Return what the clocks and counters show now; see `models.training.speed.between`."""
        return Mark(time.perf_counter(), self.images, self.seconds, self._stepping)

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
        self.run.forget_live()

    def fit(
        self,
        report: Callable[[Progress], None] = lambda progress: None,
        stop: Callable[[], bool] = lambda: False,
        publish: Callable[[], object] = lambda: None,
    ) -> Mapping[str, float]:
        """Train until the budget ends or `stop` says so, with events, snapshots and saves on the way.

        Args:
            report: Called about once a second.
            stop: Asked after every step.
            publish: Called every few seconds, to show others the model as it is.

        Returns:
            The metrics of a validation at the end, on all images that are held out.

        Raises:
            UserError: The loss is no longer a number, or the folder cannot be written.
        """
        last_event, last_save = self.mark(), time.perf_counter()
        next_snapshot, validated = max(1, self.step), self.share
        next_publication = last_save + PUBLISH_SECONDS
        costs: list[float] = []  # seconds that publications took
        scalars: dict[str, Tensor] = {}  # the newest of each: some are not of every step, such as penalties
        while self.share < 1 and not stop():
            scalars.update(self.advance())
            now = time.perf_counter()
            pause = EVENT_SECONDS if self.seconds > _FIRST_SECONDS else _FIRST_EVENTS
            if now - last_event.clock >= pause or self.share >= 1:
                last_event = self._tell(self._read(scalars), last_event, report)
            if self.step >= next_snapshot:
                self.snapshot()
                next_snapshot = max(self.step + 1, round(self.step * 1.3))
            if self.share < 1 and any(validated < share <= self.share for share in VALIDATE_AT):
                self._validation()
                validated = self.share
            if now - last_save >= SAVE_SECONDS:
                self._read(scalars)  # never keep weights that have diverged
                self.save()
                last_save = time.perf_counter()
            if now >= next_publication:
                self._read(scalars)
                began = time.perf_counter()
                publish()
                ended = time.perf_counter()
                costs.append(ended - began)
                # The first one imports much, and others are held up by who else computes: neither tells what they cost.
                cost = min(costs[1:], default=0.0)
                next_publication = ended + max(PUBLISH_SECONDS, cost / _PUBLISH_SHARE)
        values = self._read(scalars)
        if values and last_event.images < self.images:
            self._tell(values, last_event, report)
        self.save()
        self.snapshot()
        self._validation()
        return self.recipe.validate(self._held(len(self.held_out), POINT_SAMPLES if self._points else _LAST))

    @property
    def _points(self) -> bool:
        return self.data.info.points is not None

    def _held(self, count: int, samples: int) -> HeldOut:
        some = self.held_out.take(torch.arange(min(len(self.held_out), count)))
        return HeldOut(some, self.share, len(self.data), samples, self._judge)

    def _validation(self) -> None:
        size = self.data.info.size
        held = self._held(_HELD_OUT_ROWS // size, _SAMPLES) if size else self._held(POINTS, POINTS)
        self._event("validation", self.recipe.validate(held))

    def snapshot(self) -> None:
        """Write pictures of the latents of seeds 0 to 63 and reconstructions; of points, scatter plots of more."""
        sheet, pairs = self.sheet(), self.pairs()
        if sheet is not None:
            self.run.snapshot(sheet, self.step, "samples")
        if pairs is not None:
            self.run.snapshot(pairs, self.step, "reconstructions")

    def pairs(self) -> Pixels | None:
        """Return the first held-out images and their reconstructions, as `as_pairs` lays them out; None without any."""
        some = slice(0, POINTS if self._points else PAIRS)
        labels = None if self.held_out.labels is None else self.held_out.labels_at(some, self.recipe.device)
        x = self.held_out.floats(some, self.recipe.device)
        rebuilt = self.recipe.reconstruct(x, labels)
        return None if rebuilt is None else as_pairs(x.cpu(), rebuilt.cpu())

    def sheet(self) -> Pixels | None:
        """Return what the seeds of a sheet make, as one image (H, W, C); None for a model without a decoder."""
        config = self.recipe.modules["model"].config
        dim, classes = int(getattr(config, "latent_dim", 0)), int(getattr(config, "classes", 0))
        if not dim:
            return None
        seeds = sheet_seeds(self._points)
        labels = default_labels(seeds, classes).to(self.recipe.device) if classes else None
        if self._shown is None:  # drawn once: of points there are hundreds
            self._shown = prior(seeds, dim).to(self.recipe.device)
        x = self.recipe.preview(self._shown, labels)
        return None if x is None else as_sheet(x.cpu(), self.held_out)

    def _read(self, scalars: Mapping[str, Tensor]) -> dict[str, float]:
        started = time.perf_counter()
        values = {name: float(value) for name, value in scalars.items()}
        self._stepping += time.perf_counter() - started  # a GPU was still busy with steps
        broken = [name for name, value in values.items() if not abs(value) < _BOUND]
        if broken:
            how = (
                "has grown beyond all bounds" if math.isfinite(values[broken[0]]) else "is no longer a number"
            )
            raise UserError(
                "diverged",
                f"Training diverged at step {self.step}: {broken[0]} {how}.",
                "Try a smaller learning rate, e.g. --set learning_rate=1e-4; the last saved state is kept.",
            )
        return values

    def _tell(self, scalars: Mapping[str, float], last: Mark, report: Callable[[Progress], None]) -> Mark:
        """Write an event of the training since the last one, and report it; return where it ends."""
        now = self.mark()
        speed = between(last, now, self.recipe.device)
        self._event("train", {**scalars, **speed.rounded()})
        report(Progress(self.step, self.images, self.seconds, self.share, speed, scalars))
        return now

    def _event(self, kind: Literal["train", "validation"], values: Mapping[str, float]) -> None:
        event: dict[str, Any] = {
            "kind": kind,
            "step": self.step,
            "images": self.images,
            "seconds": round(self.seconds, 3),
            "progress": round(self.share, 5),
            **values,
        }
        self.run.append(event)
