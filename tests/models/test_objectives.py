"""Objectives against closed forms: likelihoods, augmentation; and the tables."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, distributions
from torch.nn import functional as F

from models import choices
from models.errors import UserError
from models.objectives import augmentation, likelihoods


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
