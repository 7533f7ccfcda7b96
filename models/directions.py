"""Directions in latent space along which images change, one table: the axes themselves, PCA, SeFa, attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from models.core import LatentModel
from models.latent import generator, prior, projected, sheltered
from models.shared import Progress, unheard
from models.tables import Table

_CHUNK = 256  # latents that are decoded at once
_PROBES = 1024  # decoded images that the order of the axes may cost
_SAMPLES = 4000  # latents whose features are analysed
_Pair = tuple[Tensor, Tensor]
_Svd = tuple[Tensor, Tensor, Tensor]
_GIVE = 0.075  # unwanted change that is allowed along a direction, for each attribute that is kept
_OWN = 0.1  # cosine between a direction and what is left of it where others are kept, to move along that
_LINEAR = 0.5  # share of a component's variance that z must explain for it to be a direction


@dataclass(frozen=True)
class Directions:
    """Directions in z space, on the CPU, the most important first.

    Args:
        vectors: Unit rows, shape (K, D); orthogonal for `raw`, `sefa` and the PCA of posteriors, not for that
            of features and for attributes. The largest component of each is positive, so that they do not flip
            between runs; along an attribute's, which are named, there is more of it.
        shares: What each accounts for, shape (K,), in [0, 1], descending, with a sum of at most 1. Of
            attributes: how well z predicts each, as parts of the sum.
        title: What they are, for people.
        names: Of each, for people, in English ("glasses: round", "Sneaker"); empty if they have none.
        attributes: What each is a value of ("glasses"); several may share one. Empty if they have no names.
        scores: How well z predicts each on held-out samples, shape (K,): balanced accuracy for a value that a
            picture has or has not, R^2 for a continuous attribute; None if nothing is predicted.
        chances: The score of a guess, shape (K,): 0.5 for balanced accuracy, 0 for R^2; None with `scores`.
        effects: By attribute, rows A, shape (R, D), such that |A v|^2 is the mean squared change that a step
            along v makes to the attribute, in units of its mean over random unit v; no rows where it never
            changes. Empty unless there are several attributes.
    """

    vectors: Float[Tensor, "directions dim"]
    shares: Float[Tensor, " directions"]
    title: str
    names: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    scores: Float[Tensor, " directions"] | None = None
    chances: Float[Tensor, " directions"] | None = None
    effects: Mapping[str, Float[Tensor, "rows dim"]] = field(default_factory=dict[str, Tensor])

    def keeping(self, index: int, kept: Sequence[int]) -> Float[Tensor, " dim"]:
        """Return a direction that leaves alone what others stand for: conditional manipulation.

        Where the effects of attributes have been measured, it is bent away from whatever changes the kept
        ones (`models.latent.sheltered`), less strictly the more of them there are, so that something is left of it;
        kept values of its own attribute, and directions without a measured
        meaning, only keep their coordinates (`models.latent.projected`).

        Args:
            index: Of the direction to move along.
            kept: Indices of the others; itself among them does not count.

        Returns:
            A unit vector, shape (D,); zero if nothing is left of the direction.
        """
        others = [other for other in kept if other != index]
        own = self.attributes[index] if self.attributes else ""
        measured = {self.attributes[o] for o in others if self.attributes} & self.effects.keys() - {own}
        rest = [o for o in others if not self.attributes or self.attributes[o] not in measured]
        vector = self.vectors[index]
        if measured:
            effects = [self.effects[name] for name in sorted(measured)]
            give = _GIVE * sum(len(rows) > 0 for rows in effects)
            vector = sheltered(vector, torch.cat(effects), give) if give else vector
        return projected(vector, self.vectors[rest])

    def moves(self, indices: Sequence[int], keep: Sequence[int]) -> Float[Tensor, "edits dim"]:
        """Return along which vectors directions are edited while others are kept.

        Args:
            indices: Of the directions to edit.
            keep: Of those to keep; none: every direction is moved along as it is.

        Returns:
            Unit rows, shape (K, D): `keeping` of each. A direction of which hardly a part is left (its cosine
            with `keeping` is below 0.1) stays as it is: one step along it would be ten.
        """
        own = self.vectors[list(indices)]
        if not keep or not len(own):
            return own
        rows = torch.stack([self.keeping(index, keep) for index in indices])
        return torch.where((rows * own).sum(1, keepdim=True) < _OWN, own, rows)


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    Args:
        dataset: What it learnt, a name in `models.datasets.DATASETS` or another.
        digest: sha256 of its weights, the key of what is computed with it; empty for a model that is not stored.
        folder: Its checkpoint, which may hold directions; None for a model that is not stored.
        learning: Whether it still trains, so that the same directions will be asked of other weights.
    """

    dataset: str
    digest: str = ""
    folder: Path | None = None
    learning: bool = False


