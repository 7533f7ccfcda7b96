"""Likelihoods of held-out images, against models whose evidence is known in closed form."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, distributions

from models import checkpoints
from models.config import AutoencoderConfig, Budget
from models.core import Explains, Posterior, log_normal
from models.datasets import DATASETS, ImageData, load
from models.datasets.binary import binarised
from models.metrics.evaluation import evaluate
from models.metrics.likelihood import bounds
from models.metrics.repeats import report
from models.training import session
from models.training.loop import Trainer
from models.vae import Autoencoder

SIGMA = 0.5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Linear:
    """Probabilistic PCA: p(z) = N(0, I), p(x|z) = N(W z, sigma^2 I), so that p(x) = N(0, W W^T + sigma^2 I).

    The posterior that it guesses has the right mean and no correlations, as that of a VAE.
    """

    binary = False

    def __init__(self, pixels: int = 9, dim: int = 3) -> None:
        self.weight = normal(pixels, dim)
        precision = torch.eye(dim) + self.weight.T @ self.weight / SIGMA**2
        self.covariance = torch.linalg.inv(precision)
        self.evidence = distributions.MultivariateNormal(
            torch.zeros(pixels), self.weight @ self.weight.T + SIGMA**2 * torch.eye(pixels)
        )

    def posterior(self, x: Tensor, labels: Tensor | None) -> Posterior:
        mean = x.flatten(1) @ self.weight @ self.covariance / SIGMA**2
        return Posterior(mean, self.covariance.diagonal().log().expand_as(mean))

    def log_likelihood(self, x: Tensor, codes: Tensor, labels: Tensor | None) -> Tensor:
        return distributions.Normal(codes @ self.weight.T, SIGMA).log_prob(x.flatten(1)).sum(-1)

    def log_prior(self, codes: Tensor, labels: Tensor | None) -> Tensor:
        return log_normal(codes).sum(-1)


def draw(model: Linear, count: int) -> Tensor:
    x = normal(count, 3, seed=3) @ model.weight.T + SIGMA * normal(count, 9, seed=4)
    return x.view(count, 1, 3, 3)


def test_both_bounds_of_a_linear_gaussian_model_are_where_theory_says() -> None:
    model = Linear()
    assert isinstance(model, Explains)
    x = draw(model, 100)
    truth = model.evidence.log_prob(x.flatten(1))
    rng = torch.Generator().manual_seed(0)
    elbo, estimate = bounds(model, x, None, 1000, rng, chunk=500)
    exact = distributions.MultivariateNormal(torch.zeros(3), model.covariance)
    guessed = distributions.MultivariateNormal(torch.zeros(3), model.covariance.diagonal().diag())
    gap = distributions.kl_divergence(guessed, exact)  # the same for every x, because the means are right
    assert float(gap) > 0.02
    assert (elbo < truth).float().mean() > 0.9
    assert float((truth - elbo).mean()) == pytest.approx(float(gap), abs=0.02)
    assert (estimate - truth).abs().mean() < 0.02
    assert float((estimate - truth).mean()) == pytest.approx(0, abs=0.01)


def test_more_samples_come_nearer_and_one_gives_the_elbo() -> None:
    model = Linear()
    x = draw(model, 500)
    truth = model.evidence.log_prob(x.flatten(1)).mean()
    gaps: list[float] = []
    for samples in (1, 4, 64):
        elbo, estimate = bounds(model, x, None, samples, torch.Generator().manual_seed(1), chunk=7)
        gaps.append(float(truth - estimate.mean()))
        assert samples > 1 or torch.allclose(elbo, estimate, atol=1e-5)
    assert gaps[0] > gaps[1] > gaps[2] > -0.01


def test_the_prior_of_mapped_codes_is_the_gaussian_of_their_class() -> None:
    fields = {"family": "cvae", "size": 16, "channels": 1, "width": 4, "latent_dim": 3, "classes": 2}
    model = Autoencoder(AutoencoderConfig.model_validate(fields)).eval().requires_grad_(False)
    model.latent_mean.copy_(normal(2, 3))
    model.latent_scale.copy_(torch.tril(0.3 * normal(2, 3, 3)) + torch.eye(3))
    labels, codes = torch.tensor([0, 1, 1, 0]), normal(5, 4, 3, seed=2)
    prior = distributions.MultivariateNormal(model.latent_mean[labels], scale_tril=model.latent_scale[labels])
    torch.testing.assert_close(model.log_prior(codes, labels), prior.log_prob(codes))


# Binarisation ----------------------------------------------------------------------------------------------


def test_the_likelihood_has_an_interval_over_the_images() -> None:
    torch.manual_seed(0)
    config = {
        "family": "vae",
        "size": 16,
        "channels": 1,
        "width": 4,
        "latent_dim": 4,
        "likelihood": "bernoulli",
    }
    model = Autoencoder(AutoencoderConfig.model_validate(config)).eval().requires_grad_(False)
    found = report(model, load("digits", "test"), metrics=["likelihood"], n=30)
    for key in ("nll_nats", "negative_elbo_nats"):
        interval, each = found.intervals[key], found.series[key]
        assert (interval.over, interval.count) == ("images", 30) and each.shape == (30,)
        assert interval.low < found.values[key] < interval.high
        assert float(each.mean()) == pytest.approx(found.values[key])
    assert bool((found.series["nll_nats"] <= found.series["negative_elbo_nats"] + 1e-6).all())


def test_pixels_are_white_as_often_as_they_are_bright_and_always_the_same() -> None:
    grey = torch.tensor([0, 64, 128, 255], dtype=torch.uint8)[:, None, None, None].expand(4, 1, 16, 16)
    data = ImageData(DATASETS["digits"], grey.repeat(300, 1, 1, 1))
    once, again = binarised(data), binarised(data)
    assert torch.equal(once.images, again.images)
    assert set(once.images.unique().tolist()) == {0, 255}
    share = (once.images == 255).float().flatten(1).mean(1).view(300, 4).mean(0)
    assert share[0] == 0 and share[3] == 1
    assert share[1:3].tolist() == pytest.approx([64 / 255, 128 / 255], abs=0.01)
    assert torch.equal(binarised(once).images, once.images), "black and white stays"


def test_a_training_on_binarised_images_sees_nothing_else(tmp_path: Path) -> None:
    train, test = load("digits", "train"), load("digits", "test")
    options = {"binarise": "true", "width": "4", "batch_size": "16", "importance_samples": "3"}
    config = session.configure("digits", "vae", budget=Budget(steps=3), options=options, where="cpu")
    run = session.new_run(config, tmp_path / "run")
    trainer = Trainer(session.recipe_for(config), train, test, run, config.budget)
    assert set(trainer.batch().x.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(trainer.held_out.images, binarised(test).images)
    model = checkpoints.load(session.train(run, data=(train, test)).checkpoint)
    found = evaluate(model, test, metrics=["likelihood"], n=30)
    assert found["negative_elbo_nats"] >= found["nll_nats"] > 0
    flipped = ImageData(test.info, 255 - test.images, test.labels)
    assert evaluate(model, flipped, metrics=["likelihood"], n=30)["nll_nats"] > found["nll_nats"]


def test_a_gaussian_of_optimal_variance_keeps_that_of_its_training_images(tmp_path: Path) -> None:
    train, test = load("digits", "train"), load("digits", "test")
    options = {"likelihood": "gaussian-optimal", "width": "4", "batch_size": "16"}
    config = session.configure("digits", "vae", budget=Budget(steps=20), options=options, where="cpu")
    outcome = session.train(session.new_run(config, tmp_path / "run"), data=(train, test))
    model = checkpoints.load(outcome.checkpoint)
    assert isinstance(model, Autoencoder) and not model.binary
    x = train.floats(slice(0, 500))
    codes = model.posterior(x, None).sample(torch.Generator().manual_seed(0))[None]
    best = float(0.5 * (model.outputs(codes, None) - x).square().mean().log())
    assert float(model.log_sigma) == pytest.approx(best, abs=0.05)
    density = distributions.Normal(model.outputs(codes, None), model.log_sigma.exp())
    expected = density.log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(model.log_likelihood(x, codes, None)[0], expected)
