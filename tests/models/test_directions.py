"""Directions: planted ones are found, rows are unit vectors, the most important comes first."""

import pytest
import torch
from torch import Tensor

from models.config import AutoencoderConfig, GanConfig, Head
from models.core import LatentModel
from models.directions import DIRECTIONS, Aggregates, Directions, Origin, pca, raw, sefa
from models.errors import UserError
from models.gan import Gan
from models.judge import Judge
from models.vae import Autoencoder

DIM = 6


def gan(*, classes: int = 0, network: str = "mlp") -> Gan:
    torch.manual_seed(0)
    family = "cgan" if classes else "gan"
    config = GanConfig.model_validate(
        {"family": family, "size": 16, "channels": 1, "width": 8, "latent_dim": DIM, "classes": classes}
        | {"network": network}
    )
    return Gan(config).eval().requires_grad_(False)


def vae(family: str = "vae") -> Autoencoder:
    torch.manual_seed(0)
    config = AutoencoderConfig.model_validate(
        {"family": family, "size": 16, "channels": 1, "width": 8, "latent_dim": DIM}
    )
    return Autoencoder(config).eval().requires_grad_(False)


def rotation(dim: int = DIM) -> Tensor:
    return torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(3))).Q


def amplify(model: Gan, direction: Tensor, factor: float) -> None:
    """Make the first layer amplify one unit direction."""
    weight = model.generator.first.weight
    weight += (factor - 1) * torch.outer(weight @ direction, direction)


