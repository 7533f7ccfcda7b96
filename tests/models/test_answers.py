"""Encode and invert: what a page gets of a person's image."""

import numpy as np
import pytest
import torch

from models import catalog, checkpoints, images
from models.core import Encodes, LatentModel, to_pixels, to_unit
from models.errors import UserError
from models.render import RenderResult, render, stream
from models.requests import Decode, Directions, Encode, Grid, Interpolate, Invert, Point, RenderRequest

pytestmark = pytest.mark.usefixtures("zoo", "cache")


def own(model: str, seed: int = 3, label: int | None = None) -> tuple[str, str, np.ndarray]:
    """Return a model's digest, a reference to a picture that it made, and the picture."""
    digest = catalog.find(model).digest
    shown = render(RenderRequest(model=digest, op=Decode(points=(Point(seed=seed, label=label),))))
    return digest, images.keep(shown.images[0]), shown.images[0]


def psnr_of(result: RenderResult) -> float:
    """The formula, from the shown pixels: 10 log10(255^2 / MSE)."""
    a, b = (result.images[i].astype(float) for i in (0, 1))
    return float(10 * np.log10(255**2 / np.square(a - b).mean()))


@pytest.mark.parametrize("model", ["tiny-vae", "tiny-vae-2d", "tiny-cvae"])
def test_encoding_gives_the_posterior_mean_and_what_it_decodes_to(model: str) -> None:
    digest, reference, pixels = own(model)
    result = render(RenderRequest(model=digest, op=Encode(image=reference)))
    network = checkpoints.load(catalog.find(model))
    assert isinstance(network, Encodes) and isinstance(network, LatentModel)
    x = to_unit(torch.tensor(pixels)).permute(2, 0, 1)[None]
    label = torch.tensor(result.values["label"]).long() if network.classes else None
    with torch.no_grad():
        q = network.encode(x, label)
        y = network.decode(q.mean, label)
    assert np.allclose(result.latents, q.mean.numpy(), atol=1e-5)
    assert np.allclose(result.values["logvar"], q.logvar.numpy(), atol=1e-5)
    assert np.array_equal(result.images[0], pixels)
    assert np.abs(result.images[1].astype(int) - to_pixels(y)[0].permute(1, 2, 0).numpy()).max() <= 1
    assert float(result.values["psnr_db"][0]) == pytest.approx(psnr_of(result), abs=1)  # of rounded pixels
    gain = float(result.values["gain"][0])
    assert 1 <= gain <= 8
    difference = np.abs(result.images[0].astype(float) - result.images[1]) * gain
    assert np.abs(difference - result.images[2]).max() <= gain + 1
    assert result.images[2].max() == 255 or gain == 8


def test_the_label_of_a_conditional_model_is_the_best_one_unless_it_is_given() -> None:
    digest, reference, _ = own("tiny-cvae", label=4)
    ratios = [
        float(render(RenderRequest(model=digest, op=Encode(image=reference, label=i))).values["psnr_db"][0])
        for i in range(10)
    ]
    best = render(RenderRequest(model=digest, op=Encode(image=reference)))
    assert int(best.values["label"][0]) == int(np.argmax(ratios))
    assert float(best.values["psnr_db"][0]) == pytest.approx(max(ratios), abs=1e-3)
    with pytest.raises(UserError) as caught:
        render(RenderRequest(model=digest, op=Encode(image=reference, label=10)))
    assert caught.value.code == "bad-label"


def test_encoding_needs_an_encoder() -> None:
    digest, reference, _ = own("tiny-gan")
    with pytest.raises(UserError) as caught:
        render(RenderRequest(model=digest, op=Encode(image=reference)))
    assert caught.value.code == "cannot-encode"


@pytest.mark.parametrize("kind", [Encode, Invert])
def test_an_upload_that_is_gone_is_asked_for_again(kind: type[Encode] | type[Invert]) -> None:
    op = kind(image=f"blob:{'0' * 64}")
    with pytest.raises(UserError) as caught:
        render(RenderRequest(model=catalog.find("tiny-vae").digest, op=op))
    assert caught.value.code == "no-upload"
    assert caught.value.remedy == "Upload it again."


