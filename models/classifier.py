"""A small convolutional classifier: labels or factors of an image, and features for the metrics.

It trains in minutes on a CPU and judges what generators make: which classes they cover, which attributes.
"""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.config import ClassifierConfig, ClassifierTraining, Head
from models.core import ImageModel
from models.datasets import DatasetInfo, ImageData
from models.training import compiler
from models.training.recipe import Batch, Ema, HeldOut, Recipe


class Classifier(ImageModel):
    """Residual-free VGG-like network (Simonyan & Zisserman, 2014, arXiv:1409.1556) with a head for each attribute.

    Batch normalisation is used here: no gradient penalty forbids it, and it trains several times faster.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        self.heads = config.heads
        layers: list[nn.Module] = []
        resolution, wide = config.size, config.channels
        narrow = config.width
        while resolution > 4:
            layers += [*_block(wide, narrow), *_block(narrow, narrow), nn.MaxPool2d(2)]
            resolution, wide, narrow = resolution // 2, narrow, min(2 * narrow, 256)
        self.trunk = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(wide * 16, config.feature_dim, bias=False)
        )
        self.norm = nn.BatchNorm1d(config.feature_dim)
        self.out = nn.Linear(config.feature_dim, sum(_width(head) for head in config.heads))

    def features(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        """Return the activations before the heads, shape (B, feature_dim), not negative."""
        return F.relu(self.norm(self.trunk(x)))

    def outputs(self, x: Float[Tensor, "batch channels height width"]) -> tuple[Tensor, ...]:
        """Return for each head its logits (B, values) or, if continuous, its estimate in [0, 1] units (B, 1)."""
        return self._split(self.features(x))

    def _split(self, features: Tensor) -> tuple[Tensor, ...]:
        return self.out(features).split([_width(head) for head in self.heads], dim=1)

    def classify(self, x: Float[Tensor, "batch channels height width"]) -> dict[str, Tensor]:
        """Return, by attribute, probabilities (B, values) or, if continuous, estimates (B,) in its own unit."""
        return self.verdicts(self.features(x))

    def verdicts(self, features: Float[Tensor, "batch features"]) -> dict[str, Tensor]:
        """Return what `classify` does, of what `features` returned."""
        return self.named(self._split(features))

    def named(self, outputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return what `classify` does, of what `outputs` returned."""
        result: dict[str, Tensor] = {}
        for head, out in zip(self.heads, outputs, strict=True):
            estimate = head.low + (head.high - head.low) * out[:, 0]
            result[head.name] = out.softmax(1) if head.values else estimate
        return result


def _block(wide: int, narrow: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(wide, narrow, 3, padding=1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()


def _width(head: Head) -> int:
    return len(head.values) or 1


def heads_of(info: DatasetInfo) -> tuple[Head, ...]:
    """Return the heads that predict what is known of a data set: its factors, or else its labels."""
    if info.factors:
        return tuple(Head(name=f.name, values=f.values, low=f.low, high=f.high) for f in info.factors)
    return (Head(name="label", values=info.classes),)


class ClassifierRecipe(Recipe):
    """Cross-entropy for categories, squared error for continuous attributes, AdamW."""

    config: ClassifierTraining

    def __init__(self, model: ClassifierConfig, config: ClassifierTraining, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = cast(Classifier, self.place(Classifier(model)))
        self.ema = Ema(self.place(Classifier(model)), self.model, config.ema_images)
        self._buffers = [self.ema.average.get_buffer(name) for name, _ in self.model.named_buffers()]
        self.modules = {"model": self.model, "average": self.ema.average}
        self.optimizers = {
            "model": torch.optim.AdamW(
                self.model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
            ),
        }

    def _losses(self, outputs: tuple[Tensor, ...], targets: Tensor) -> Tensor:
        losses: list[Tensor] = []
        for head, out, target in zip(self.model.heads, outputs, targets.unbind(1), strict=True):
            if head.values:
                smoothing = self.config.label_smoothing
                losses.append(F.cross_entropy(out, target.long(), label_smoothing=smoothing))
            else:
                unit = (target - head.low) / (head.high - head.low)
                # Weighted so that guessing the mean of a uniform factor costs about as much as a wrong class.
                losses.append(12 * F.mse_loss(out[:, 0], unit))
        return torch.stack(losses).mean()

    def step(self, batch: Batch, progress: float, step: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Take one step on the mean loss of all heads."""
        del rng
        self.set_learning_rate(progress)
        with self.autocast():
            outputs = self.model.outputs(batch.x)
        loss = self._losses(tuple(out.float() for out in outputs), _targets(batch.labels, batch.factors))
        self.optimizers["model"].zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        compiler.step(self.optimizers["model"])
        self.ema.update(len(batch.x), (step + 1) * len(batch.x))
        for average, buffer in zip(self._buffers, self.model.buffers(), strict=True):
            average.copy_(buffer)
        return {"loss": loss.detach()}

    def preview(self, z: Tensor, labels: Tensor | None) -> None:
        """Return None: there is nothing to decode."""

    @torch.no_grad()
    def validate(self, held: HeldOut) -> Mapping[str, float]:
        """Measure the loss, and the accuracy of each categorical and the R^2 of each continuous attribute."""
        average, data = cast(Classifier, self.ema.average), held.data
        outputs = _outputs(average, data, self.device)
        loss = self._losses(outputs, _targets(data.labels, data.factors))
        return {"loss": float(loss), **_scores(average, outputs, data)}

    def export(self, data: ImageData, brief: bool = False) -> Classifier:
        """Return the averaged model."""
        del data, brief
        model = Classifier(cast(ClassifierConfig, self.model.config))
        model.load_state_dict(self.ema.average.state_dict())
        return model.eval().requires_grad_(False)


def _targets(labels: Tensor | None, factors: Tensor | None) -> Tensor:
    if factors is not None:
        return factors
    if labels is None:
        raise ValueError("a classifier needs labels or factors")
    return labels[:, None]


@torch.no_grad()
def accuracy(model: Classifier, data: ImageData, device: torch.device) -> dict[str, float]:
    """Measure a classifier on images with known attributes.

    Returns:
        `accuracy` (mean over categorical heads), `r2` (mean over continuous ones, where there are any), and
        `accuracy_<name>` or `r2_<name>` for each head if there are several.
    """
    return _scores(model, _outputs(model, data, device), data)


def _outputs(model: Classifier, data: ImageData, device: torch.device) -> tuple[Tensor, ...]:
    """Return what `Classifier.outputs` returns of all images, on the CPU."""
    starts = range(0, len(data), 500)
    chunks = [model.outputs(data.floats(slice(start, start + 500), device)) for start in starts]
    return tuple(torch.cat([out.cpu() for out in head]) for head in zip(*chunks, strict=True))


def _scores(model: Classifier, outputs: tuple[Tensor, ...], data: ImageData) -> dict[str, float]:
    predicted, targets = model.named(outputs), _targets(data.labels, data.factors)
    scores: dict[str, dict[str, float]] = {"accuracy": {}, "r2": {}}
    for head, target in zip(model.heads, targets.unbind(1), strict=True):
        out = predicted[head.name]
        if head.values:
            scores["accuracy"][head.name] = float((out.argmax(1) == target).float().mean())
        else:
            scores["r2"][head.name] = float(
                1 - (out - target).square().mean() / target.var().clamp_min(1e-12)
            )
    result = {kind: sum(by.values()) / len(by) for kind, by in scores.items() if by}
    if len(model.heads) > 1:
        result |= {f"{kind}_{name}": value for kind, by in scores.items() for name, value in by.items()}
    return result
