"""What metrics measure: the images and latents of a model and its data set, made when they are first asked for."""

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

import torch
from torch import Tensor

from models.classifier import Classifier
from models.core import Encodes, ImageModel, LatentModel, Posterior, to_pixels
from models.datasets import ImageData
from models.errors import UserError
from models.latent import generator

CHUNK = 256  # images that are decoded at once: bounds memory at any number of samples
JUDGED = 64  # images that a network judges at once: the activations of more leave the cache, and take twice as long
# Random streams, so that none depends on how much another draws; others are in the modules that use them.
_PERMUTATION, _LATENTS, _LABELS, _TRAIN = 0, 1, 2, 8
_OF_REAL = ("chosen", "real", "posterior", "reconstructions")  # what does not change with the samples

T = TypeVar("T")
Rows = Callable[[Tensor], Tensor]


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
        network: The judge's name, which figures in its features bear.
        train: Training images, for metrics that compare with them, and for what such images reach themselves; or None.
    """

    model: ImageModel
    data: ImageData
    n: int
    device: torch.device
    judge: Classifier | None = None
    seed: int = 0
    network: str = "classifier"
    train: ImageData | None = None
    _rows: "dict[tuple[Rows, int], tuple[ImageData, Tensor]]" = field(
        default_factory=dict["tuple[Rows, int]", "tuple[ImageData, Tensor]"], repr=False
    )
    _made: "dict[Callable[[Context], object], object]" = field(
        default_factory=dict["Callable[[Context], object]", object], repr=False
    )
    _made_of_data: "dict[Callable[[Context], object], object]" = field(
        default_factory=dict["Callable[[Context], object]", object], repr=False
    )

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
    def latents(self) -> Tensor:
        """Latents of the samples, drawn from the prior, shape (n, D)."""
        return torch.randn(self.n, self.latent_model.latent_dim, generator=generator(self.seed, _LATENTS))

    @cached_property
    def labels(self) -> Tensor | None:
        """Labels of the samples, drawn from those of the data, shape (n,); None if the model is not conditional."""
        if not self.latent_model.classes:
            return None
        chosen = torch.randint(len(self.data), (self.n,), generator=generator(self.seed, _LABELS))
        return self.data.labels_at(chosen)

    @cached_property
    def samples(self) -> ImageData:
        """Samples of the prior, n of them, with their labels if the model is conditional."""
        return ImageData(self.data.info, self.decode(self.latents, self.labels), self.labels)

    @cached_property
    def posterior(self) -> Posterior:
        """q(z|x) of the real images, on the CPU."""
        parts = [self._encode(slice(start, start + CHUNK)) for start in range(0, len(self.real), CHUNK)]
        return Posterior(torch.cat([q.mean.cpu() for q in parts]), torch.cat([q.logvar.cpu() for q in parts]))

    @cached_property
    def reconstructions(self) -> ImageData:
        """What the posterior means of the real images decode to, in their order."""
        labels = self.real.labels if self.latent_model.classes else None
        return ImageData(self.data.info, self.decode(self.posterior.mean, labels), self.real.labels)

    @property
    def latent_model(self) -> LatentModel:
        """The model, for metrics that need `decode`."""
        return cast(LatentModel, self.model)

    @property
    def cpu_model(self) -> LatentModel:
        """The same model on the CPU, for what only works there."""
        if self.device.type == "cpu":
            return self.latent_model
        return copy.deepcopy(self.latent_model).cpu()

    @property
    def is_stochastic(self) -> bool:
        """Whether the encoder gives a distribution; a plain autoencoder's has no width."""
        return bool(torch.isfinite(self._encode(slice(0, 1)).logvar).all())

    @torch.no_grad()
    def each(self, function: Callable[..., Tensor], *images: ImageData, chunk: int = CHUNK) -> Tensor:
        """Apply a function to images, (B, C, H, W) in [-1, 1], in chunks.

        Args:
            function: Takes as many tensors as there are sets of images; returns one row for each image.
            images: Sets of the same length.
            chunk: Images of each that it is given at once.

        Returns:
            The rows, on the CPU.
        """
        starts = range(0, len(images[0]), chunk)
        chunks = ([one.floats(slice(s, s + chunk), self.device) for one in images] for s in starts)
        return torch.cat([function(*chunk).cpu() for chunk in chunks])

    def rows(self, function: Rows, images: ImageData, chunk: int = CHUNK) -> Tensor:
        """Return what `each` does of one set of images, and keep it."""
        kept = self._rows.get((function, id(images)))
        if kept is None:  # the images are kept beside it: while they live, no others have their identity
            kept = self._rows[function, id(images)] = (images, self.each(function, images, chunk=chunk))
        return kept[1]

    def once(self, compute: "Callable[[Context], T]") -> T:
        """Return what a function of this makes, and keep it."""
        return _kept(self._made, compute, self)

    def once_of_data(self, compute: "Callable[[Context], T]") -> T:
        """Return what a function makes of the images alone, and keep it: for `again` and `floor` too."""
        return _kept(self._made_of_data, compute, self)

    def features(self, images: ImageData) -> Tensor:
        """Return the judge's features of images, shape (N, F), on the CPU."""
        if self.judge is None:
            raise ValueError("there is no classifier to judge the images")
        return self.rows(self.judge.features, images, JUDGED)

    def paired_features(self) -> tuple[Tensor, Tensor]:
        """Return the judge's features of samples and of real images; see `paired`."""
        return self.paired(self.features)

    def paired(self, rows: Callable[[ImageData], Tensor]) -> tuple[Tensor, Tensor]:
        """Return rows of samples and of real images, as many of the one as of the other.

        Distances of distributions depend on the number of both. They are computed in double precision, so the rows are
        on the model's device if that knows it.
        """
        where = torch.device("cpu") if self.device.type == "mps" else self.device
        samples, real = rows(self.samples), rows(self.real)
        count = min(len(samples), len(real))
        return samples[:count].to(where), real[:count].to(where)

    @torch.no_grad()
    def classified(self, images: ImageData) -> dict[str, Tensor]:
        """Return what the judge sees in images: by attribute, probabilities (B, values) or estimates (B,)."""
        parts = [
            cast(Classifier, self.judge).verdicts(part.to(self.device))
            for part in torch.split(self.features(images), CHUNK)
        ]
        return {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}

    @torch.no_grad()
    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode latents (N, D) in chunks to what is kept of images, on the CPU; raises UserError if they are NaN."""
        starts = range(0, len(z), CHUNK)
        chosen = [None if labels is None else labels[s : s + CHUNK].to(self.device) for s in starts]
        parts = zip(torch.split(z, CHUNK), chosen, strict=True)
        found = (finite(self.latent_model.decode(one.to(self.device), of)) for one, of in parts)
        return torch.cat([(x if self.data.info.points else to_pixels(x)).cpu() for x in found])

    def again(self, seed: int) -> "Context":
        """Return the same with other samples, and with the same real images."""
        return self._beside(dataclasses.replace(self, seed=seed, _rows={}, _made={}))

    def floor(self) -> "Context":
        """Return the same with training images in place of samples: what nothing but chance sets apart.

        Raises:
            ValueError: There are no training images.
        """
        if self.train is None:
            raise ValueError("there are no training images")
        rng = generator(self.seed, _TRAIN)
        chosen = self.train.take(torch.randperm(len(self.train), generator=rng)[: self.n])
        conditional = isinstance(self.model, LatentModel) and self.model.classes
        other = self._beside(dataclasses.replace(self, _rows={}, _made={}))
        other.__dict__["samples"] = ImageData(
            chosen.info, chosen.images, chosen.labels if conditional else None
        )
        return other

    def _beside(self, other: "Context") -> "Context":
        """Give another context what is known of the real images."""
        real = self.real  # chosen by this one's seed
        other.__dict__.update({name: self.__dict__[name] for name in _OF_REAL if name in self.__dict__})
        other._rows.update({key: value for key, value in self._rows.items() if key[1] == id(real)})
        return other

    @torch.no_grad()
    def _encode(self, index: slice) -> Posterior:
        labels = self.real.labels_at(index, self.device) if self.latent_model.classes else None
        q = cast(Encodes, self.model).encode(self.real.floats(index, self.device), labels)
        finite(q.mean, "gives latents")
        return q


def finite(values: Tensor, what: str = "makes images") -> Tensor:
    """Return what a model has made; raises UserError if some of it is NaN or infinite."""
    if bool(torch.isfinite(values).all()):
        return values
    raise UserError(
        "not-finite",
        f"The model {what} that are not finite numbers (NaN or infinite).",
        "Its training has diverged: choose an earlier checkpoint, or train again at a lower learning rate.",
    )


def _kept(
    kept: "dict[Callable[[Context], object], object]", compute: Callable[[Context], T], context: Context
) -> T:
    if compute not in kept:
        kept[compute] = compute(context)
    return cast(T, kept[compute])
