"""What a VAE minimises, against closed forms."""

import itertools
import math

import pytest
import torch
from torch import Tensor, distributions

from models.choices import VAE_OBJECTIVES
from models.config import AutoencoderTraining
from models.core import Posterior, log_normal
from models.objectives import likelihoods, vae
from models.objectives.vae import Draws

OPTIONS = AutoencoderTraining()


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def posterior(*shape: int) -> Posterior:
    return Posterior(normal(*shape), 0.5 * normal(*shape, seed=1) - 1)


def drawn(
    q: Posterior,
    nll: Tensor | None = None,
    *,
    samples: int = 1,
    weight: float = 1.0,
    progress: float = 1.0,
    population: int = 1000,
) -> Draws:
    rng = torch.Generator().manual_seed(5)
    z = torch.stack([q.sample(rng) for _ in range(samples)])
    nll = normal(samples, len(q.mean), seed=3).abs() if nll is None else nll
    return Draws(q, z, nll, population, progress, weight, rng)


# Gaussians -------------------------------------------------------------------------------------------------


def test_kl_is_that_of_two_gaussians() -> None:
    q = posterior(5, 3)
    gaussian = distributions.Normal(q.mean, (0.5 * q.logvar).exp())
    expected = distributions.kl_divergence(gaussian, distributions.Normal(0.0, 1.0))
    assert torch.allclose(q.kl(), expected, atol=1e-6)
    assert float(Posterior(torch.zeros(1, 2), torch.zeros(1, 2)).kl().abs().max()) == 0


def test_log_densities_are_those_of_gaussians() -> None:
    q, z = posterior(5, 3), normal(2, 5, 3, seed=9)
    gaussian = distributions.Normal(q.mean, (0.5 * q.logvar).exp())
    assert torch.allclose(q.log_prob(z), gaussian.log_prob(z), atol=1e-5)
    assert torch.allclose(log_normal(z), distributions.Normal(0.0, 1.0).log_prob(z), atol=1e-6)


def test_posterior_samples_have_its_mean_and_variance() -> None:
    q = Posterior(torch.full((20_000, 1), 2.0), torch.full((20_000, 1), math.log(0.25)))
    z = q.sample(torch.Generator().manual_seed(0))
    assert float(z.mean()) == pytest.approx(2.0, abs=0.02)
    assert float(z.var()) == pytest.approx(0.25, abs=0.02)
    deterministic = Posterior(normal(3, 2), torch.full((3, 2), -torch.inf))
    assert torch.equal(deterministic.sample(torch.Generator()), deterministic.mean)


# Bounds ----------------------------------------------------------------------------------------------------


def linear(count: int) -> tuple[Tensor, Posterior, Tensor, float]:
    """Return x, a posterior that is off, -log p(x|z) of K samples, and log p(x); p(z) = N(0, 1), p(x|z) = N(z, 1)."""
    x = torch.tensor([[0.3], [-1.2], [2.0]])
    q = Posterior(x / 2 + 0.3, torch.full((3, 1), math.log(0.7)))
    z = drawn(q, torch.zeros(()), samples=count).z
    nll = torch.stack([likelihoods.gaussian(one, x, torch.zeros(())) for one in z])
    return x, q, nll, float(distributions.Normal(0.0, math.sqrt(2)).log_prob(x).mean())


def test_the_elbo_of_the_exact_posterior_of_a_linear_gaussian_model_is_its_evidence() -> None:
    x, worse, _, evidence = linear(4000)
    exact = Posterior(x / 2, torch.full((3, 1), math.log(0.5)))
    z = drawn(exact, torch.zeros(()), samples=4000).z
    nll = torch.stack([likelihoods.gaussian(one, x, torch.zeros(())) for one in z]).mean(0, keepdim=True)
    assert float(vae.negative_elbo(drawn(exact, nll), OPTIONS)) == pytest.approx(-evidence, abs=0.02)
    assert vae.negative_elbo(drawn(worse, nll), OPTIONS) > -evidence


