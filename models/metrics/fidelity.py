"""How near the distribution of samples is to that of real images, in the features of a network.

The first functions take arrays of features and nothing else. All of them compute in double precision and in blocks of
rows, so that no matrix of all pairs is ever kept; they raise UserError where features are not finite or too few.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.errors import UserError
from models.latent import generator
from models.metrics import NEIGHBOURS

if TYPE_CHECKING:
    from models.metrics.context import Context

_BLOCK = 4_194_304  # distances at once: 32 MB
_ROUNDING = (
    1e-12  # of |a|^2 + |b|^2, below which a squared distance is 0: the product it comes from is no nearer
)
_SUBSETS, _SUBSET = 100, 1000  # Binkowski et al. (2018), section 4, and the usual implementations
_STREAM = 4  # of random numbers, for the subsets

Subset = tuple[Int[Tensor, " size"], Int[Tensor, " size"]]


def checked(*features: Tensor) -> tuple[Tensor, ...]:
    """Return features in double precision; raises UserError if they cannot be compared."""
    if len({f.shape[1:] for f in features}) > 1:
        raise UserError(
            "feature-mismatch",
            "The two sets of features have different lengths.",
            "Compute both with the same network.",
        )
    if not all(bool(torch.isfinite(f).all()) for f in features):
        raise UserError(
            "not-finite",
            "Some features are not finite numbers (NaN or infinite).",
            "Look for images with NaN: the model may have diverged.",
        )
    return tuple(f.double() for f in features)


def frechet_distance(x: Float[Tensor, "batch features"], y: Float[Tensor, "other features"]) -> float:
    """Return the squared Fréchet distance of two Gaussians with the moments of two sets of features.

    |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)). The trace of the root is the sum of the roots of the eigenvalues
    of S_x^(1/2) S_y S_x^(1/2), which is symmetric and has those of S_x S_y; rounding below 0 is clipped. With fewer
    rows than features the covariances are singular; this form needs no inverse and adds nothing to their diagonals, so
    the value is exact for the moments. But it is then far too large: it counts directions that the rows of one set
    show and those of the other do not.

    Args:
        x: Features, shape (N, F), N >= 2.
        y: Features of the other set, shape (M, F), M >= 2.

    Returns:
        A distance of at least 0; 0 where the moments are the same.

    Raises:
        UserError: Fewer than two rows, different lengths, or values that are not finite.

    References:
        Heusel et al. (2017), arXiv:1706.08500, equation 6. Dowson & Landau (1982), "The Fréchet distance between
        multivariate normal distributions", Journal of Multivariate Analysis 12(3).
    """
    x, y = checked(x, y)
    _enough(x, y, 2)
    (mean_x, covariance_x), (mean_y, covariance_y) = _moments(x), _moments(y)
    values, vectors = cast("tuple[Tensor, Tensor]", torch.linalg.eigh(covariance_x))  # pyright: ignore[reportUnknownMemberType]
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    product = root @ covariance_y @ root
    shared = cast(Tensor, torch.linalg.eigvalsh((product + product.T) / 2))  # pyright: ignore[reportUnknownMemberType]
    traces = covariance_x.trace() + covariance_y.trace() - 2 * shared.clamp_min(0).sqrt().sum()
    return max(0.0, float((mean_x - mean_y).square().sum() + traces))


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.mean(0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def _enough(x: Tensor, y: Tensor, least: int) -> None:
    if min(len(x), len(y)) < least:
        problem = (
            f"There are {min(len(x), len(y))} images, and this metric needs {least} of each kind at least."
        )
        raise UserError("too-few-images", problem, "Give a larger number of images.")


def subsets(n: int, m: int, seed: int, *, count: int = _SUBSETS, size: int = _SUBSET) -> list[Subset]:
    """Draw pairs of subsets without repetition in each.

    Of `size` rows, or of all that the smaller set has if those are fewer; one pair where both sets are taken whole.
    """
    rng, size = generator(seed, _STREAM), min(size, n, m)
    if size == n == m:
        count = 1
    return [
        (torch.randperm(n, generator=rng)[:size], torch.randperm(m, generator=rng)[:size])
        for _ in range(count)
    ]


def kernel_distance(
    x: Float[Tensor, "batch features"], y: Float[Tensor, "other features"], pairs: Sequence[Subset]
) -> float:
    """Return the unbiased squared maximum mean discrepancy with the kernel (x.y / F + 1)^3, mean over subsets.

    Being unbiased it may be negative, and its expectation does not depend on the number of images.

    Args:
        x: Features, shape (N, F).
        y: Features of the other set, shape (M, F).
        pairs: Rows of both for each estimate, two at least; see `subsets`.

    Raises:
        UserError: Fewer than two rows, different lengths, or values that are not finite.

    References:
        Binkowski, Sutherland, Arbel & Gretton (2018), arXiv:1801.01401, section 4.
    """
    x, y = checked(x, y)
    _enough(x, y, 2)
    values = [_discrepancy(x[i.to(x.device)], y[j.to(y.device)]) for i, j in pairs]
    return float(torch.stack(values).mean())


def _discrepancy(x: Tensor, y: Tensor) -> Tensor:
    within = [(_kernel(one, one).sum() - _own(one).sum()) / (len(one) * (len(one) - 1)) for one in (x, y)]
    return within[0] + within[1] - 2 * _kernel(x, y).mean()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    base = torch.mm(x, y.T).div_(x.shape[1]).add_(1)
    return base.square().mul_(base)


def _own(x: Tensor) -> Tensor:
    """Return the kernel of each row with itself."""
    return (x.square().sum(1) / x.shape[1] + 1) ** 3


@dataclass(frozen=True)
class Support:
    """How the supports of two distributions lie to each other.

    Args:
        precision: Share of samples inside the real support, in [0, 1].
        recall: Share of real images inside the support of samples, in [0, 1].
        density: Real neighbourhoods that a sample lies in, over k; 1 for real images, without an upper bound.
        coverage: Share of real neighbourhoods with a sample inside, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def support(
    real: Float[Tensor, "batch features"], fake: Float[Tensor, "other features"], k: int = NEIGHBOURS
) -> Support:
    """Compare the supports of real images and samples, each as balls around its points.

    A ball reaches to the k-th nearest other point of its own set. Its surface is not included, as in the published
    code of density and coverage, so where k + 1 points are the same, theirs is empty.

    Args:
        real: Features of real images, shape (N, F), N > k.
        fake: Features of samples, shape (M, F), M > k.
        k: Neighbours that a ball holds.

    Raises:
        UserError: Fewer rows than k + 1, different lengths, or values that are not finite.

    References:
        Kynkaanniemi et al. (2019), arXiv:1904.06991, equations 1 and 2 (precision, recall).
        Naeem et al. (2020), arXiv:2002.09797, section 3 (density, coverage).
    """
    real, fake = checked(real, fake)
    _enough(real, fake, k + 1)
    origin = real.mean(0)  # distances do not change, and their rounding is least around the mean
    real, fake = real - origin, fake - origin
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    inside = torch.zeros(len(fake), dtype=torch.long, device=fake.device)
    reached, covered = (torch.zeros(len(real), dtype=torch.bool, device=real.device) for _ in range(2))
    for rows, squared in _squared_distances(real, fake):
        near = squared < real_radii[rows, None]
        inside += near.sum(0)
        covered[rows] = near.any(1)
        reached[rows] = (squared < fake_radii).any(1)
    shares = [float(found.double().mean()) for found in (inside > 0, reached, inside, covered)]
    return Support(shares[0], shares[1], shares[2] / k, shares[3])


