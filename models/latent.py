"""Latent-space mathematics as pure functions: prior samples, truncation, paths, coordinates, conditional moves."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from models.requests import default_label
from models.tables import Table

_TELLING = 0.02  # singular value, as a share of the largest, below which moves cannot be told apart


def _mixed(seed: int) -> int:
    """Spread neighbouring seeds over 63 bits (splitmix64, Steele et al., 2014), so that streams do not overlap."""
    z = (seed + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return (z ^ (z >> 31)) >> 1


def generator(*seeds: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator for a tuple of integers: the same stream for the same tuple, unrelated for others."""
    state = 0
    for seed in seeds:
        state = _mixed(state ^ _mixed(seed))
    return torch.Generator(device=device).manual_seed(state)


def prior(seeds: Sequence[int], dim: int) -> Float[Tensor, "batch dim"]:
    """Draw from N(0, I), one latent for each seed; on the CPU, so that every device shows the same picture.

    Args:
        seeds: Non-negative integers; a seed gives the same latent whatever the others are.
        dim: Dimensions D.

    Returns:
        Latents, shape (B, D), in prior standard deviations.
    """
    rows = [torch.randn(dim, generator=generator(seed, 0)) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, dim)


def default_labels(seeds: Sequence[int], classes: int) -> Int[Tensor, " batch"]:
    """Return the label of each seed where none is chosen, shape (B,); see `models.requests.default_label`."""
    return torch.tensor([default_label(seed, classes) for seed in seeds], dtype=torch.long)


def truncate(z: Float[Tensor, "*batch dim"], psi: float) -> Float[Tensor, "*batch dim"]:
    """Scale latents towards the prior's mean: psi 1 leaves them, 0 gives the mean.

    The z-space analogue of Karras et al. (2019), arXiv:1812.04948, section B.
    """
    return z * psi


def lerp(
    start: Float[Tensor, "batch dim"], end: Float[Tensor, "batch dim"], steps: Float[Tensor, "time ..."]
) -> Float[Tensor, "time batch dim"]:
    """Interpolate along the straight line between two latents.

    Args:
        start: Latents, shape (B, D).
        end: Latents, shape (B, D).
        steps: Positions in [0, 1], shape (T,), or (T, B) where each pair has its own.
    """
    t = steps.reshape(len(steps), -1, 1)
    return start * (1 - t) + end * t


def slerp(
    start: Float[Tensor, "batch dim"], end: Float[Tensor, "batch dim"], steps: Float[Tensor, "time ..."]
) -> Float[Tensor, "time batch dim"]:
    """Interpolate along the great circle between two latents.

    Between latents of different norm the norm changes with the same weights as the direction.

    Args:
        start: Latents, shape (B, D), in prior standard deviations.
        end: Latents, shape (B, D).
        steps: Positions in [0, 1], shape (T,), or (T, B) where each pair has its own.

    Returns:
        Latents, shape (T, B, D). Falls back to linear interpolation where the two are parallel or one is zero.

    References:
        White (2016), arXiv:1609.04468, section 2.1.
    """
    squares = start.square().sum(-1, keepdim=True) * end.square().sum(-1, keepdim=True)
    norms = squares.sqrt()
    cosine = (start * end).sum(-1, keepdim=True) / norms.clamp_min(1e-12)
    angle = torch.acos(cosine.clamp(-1, 1))
    sine = torch.sin(angle)
    parallel = (sine < 1e-4) | (norms < 1e-12)
    t = steps.reshape(len(steps), -1, 1)
    sine = torch.where(parallel, torch.ones_like(sine), sine)
    arc = torch.sin((1 - t) * angle) / sine * start + torch.sin(t * angle) / sine * end
    return torch.where(parallel, lerp(start, end, steps), arc)


Path = Callable[[Tensor, Tensor, Tensor], Tensor]
PATHS = Table[Path]("interpolation", {"slerp": slerp, "lerp": lerp})


def through(keyframes: Float[Tensor, "keys dim"], frames: int, method: str) -> Float[Tensor, "frames dim"]:
    """Interpolate through several latents, with the frames spread evenly over the segments.

    Args:
        keyframes: Latents, shape (K, D), K >= 2.
        frames: Number of frames, the first and the last key frame included.
        method: A name in `PATHS`.
    """
    position = torch.linspace(0, len(keyframes) - 1, frames, dtype=torch.float64)
    segment = position.long().clamp_max(len(keyframes) - 2)
    offset = (position - segment).to(keyframes.dtype)
    path = PATHS[method]
    rows = [
        path(keyframes[s, None], keyframes[s + 1, None], t[None])[0]
        for s, t in zip(segment, offset, strict=True)
    ]
    return torch.cat(rows)


