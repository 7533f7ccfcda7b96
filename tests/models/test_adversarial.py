"""Adversarial losses and penalties against closed forms; the discriminator's options."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import checkpoints, choices
from models.config import GanConfig, GanTraining
from models.errors import UserError
from models.gan import Gan, GanRecipe
from models.networks import Discriminator
from models.objectives import adversarial, penalties
from models.objectives.penalties import Judged
from models.training.optimizers import adam, sgd
from models.training.recipe import Batch

CPU = torch.device("cpu")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Losses ----------------------------------------------------------------------------------------------------

# (discriminator, generator) where both cannot tell anything
GUESSING = {
    "nonsaturating": (2 * math.log(2), math.log(2)),
    "minmax": (2 * math.log(2), -math.log(2)),
    "relativistic": (math.log(2), math.log(2)),
    "least-squares": (0.5, 0.5),
    "hinge": (2.0, 0.0),
    "wasserstein": (0.0, 0.0),
}


@pytest.mark.parametrize("name", choices.ADVERSARIAL_LOSSES)
def test_losses_at_indistinguishable_logits_are_those_of_guessing(name: str) -> None:
    zeros = torch.zeros(3)
    found = [float(loss(zeros, zeros)) for loss in choices.ADVERSARIAL_LOSSES[name][:2]]
    assert found == pytest.approx(GUESSING[name])


def test_losses_at_known_logits() -> None:
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([-1.5, 0.5])
    real_part = -(torch.sigmoid(real).log() + (1 - torch.sigmoid(fake)).log()).mean()
    assert torch.allclose(adversarial.nonsaturating_discriminator(real, fake), real_part)
    assert torch.allclose(adversarial.nonsaturating_generator(real, fake), -torch.sigmoid(fake).log().mean())
    saturating = (1 - torch.sigmoid(fake)).log().mean()
    assert torch.allclose(adversarial.minmax_generator(real, fake), saturating)
    paired = -torch.sigmoid(real - fake).log().mean()
    assert torch.allclose(adversarial.relativistic_discriminator(real, fake), paired)
    swapped = adversarial.relativistic_discriminator(fake, real)
    assert torch.allclose(adversarial.relativistic_generator(real, fake), swapped)
    assert float(adversarial.least_squares_discriminator(real, fake)) == pytest.approx((0.5 + 1.25) / 2)
    assert float(adversarial.least_squares_generator(real, fake)) == pytest.approx((6.25 + 0.25) / 4)
    assert float(adversarial.hinge_discriminator(real, fake)) == pytest.approx(0.75), "only 0.5 is punished"
    assert float(adversarial.wasserstein_critic(real, fake)) == pytest.approx(-0.5 - 1.5)
    assert float(adversarial.linear_generator(real, fake)) == pytest.approx(0.5)


@pytest.mark.parametrize("name", choices.ADVERSARIAL_LOSSES)
def test_discriminator_and_generator_pull_fake_logits_apart(name: str) -> None:
    for loss, sign in zip(choices.ADVERSARIAL_LOSSES[name][:2], (1, -1), strict=True):
        real, fake = 0.5 + 0.4 * normal(6).tanh(), (0.5 + 0.4 * normal(6, seed=1).tanh()).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(real, fake), fake)
        assert (sign * gradient > 0).all()


@pytest.mark.parametrize(
    ("loss", "vanishes"),
    [(adversarial.minmax_generator, True), (adversarial.nonsaturating_generator, False)],
)
def test_only_minmax_saturates(loss: Callable[[Tensor, Tensor], Tensor], vanishes: bool) -> None:
    fake = torch.full((4,), -12.0).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(fake.detach(), fake), fake)
    assert bool(gradient.abs().sum() < 1e-4) == vanishes


def test_only_differences_matter_to_the_relativistic_loss() -> None:
    real, fake = normal(6), normal(6, seed=1)
    loss = adversarial.relativistic_discriminator
    assert torch.allclose(loss(real, fake), loss(real + 3, fake + 3), atol=1e-6)


# Gradient penalties ----------------------------------------------------------------------------------------


def judged(critic: Callable[[Tensor], Tensor], count: int = 5) -> Judged:
    real, fake = normal(count, 1, 4, 4).requires_grad_(), normal(count, 1, 4, 4, seed=1).requires_grad_()
    return Judged(real, fake, critic(real), critic(fake), critic, torch.Generator().manual_seed(2))


def squares(x: Tensor) -> Tensor:
    return x.detach().square().flatten(1).sum(1)


def test_the_gradient_norm_of_a_linear_critic_is_that_of_its_weight() -> None:
    weight, x = normal(3, 4, 4), normal(5, 3, 4, 4, seed=1).requires_grad_()
    (norms,) = penalties.gradient_norms((x * weight).flatten(1).sum(1), x)
    assert torch.allclose(norms, weight.square().sum().expand(5), rtol=1e-5)


def test_zero_centred_penalties_are_half_the_squared_gradient_where_they_say() -> None:
    # D(x) = |x|^2 / 2: the gradient is x.
    found = judged(lambda x: x.square().flatten(1).sum(1) / 2)
    real, fake = (0.5 * squares(x).mean() for x in (found.real, found.fake))
    assert torch.allclose(penalties.r1(found), real)
    assert torch.allclose(penalties.r2(found), fake)
    assert torch.allclose(penalties.r1r2(found), real + fake)


def test_the_penalty_of_a_quadratic_critic_is_differentiable() -> None:
    # D(x) = a |x|^2 / 2: the penalty is a^2 |x|^2 / 2, and its derivative for a is a |x|^2.
    a = torch.tensor(0.7, requires_grad=True)
    found = judged(lambda x: a * x.square().flatten(1).sum(1) / 2)
    (slope,) = torch.autograd.grad(penalties.r1(found), a)
    assert torch.allclose(slope, 0.7 * squares(found.real).mean(), rtol=1e-5)


@pytest.mark.parametrize("norm", [0.0, 1.0, 3.0])
def test_the_interpolated_penalty_pulls_a_linear_critic_to_slope_one(norm: float) -> None:
    weight = torch.nn.functional.normalize(normal(16), dim=0) * norm
    found = penalties.interpolated(judged(lambda x: x.flatten(1) @ weight))
    assert float(found) == pytest.approx((norm - 1) ** 2, abs=1e-5)


def test_the_interpolated_penalty_takes_points_one_by_one() -> None:
    def critic(x: Tensor) -> Tensor:
        return 3 * x[:, 0]

    real, fake = normal(7, 2).requires_grad_(), normal(7, 2, seed=1).requires_grad_()
    found = penalties.Judged(real, fake, critic(real), critic(fake), critic, torch.Generator().manual_seed(2))
    assert float(penalties.interpolated(found)) == pytest.approx(4, abs=1e-4)


def test_the_interpolated_penalty_looks_between_real_and_fake() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x)
        return x.square().flatten(1).sum(1)

    found = judged(critic, 50)
    penalties.interpolated(found)
    between, real, fake = seen[-1].detach(), found.real.detach(), found.fake.detach()
    share = ((between - fake) / (real - fake)).flatten(1)
    assert (share.amax(1) - share.amin(1)).max() < 1e-2, "one share an image"
    assert share.min() > -1e-3 and share.max() < 1.001 and share.mean(1).std() > 0.2


def test_penalties_have_a_weight_that_suits_them() -> None:
    assert choices.PENALTIES["none"] is None
    assert {name for name, penalty in choices.PENALTIES.items() if penalty} == {"r1", "r2", "r1r2", "gp"}
    for name in ("r1", "r2", "r1r2"):
        penalty = choices.PENALTIES[name]
        assert penalty and penalty.gamma(3 * 64 * 64) == 12 * penalty.gamma(1024) == 12
    penalty = choices.PENALTIES["gp"]
    assert penalty and penalty.gamma(64) == penalty.gamma(4096) == 10


# The discriminator -----------------------------------------------------------------------------------------


def config(**options: Any) -> GanConfig:
    fields = {"family": "gan", "size": 16, "channels": 1, "width": 4, "detail": 4, "latent_dim": 4}
    return GanConfig.model_validate({**fields, **options})


def recipe(model: GanConfig | None = None, **options: Any) -> GanRecipe:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        training = GanTraining.model_validate({"batch_size": 8, "penalty_dense_steps": 0, **options})
        return GanRecipe(model or config(), training, CPU)


def step(of: GanRecipe, count: int = 1, images: int = 8) -> list[set[str]]:
    """Take some steps; returns the names of the scalars of each."""
    batch = Batch(normal(images, 1, 16, 16).tanh(), torch.arange(images) % 3, None, 100)
    return [set(of.step(batch, 0.1, i, torch.Generator().manual_seed(i))) for i in range(count)]


@pytest.mark.parametrize("classes", [0, 3])
def test_packed_images_are_judged_together(classes: int) -> None:
    family = "cgan" if classes else "gan"
    packed = Discriminator(config(packing=2, classes=classes, family=family))
    x = normal(6, 1, 16, 16)
    labels = torch.tensor([0, 1, 2, 0, 1, 1]) if classes else None
    logits = packed(x, labels)
    assert logits.shape == (3,)
    pairs = packed.pack(x)
    assert pairs.shape == (3, 2, 16, 16) and torch.equal(pairs[1, 1], x[3, 0])
    changed = torch.cat([x[:3], x[3:4] + 1, x[4:]])
    moved = (packed(changed, labels) - logits).abs() > 1e-6
    assert moved.tolist() == [False, True, False]


def test_a_packed_discriminator_scores_each_image_by_copies_of_it() -> None:
    model = Gan(config(packing=4))
    x = normal(3, 1, 16, 16)
    assert model.score(x).shape == (3,)
    one = model.discriminator(x[1:2].repeat(4, 1, 1, 1))[0]
    assert torch.allclose(model.score(x)[1], one, atol=1e-6)


def test_a_batch_that_is_no_whole_number_of_packs_loses_its_rest() -> None:
    of = recipe(config(packing=4))
    before = of.model.generator.first.weight.clone()
    assert step(of, images=7) == [{"discriminator_loss", "margin", "penalty", "generator_loss"}]
    assert not torch.equal(of.model.generator.first.weight, before)
    with pytest.raises(UserError, match="less than the 4 of one judgement"):
        recipe(config(packing=4), batch_size=3)


def test_spectral_norm_keeps_every_layer_from_amplifying() -> None:
    plain, normed = Discriminator(config()), Discriminator(config(spectral_norm=True))
    with torch.no_grad():
        for _ in range(20):  # each forward pass in training follows the singular vectors
            normed(normal(2, 1, 16, 16))
        normed.eval()
        layers = [m for m in normed.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        largest = [float(torch.linalg.matrix_norm(m.weight.flatten(1), 2)) for m in layers]
    assert largest == pytest.approx([1.0] * len(layers), abs=0.05)
    assert sum(p.numel() for p in normed.parameters()) == sum(p.numel() for p in plain.parameters())
    x = normal(2, 1, 16, 16)
    assert torch.equal(normed(x), normed(x)), "nothing moves in eval mode"


def test_a_model_with_spectral_norm_is_the_same_after_a_resume() -> None:
    one, two = (recipe(config(spectral_norm=True)) for _ in range(2))
    step(one, 3)
    two.load_state_dict({name: value.clone() for name, value in one.state_dict().items()})
    step(one, 2)
    step(two, 2)
    assert all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())
    exported = one.export(None)  # pyright: ignore[reportArgumentType]
    again = checkpoints.build(exported.config)
    again.load_state_dict(exported.state_dict())
    assert isinstance(again, Gan)
    x = normal(2, 1, 16, 16)
    torch.testing.assert_close(again.eval().score(x), exported.score(x))


# Steps -----------------------------------------------------------------------------------------------------


def test_the_critic_takes_several_steps_for_each_of_the_generator() -> None:
    of = recipe(critic_steps=3, loss="wasserstein", penalty="gp", penalty_interval=1)
    names = step(of, 6)
    assert ["generator_loss" in one for one in names] == [False, False, True, False, False, True]
    assert all("penalty" in one for one in names)


def test_penalties_are_lazy_and_weighted_accordingly() -> None:
    of = recipe(penalty_interval=4, penalty_dense_steps=2, gamma=2.0, final_gamma=0.5)
    weights = [of.penalty_weight(0.0, index) for index in range(9)]
    assert weights == [2, 2, 0, 0, 8, 0, 0, 0, 8]
    assert of.penalty_weight(1.0, 8) == pytest.approx(4.0)
    assert recipe(penalty="none").penalty_weight(0.0, 0) == 0


def test_the_two_networks_may_learn_at_different_rates() -> None:
    of = recipe(discriminator_rate=4.0)
    step(of)
    rates = {name: one.param_groups[0]["lr"] for name, one in of.optimizers.items()}
    assert rates["discriminator"] == pytest.approx(4 * rates["generator"])


def test_optimizers_follow_the_gradient_and_decay_weights() -> None:
    def moved(make: Callable[..., torch.optim.Optimizer], gradient: float, **options: float) -> float:
        weight = nn.Parameter(torch.tensor([2.0]))
        weight.grad = torch.tensor([gradient])
        make([weight], GanTraining.model_validate({"learning_rate": 0.1, **options})).step()
        return float(weight.detach())

    assert moved(sgd, 3.0) == pytest.approx(2 - 0.1 * 3)
    assert moved(adam, 3.0) == pytest.approx(2 - 0.1), "Adam's first step has the size of its rate"
    assert moved(sgd, 0.0, weight_decay=0.5) == pytest.approx(2 - 0.1 * 0.5 * 2)
    assert moved(adam, 3.0, weight_decay=0.5) == pytest.approx(2 - 0.1 * 0.5 * 2 - 0.1)
    assert set(choices.OPTIMIZERS) == {"adam", "sgd"}


def test_momentum_is_kept_in_the_state() -> None:
    one, two = (recipe(optimizer="sgd", beta1=0.9) for _ in range(2))
    step(one, 2)
    assert any("momentum_buffer" in name for name in one.state_dict())
    two.load_state_dict({name: value.clone() for name, value in one.state_dict().items()})
    step(one)
    step(two)
    assert all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())