def _radii(x: Tensor, k: int) -> Float[Tensor, " batch"]:
    """Return the squared distance of each point to the k-th nearest other one."""
    radii = torch.empty(len(x), dtype=x.dtype, device=x.device)
    for rows, squared in _squared_distances(x, x):
        index = torch.arange(rows.start, rows.stop, device=x.device)
        squared[index - rows.start, index] = -1.0  # itself comes first, also among copies
        radii[rows] = squared.topk(k + 1, dim=1, largest=False).values[:, k]
    return radii


def _squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield blocks of rows of x with their squared distances to all of y, those of copies exactly 0."""
    own, other = x.square().sum(1), y.square().sum(1)
    size = max(1, _BLOCK // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, min(start + size, len(x)))
        sums = own[rows, None] + other
        squared = torch.addmm(sums, x[rows], y.T, alpha=-2)
        yield rows, squared.masked_fill_(squared < sums.mul_(_ROUNDING), 0.0)


def measure_frechet(context: "Context") -> dict[str, float]:
    """Measure the Fréchet distance in the features of the classifier."""
    return {f"fd_{context.network}": frechet_distance(*context.paired_features())}


def measure_kernel(context: "Context") -> dict[str, float]:
    """Measure the kernel distance, the KID of another network, in the features of the classifier."""
    samples, real = context.paired_features()
    pairs = subsets(len(samples), len(real), context.seed)
    return {f"kd_{context.network}": kernel_distance(samples, real, pairs)}


def measure_support(context: "Context") -> dict[str, float]:
    """Measure precision, recall, density and coverage in the features of the classifier."""
    samples, real = context.paired_features()
    return dict(vars(support(real, samples)))