def test_more_samples_tighten_the_bound_of_iwae_up_to_the_evidence() -> None:
    _, q, nll, evidence = linear(3000)

    def bound(count: int) -> float:
        z = drawn(q, torch.zeros(()), samples=3000).z
        groups = [
            Draws(q, z[i : i + count], nll[i : i + count], 1000, 1.0, 1.0, torch.Generator())
            for i in range(0, 3000, count)
        ]
        return sum(float(vae.negative_iwae_bound(one, OPTIONS)) for one in groups) / len(groups)

    one, ten, all_of_them = bound(1), bound(10), bound(3000)
    elbo = float(vae.negative_elbo(drawn(q, nll.mean(0, keepdim=True)), OPTIONS))
    assert one == pytest.approx(elbo, abs=0.03), "one sample: the ELBO, with the KL term sampled too"
    assert one > ten + 0.02 > all_of_them
    assert all_of_them == pytest.approx(-evidence, abs=0.01)


def test_beta_and_warm_up_weigh_the_kl_term() -> None:
    nll, q = normal(1, 4).abs(), posterior(4, 3)
    kl = q.kl().sum(1).mean()
    beta = AutoencoderTraining(beta=4)
    assert torch.allclose(vae.negative_elbo(drawn(q, nll, weight=0.0), beta), nll.mean())
    assert torch.allclose(vae.negative_elbo(drawn(q, nll, weight=0.5), beta), nll.mean() + 0.5 * kl)
    assert torch.allclose(vae.negative_beta_elbo(drawn(q, nll, weight=0.5), beta), nll.mean() + 2.0 * kl)
    assert torch.allclose(vae.reconstruction(drawn(q, nll), beta), nll.mean())


@pytest.mark.parametrize(("progress", "target"), [(0.0, 0.0), (0.2, 5.0), (0.4, 10.0), (1.0, 10.0)])
def test_the_kl_term_is_pulled_to_a_capacity_that_grows(progress: float, target: float) -> None:
    q, options = posterior(4, 3), AutoencoderTraining(capacity=10, capacity_weight=7, capacity_ramp=0.4)
    draws = drawn(q, progress=progress)
    expected = draws.nll.mean() + 7 * (q.kl().sum(1).mean() - target).abs()
    assert torch.allclose(vae.negative_capacity_elbo(draws, options), expected)


def test_free_bits_cost_a_constant_and_have_no_gradient() -> None:
    q = Posterior(torch.tensor([[0.1, 2.0], [-0.1, -2.0]]).requires_grad_(), torch.zeros(2, 2))
    draws = drawn(q)
    loss = vae.negative_free_bits_elbo(draws, AutoencoderTraining(free_bits=0.5))
    assert torch.allclose(loss, draws.nll.mean() + 0.5 + 2.0), "KL 0.005 counts as 0.5, KL 2 as it is"
    (gradient,) = torch.autograd.grad(loss, q.mean)
    assert torch.equal(gradient[:, 0], torch.zeros(2))
    assert (gradient[:, 1].abs() > 0.1).all()


# Total correlation -----------------------------------------------------------------------------------------


def test_the_aggregate_posterior_is_exact_where_the_batch_is_the_data_set() -> None:
    q, z = posterior(6, 3), normal(6, 3, seed=2)
    joint, product = vae.aggregate_log_density(q, z, 6)
    mixture = distributions.MixtureSameFamily(
        distributions.Categorical(torch.ones(6)),
        distributions.Independent(distributions.Normal(q.mean, (0.5 * q.logvar).exp()), 1),
    )
    marginals = distributions.MixtureSameFamily(
        distributions.Categorical(torch.ones(3, 6)), distributions.Normal(q.mean.T, (0.5 * q.logvar.T).exp())
    )
    assert torch.allclose(joint, mixture.log_prob(z), atol=1e-5)
    assert torch.allclose(product, marginals.log_prob(z).sum(1), atol=1e-5)


def test_the_aggregate_posterior_is_estimated_without_bias() -> None:
    q, z = posterior(5, 2), normal(5, 2, seed=2)
    exact = vae.aggregate_log_density(q, z, 5)[0][0].exp()
    estimates: list[Tensor] = []
    for others in itertools.combinations(range(1, 5), 2):  # all batches of three that hold the first image
        chosen = [0, *others]
        part = Posterior(q.mean[chosen], q.logvar[chosen])
        estimates.append(vae.aggregate_log_density(part, z[chosen], 5)[0][0].exp())
    assert torch.allclose(torch.stack(estimates).mean(), exact, atol=1e-6)
    assert torch.stack(estimates).std() > 0.001


