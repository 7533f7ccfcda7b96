"""The catalog: checkpoints as cards, read without torch, so that listing them and the first page are instant."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from pydantic import Field

from models import datasets, hub, paths
from models.config import GeneratorConfig, ModelConfig, Start, Value, parse
from models.errors import UserError
from models.families import IMPORTED, kind_of
from models.foreign.configs import ForeignConfig
from models.tables import nearest

CONFIG, WEIGHTS, CARD, SHEET = "config.json", "model.safetensors", "card.json", "sheet.png"
RUN_CHECKPOINT, RUN_LIVE = (
    "checkpoint",
    "live",
)  # in the folder of a run: the model at its end, and until then
DIRECTIONS = "directions.npz"  # of attributes, see `models.attributes.ship`; there or not
PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt"}
FORMAT = 1
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class CheckpointConfig(Value):
    """`config.json`: what is needed to build the model and to train it again."""

    format: int = FORMAT
    id: str = Field(min_length=1, max_length=100, pattern=ID)
    model: dict[str, Any]
    training: dict[str, Any] = Field(default={})
    dataset: str
    labels: tuple[str, ...] = Field(default=(), description="Names of the labels that it is conditioned on")
    preset: str = ""
    budget: str = ""
    seed: int = 0
    start: Start | None = None
    versions: dict[str, str] = Field(default={})
    weights_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class Metric(Value):
    """A measured figure with its protocol."""

    value: float
    n: int | None = None
    protocol: str = ""


class Card(Value):
    """`card.json`: what people should know of a model. Nothing here changes what it computes."""

    title: str = ""
    description: str = ""
    licence: str = "MIT"
    origin: str = "Trained with Latent Explorer"
    capabilities: tuple[str, ...] = ()
    parameters: dict[str, int] = Field(default={}, description="Trained numbers of each network, by its role")
    steps: int = 0
    images: int = Field(default=0, description="Images seen in training, repeats counted")
    seconds: float = 0.0
    device: str = ""
    command: str = Field(default="", description="The command that trains it again")
    metrics: dict[str, Metric] = Field(default={})


@dataclass(frozen=True)
class ModelInfo:
    """A checkpoint as the catalog knows it.

    Args:
        path: Its folder.
        config: The validated config.json.
        model: The validated config of its networks.
        card: card.json, or an empty one.
        shipped: Whether it comes with the project.
        run: Whether it is what a training has come to, which others replace while it goes on.
    """

    path: Path
    config: CheckpointConfig
    model: ModelConfig
    card: Card
    shipped: bool = False
    run: bool = False

    @property
    def id(self) -> str:
        """Its name."""
        return self.config.id

    @property
    def digest(self) -> str:
        """The key of everything that is computed with it: sha256 of its weights.

        Of a decoder that was made elsewhere, what is known of it counts as well: it changes the pictures. Fields at
        their defaults do not, so that one more field of a later version changes no digest.
        """
        own = self.config.weights_sha256
        if not isinstance(self.model, ForeignConfig):
            return own
        return hashlib.sha256(
            f"{own} {self.model.model_dump_json(exclude_defaults=True)}".encode()
        ).hexdigest()

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.card.title or self.id

    @property
    def family(self) -> str:
        """Its family, a name in `models.families.FAMILIES`, or in `IMPORTED` where it was made elsewhere."""
        return self.model.family

    @property
    def dataset(self) -> str:
        """The data set that it was trained on."""
        return self.config.dataset

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Channels, height, width of its images; (2,) of its points."""
        return self.model.sample_shape

    @property
    def latent_dim(self) -> int | None:
        """Dimensions of its latent space; None if it has none."""
        return self.model.latent_dim if isinstance(self.model, GeneratorConfig) else None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels that it is conditioned on; empty if it is not."""
        if isinstance(self.model, ForeignConfig):
            return self.model.labels
        count = self.model.classes if isinstance(self.model, GeneratorConfig) else 0
        if len(self.config.labels) == count:
            return self.config.labels
        data = datasets.known(self.dataset) if count else None  # of a checkpoint that does not name them
        known = data.classes if data else ()
        return known if len(known) == count else tuple(str(i) for i in range(count))

    @property
    def sheet(self) -> Path | None:
        """A picture of samples (seeds 0 to 63, eight a row; fewer where they take long), or of points; None without."""
        path = self.path / SHEET
        return path if path.is_file() else None

    @property
    def parameters(self) -> int:
        """Trained numbers of all its networks."""
        return sum(self.card.parameters.values())

    def can(self, capability: str) -> bool:
        """Tell whether it has a capability; see there."""
        return capability in self.capabilities

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do: decode, picture, encode, invert, score, label, features, classify.

        What its family can; `label` where it takes one; `picture` where it decodes to images and not to points.
        """
        known = kind_of(self.family).capabilities
        more = {
            "label": bool(self.labels),
            "picture": "decode" in known and self.model.size > 0,
        }
        return known | {name for name, can in more.items() if can}

    @property
    def weights(self) -> Path:
        """The file with its weights, which may be missing."""
        return self.path / (IMPORTED[self.family].file if self.family in IMPORTED else WEIGHTS)

    def summary(self) -> dict[str, Any]:
        """Return it as `latent-explorer models --json` prints it."""
        return {
            "id": self.id,
            "title": self.title,
            "family": self.family,
            "dataset": self.dataset,
            "latent_dim": self.latent_dim,
            "sample_shape": list(self.sample_shape),
            "parameters": self.parameters,
            "parameters_by_network": dict(self.card.parameters),
            "metrics": {name: metric.value for name, metric in self.card.metrics.items()},
            "capabilities": sorted(self.capabilities),
            "shipped": self.shipped,
            "path": str(self.path),
        }


