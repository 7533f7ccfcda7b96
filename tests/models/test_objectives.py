"""Objectives against closed forms: likelihoods, adversarial losses, penalties, augmentation."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, distributions
from torch.nn import functional as F

from models import choices
from models.errors import UserError
from models.objectives import adversarial, augmentation, likelihoods, penalties


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Likelihoods -----------------------------------------------------------------------------------------------


def test_bernoulli_is_the_negative_log_likelihood_of_pixels_in_0_1() -> None:
    logits, x = normal(4, 1, 3, 3), normal(4, 1, 3, 3, seed=1).sign()
    expected = -distributions.Bernoulli(logits=logits).log_prob((x + 1) / 2).flatten(1).sum(1)
    assert torch.allclose(likelihoods.bernoulli(logits, x, torch.zeros(())), expected)


def test_gaussian_is_the_negative_log_density() -> None:
    output, x, log_sigma = normal(4, 3, 5, 5), normal(4, 3, 5, 5, seed=1), torch.tensor(-0.7)
    expected = -distributions.Normal(output, log_sigma.exp()).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(likelihoods.gaussian(output, x, log_sigma), expected, rtol=1e-5)


def test_the_optimal_variance_is_that_which_minimises_the_gaussian() -> None:
    output, x = normal(4, 3, 5, 5), normal(4, 3, 5, 5, seed=1)
    best = likelihoods.gaussian_optimal(output, x, torch.zeros(())).mean()
    log_sigma = 0.5 * (output - x).square().mean().log()
    assert torch.allclose(best, likelihoods.gaussian(output, x, log_sigma).mean())
    for change in (-0.05, 0.05):
        assert best < likelihoods.gaussian(output, x, log_sigma + change).mean()


def test_the_optimal_variance_is_finite_for_a_perfect_output() -> None:
    x = normal(2, 1, 4, 4)
    assert torch.isfinite(likelihoods.gaussian_optimal(x, x, torch.zeros(()))).all()


@pytest.mark.parametrize("name", choices.LIKELIHOODS)
def test_likelihoods_have_a_gradient_and_their_mean_is_an_image(name: str) -> None:
    output = normal(2, 1, 4, 4).requires_grad_()
    choices.LIKELIHOODS[name](output, normal(2, 1, 4, 4, seed=1).sign(), torch.zeros(())).sum().backward()
    assert output.grad is not None
    assert torch.isfinite(output.grad).all()
    assert float(output.grad.norm()) > 0
    mean = likelihoods.decoder_mean(name, 5 * output.detach())
    assert float(mean.min()) >= -1
    assert float(mean.max()) <= 1


def test_the_mean_of_a_bernoulli_is_its_probability() -> None:
    logits = torch.tensor([-50.0, 0.0, math.log(3), 50.0])
    expected = torch.tensor([-1.0, 0.0, 0.5, 1.0])
    assert torch.allclose(likelihoods.decoder_mean("bernoulli", logits), expected, atol=1e-6)


# Adversarial losses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", choices.ADVERSARIAL_LOSSES)
def test_losses_at_indistinguishable_logits_are_those_of_guessing(name: str) -> None:
    discriminator, generator = choices.ADVERSARIAL_LOSSES[name]
    guess = {"nonsaturating": 2 * math.log(2), "relativistic": math.log(2)}
    zeros = torch.zeros(3)
    assert float(discriminator(zeros, zeros)) == pytest.approx(guess[name])
    assert float(generator(zeros, zeros)) == pytest.approx(math.log(2))


def test_losses_at_known_logits() -> None:
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 0.5])
    real_part = -(torch.sigmoid(real).log() + (1 - torch.sigmoid(fake)).log()).mean()
    assert torch.allclose(adversarial.nonsaturating_discriminator(real, fake), real_part)
    assert torch.allclose(adversarial.nonsaturating_generator(real, fake), -torch.sigmoid(fake).log().mean())
    paired = -torch.sigmoid(real - fake).log().mean()
    assert torch.allclose(adversarial.relativistic_discriminator(real, fake), paired)
    swapped = adversarial.relativistic_discriminator(fake, real)
    assert torch.allclose(adversarial.relativistic_generator(real, fake), swapped)


@pytest.mark.parametrize("name", choices.ADVERSARIAL_LOSSES)
def test_discriminator_and_generator_pull_fake_logits_apart(name: str) -> None:
    for loss, sign in zip(choices.ADVERSARIAL_LOSSES[name], (1, -1), strict=True):
        real, fake = normal(6), normal(6, seed=1).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(real, fake), fake)
        assert (sign * gradient > 0).all()


def test_only_differences_matter_to_the_relativistic_loss() -> None:
    real, fake = normal(6), normal(6, seed=1)
    loss = adversarial.relativistic_discriminator
    assert torch.allclose(loss(real, fake), loss(real + 3, fake + 3), atol=1e-6)


# Gradient penalties ----------------------------------------------------------------------------------------


def test_the_penalty_of_a_linear_critic_is_half_its_squared_weight() -> None:
    weight, x = normal(3, 4, 4), normal(5, 3, 4, 4, seed=1).requires_grad_()
    penalty = penalties.gradient_penalty((x * weight).flatten(1).sum(1), x)
    assert torch.allclose(penalty, (0.5 * weight.square().sum()).expand(5), rtol=1e-5)


def test_the_penalty_of_a_quadratic_critic_is_differentiable() -> None:
    # D(x) = a |x|^2 / 2: the gradient is a x, the penalty a^2 |x|^2 / 2, and its derivative for a is a |x|^2.
    a, x = torch.tensor(0.7, requires_grad=True), normal(5, 1, 4, 4).requires_grad_()
    squared = x.detach().square().flatten(1).sum(1)
    penalty = penalties.gradient_penalty(a * x.square().flatten(1).sum(1) / 2, x)
    assert torch.allclose(penalty, 0.5 * 0.7**2 * squared, rtol=1e-5)
    (slope,) = torch.autograd.grad(penalty.sum(), a)
    assert torch.allclose(slope, 0.7 * squared.sum(), rtol=1e-5)


def test_penalties_name_what_they_penalise() -> None:
    assert {name: choices.PENALTIES[name] for name in choices.PENALTIES} == {
        "none": (False, False),
        "r1": (True, False),
        "r2": (False, True),
        "r1r2": (True, True),
    }


# Augmentation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", choices.AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_augmentations_keep_the_shape_pass_gradients_and_follow_the_seed(name: str, channels: int) -> None:
    augment = choices.AUGMENTATIONS[name]
    x = normal(6, channels, 16, 16).requires_grad_()
    one, same, other = (augment(x, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert one.shape == x.shape
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    (gradient,) = torch.autograd.grad(one.sum(), x)
    assert torch.isfinite(gradient).all()
    assert float(gradient.abs().sum()) > 0


def test_translation_moves_images_and_fills_with_zeros() -> None:
    x = normal(64, 2, 16, 16)
    moved = augmentation.translation(x, torch.Generator().manual_seed(0))
    padded = F.pad(x, (2, 2, 2, 2))
    seen: set[tuple[int, int]] = set()
    for image, frame in zip(moved, padded, strict=True):
        places = [
            (i, j) for i in range(5) for j in range(5) if torch.equal(image, frame[:, i : i + 16, j : j + 16])
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert {i for i, _ in seen} == {j for _, j in seen} == set(range(5))


def test_translation_of_small_images_is_none() -> None:
    x = normal(3, 1, 4, 4)  # an eighth of four pixels is less than one
    assert torch.equal(augmentation.translation(x, torch.Generator().manual_seed(0)), x)


def test_cutout_blanks_a_square_of_half_the_size() -> None:
    x = torch.ones(200, 1, 16, 16)
    blank = (augmentation.cutout(x, torch.Generator().manual_seed(0)) == 0)[:, 0]
    heights, widths = blank.any(2).sum(1), blank.any(1).sum(1)
    assert torch.equal(blank.sum((1, 2)), heights * widths)
    assert int(heights.max()) == int(widths.max()) == 8
    assert int(heights.min()) >= 4
    often = blank.float().mean(0)
    assert torch.allclose(often.mean(), often.flip(0, 1).mean())


def test_color_leaves_grey_images_grey() -> None:
    grey = normal(5, 1, 8, 8).expand(5, 3, 8, 8)
    changed = augmentation.color(grey, torch.Generator().manual_seed(0))
    assert torch.allclose(changed, changed.mean(1, keepdim=True).expand_as(changed), atol=1e-6)
    assert not torch.allclose(changed, grey, atol=0.05)


# Tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("look_up", "message"),
    [
        (
            lambda: choices.LIKELIHOODS["gausian"],
            "There is no likelihood 'gausian'. Did you mean 'gaussian'",
        ),
        (lambda: choices.VAE_OBJECTIVES["elb"], "Did you mean 'elbo'"),
        (lambda: choices.ADVERSARIAL_LOSSES["relativstic"], "Did you mean 'relativistic'"),
        (lambda: choices.PENALTIES["r3"], "gradient penalty 'r3'"),
        (lambda: choices.AUGMENTATIONS["colour"], "Did you mean 'color'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(look_up: Callable[[], object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        look_up()