def coordinates(
    z: Float[Tensor, "batch dim"], directions: Float[Tensor, "directions dim"]
) -> Float[Tensor, "batch directions"]:
    """Return the coordinates of latents along unit directions: their projections, shape (B, K)."""
    return z @ directions.T


def set_coordinates(
    z: Float[Tensor, " dim"],
    directions: Float[Tensor, "edits dim"],
    values: Float[Tensor, " edits"],
    moves: Float[Tensor, "edits dim"] | None = None,
) -> Float[Tensor, " dim"]:
    """Move a latent to a place that has the given coordinates along some directions.

    Args:
        z: Latent, shape (D,).
        directions: Unit vectors, shape (K, D); they need not be orthogonal.
        values: Coordinates to reach, shape (K,), in prior standard deviations.
        moves: What to move along, shape (K, D); None: the directions themselves, which is the shortest way.

    Returns:
        z + M^T (A M^T)^+ (values - A z), shape (D,), with A the directions and M the moves. With M = A it is
        z + A^+ (values - A z), the nearest latent with these coordinates. Moves that can hardly be told apart by
        these coordinates do not run off: what only they could reach is left out.
    """
    if len(values) == 0:
        return z
    pinv = cast(Callable[..., Tensor], torch.linalg.pinv)  # pyright: ignore[reportUnknownMemberType]
    if moves is None:
        return z + pinv(directions) @ (values - directions @ z)
    return z + moves.T @ (pinv(directions @ moves.T, rtol=_TELLING) @ (values - directions @ z))


def projected(direction: Float[Tensor, " dim"], others: Float[Tensor, "others dim"]) -> Float[Tensor, " dim"]:
    """Make a direction orthogonal to others, so that moving along it keeps the coordinates along them.

    Args:
        direction: Shape (D,), not zero.
        others: Directions, shape (N, D); they need not be orthogonal, nor independent.

    Returns:
        d - B^+ B d, with B the others, as a unit vector, shape (D,); for one other unit vector this is
        d - (d^T b) b. Zero if the direction lies in what the others span.

    References:
        Shen, Gu, Tang & Zhou (2020), arXiv:1907.10786, section 3.2 ("conditional manipulation").
    """
    d = normalize(direction.double(), dim=0)
    if len(others):
        rows = normalize(others.double(), dim=1)
        inverse = cast(Tensor, torch.linalg.pinv(rows, rtol=1e-4))  # pyright: ignore[reportUnknownMemberType]
        d = d - inverse @ (rows @ d)
    left = float(d.square().sum()) > 1e-8  # less is rounding
    return (normalize(d, dim=0) if left else torch.zeros_like(d)).to(direction.dtype)


def sheltered(
    direction: Float[Tensor, " dim"], effects: Float[Tensor, "rows dim"], give: float
) -> Float[Tensor, " dim"]:
    """Bend a direction away from those that change what is to stay.

    `projected` keeps some linear functions of z, which are only the average of what a picture shows. A verdict
    on a picture is no linear function, so it changes at many points all the same, and the best that a direction
    can do is to avoid whatever changes it anywhere, the more the stronger the effect. This is linear
    discriminant analysis with the unwanted change in the place of the scatter within classes.

    Args:
        direction: Shape (D,), the normal of the attribute that is to change.
        effects: Rows A, shape (N, D), of several attributes one below the other: |A v|^2 is the unwanted change
            along v.
        give: Unwanted change that is allowed along a direction; towards 0 only directions without any are left,
            as in `projected`; towards infinity the direction stays.

    Returns:
        (A^T A + give I)^-1 d as a unit vector, shape (D,): of all directions with the same share of d, the one
        with the least of |A v|^2 + give |v|^2.
    """
    rows = effects.double()
    gram = rows.T @ rows + give * torch.eye(rows.shape[1], dtype=torch.float64)
    bent = cast(Tensor, torch.linalg.solve(gram, direction.double()))  # pyright: ignore[reportUnknownMemberType]
    return normalize(bent, dim=0).to(direction.dtype)