class DirectionFinder(Protocol):
    """Finds directions of a model.

    The seed is that of its random samples, where it draws any; the origin is for finders that ask what the
    pictures show; progress is told by those that take long. Raises UserError where there are none to find.
    """

    def __call__(
        self, model: LatentModel, *, seed: int = 0, origin: Origin | None = None, progress: Progress = unheard
    ) -> Directions:
        """Return the directions."""
        ...


@runtime_checkable
class Aggregates(Protocol):
    """Knows the covariance of its posterior means over the training data, shape (D, D)."""

    aggregate_covariance: Tensor


@torch.no_grad()
def raw(
    model: LatentModel, *, seed: int = 0, origin: Origin | None = None, progress: Progress = unheard
) -> Directions:
    """Return the axes of z, those that change the image most first.

    The vectors are the rows of the identity, permuted. Each axis is moved by -1 and +1 at the same few
    latents, at most 32 of them; its share is that of the squared change of the pixels. Axes below a millionth
    of the first one's (dead dimensions of a VAE) count as 0 and keep their order, which rounding would
    otherwise shuffle. Of a model that still trains they are in the order of z, which stays.
    """
    del progress
    dim = model.latent_dim
    count = max(2, min(32, _PROBES // (2 * dim)))
    z = prior(range(seed, seed + count), dim)
    labels = _labels(model, count, seed)
    steps = torch.eye(dim)[:, None]  # (D, 1, D)
    change = torch.zeros(dim)
    axes = max(1, _CHUNK // (2 * count))
    for start in range(0, dim, axes):
        moved = torch.stack([z + steps[start : start + axes], z - steps[start : start + axes]])
        repeated = None if labels is None else labels.repeat(moved.shape[0] * moved.shape[1])
        images = _decode(model, moved.flatten(0, 2), repeated)
        after, before = images.reshape(2, -1, count, images[0].numel())
        change[start : start + axes] = (after - before).square().mean((1, 2)).cpu()
    change = torch.where(change < 1e-6 * change.max(), 0, change)
    learning = origin is not None and origin.learning
    order = torch.arange(dim) if learning else change.argsort(descending=True, stable=True)
    return Directions(torch.eye(dim)[order], _normalised(change[order]), "Axes of the latent space")


@torch.no_grad()
def pca(
    model: LatentModel,
    *,
    seed: int = 0,
    origin: Origin | None = None,
    progress: Progress = unheard,
    covariance: Float[Tensor, "dim dim"] | None = None,
) -> Directions:
    """Return principal directions: of the latents of real images where known, else of the decoder's features.

    With the covariance of posterior means over a data set, given or recorded in the model (`Aggregates`),
    these are its eigenvectors, and shares are those of its trace. An isotropic one has no principal
    directions: it has not been recorded yet, or the codes are whitened. Then, and for GANs, features are
    analysed as in GANSpace: PCA of the features after the first non-linearity, and least squares from its
    coordinates to z; shares are those of the features' variance. Components that are no linear function of z
    (the square of a strong one, say) are left out: there is no direction to walk for them. So there may be
    fewer than D.

    Args:
        model: The model.
        seed: Of the latents whose features are analysed.
        origin: Does not matter.
        progress: Is not told.
        covariance: Of posterior means, shape (D, D).

    References:
        Härkönen, Hertzmann, Lehtinen & Paris (2020), arXiv:2004.02546, section 3.2.
    """
    del origin, progress
    if covariance is None and isinstance(model, Aggregates):
        covariance = model.aggregate_covariance
    if covariance is not None:
        values, vectors = _eigen(covariance)
        if float(values[0] - values[-1]) > 0.01 * float(values[0]):
            return Directions(vectors, _normalised(values), "Principal directions of encoded images")
    return _ganspace(model, seed)


@torch.no_grad()
def sefa(
    model: LatentModel, *, seed: int = 0, origin: Origin | None = None, progress: Progress = unheard
) -> Directions:
    """Return the directions that the first affine map amplifies most: the eigenvectors of A^T A.

    Shares are those of the squared gain. Nothing is sampled, so the seed does not matter, nor does the origin.

    References:
        Shen & Zhou (2021), arXiv:2007.06600, equations 5 and 6.
    """
    del seed, origin, progress
    weight = model.first_layer().cpu().double()
    values, vectors = _eigen(weight.T @ weight)
    return Directions(vectors, _normalised(values), "Directions of the first layer (SeFa)")


DIRECTIONS = Table[DirectionFinder](
    "direction finder",
    {"raw": raw, "pca": pca, "sefa": sefa, "attributes": "models.attributes:attributes"},
)


def _ganspace(model: LatentModel, seed: int) -> Directions:
    rng = generator(seed, 0)
    z = torch.randn(_SAMPLES, model.latent_dim, generator=rng)
    labels = _labels(model, _SAMPLES, seed)
    where = model.first_layer().device
    parts = zip(torch.split(z.to(where), 500), _split(labels, _SAMPLES, 500, where), strict=True)
    features = torch.cat([model.hidden(one, of).float() for one, of in parts])
    # What a label adds is no direction of z, so every class has its own centre.
    features, z = _centred(features, labels), _centred(z.to(where), labels)
    total = features.square().sum()
    # Twice the dimensions: squares and products of strong directions rank between the weak ones.
    axes = _principal_axes(features, 2 * model.latent_dim, rng)
    coordinates = features @ axes
    scatter = coordinates.square().sum(0)
    # Coordinates are uncorrelated, so least squares is one product; R^2 of each on (nearly white) z follows.
    product = coordinates.T @ z
    explained = product.square().sum(1) / (scatter * len(z)).clamp_min(1e-12)
    linear = (explained >= _LINEAR) & (scatter > 1e-9 * total)
    linear[explained.argmax()] = True
    vectors = torch.nn.functional.normalize(product[linear], dim=1)[: model.latent_dim]
    shares = (scatter[linear] / total.clamp_min(1e-12))[: model.latent_dim]
    return Directions(
        _signed(vectors.cpu()), shares.cpu(), "Principal directions of the first features (GANSpace)"
    )


def _principal_axes(x: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Return the first principal axes of centred rows, as columns, the strongest first.

    Randomised subspace iteration with two power steps: for a few axes of thousands of features several times
    faster than their covariance. `torch.pca_lowrank` does the same with the global random state.

    Args:
        x: Shape (N, F), centred.
        count: Number of axes.
        rng: On the CPU.

    Returns:
        Shape (F, min(count, N, F)).

    References:
        Halko, Martinsson & Tropp (2009), arXiv:0909.4061, algorithms 4.4 and 5.1.
    """
    width = min(count + 16, *x.shape)
    basis = x @ torch.randn(x.shape[1], width, generator=rng).to(x.device)
    for _ in range(2):
        basis = _orthonormal(x @ (x.T @ _orthonormal(basis)))
    _, _, rows = cast(_Svd, torch.linalg.svd(basis.T @ x, full_matrices=False))  # pyright: ignore[reportUnknownMemberType]
    return rows[:count].T


def _orthonormal(columns: Tensor) -> Tensor:
    """Return an orthonormal basis of the space that columns span."""
    return cast(_Pair, torch.linalg.qr(columns))[0]  # pyright: ignore[reportUnknownMemberType]


def _centred(rows: Tensor, labels: Tensor | None) -> Tensor:
    """Subtract from each row the mean of all, or of those with its label."""
    if labels is None:
        return rows - rows.mean(0)
    kinds, index = cast(_Pair, labels.to(rows.device).unique(return_inverse=True))  # pyright: ignore[reportUnknownMemberType]
    sums = torch.zeros(len(kinds), rows.shape[1], device=rows.device).index_add_(0, index, rows)
    return rows - (sums / index.bincount()[:, None])[index]


def _labels(model: LatentModel, count: int, seed: int) -> Tensor | None:
    """Draw labels uniformly for a conditional model, shape (count,); else None."""
    return torch.randint(model.classes, (count,), generator=generator(seed, 1)) if model.classes else None


def _split(labels: Tensor | None, count: int, size: int, device: torch.device) -> list[Tensor | None]:
    return [None if labels is None else labels[s : s + size].to(device) for s in range(0, count, size)]


def _decode(model: LatentModel, z: Tensor, labels: Tensor | None) -> Tensor:
    where = model.first_layer().device
    parts = zip(torch.split(z.to(where), _CHUNK), _split(labels, len(z), _CHUNK, where), strict=True)
    return torch.cat([model.decode(one, of).float() for one, of in parts])


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues (D,) of a covariance, descending and not negative, and eigenvectors as rows."""
    values, vectors = cast(_Pair, torch.linalg.eigh(matrix.cpu().double()))  # pyright: ignore[reportUnknownMemberType]
    return values.flip(0).clamp_min(0).float(), _signed(vectors.T.flip(0)).float()


def _signed(vectors: Tensor) -> Tensor:
    """Flip rows so that the largest component of each is positive."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return torch.where(largest < 0, -vectors, vectors)


def _normalised(amounts: Tensor) -> Tensor:
    """Scale amounts to a sum of 1; all zeros stay."""
    return amounts / amounts.sum().clamp_min(1e-12)
