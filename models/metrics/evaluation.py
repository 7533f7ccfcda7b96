"""Measure a model: what metrics are given, which of them apply, and the function behind `evaluate`."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from models.classifier import Classifier, heads_of
from models.core import Encodes, Explains, ImageModel, LatentModel, Posterior, to_pixels
from models.datasets import ImageData
from models.errors import UserError
from models.latent import generator
from models.metrics import METRICS, NEEDS, Need
from models.tables import Table

CHUNK = 256  # images that are decoded or judged at once: bounds memory at any number of samples
_PERMUTATION, _LATENTS, _LABELS = range(3)  # random streams, so that none depends on how much another draws

Measure = Callable[["Context"], Mapping[str, float]]
Progress = Callable[[str, int, int], None]


@dataclass(eq=False)
class Context:
    """What metrics measure, made when it is first asked for and then kept.

    Images are kept as uint8, decoded ones too: a quarter of the memory, and the same rounding as real images. Points
    are kept as they are.

    Args:
        model: In eval mode, on the device.
        data: Held-out images of the data set.
        n: Number of samples, and of real images as far as there are so many.
        device: Where the model computes.
        judge: A classifier of the data set, for metrics that ask what a sample shows; or None.
        seed: The same seed gives the same numbers.
    """

    model: ImageModel
    data: ImageData
    n: int
    device: torch.device
    judge: Classifier | None = None
    seed: int = 0

    @cached_property
    def chosen(self) -> Tensor:
        """Indices of the real images in random order: min(n, len(data)) of them."""
        # Data sets may be sorted by class, and the first n would then show only some of them.
        return torch.randperm(len(self.data), generator=generator(self.seed, _PERMUTATION))[: self.n]

    @cached_property
    def real(self) -> ImageData:
        """The chosen real images."""
        return self.data.take(self.chosen)

    @cached_property
    def samples(self) -> ImageData:
        """Samples of the prior: n; with labels, drawn from those of the data, if the model is conditional."""
        model = self.latent_model
        z = torch.randn(self.n, model.latent_dim, generator=generator(self.seed, _LATENTS))
        if not model.classes:
            return ImageData(self.data.info, self._decode(z, None))
        chosen = torch.randint(len(self.data), (self.n,), generator=generator(self.seed, _LABELS))
        labels = self.data.labels_at(chosen)
        return ImageData(self.data.info, self._decode(z, labels), labels)

    @cached_property
    def posterior(self) -> Posterior:
        """q(z|x) of the real images, on the CPU."""
        parts = [self._encode(slice(start, start + CHUNK)) for start in range(0, len(self.real), CHUNK)]
        return Posterior(torch.cat([q.mean.cpu() for q in parts]), torch.cat([q.logvar.cpu() for q in parts]))

    @cached_property
    def reconstructions(self) -> ImageData:
        """What the posterior means of the real images decode to, in their order."""
        labels = self.real.labels if self.latent_model.classes else None
        return ImageData(self.data.info, self._decode(self.posterior.mean, labels), self.real.labels)

    @property
    def latent_model(self) -> LatentModel:
        """The model, for metrics that need `decode`."""
        return cast(LatentModel, self.model)

    @property
    def is_stochastic(self) -> bool:
        """Whether the encoder gives a distribution; a plain autoencoder's has no width."""
        return bool(torch.isfinite(self._encode(slice(0, 1)).logvar).all())

    @torch.no_grad()
    def each(self, function: Callable[..., Tensor], *images: ImageData) -> Tensor:
        """Apply a function to images, (B, C, H, W) in [-1, 1], in chunks.

        Args:
            function: Takes as many tensors as there are sets of images; returns one row for each image.
            images: Sets of the same length.

        Returns:
            The rows, on the CPU.
        """
        starts = range(0, len(images[0]), CHUNK)
        chunks = ([one.floats(slice(s, s + CHUNK), self.device) for one in images] for s in starts)
        return torch.cat([function(*chunk).cpu() for chunk in chunks])

    @torch.no_grad()
    def classified(self, images: ImageData) -> dict[str, Tensor]:
        """Return what the judge sees in images: by attribute, probabilities (B, values) or estimates (B,)."""
        if self.judge is None:
            raise ValueError("there is no classifier to judge the images")
        starts = range(0, len(images), CHUNK)
        parts = [self.judge.classify(images.floats(slice(s, s + CHUNK), self.device)) for s in starts]
        return {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}

    @torch.no_grad()
    def _decode(self, z: Tensor, labels: Tensor | None) -> Tensor:
        starts = range(0, len(z), CHUNK)
        chosen = [None if labels is None else labels[s : s + CHUNK].to(self.device) for s in starts]
        parts = zip(torch.split(z, CHUNK), chosen, strict=True)
        return torch.cat([self._kept(self.latent_model.decode(one.to(self.device), of)) for one, of in parts])

    def _kept(self, x: Tensor) -> Tensor:
        return (x if self.data.info.points else to_pixels(x)).cpu()

    @torch.no_grad()
    def _encode(self, index: slice) -> Posterior:
        labels = self.real.labels_at(index, self.device) if self.latent_model.classes else None
        return cast(Encodes, self.model).encode(self.real.floats(index, self.device), labels)


