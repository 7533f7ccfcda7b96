"""What a map is made of: real images and samples, as a model and its data set's classifier see them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import catalog, checkpoints, datasets
from models.catalog import ModelInfo
from models.config import Head
from models.core import Encodes, Features, LatentModel, Scores
from models.datasets import ImageData, Split, presence
from models.embedding.maps import Categories
from models.embedding.spec import MapSpec, Source
from models.errors import UserError
from models.judge import Classify, judge_of
from models.latent import default_labels, generator, prior
from models.shared import Progress, unheard

_BATCH = 32  # images at once: many more take longer each, their activations leave the cache
_CHOICE = 8  # stream of random numbers: which images of a split are shown
_SPLITS: Mapping[Split, Source] = {"train": Source.TRAIN, "test": Source.TEST}

Row = Mapping[str, Tensor]  # what is computed of some images, by name, one row for each


@dataclass(frozen=True, eq=False)
class Points:
    """What a map shows, the real images first; see `models.embedding.maps.EmbeddingMap`.

    Args:
        vectors: What is mapped, shape (N, F), float32.
        latents: Shape (N, D), float32; rows of NaN where the model has none.
        sources: Shape (N,), uint8.
        indices: Shape (N,), int32.
        categories: By name, for all points.
        values: By name, shape (N,), float32.
        pixels: The real images, uint8, flattened, shape (R, P).
    """

    vectors: NDArray[np.float32]
    latents: NDArray[np.float32]
    sources: NDArray[np.uint8]
    indices: NDArray[np.int32]
    categories: Mapping[str, Categories]
    values: Mapping[str, NDArray[np.float32]]
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class _Part:
    """Real images of one split, or samples.

    Args:
        source: Which.
        indices: Their rows there; of samples their seeds.
        data: The images, none of samples.
        labels: What a conditional model is told, shape (B,); None if it is not conditional.
    """

    source: Source
    indices: Tensor
    data: ImageData | None
    labels: Tensor | None


def gather(
    info: ModelInfo,
    spec: MapSpec,
    *,
    device: str = "cpu",
    fetch: bool = False,
    progress: Progress = unheard,
) -> Points:
    """Compute what a map shows.

    Args:
        info: The model.
        spec: The map.
        device: Where the model computes, as torch names it.
        fetch: Whether a data set may be downloaded.
        progress: Told the share that is done; may raise, to end it.

    Raises:
        UserError: The model decodes nothing, cannot encode, or there is no classifier, where the spec needs it; the
            images are not here or do not fit the model.
    """
    reader = _Reader(info, spec, device)
    parts = list(_parts(reader.model, info, spec, fetch))
    total, done = sum(len(part.indices) for part in parts), 0
    if total == 0:
        raise UserError("too-few-points", "The map would have no points.", "Ask for more points.")
    rows: list[Row] = []
    for part in parts:
        for start in range(0, len(part.indices), _BATCH):
            some = slice(start, start + _BATCH)
            with torch.inference_mode():
                rows.append(reader.read(part, some))
            done += len(part.indices[some])
            progress(done / total)
    return _joined(parts, rows, _names(parts, reader.heads, info.labels))


class _Reader:
    """Computes what is known of some images: by the model, and by the classifier of its data set.

    Args:
        info: The model.
        spec: What is to be mapped.
        device: Where to compute.
    """

    def __init__(self, info: ModelInfo, spec: MapSpec, device: str) -> None:
        model = checkpoints.load(info)
        if not isinstance(model, LatentModel):
            problem = f"'{info.id}' makes no images: it is a {info.family}."
            raise UserError("cannot-decode", problem, "Choose a VAE or a GAN.")
        self.model = model.to(device)
        self._device = device
        self._of = spec.of
        name = datasets.sized_for(spec.dataset or info.dataset, info.model.size)
        self._features = classifier_of(info, name, device) if spec.of == "features" else None
        if spec.of == "latents" and spec.dataset and not isinstance(model, Encodes):
            problem = f"'{info.id}' has no encoder, so real images have no latents."
            raise UserError("cannot-encode", problem, "Map features or pixels, or samples alone.")
        self._classify, self.heads = _judge(info, name)

    def read(self, part: _Part, some: slice) -> Row:
        """Return what is known of a slice of a part, on the CPU."""
        labels = None if part.labels is None else part.labels[some].to(self._device)
        row: dict[str, Tensor] = {}
        if part.data is None:
            z = prior(cast(list[int], part.indices[some].tolist()), self.model.latent_dim).to(self._device)  # pyright: ignore[reportUnknownMemberType]
            x = self.model.decode(z, labels)
            row |= self._verdicts(x)
            mapped = z if isinstance(self.model, Encodes) else self._hidden(z, labels)
        else:
            x = part.data.floats(some, self._device)
            z = mapped = torch.full((len(x), self.model.latent_dim), torch.nan)
            row |= _known(part.data, some)
            if isinstance(self.model, Encodes):
                z = mapped = self.model.encode(x, labels).mean
                row["error"] = (self.model.decode(z, labels) - x).square().flatten(1).mean(1)
        if isinstance(self.model, Scores):
            row["score"] = self.model.score(x, labels)
        if labels is not None:
            row["label"] = labels
        if self._features is not None:
            mapped = self._features.features(x)
        elif self._of == "pixels":
            mapped = x.flatten(1)
        return {name: value.float().cpu() for name, value in {**row, "latents": z, "vectors": mapped}.items()}

    def _hidden(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return self.model.hidden(z, labels) if self._of == "latents" else z

    def _verdicts(self, x: Tensor) -> Row:
        """Return what the classifier says of samples: the likeliest of its categories, or its estimate."""
        if self._classify is None:
            return {}
        said = self._classify(x.cpu())
        return {
            head.name: said[head.name].argmax(1) if head.values else said[head.name] for head in self.heads
        }


def classifier_of(info: ModelInfo, dataset: str, device: str = "cpu") -> Features:
    """Return the classifier whose features are mapped; raises UserError where there is none for such images."""
    found = catalog.classifier_for(dataset, info.sample_shape)
    if found is None:
        problem = f"There is no classifier for data set '{dataset}', whose features could be mapped."
        remedy = f"Map pixels, or train one: latent-explorer train --dataset {dataset} --model classifier."
        raise UserError("no-classifier", problem, remedy)
    return cast(Features, checkpoints.load(found).to(device))


def _judge(info: ModelInfo, dataset: str) -> tuple[Classify | None, Sequence[Head]]:
    """Return who says what samples show; nobody, where no classifier is to be had: then it is unknown."""
    try:
        judge = judge_of(dataset, info.sample_shape)
        return judge.open(), judge.heads
    except UserError:
        return None, ()


def _parts(model: LatentModel, info: ModelInfo, spec: MapSpec, fetch: bool) -> Iterator[_Part]:
    generated = min(spec.generated, spec.count) if spec.dataset else spec.count
    if spec.count > generated:
        yield from _real(model, info, spec, spec.count - generated, fetch)
    if generated:
        seeds = torch.arange(generated)
        labels = default_labels(range(generated), model.classes) if model.classes else None
        yield _Part(Source.GENERATED, seeds, None, labels)


def _real(model: LatentModel, info: ModelInfo, spec: MapSpec, count: int, fetch: bool) -> Iterator[_Part]:
    """Yield images of both splits, chosen at random, as many of each as its share of all."""
    name = datasets.sized_for(spec.dataset, info.model.size)
    presence.check(name, info.sample_shape, fetch=fetch)
    found: dict[Split, ImageData] = {split: datasets.load(name, split) for split in _SPLITS}
    total = sum(map(len, found.values()))
    wanted = min(count, total)
    training = round(wanted * len(found["train"]) / total)
    shares: Mapping[Split, int] = {"train": training, "test": wanted - training}
    for split, data in found.items():
        if model.classes and (data.labels is None or int(data.labels.max()) >= model.classes):
            problem = f"The model is conditioned on {model.classes} labels, which '{name}' does not have."
            raise UserError("labels-mismatch", problem, "Choose the data set that the model was trained on.")
        order = torch.randperm(len(data), generator=generator(spec.seed, _CHOICE, _SPLITS[split]))
        index = order[: shares[split]].sort().values
        chosen = data.take(index)
        yield _Part(_SPLITS[split], index, chosen, chosen.labels if model.classes else None)


def _known(data: ImageData, some: slice) -> Row:
    """Return labels and factors of real images by name."""
    row = {} if data.labels is None else {"label": data.labels[some]}
    if data.factors is not None:
        columns = data.factors[some].unbind(1)
        row |= {factor.name: column for factor, column in zip(data.info.factors, columns, strict=True)}
    return row


def _names(
    parts: Sequence[_Part], heads: Sequence[Head], labels: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Return the names of all categories: the data's own, where there are real images."""
    names = {head.name: head.values for head in heads if head.values}
    names |= {"label": labels} if labels else {}
    for data in (part.data for part in parts if part.data is not None):
        names |= {factor.name: factor.values for factor in data.info.factors if factor.values}
        if data.labels is not None:
            count = int(data.labels.max()) + 1
            names["label"] = data.info.classes or tuple(map(str, range(count)))
    return names


def _joined(parts: Sequence[_Part], rows: Sequence[Row], names: Mapping[str, tuple[str, ...]]) -> Points:
    known = dict.fromkeys(name for row in rows for name in row)
    columns = {name: _column(rows, name) for name in known}
    vectors, latents = columns.pop("vectors"), columns.pop("latents")
    images = [part.data.images.flatten(1).numpy() for part in parts if part.data is not None]
    return Points(
        vectors,
        latents,
        np.concatenate([np.full(len(part.indices), part.source, np.uint8) for part in parts]),
        torch.cat([part.indices for part in parts]).to(torch.int32).numpy(),
        {
            name: Categories(np.where(np.isnan(column), -1, column).astype(np.int16), names[name])
            for name, column in columns.items()
            if name in names
        },
        {name: column for name, column in columns.items() if name not in names},
        np.concatenate(images) if images else np.empty((0, 0), np.uint8),
    )


def _column(rows: Sequence[Row], name: str) -> NDArray[np.float32]:
    """Return what is known of all points under a name, NaN where it is not."""
    return torch.cat(
        [row[name] if name in row else torch.full((len(row["latents"]),), torch.nan) for row in rows]
    ).numpy()
