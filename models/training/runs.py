"""A run's folder: everything that a training run leaves behind, and everything needed to go on with it.

    config.json          models.config.RunConfig
    events.jsonl         one JSON object a line, append-only: {"step", "seconds", "images", "images_per_s", ...}
    samples/00001234.png snapshots from fixed latents, at log-spaced steps
    reconstructions/     at the same steps, where there is an encoder: of the same 16 held-out images each time;
                         a row of eight images, a row of their reconstructions, and so on
    state/               state.safetensors: weights, averages, optimisers; its header holds step and seconds
    checkpoint/          the exported model (models.checkpoints), written at the end
    live/                the same every few seconds until then, without what takes long; where it failed, the last

An event is of one of two kinds. `train`: what a step reports (`models.training.recipe.Recipe.step`), the newest value
of each, and images_per_s, idle_share and memory_mb (`models.training.speed.Speed`). `validation`: what the averaged
model reaches on held-out images (`Recipe.validate`); where both have a `loss`, or a part of it, they are the same
quantity. Of points there are scatter plots: samples on the data, reconstructions on their points.

The page that shows a run only reads this folder, and needs no torch for it. A crash loses at most what came after
the last save.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from models.catalog import RUN_CHECKPOINT, RUN_LIVE
from models.config import RunConfig, parse
from models.errors import UserError, write_error
from models.media import Pixels, save_png

if TYPE_CHECKING:
    from torch import Tensor

SnapshotKind = Literal["samples", "reconstructions"]
SNAPSHOTS: tuple[SnapshotKind, ...] = get_args(SnapshotKind)


class Run:
    """The folder of one run.

    Args:
        folder: Where it is; made by `create`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / RUN_CHECKPOINT
        self.live = folder / RUN_LIVE
        self.samples = folder / "samples"
        self.reconstructions = folder / "reconstructions"
        self._state = folder / "state" / "state.safetensors"
        self.log = folder / "events.jsonl"

    @classmethod
    def create(cls, folder: Path, config: RunConfig) -> "Run":
        """Start a new run in a folder that is empty or does not exist yet; raises UserError."""
        run = cls(folder)
        try:
            if folder.exists() and any(folder.iterdir()):
                remedy = f"Give another folder, or go on with it: --resume {folder}."
                raise UserError("folder-in-use", f"{folder} is not empty.", remedy)
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        run.prepare(config)
        return run

    def prepare(self, config: RunConfig) -> None:
        """Make what a run needs in its folder, which is there, and write its config; raises UserError."""
        try:
            self.samples.mkdir(exist_ok=True)
            self._state.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error
        self.write_config(config)

    def write_config(self, config: RunConfig) -> None:
        """Write the run's config; raises UserError, and then the old one is still there."""
        self._replace(self.folder / "config.json", config.model_dump_json(indent=2) + "\n")

    def _replace(self, path: Path, text: str) -> None:
        temporary = path.with_suffix(".tmp")
        try:
            temporary.write_text(text)
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise write_error(path, error) from error

    def config(self) -> RunConfig:
        """Read the run's config; raises UserError if the folder is no run."""
        what = f"The run in '{self.folder}'"
        try:
            data = json.loads((self.folder / "config.json").read_text())
        except (OSError, ValueError) as error:
            remedy = "Give the folder that 'latent-explorer train' printed."
            raise UserError("no-run", f"There is no training run in {self.folder}.", remedy) from error
        return parse(RunConfig, data, what=what)

    def forget_live(self) -> None:
        """Remove what was shown while it trained, and what an end in the midst of writing it left."""
        for path in (self.live, *self.folder.glob(f".{RUN_LIVE}-*")):
            shutil.rmtree(path, ignore_errors=True)

    def append(self, event: Mapping[str, Any]) -> None:
        """Append one event; raises UserError if the disk is full."""
        try:
            with self.log.open("a") as file:
                file.write(json.dumps(event) + "\n")
        except OSError as error:
            raise write_error(self.log, error) from error

    def events(self) -> Iterator[dict[str, Any]]:
        """Read the events; a half-written last line is passed over."""
        if not self.log.is_file():
            return
        with self.log.open() as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    def forget_events_after(self, step: int) -> None:
        """Drop the events of steps that a crash has undone."""
        kept = [json.dumps(event) + "\n" for event in self.events() if event.get("step", 0) <= step]
        self._replace(self.log, "".join(kept))

    def save_state(self, tensors: "Mapping[str, Tensor]", step: int, seconds: float) -> None:
        """Write the state so that a reader sees the old one or the new one, never half of one."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

        temporary = self._state.with_suffix(".tmp")
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        try:
            save_file(contiguous, temporary, metadata={"step": str(step), "seconds": repr(seconds)})
            os.replace(temporary, self._state)
        except (OSError, SafetensorError) as error:
            temporary.unlink(missing_ok=True)
            raise write_error(self._state, error) from error

    def load_state(self) -> "tuple[dict[str, Tensor], int, float] | None":
        """Read `(tensors, step, seconds)`; None if nothing was saved yet; raises UserError if it is damaged."""
        from safetensors import SafetensorError, safe_open

        if not self._state.is_file():
            return None
        try:
            with cast(Any, safe_open(self._state, framework="pt")) as file:
                metadata: dict[str, str] = file.metadata() or {}
                names: list[str] = list(file.keys())
                tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in names}
            return tensors, int(metadata["step"]), float(metadata["seconds"])
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise self.bad_state() from error

    def bad_state(self) -> UserError:
        """Word that the saved state is damaged or of another model."""
        problem = f"The saved state in {self.folder} cannot be read or does not fit the run's config."
        return UserError("bad-state", problem, "Start the run again in a new folder.")

    def picture(self, kind: SnapshotKind, step: int) -> Path:
        """Return where the snapshot of a step is, if there is one."""
        return self.folder / kind / f"{step:08d}.png"

    def snapshot(self, image: Pixels, step: int, kind: SnapshotKind) -> None:
        """Write a sheet (H, W, C) of what the model makes of fixed latents, or of fixed images, at a step."""
        path = self.picture(kind, step)
        try:
            path.parent.mkdir(exist_ok=True)  # only where there is something to reconstruct
        except OSError as error:
            raise write_error(path.parent, error) from error
        save_png(image, path, quickly=True)  # training waits for it