# What a metric may need -> whether it is there; only asked in the order that the metric lists its needs
_HAS: Mapping[Need, Callable[[Context], bool]] = {
    "images": lambda context: context.data.info.points is None,
    "decode": lambda context: isinstance(context.model, LatentModel),
    "encode": lambda context: isinstance(context.model, Encodes),
    "posterior": lambda context: context.is_stochastic,
    "density": lambda context: isinstance(context.model, Explains),
    "classify": lambda context: _fits(context.model, context.data),
    "judge": lambda context: context.judge is not None,
    "classes": lambda context: bool(context.data.info.classes) and context.data.labels is not None,
    "factors": lambda context: (
        context.data.factors is not None and any(factor.values for factor in context.data.info.factors)
    ),
    "known": lambda context: context.data.factors is not None,
    "modes": lambda context: _has_modes(context),
}


def _has_modes(context: Context) -> bool:
    """Tell whether it is known which modes the data have, and of a sample which it is of."""
    info = context.data.info
    categorical = bool(info.factors) and all(factor.values for factor in info.factors)
    return info.points is not None or (categorical and context.judge is not None)


def _fits(model: object, data: ImageData) -> bool:
    """Tell whether a classifier predicts exactly what is known of a data set, of images of its shape."""
    known = data.labels is not None or data.factors is not None
    if not known or not isinstance(model, Classifier):
        return False
    return model.sample_shape == tuple(data.images.shape[1:]) and model.heads == heads_of(data.info)


def _lacks(context: Context, name: str) -> Need | None:
    """Return the first thing that a metric needs and does not find, or None if it can be measured."""
    return next((need for need in METRICS[name].needs if not _HAS[need](context)), None)


def applicable(context: Context) -> list[str]:
    """Return the names of the metrics that can be measured."""
    return [name for name in METRICS if _lacks(context, name) is None]


def evaluate(
    model: ImageModel,
    data: ImageData,
    *,
    metrics: Sequence[str] | None = None,
    n: int = 10_000,
    classifier: Classifier | None = None,
    device: torch.device | str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Measure a model on held-out images.

    Args:
        model: The model; it is not changed.
        data: Held-out images of its data set.
        metrics: Names in `models.metrics.METRICS`; None for all that apply.
        n: Number of samples, and of real images as far as there are so many.
        classifier: Judges what samples show; trained on the same data set.
        device: Where to compute; None for where the model is.
        seed: Of the samples and of the choice of real images.
        progress: Called with (metric, metrics done, metrics in all) before each metric, and at the end.

    Returns:
        Numbers by key; `METRICS[name].values` says what each is.

    Raises:
        UserError: A metric is unknown or does not apply, or model, data and classifier do not go together.
    """
    own = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    where = own if device is None else torch.device(device)
    _check(model, data, n, classifier)
    judge = None if classifier is None else cast(Classifier, _placed(classifier, where))
    context = Context(_placed(model, where), data, n, where, judge, seed)
    if metrics is None:
        chosen = applicable(context)
        if not chosen:
            problem = f"Nothing can be measured of this model on '{data.info.name}'."
            raise UserError("nothing-to-measure", problem, "Choose the data set that it was trained on.")
    else:
        chosen = list(dict.fromkeys(metrics))
        for name in chosen:
            _require(context, name)
    functions = Table[Measure]("metric", {name: METRICS[name].run for name in chosen})
    result: dict[str, float] = {}
    for done, name in enumerate(chosen):
        if progress:
            progress(name, done, len(chosen))
        result |= functions[name](context)
    if progress:
        progress("", len(chosen), len(chosen))
    return result


def _require(context: Context, name: str) -> None:
    """Raise UserError if a metric that was asked for cannot be measured."""
    need = _lacks(context, name)
    if need is None:
        return
    choice = f"Choose among: {', '.join(applicable(context)) or 'none'}."
    if need == "judge":
        choice = f"Give one that was trained on '{context.data.info.name}'. Otherwise: {choice}"
    raise UserError("metric-does-not-apply", f"The metric '{name}' needs {NEEDS[need]}.", choice)


def _check(model: ImageModel, data: ImageData, n: int, classifier: Classifier | None) -> None:
    """Raise UserError if what is given does not go together."""
    name, shape = data.info.name, tuple(data.images.shape[1:])
    if n < 2 or len(data) < 2:
        raise UserError(
            "too-few-images", "Metrics need two images at least.", "Give a larger number of images."
        )
    if model.sample_shape != shape:
        problem = f"The model makes or reads {_kind(model.sample_shape)}, and '{name}' holds {_kind(shape)}."
        raise UserError("shape-mismatch", problem, "Choose the data set that the model was trained on.")
    classes = model.classes if isinstance(model, LatentModel) else 0
    if classes and (data.labels is None or int(data.labels.max()) >= classes):
        problem = f"The model is conditioned on {classes} labels, which '{name}' does not have."
        raise UserError("labels-mismatch", problem, "Choose the data set that the model was trained on.")
    if classifier is not None and not _fits(classifier, data):
        problem = f"The classifier does not predict the attributes of '{name}'."
        raise UserError("classifier-mismatch", problem, f"Give one that was trained on '{name}'.")


def _kind(shape: tuple[int, ...]) -> str:
    return (
        f"images of {'x'.join(map(str, shape))} (channels x height x width)" if len(shape) == 3 else "points"
    )


def _placed(model: ImageModel, device: torch.device) -> ImageModel:
    """Return the model in eval mode on a device; a copy if need be, because sessions share models."""
    here = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    if not model.training and here <= {torch.empty(0, device=device).device}:
        return model
    return copy.deepcopy(model).eval().to(device)
