"""Priors that are fitted to the codes of a trained autoencoder, as invertible maps from N(0, I).

The average q(z) of a VAE's posteriors is not quite the prior that it was trained with, so samples of that prior
fall where the decoder never learned anything. A second model of the codes mends that (Dai & Wipf, 2019,
arXiv:1903.05789, section 3; Ghosh et al., 2020, arXiv:1903.12436, section 4). Here each is a map u = T(z), so that
whoever samples, moves or interpolates z ~ N(0, I) need not know of it, and an encoder's codes can be mapped back.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import EncodedConfig
from models.core import log_normal
from models.latent import generator

_COUPLINGS, _HIDDEN, _BATCH, _RATE = 6, 64, 512, 2e-3  # of a flow and its training
_ROOT_STEPS, _ROOT_ERROR = 50, 1e-6
_TINY = 1e-37  # the least probability of a tail
_ndtr = cast(Callable[[Tensor], Tensor], torch.special.ndtr)  # pyright: ignore[reportUnknownMemberType]
_ndtri = cast(Callable[[Tensor], Tensor], torch.special.ndtri)  # pyright: ignore[reportUnknownMemberType]


class Prior(nn.Module, ABC):
    """An invertible map from N(0, I) to codes that have a mean of 0 and a covariance of I."""

    @abstractmethod
    def forward(self, z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Map latents to codes; differentiable."""

    @abstractmethod
    def inverse(
        self, u: Float[Tensor, "batch dim"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, " batch"]]:
        """Map codes to latents; returns them, and the log of |det dz/du|, shape (B,)."""

    @abstractmethod
    def fit(self, u: Float[Tensor, "codes dim"], steps: int) -> None:
        """Learn the distribution of codes, in so many steps where it takes steps."""

    def inverse_jacobian(self, u: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim dim"]:
        """Return dz/du at codes, shape (B, D, D)."""
        with torch.inference_mode(False), torch.enable_grad():
            u = (
                u.detach().clone().requires_grad_()
            )  # one that was made in inference mode could not be recorded
            z = self.inverse(u)[0]
            # Codes do not depend on each other, so one backward pass gives a row for all of them.
            rows = [torch.autograd.grad(z[:, d].sum(), u, retain_graph=True)[0] for d in range(u.shape[1])]
        return torch.stack(rows, 1)


class _Coupling(nn.Module):
    """An affine coupling: half of the dimensions say how the others are scaled and moved."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        dim = len(mask)
        self.register_buffer("mask", mask, persistent=False)
        self.net = nn.Sequential(
            nn.Linear(dim, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, 2 * dim),
        )
        nn.init.zeros_(self.net[-1].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.net[-1].bias)  # pyright: ignore[reportArgumentType]

    def change(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return log scale, bounded, and shift; both zero in the dimensions that stay."""
        scale, shift = self.net(x * self.mask).chunk(2, dim=1)
        return 2 * torch.tanh(scale / 2) * (1 - self.mask), shift * (1 - self.mask)


class Flow(Prior):
    """A stack of affine couplings (RealNVP; Dinh, Sohl-Dickstein & Bengio, 2016, arXiv:1605.08803, equations 7 and 8).

    It begins as the identity. The halves are drawn at random, with a seed that is always the same.
    """

    def __init__(self, config: EncodedConfig) -> None:
        super().__init__()
        dim = config.latent_dim
        masks: list[Tensor] = []
        for pair in range(_COUPLINGS // 2):
            mask = (torch.randperm(dim, generator=generator(pair)) < (dim + 1) // 2).float()
            masks += [mask, 1 - mask]
        self.couplings = nn.ModuleList(_Coupling(mask) for mask in masks)

    def _layers(self) -> list[_Coupling]:
        return cast(list[_Coupling], list(self.couplings))

    def forward(self, z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Map latents to codes."""
        for layer in reversed(self._layers()):
            scale, shift = layer.change(z)
            z = (z - shift) * torch.exp(-scale)
        return z

    def inverse(self, u: Float[Tensor, "batch dim"]) -> tuple[Tensor, Tensor]:
        """Map codes to latents, with the log determinant."""
        total = torch.zeros(len(u), device=u.device)
        for layer in self._layers():
            scale, shift = layer.change(u)
            u = u * torch.exp(scale) + shift
            total = total + scale.sum(1)
        return u, total

    def fit(self, u: Float[Tensor, "codes dim"], steps: int) -> None:
        """Maximise the likelihood of codes with Adam, the rate falling to zero."""
        rng = generator(0)
        self.requires_grad_(True)
        optimizer = torch.optim.Adam(self.parameters(), _RATE, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
        with torch.enable_grad():
            for _ in range(steps):
                z, total = self.inverse(u[torch.randint(len(u), (_BATCH,), generator=rng)])
                loss = -(log_normal(z).sum(1) + total).mean()
                optimizer.zero_grad()
                loss.backward()  # pyright: ignore[reportUnknownMemberType]
                nn.utils.clip_grad_norm_(self.parameters(), 10.0)
                optimizer.step()  # pyright: ignore[reportUnknownMemberType]
                schedule.step()
        self.requires_grad_(False)


class Mixture(Prior):
    """A mixture of Gaussians, made a map by its conditional distributions, one dimension after the other.

    z_d is the standard normal quantile of F(u_d | u_1 ... u_d-1), which for a mixture is a mixture again (Rosenblatt,
    1952, "Remarks on a multivariate transformation"). Codes to latents takes no search; latents to codes takes a
    root in each dimension: about 1 ms each on a CPU.
    """

    log_weights: Tensor
    means: Tensor
    whitening: Tensor

    def __init__(self, config: EncodedConfig) -> None:
        super().__init__()
        count, dim = config.prior_components, config.latent_dim
        self.register_buffer("log_weights", torch.zeros(count))
        self.register_buffer("means", torch.zeros(count, dim))
        # Inverse Cholesky factors, lower triangular: W (u - mean) is N(0, I) in each component.
        self.register_buffer("whitening", torch.eye(dim).repeat(count, 1, 1))

    def fit(self, u: Float[Tensor, "codes dim"], steps: int) -> None:
        """Maximise the likelihood of codes by expectation maximisation (scikit-learn's)."""
        from sklearn.exceptions import ConvergenceWarning  # pyright: ignore[reportMissingTypeStubs]
        from sklearn.mixture import GaussianMixture  # pyright: ignore[reportMissingTypeStubs]

        del steps
        count = max(1, min(len(self.means), len(u) // 2))
        mixture = cast(Any, GaussianMixture(count, reg_covar=1e-3, max_iter=200, random_state=0))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # near enough: the map is exact all the same
            mixture.fit(u.double().numpy())
        self.log_weights.fill_(-1e4)[:count] = torch.as_tensor(mixture.weights_).log()
        self.means[:count] = torch.as_tensor(mixture.means_)
        self.whitening[:count] = torch.as_tensor(mixture.precisions_cholesky_).mT

    def inverse(self, u: Float[Tensor, "batch dim"]) -> tuple[Tensor, Tensor]:
        """Map codes to latents, with the log determinant."""
        codes = _precise(u)
        log_weights, means, whitening = map(_precise, (self.log_weights, self.means, self.whitening))
        e = torch.einsum("kij,bkj->bki", whitening, codes[:, None] - means)
        scales = whitening.diagonal(dim1=1, dim2=2)
        densities = log_normal(e) + scales.log()  # of each dimension, given those before, in each component
        before = log_weights.log_softmax(0)[:, None] + densities.cumsum(2) - densities
        z = _score(before.softmax(1), e)
        change = (before + densities)[:, :, -1].logsumexp(1) - log_normal(z).sum(1)
        return z.to(u.dtype), change.to(u.dtype)

    def forward(self, z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Map latents to codes."""
        latents = _precise(z)
        log_weights, means, whitening = map(_precise, (self.log_weights, self.means, self.whitening))
        log_weights = log_weights.log_softmax(0).expand(len(z), -1)
        found = latents[:, :0]
        for d in range(z.shape[1]):
            scale = 1 / whitening[:, d, d]
            offsets = found[:, None] - means[:, :d]  # (B, K, d)
            mean = means[:, d] - scale * (whitening[:, d, :d] * offsets).sum(2)
            u = _quantile(latents[:, d], log_weights.softmax(1), mean, scale)
            found = torch.cat([found, u[:, None]], 1)
            log_weights = log_weights + log_normal((u[:, None] - mean) / scale) - scale.log()
        return found.to(z.dtype)


def _precise(x: Tensor) -> Tensor:
    """Return numbers in double precision, where the device has it: between components, densities are tiny."""
    return x if x.device.type == "mps" else x.double()


def _score(weights: Tensor, e: Tensor) -> Tensor:
    """Return the standard normal quantile of a mixture's distribution function; components are dimension 1.

    Computed from the smaller tail, which keeps its digits however far out.
    """
    below, above = ((weights * _ndtr(side)).sum(1) for side in (e, -e))
    tail = _ndtri(torch.minimum(below, above).clamp_min(_TINY))
    return torch.where(below < above, tail, -tail)


def _quantile(z: Tensor, weights: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Return where a mixture of Gaussians on the line has the standard normal score z.

    Newton's method within a bracket, which is halved at times: between two components that lie far apart the
    function is flat. The result is differentiable by the implicit function theorem.

    Args:
        z: Shape (B,).
        weights: Shape (B, K).
        mean: Shape (B, K).
        scale: Shape (K,).
    """

    def score(u: Tensor) -> Tensor:
        return _score(weights, (u[:, None] - mean) / scale)

    def slope(u: Tensor, at: Tensor) -> Tensor:
        density = weights * torch.exp(log_normal((u[:, None] - mean) / scale)) / scale
        return (density.sum(1) / torch.exp(log_normal(at))).clamp_min(1e-12)

    with torch.no_grad():
        ends = mean + scale * z[:, None]  # the score of each component is z there
        low, high = ends.amin(1), ends.amax(1)
        u = (weights * ends).sum(1)
        for index in range(_ROOT_STEPS):
            at = score(u)
            low, high = torch.where(at < z, u, low), torch.where(at < z, high, u)
            if bool(((at - z).abs() < _ROOT_ERROR).all()):
                break
            step = u - (at - z) / slope(u, at)
            inside = (step > low) & (step < high) & (index % 3 < 2)
            u = torch.where(inside, step, (low + high) / 2)
        gain = slope(u, score(u))
    miss = score(u) - z
    return u - (miss - miss.detach()) / gain  # the value is the root; only the derivative is new