def test_btc_is_the_elbo_at_beta_one_and_weighs_the_total_correlation() -> None:
    q = posterior(6, 3)
    draws = drawn(q)
    loss = [float(vae.negative_tc_elbo(draws, AutoencoderTraining(beta=b))) for b in (1, 2, 4)]
    sampled = (q.log_prob(draws.z[0]) - log_normal(draws.z[0])).sum(1)
    assert loss[0] == pytest.approx(float((draws.nll[0] + sampled).mean()), abs=1e-5)
    joint, product = vae.aggregate_log_density(q, draws.z[0], 1000)
    correlation = float((joint - product).mean())
    assert loss[1] - loss[0] == pytest.approx(correlation, abs=1e-5)
    assert loss[2] - loss[1] == pytest.approx(2 * correlation, abs=1e-5)


def test_independent_dimensions_have_no_total_correlation_and_equal_ones_much() -> None:
    z = normal(400, 1)
    narrow = torch.full((400, 2), math.log(0.01))
    same = Posterior(z.expand(400, 2), narrow)
    apart = Posterior(torch.cat([z, normal(400, 1, seed=8)], 1), narrow)
    found = [vae.aggregate_log_density(q, drawn(q).z[0], 400) for q in (same, apart)]
    correlations = [float((joint - product).mean()) for joint, product in found]
    assert correlations[0] > 1.0 > 0.5 > correlations[1]


# MMD -------------------------------------------------------------------------------------------------------


def test_mmd_is_about_zero_for_one_distribution_and_grows_with_the_distance_of_two() -> None:
    x, y = normal(300, 4), normal(300, 4, seed=1)
    distances = [float(vae.mmd(x, y + shift)) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert abs(distances[0]) < 0.02
    assert 0.05 < distances[1] < distances[2] < distances[3]
    estimates = [float(vae.mmd(normal(4, 3, seed=2 * s), normal(4, 3, seed=2 * s + 1))) for s in range(500)]
    assert abs(sum(estimates) / 500) < 0.03, "no bias, however few"
    assert min(estimates) < 0


def test_wae_pulls_the_codes_together_to_the_prior() -> None:
    mean = (0.3 * normal(64, 2)).requires_grad_()
    q = Posterior(mean, torch.full((64, 2), -20.0))
    (gradient,) = torch.autograd.grad(vae.wae_mmd(drawn(q), OPTIONS), mean)
    assert float((gradient * mean.detach()).sum()) < 0, "codes that lie too close are spread"


# Tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VAE_OBJECTIVES)
def test_every_objective_trains_encoder_and_decoder(name: str) -> None:
    mean, logvar, nll = normal(8, 3).requires_grad_(), (normal(8, 3) - 1).requires_grad_(), normal(4, 8)
    objective = VAE_OBJECTIVES[name]
    nll = nll[: 4 if objective.several else 1].requires_grad_()
    draws = drawn(Posterior(mean, logvar), nll, samples=len(nll), progress=0.5)
    loss = objective.loss(draws, OPTIONS)
    assert loss.shape == ()
    gradients = torch.autograd.grad(loss, [mean, logvar, nll])
    for gradient in gradients:
        assert torch.isfinite(gradient).all()
        assert float(gradient.abs().sum()) > 0
    assert float(gradients[2].sum()) == pytest.approx(1.0), "a nat of reconstruction counts as one"
    assert objective.loss.__doc__


@pytest.mark.parametrize(
    ("option", "objective"),
    [
        ("beta", "beta"),
        ("capacity", "capacity"),
        ("free_bits", "free-bits"),
        ("importance_samples", "iwae"),
        ("mmd_weight", "wae-mmd"),
    ],
)
def test_an_option_alone_means_its_objective(option: str, objective: str) -> None:
    assert AutoencoderTraining.model_validate({option: 3}).objective == objective
    assert AutoencoderTraining.model_validate({option: 3, "objective": "elbo"}).objective == "elbo"
    assert VAE_OBJECTIVES[objective]
    assert AutoencoderTraining().objective == "elbo"


def test_the_kl_term_fades_in() -> None:
    config = AutoencoderTraining(warmup=0.2)
    assert [config.kl_share(progress) for progress in (0.0, 0.05, 0.2, 1.0)] == [0.0, 0.25, 1.0, 1.0]
    assert AutoencoderTraining(warmup=0.0).kl_share(0.0) == 1.0
