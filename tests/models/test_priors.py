"""Priors that are fitted to codes: maps that can be undone, and that make the codes probable."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributions

from models import checkpoints, priors
from models.choices import PRIORS
from models.config import AutoencoderConfig, Budget
from models.core import log_normal
from models.datasets import ImageData, load
from models.latent import prior as standard
from models.priors import Mixture, Prior
from models.training import session
from models.vae import Autoencoder

FITTED = [name for name in PRIORS if PRIORS[name]]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def config(**options: Any) -> AutoencoderConfig:
    return AutoencoderConfig.model_validate({"size": 16, "channels": 1, "width": 4, **options})


def two_moons(count: int, dim: int = 2) -> Tensor:
    """Return codes far from Gaussian: two arcs in the first two dimensions, noise in the others; whitened."""
    angle = math.pi * torch.rand(count, generator=torch.Generator().manual_seed(1))
    side = (torch.arange(count) % 2).float()
    arcs = torch.stack([angle.cos() + side, angle.sin() * (1 - 2 * side) + 0.5 * side], 1)
    x = torch.cat([arcs + 0.05 * normal(count, 2, seed=2), normal(count, dim - 2, seed=3)], 1)
    return (x - x.mean(0)) / x.std(0)


def build(name: str, dim: int, codes: Tensor | None = None, steps: int = 400) -> Prior:
    kind = PRIORS[name]
    assert kind
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = kind(config(latent_dim=dim)).requires_grad_(False)
    made.fit(two_moons(2000, dim) if codes is None else codes, steps)
    return made


@pytest.fixture(scope="module", params=FITTED)
def fitted(request: pytest.FixtureRequest) -> Prior:
    return build(request.param, 3)


def test_the_map_is_undone_far_out_as_well(fitted: Prior) -> None:
    z = torch.cat([normal(200, 3), 5 * torch.nn.functional.normalize(normal(50, 3, seed=4), dim=1)])
    u = fitted(z)
    assert not torch.allclose(u, z, atol=0.1)
    torch.testing.assert_close(fitted.inverse(u)[0], z, atol=2e-3, rtol=1e-3)
    codes = two_moons(300, 3)
    torch.testing.assert_close(fitted(fitted.inverse(codes)[0]), codes, atol=2e-3, rtol=1e-3)


def test_the_log_determinant_is_that_of_the_jacobian(fitted: Prior) -> None:
    u = two_moons(20, 3)
    jacobian = fitted.inverse_jacobian(u)
    assert jacobian.shape == (20, 3, 3)
    expected = torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(fitted.inverse(u)[1], expected, atol=1e-3, rtol=1e-3)
    step = 1e-2 * torch.eye(3)[1]
    slope = (fitted.inverse(u + step)[0] - fitted.inverse(u - step)[0]) / 2e-2
    torch.testing.assert_close(slope, jacobian[:, :, 1], atol=0.15, rtol=0.1)


def test_the_map_is_differentiable(fitted: Prior) -> None:
    z = normal(5, 3).requires_grad_()
    jacobian = torch.stack([torch.autograd.grad(fitted(z)[:, i].sum(), z)[0] for i in range(3)], 1)
    identity = fitted.inverse_jacobian(fitted(z).detach()) @ jacobian
    torch.testing.assert_close(identity, torch.eye(3).expand(5, 3, 3), atol=5e-3, rtol=0)


def test_codes_become_more_probable_and_samples_lie_where_they_are(fitted: Prior) -> None:
    held_out = two_moons(4000, 3)[2000:]
    z, change = fitted.inverse(held_out)
    gain = (log_normal(z).sum(1) + change - log_normal(held_out).sum(1)).mean()
    assert gain > 0.3, "nats that a Gaussian wastes"
    samples = fitted(normal(1000, 3, seed=7))
    nearest = torch.cdist(samples[:, :2], held_out[:, :2]).amin(1).mean()
    naive = torch.cdist(normal(1000, 2, seed=7), held_out[:, :2]).amin(1).mean()
    assert nearest < 0.75 * naive


def test_the_density_of_a_mixture_is_that_of_the_mixture() -> None:
    made = build("gmm", 2)
    assert isinstance(made, Mixture)
    codes = two_moons(50)
    z, change = made.inverse(codes)
    scales = torch.linalg.inv(made.whitening).tril()
    expected = distributions.MixtureSameFamily(
        distributions.Categorical(logits=made.log_weights),
        distributions.MultivariateNormal(made.means, scale_tril=scales),
    ).log_prob(codes)
    torch.testing.assert_close(log_normal(z).sum(1) + change, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("dim", [1, 32])
def test_any_dimension_and_few_codes(name: str, dim: int) -> None:
    made = build(name, dim, 0.5 * normal(12, dim), steps=3)
    z = normal(6, dim, seed=1)
    u = made(z)
    assert torch.isfinite(u).all()
    torch.testing.assert_close(made.inverse(u)[0], z, atol=5e-3, rtol=1e-3)


# In a model ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> tuple[ImageData, ImageData]:
    return load("digits", "train"), load("digits", "test")


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("family", ["ae", "vae", "cvae", "vaegan"])
def test_encoding_undoes_decoding_in_a_model(
    name: str, family: str, tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    options = {"prior_fit": name, "width": "4", "batch_size": "16", "latent_dim": "4", "prior_steps": "30"}
    run = session.configure("digits", family, budget=Budget(steps=20), options=options, where="cpu")
    outcome = session.train(session.new_run(run, tmp_path / "run"), data=digits)
    model = checkpoints.load(outcome.checkpoint)
    assert isinstance(model, Autoencoder) and model.fitted and model.prior is not None
    assert model.network() is None
    x = digits[1].floats(slice(0, 20))
    labels = digits[1].labels_at(slice(0, 20)) if model.classes else None
    codes, q = model.posterior(x, labels), model.encode(x, labels)
    torch.testing.assert_close(model.codes(q.mean, labels), codes.mean, atol=5e-3, rtol=5e-3)
    z = standard(range(20), 4)
    shown = model.decode(z, labels)
    assert shown.shape == x.shape and torch.isfinite(shown).all()
    moved = model.decode(z + 0.5, labels)
    assert (moved - shown).abs().max() > 1e-3
    assert model.first_layer().shape == (model.decoder.first.out_features, 4)
    if family == "ae":
        assert bool(torch.isinf(q.logvar).all())
        return
    assert torch.isfinite(q.logvar).all()
    # The variances are those of samples, to first order.
    narrow = codes.mean[0] + 1e-3 * torch.exp(0.5 * codes.logvar[0]) * normal(400, 4)
    repeated = None if labels is None else labels[:1].expand(400)
    u = model.whitened(narrow, repeated)[0]
    found = model.prior.inverse(u)[0].var(0).log() + 2 * math.log(1e3)
    torch.testing.assert_close(found, q.logvar[0], atol=0.5, rtol=0)


def test_the_code_of_a_live_picture_is_found_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    made = build("gmm", 16, normal(500, 16))
    plain, asked = priors._score, [0]

    def score(weights: Tensor, e: Tensor) -> Tensor:
        asked[0] += 1
        return plain(weights, e)

    monkeypatch.setattr(priors, "_score", score)
    for seed in range(4):
        made(normal(1, 16, seed=seed))
    assert 4 * 16 < asked[0] < 10 * 4 * 16, "a root in each of 16 dimensions, for which halving takes over 20"
