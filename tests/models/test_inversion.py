"""Inversion: a model's own pictures are found again, within the range of latents, and losers are dropped."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models import inversion
from models.core import LatentModel, to_pixels, to_unit
from models.inversion import REACH, Guess, fit_guess, guess_for, invert, starts, survivors
from models.latent import prior
from models.metrics.reconstruction import psnr

Linear = Callable[..., LatentModel]


def finished(work: object) -> object:
    """Return what a generator returns."""
    try:
        while True:
            next(work)  # pyright: ignore[reportArgumentType, reportCallIssue]
    except StopIteration as stop:
        return stop.value


def test_the_guess_of_a_linear_model_is_its_inverse(linear: Linear) -> None:
    model = linear()
    guess = fit_guess(model)
    z = prior(range(50), 6)
    # Pictures are clipped at -1 and 1, which a linear map cannot undo: hence not exactly.
    assert float((guess(model.decode(z)) - z).square().mean()) < 0.05
    assert guess.weight.shape == (257, 6)
    torch.testing.assert_close(fit_guess(model).weight, guess.weight)


def test_large_images_are_averaged_before_the_regression() -> None:
    from models.config import GanConfig
    from models.gan import Gan

    config = GanConfig(size=64, channels=3, width=4, latent_dim=5, network="mlp")
    guess = fit_guess(Gan(config).eval().requires_grad_(False))
    assert guess.pool == 4
    assert guess.weight.shape == (1 + 3 * 16 * 16, 5)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_model_s_own_picture_is_found_again(linear: Linear, seed: int) -> None:
    model = linear()
    z = prior([seed], 6)
    x = to_unit(to_pixels(model.decode(z)))
    first = fit_guess(model)(x).expand(4, -1)
    *_, last = invert(model, x, starts(first, 0), steps=100)
    assert last.psnr >= 35
    assert float((last.z - z[0]).abs().max()) < 0.15
    assert last.done == 1
    assert last.psnr == pytest.approx(float(psnr(last.x[None], x)))
    torch.testing.assert_close(model.decode(last.z[None])[0], last.x)


def test_it_gets_there_from_the_prior_alone_and_never_gets_worse(linear: Linear) -> None:
    model = linear()
    x = model.decode(prior([9], 6))
    parts = list(invert(model, x, prior(range(8), 6), steps=120))
    ratios = [part.psnr for part in parts]
    assert ratios == sorted(ratios)
    assert ratios[-1] >= 25 > ratios[0]
    assert [part.done for part in parts] == pytest.approx([step / 120 for step in range(0, 121, 8)])


def test_latents_stay_within_reach(linear: Linear) -> None:
    model = linear(gain=0.2)  # pictures so faint that a bright one is out of reach
    x = torch.ones(1, 1, 16, 16)
    *_, last = invert(model, x, starts(torch.full((4, 6), 50.0), 0), steps=60)
    assert float(last.z.abs().max()) <= REACH


def test_the_right_class_survives(linear: Linear) -> None:
    model = linear(classes=5)
    x = model.decode(prior([1], 6), torch.tensor([3]))
    guess = fit_guess(model)
    labels = torch.arange(10) % 5
    *_, last = invert(model, x, starts(guess(x).expand(10, -1), 0, exact=5), labels, steps=150)
    assert last.label == 3
    assert last.psnr >= 25


@pytest.mark.parametrize("restarts", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("steps", [1, 2, 20, 150])
def test_starts_are_halved_down_to_one(restarts: int, steps: int) -> None:
    counts = [survivors(restarts, steps, step) for step in range(steps + 1)]
    assert counts[0] == restarts
    assert counts == sorted(counts, reverse=True)
    assert set(counts[(steps + 1) // 2 :]) == {1}


@pytest.mark.parametrize("restarts", [1, 8])
def test_evaluations_are_counted(linear: Linear, restarts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = linear(), []
    plain = model.decode
    monkeypatch.setattr(model, "decode", lambda z, labels=None: seen.append(len(z)) or plain(z, labels))
    *_, last = invert(model, torch.zeros(1, 1, 16, 16), prior(range(restarts), 6), steps=40)
    assert last.evaluations == sum(seen)


def test_the_scattered_starts_are_as_wide_as_the_prior() -> None:
    guess = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    z = starts(guess.expand(6, -1), 1)
    torch.testing.assert_close(z[0], guess[0].clamp(-REACH, REACH))
    torch.testing.assert_close(z.std(dim=1), torch.ones(6), atol=0.05, rtol=0)
    similarity = torch.nn.functional.cosine_similarity(z[1:], guess)
    torch.testing.assert_close(similarity, torch.full((5,), 0.84**0.5), atol=0.05, rtol=0)
    assert not torch.equal(z[1], z[2])


def test_it_works_for_callers_in_inference_mode(linear: Linear) -> None:
    model = linear()
    with torch.inference_mode():
        x = model.decode(prior([2], 6))
        *_, last = invert(model, x, prior(range(2), 6), steps=60)
    assert last.psnr > 25


def test_a_guess_is_fitted_once_and_read_from_disk_afterwards(
    linear: Linear, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, fits = linear(), []
    plain = fit_guess

    def counted(*arguments: object, **options: object) -> Guess:
        fits.append(1)
        return plain(*arguments, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(inversion, "fit_guess", counted)
    digest = "0" * 64
    guesses = []
    for _ in range(3):
        monkeypatch.setattr(inversion, "_guesses", inversion.Shared(4))  # as in a new process
        guesses += [finished(guess_for(model, digest)), finished(guess_for(model, digest))]
    assert len(fits) == 1
    assert all(torch.equal(g.weight, guesses[0].weight) for g in guesses)
    (path,) = cache.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    monkeypatch.setattr(inversion, "_guesses", inversion.Shared(4))
    finished(guess_for(model, digest))
    assert len(fits) == 2