def model_config(data: dict[str, Any], what: str) -> ModelConfig:
    """Validate the config of a model's networks by its family; raises UserError."""
    family = kind_of(str(data.get("family")))
    return parse(family.config, data, what=what)


def _json(path: Path, what: str) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            "bad-config", f"{what} cannot be read ({error}).", "Copy the checkpoint again."
        ) from error


def _format(data: Any) -> int:
    version = cast(dict[str, Any], data).get("format") if isinstance(data, dict) else None
    return version if isinstance(version, int) else FORMAT


def read(folder: Path, *, shipped: bool = False) -> ModelInfo:
    """Read a checkpoint's config and card.

    Raises:
        UserError: The folder is none, or its config does not validate.
    """
    if not (folder / CONFIG).is_file():
        pickle = folder if folder.suffix.lower() in PICKLES else None
        if pickle:
            raise UserError(
                "pickle-refused",
                f"{folder.name} is a pickle: such a file can run any program when it is opened.",
                "Give a checkpoint folder with config.json and model.safetensors.",
            )
        remedy = (
            "Give a folder with config.json and model.safetensors, or an id from 'latent-explorer models'."
        )
        raise UserError("no-checkpoint", f"There is no checkpoint in {folder}.", remedy)
    what = f"The config of '{folder.name}'"
    data = _json(folder / CONFIG, what)
    if _format(data) > FORMAT:  # asked before the fields, some of which may be new
        raise UserError(
            "newer-format", f"'{folder.name}' was saved by a newer version.", "Update Latent Explorer."
        )
    config = parse(CheckpointConfig, data, what=what)
    if not config.weights_sha256:
        raise UserError("bad-config", f"{what} names no digest of its weights.", "Copy the checkpoint again.")
    card = Card()
    if (folder / CARD).is_file():
        card = parse(
            Card, _json(folder / CARD, f"The card of '{folder.name}'"), what=f"The card of '{folder.name}'"
        )
    return ModelInfo(folder, config, model_config(config.model, what), card, shipped)


def _folders() -> Iterator[tuple[Path, bool]]:
    for root, shipped in ((paths.shipped_checkpoints(), True), (paths.user_models(), False)):
        if root.is_dir():
            yield from ((path, shipped) for path in sorted(root.iterdir()) if (path / CONFIG).is_file())


def _entry(folder: Path, shipped: bool) -> ModelInfo:
    """Read a checkpoint of the catalog, where the id is the folder's name: a copied run keeps its config's."""
    info = read(folder, shipped=shipped)
    return _named(info, folder.name) if _is_id(folder.name) else info


def _is_id(name: str) -> bool:
    return bool(re.fullmatch(ID, name)) and len(name) <= 100


def _named(info: ModelInfo, name: str) -> ModelInfo:
    return replace(info, config=info.config.model_copy(update={"id": name}))


def scan() -> tuple[list[ModelInfo], list[UserError]]:
    """Return all checkpoints that are readable, shipped ones first, and why the others are not.

    Ids are unique: of two with the same one, the first counts.
    """
    found: list[ModelInfo] = []
    errors: list[UserError] = []
    for path, shipped in _folders():
        if path.name.startswith("."):
            continue  # one that is being written
        try:
            info = _entry(path, shipped)
            if any(info.id == other.id for other in found):
                raise UserError("id-in-use", f"{path} has the id of another model.", "Rename this folder.")
            found.append(info)
        except UserError as error:
            errors.append(error)
    return found, errors


def models() -> list[ModelInfo]:
    """Return all readable checkpoints, shipped ones first."""
    return scan()[0]


def of_run(name: str, *, live: bool = True) -> ModelInfo | None:
    """Return what a training in the runs folder has come to, with the run's name as its id; None if nothing yet.

    While it goes on that is replaced every few seconds: load it at once (`models.render.admit`), and ask again if
    that fails.

    Args:
        name: Of the run's folder.
        live: Also what has only been published on the way, which is newer while the run goes on; otherwise what is
            there to stay.
    """
    if not _is_id(name):
        return None
    parts = (RUN_LIVE, RUN_CHECKPOINT) if live else (RUN_CHECKPOINT,)
    folders = [paths.runs() / name / part for part in parts]
    folder = next((folder for folder in folders if (folder / CONFIG).is_file()), None)
    return replace(_named(read(folder), name), run=True) if folder else None


def find(name: str) -> ModelInfo:
    """Return a checkpoint by id, digest, folder, or name on the Hub (`models.hub`), from where it is fetched.

    Raises:
        UserError: There is none; the message suggests the nearest id.
    """
    for root, shipped in ((paths.shipped_checkpoints(), True), (paths.user_models(), False)):
        if Path(name).name == name != ".." and (root / name / CONFIG).is_file():
            return _entry(root / name, shipped)
    if name.startswith(hub.PREFIX):
        return read(hub.fetch(hub.address(name)))
    if any(sep in name for sep in "/\\") or Path(name).exists():
        return read(Path(name).expanduser())
    known = models()
    for info in known:
        if name in (info.id, info.digest):
            return info
    raise UserError("unknown-model", f"There is no model '{name}'.", nearest(name, [m.id for m in known]))


def classifier_for(dataset: str, shape: tuple[int, ...] | None = None) -> ModelInfo | None:
    """Return the classifier of a data set, the judge of its generators, the shipped one if there are several.

    Args:
        dataset: A name.
        shape: Of the images that it will see, (C, H, W); None: any.

    Returns:
        None if there is no classifier that takes images of this shape.
    """
    judges = (m for m in models() if m.can("classify") and m.dataset == dataset)
    return next((m for m in judges if shape in (None, m.sample_shape)), None)
