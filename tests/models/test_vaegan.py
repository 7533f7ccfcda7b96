"""The VAE-GAN: who is moved by which loss, and that all of it learns."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.config import VaeGanConfig, VaeGanTraining
from models.datasets import ImageData, load
from models.objectives.likelihoods import gaussian_optimal
from models.training.recipe import Batch, HeldOut
from models.vaegan import VaeGan, VaeGanRecipe

SCALARS = {
    "discriminator_loss",
    "margin",
    "penalty",
    "generator_loss",
    "feature_reconstruction_nats",
    "kl_nats",
}


def recipe(packing: int = 1, **options: Any) -> VaeGanRecipe:
    fields = {"size": 16, "channels": 1, "width": 4, "detail": 4, "latent_dim": 4, "packing": packing}
    training = VaeGanTraining.model_validate({"batch_size": 16, "warmup": 0.0, **options})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VaeGanRecipe(VaeGanConfig.model_validate(fields), training, torch.device("cpu"))


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return load("digits", "train")


def batch(data: ImageData, index: int, count: int = 16) -> Batch:
    return Batch(data.floats(slice(index * count, (index + 1) * count)), None, None, len(data))


def weights(of: VaeGanRecipe) -> dict[str, Tensor]:
    return {name: torch.cat([p.flatten() for p in m.parameters()]) for name, m in of.model.parts().items()}


def moved(of: VaeGanRecipe, data: ImageData, step: int = 0) -> set[str]:
    before = {name: value.clone() for name, value in weights(of).items()}
    of.step(batch(data, step), 0.1, step, torch.Generator().manual_seed(step))
    return {name for name, value in weights(of).items() if not torch.equal(value, before[name])}


def test_each_network_follows_its_own_loss(digits: ImageData) -> None:
    assert moved(recipe(), digits) == {"decoder", "encoder", "discriminator"}
    assert moved(recipe(head_start=1), digits) == {"discriminator"}
    assert moved(recipe(critic_steps=2), digits) == {"discriminator"}
    assert moved(recipe(critic_steps=2), digits, step=1) == {"decoder", "encoder", "discriminator"}


def test_the_encoder_does_not_care_whether_the_discriminator_is_deceived(digits: ImageData) -> None:
    # With the same random numbers, the weight of likeness moves the decoder elsewhere, the encoder not.
    one, other = recipe(feature_weight=1.0), recipe(feature_weight=50.0)
    for of in (one, other):
        of.step(batch(digits, 0), 0.1, 0, torch.Generator().manual_seed(0))
    assert torch.equal(weights(one)["encoder"], weights(other)["encoder"])
    assert not torch.equal(weights(one)["decoder"], weights(other)["decoder"])


def test_likeness_is_measured_in_the_features_of_the_discriminator(digits: ImageData) -> None:
    of = recipe()
    real = batch(digits, 0).x
    worse = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    _, count = of.feature_nll(real, real)
    assert count == of.discriminator.features.out_features
    assert of.feature_nll(worse, real)[0] > of.feature_nll(0.9 * real, real)[0]
    of.autocast = lambda: torch.autocast("cpu", enabled=False)  # pyright: ignore
    features = [of.discriminator.features(x) for x in (worse, real)]
    expected = gaussian_optimal(features[0], features[1], torch.zeros(())).mean()
    torch.testing.assert_close(of.feature_nll(worse, real)[0], expected)


@pytest.mark.parametrize("packing", [1, 2])
def test_fakes_are_half_reconstructions_and_half_samples(packing: int, digits: ImageData) -> None:
    of = recipe(packing)
    x = batch(digits, 0).x
    posterior, rebuilt, fake = of.decode(x, torch.Generator().manual_seed(0))
    assert rebuilt.shape == fake.shape == x.shape and posterior.mean.shape == (16, 4)
    assert torch.equal(fake[:8], rebuilt[:8])
    assert all(not torch.equal(a, b) for a, b in zip(fake[8:], rebuilt[8:], strict=True))
    found = of.step(batch(digits, 0), 0.1, 0, torch.Generator().manual_seed(0))
    assert set(found) == SCALARS


def test_it_learns_to_reconstruct_and_exports_all_of_it(digits: ImageData) -> None:
    of = recipe(learning_rate=2e-3, ema_images=100)
    held = HeldOut(digits, 1, len(digits), 64)
    before = of.validate(held)
    for index in range(60):
        of.step(batch(digits, index), index / 60, index, torch.Generator().manual_seed(index))
    after = of.validate(held)
    assert after["psnr_db"] > before["psnr_db"] + 0.25
    assert {"kl_nats", "active_units", "sharpness_ratio"} <= set(after)
    model = of.export(digits)
    assert isinstance(model, VaeGan) and not model.fitted
    x = digits.floats(slice(0, 3))
    torch.testing.assert_close(model.score(x), of.model.score(x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.encode(x).mean, of.average.encode(x).mean, atol=1e-4, rtol=1e-4)
    assert float(model.log_sigma) < 0, "the deviation of pixels is fitted"