def cosine(found: Directions, index: int, direction: Tensor) -> float:
    return abs(float(found.vectors[index] @ direction))


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("model", [gan(), gan(network="conv"), gan(classes=3), vae(), vae("ae")])
def test_every_finder_returns_unit_rows_in_descending_order(
    name: str, model: LatentModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def brightness(x: Tensor) -> dict[str, Tensor]:
        return {"upper": x[:, 0, :8].mean((1, 2)), "lower": x[:, 0, 8:].mean((1, 2))}

    # No classifier has more than one verdict on what untrained models make.
    heads = tuple(Head(name=half, low=-0.01, high=0.01) for half in ("upper", "lower"))
    judge = Judge("brightness", heads, lambda: brightness)
    monkeypatch.setattr("models.attributes.judge_of", lambda dataset, shape: judge)
    state = torch.get_rng_state()
    origin = Origin("digits")
    found = DIRECTIONS[name](model, seed=1, origin=origin)
    count, dim = found.vectors.shape
    assert dim == DIM
    assert 1 <= count <= (len(found.names) or DIM)
    assert torch.allclose(found.vectors.norm(dim=1), torch.ones(count), atol=1e-5)
    assert found.shares.shape == (count,)
    assert float(found.shares.min()) >= 0
    assert float(found.shares.sum()) <= 1 + 1e-5
    assert (found.shares[:-1] >= found.shares[1:] - 1e-6).all()
    largest = found.vectors.gather(1, found.vectors.abs().argmax(1, keepdim=True))
    assert found.names or (largest > 0).all()  # the sign of a named one is that of what it names
    assert found.title
    assert len(found.names) == len(found.attributes) == (0 if found.scores is None else count)
    again = DIRECTIONS[name](model, seed=1, origin=origin)
    assert torch.equal(found.vectors, again.vectors)
    assert torch.equal(found.shares, again.shares)
    assert torch.equal(state, torch.get_rng_state())


def test_sefa_finds_the_singular_vectors_of_the_first_layer() -> None:
    model, right = gan(), rotation()
    left = torch.linalg.qr(torch.randn(64, DIM, generator=torch.Generator().manual_seed(4))).Q
    gains = torch.tensor([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    model.generator.first.weight.copy_(left @ torch.diag(gains) @ right.T)
    found = sefa(model)
    assert torch.allclose((found.vectors @ right).abs(), torch.eye(DIM), atol=1e-4)
    assert torch.allclose(found.shares, gains.square() / gains.square().sum(), atol=1e-5)


def test_raw_is_a_permutation_with_the_strongest_axis_first() -> None:
    model = gan()
    amplify(model, torch.eye(DIM)[4], 5.0)
    amplify(model, torch.eye(DIM)[1], 0.0)
    found = raw(model)
    assert torch.equal(found.vectors.sum(0), torch.ones(DIM))
    assert set(found.vectors.unique().tolist()) == {0.0, 1.0}
    assert int(found.vectors[0].argmax()) == 4
    assert int(found.vectors[-1].argmax()) == 1
    assert float(found.shares[-1]) == 0
    assert float(found.shares.sum()) == pytest.approx(1)


def test_raw_shares_are_those_of_the_change_of_the_picture() -> None:
    # Through an affine decoder each axis changes the picture by its squared column norm, whatever the latent.
    class Affine(Gan):
        def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
            return (z @ torch.arange(1.0, DIM + 1).diag()).reshape(len(z), 1, 1, DIM)

    config = GanConfig.model_validate({"size": 16, "channels": 1, "latent_dim": DIM})
    found = raw(Affine(config).eval())
    squares = torch.arange(DIM, 0, -1.0).square()
    assert torch.allclose(found.shares, squares / squares.sum(), atol=1e-5)
    assert torch.equal(found.vectors, torch.eye(DIM).flip(0))


def test_pca_of_a_covariance_is_its_eigenvectors() -> None:
    axes = rotation()
    variances = torch.tensor([9.0, 4.0, 2.0, 1.0, 0.5, 0.25])
    covariance = axes @ torch.diag(variances) @ axes.T
    model = vae()
    given = pca(model, covariance=covariance)
    assert torch.allclose((given.vectors @ axes).abs(), torch.eye(DIM), atol=1e-4)
    assert torch.allclose(given.shares, variances / variances.sum(), atol=1e-5)
    assert isinstance(model, Aggregates)
    model.aggregate_covariance.copy_(covariance)
    assert torch.allclose(pca(model).vectors, given.vectors)


def test_pca_of_an_isotropic_covariance_looks_at_the_features_instead() -> None:
    model, direction = vae(), rotation()[0]
    weight = model.decoder.first.weight
    weight += 5 * torch.outer(weight @ direction, direction)
    found = pca(model)
    assert cosine(found, 0, direction) > 0.98
    assert "GANSpace" in found.title


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_pca_of_a_gan_finds_a_planted_direction(classes: int, network: str) -> None:
    model, direction = gan(classes=classes, network=network), rotation()[0]
    if model.generator.label is not None:
        model.generator.label.weight.mul_(3)  # labels change the features too, but are no direction of z
    amplify(model, direction, 6.0)
    found = pca(model)
    assert cosine(found, 0, direction) > 0.98
    assert float(found.shares[0]) > 2 * float(found.shares[1])


def test_pca_of_a_gan_leaves_out_components_that_are_even_in_z() -> None:
    # The square of a strong direction is a strong component too, but z explains only noise of it: such a row
    # would take the place of a direction, and the rows would no longer span the space evenly.
    model, direction = gan(), rotation()[0]
    amplify(model, direction, 20.0)
    found = pca(model)
    assert cosine(found, 0, direction) > 0.99
    assert found.vectors.shape == (DIM, DIM)
    assert float(torch.linalg.svdvals(found.vectors)[-1]) > 0.8


def test_pca_of_a_conditional_gan_is_not_taken_up_by_what_labels_change() -> None:
    model = gan(classes=20)
    assert model.generator.label is not None
    model.generator.label.weight.mul_(10)
    assert pca(model).vectors.shape == (DIM, DIM)


def test_other_latents_find_nearly_the_same_main_direction() -> None:
    model = gan()
    amplify(model, rotation()[0], 4.0)
    assert cosine(pca(model, seed=0), 0, pca(model, seed=1).vectors[0]) > 0.98


def test_an_unknown_finder_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'sefa'"):
        DIRECTIONS["seffa"]