@pytest.mark.parametrize("reference", ["", "blob:", "blob:xyz", "0" * 64, f"blob:{'0' * 63}"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Encode(image=reference)


@pytest.mark.parametrize("model", ["tiny-gan", "tiny-vae", "tiny-cgan"])
def test_inverting_a_model_s_own_picture_finds_it_again(model: str) -> None:
    digest, reference, pixels = own(model, label=2 if model == "tiny-cgan" else None)
    op = Invert(image=reference, steps=120, restarts=4)
    parts = [part for part in stream(RenderRequest(model=digest, op=op)) if len(part.images)]
    assert len(parts) == 16
    assert [round(120 * part.done) for part in parts] == list(range(0, 121, 8))
    ratios = [float(part.values["psnr_db"][0]) for part in parts]
    assert ratios == sorted(ratios)
    last = parts[-1]
    assert ratios[-1] >= 25
    assert ratios[-1] == pytest.approx(psnr_of(last), rel=0.05)  # of rounded pixels
    assert np.allclose(last.values["trace"][:, 1], ratios)
    assert last.values["trace"][:, 0].tolist() == list(range(0, 121, 8))
    assert np.array_equal(last.images[0], pixels)
    assert int(last.values["evaluations"][0]) > 120
    # The latent is one that a point can have, and decodes to the picture that was shown.
    label = int(last.values["label"][0]) if "label" in last.values else None
    point = Point(latent=tuple(last.latents[0].tolist()), label=label)
    again = render(RenderRequest(model=digest, op=Decode(points=(point,))))
    assert np.abs(again.images[0].astype(int) - last.images[1]).max() <= 1
    assert render(RenderRequest(model=digest, op=op)).latents.tolist() == last.latents.tolist()


def test_an_inversion_that_is_cancelled_leaves_its_best_so_far() -> None:
    digest, reference, _ = own("tiny-vae")
    request = RenderRequest(model=digest, op=Invert(image=reference, steps=400))
    (only,) = stream(request, lambda: True)
    assert only.done == 0
    assert only.latents.shape == (1, 6)


@pytest.mark.parametrize("restarts", [1, 3, 16])
def test_every_class_is_tried(restarts: int) -> None:
    digest, reference, _ = own("tiny-cgan", label=7)
    result = render(RenderRequest(model=digest, op=Invert(image=reference, steps=60, restarts=restarts)))
    assert 0 <= int(result.values["label"][0]) < 10
    chosen = render(RenderRequest(model=digest, op=Invert(image=reference, steps=2, restarts=2, label=7)))
    assert chosen.values["label"].tolist() == [7]


def grid(**fields: object) -> tuple[RenderResult, Grid]:
    op = Grid.model_validate(fields)
    return render(RenderRequest(model=catalog.find("tiny-vae-2d").digest, op=op)), op


@pytest.mark.parametrize("steps", [2, 5, 8])
@pytest.mark.parametrize("span", [1.645, 3.0, 9.5])
def test_quantile_spacing_is_that_of_the_normal_distribution(steps: int, span: float) -> None:
    from scipy.stats import norm

    result, _ = grid(steps=steps, span=span, spacing="quantile")
    shares = np.linspace(norm.cdf(-span), norm.sf(-span), steps)[: steps // 2]
    half = norm.ppf(shares)
    expected = [*half, *([0.0] if steps % 2 else []), *-half[::-1]]
    assert result.values["across"] == pytest.approx(expected, abs=1e-5)
    assert result.values["across"][-1] == pytest.approx(span, abs=1e-5)
    assert result.values["up"].tolist() == result.values["across"][::-1].tolist()


def test_a_grid_lists_its_rows_from_the_top() -> None:
    result, _ = grid(steps=3, span=2.0, point={"seed": 5})
    model = catalog.find("tiny-vae-2d").digest
    vectors = render(RenderRequest(model=model, op=Directions(axes="raw"))).values["vectors"]
    coordinates = result.latents @ vectors.T
    assert np.allclose(coordinates[:, 0].reshape(3, 3), [[-2, 0, 2]] * 3, atol=1e-5)
    assert np.allclose(coordinates[:, 1].reshape(3, 3), np.transpose([[2, 0, -2]] * 3), atol=1e-5)
    assert result.images.shape == (9, 16, 16, 1)


def test_a_grid_through_a_point_keeps_its_other_coordinates() -> None:
    op = Grid(point=Point(seed=4, axes="sefa", edits=((3, 1.5),)), directions=(2, 0), steps=4)
    digest = catalog.find("tiny-vae").digest
    result = render(RenderRequest(model=digest, op=op))
    shown = render(RenderRequest(model=digest, op=Decode(points=(op.point,))))
    vectors = render(RenderRequest(model=digest, op=Directions(axes="sefa"))).values["vectors"]
    coordinates, before = result.latents @ vectors.T, shown.latents @ vectors.T
    for other in (1, 3, 4, 5):
        assert np.allclose(coordinates[:, other], before[0, other], atol=1e-4)
    assert np.allclose(coordinates[:4, 2], [-3, -1, 1, 3], atol=1e-4)


@pytest.mark.parametrize(("directions", "error"), [((1, 1), ValueError), ((0, 7), UserError)])
def test_a_grid_needs_two_directions_that_there_are(
    directions: tuple[int, int], error: type[Exception]
) -> None:
    with pytest.raises(error):
        grid(directions=directions)


@pytest.mark.parametrize("method", ["slerp", "lerp"])
def test_an_interpolation_measures_its_steps(method: str) -> None:
    digest = catalog.find("tiny-gan").digest
    op = Interpolate(points=(Point(seed=1), Point(seed=2)), frames=300, method=method)
    parts = list(stream(RenderRequest(model=digest, op=op)))
    assert [len(part.values["step"]) for part in parts] == [255, 299]
    shown = parts[-1].images.astype(float) / 255
    expected = np.sqrt(np.square(shown[1:] - shown[:-1]).mean((1, 2, 3)))
    assert np.allclose(parts[-1].values["step"], expected, atol=1e-6)
    still = Interpolate(points=(Point(seed=1), Point(seed=1)), frames=3, method=method)
    assert render(RenderRequest(model=digest, op=still)).values["step"].tolist() == [0, 0]
