"""Fresh samples on a map, by the space that it was made in; what of the real data they cover."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models import catalog, datasets
from models.embedding.compute import make
from models.embedding.fresh import coverage, place_samples
from models.embedding.gather import gather
from models.embedding.maps import EmbeddingMap, MapSpec, Source
from models.embedding.space import space_of
from models.errors import UserError
from models.metrics.fidelity import support
from models.render import decoder


def mapped(name: str, **options: object) -> tuple[EmbeddingMap, catalog.ModelInfo]:
    """Return a map of a model of the zoo."""
    info = catalog.find(name)
    standard = {"model": info.digest, "dataset": "digits", "count": 60, "method": "pca"}
    return make(MapSpec.model_validate({**standard, **options}), info), info


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tiny-vae", {}),
        ("tiny-vae", {"of": "pixels"}),
        ("tiny-vae", {"of": "features", "generated": 20}),
        ("tiny-cvae", {"of": "features"}),
        ("tiny-gan", {"dataset": "", "generated": 60}),
        ("tiny-gan", {"of": "pixels", "generated": 30}),
        ("tiny-cgan", {"of": "features", "dataset": "", "generated": 60}),
    ],
)
def test_the_space_is_the_one_that_was_mapped(zoo: Path, name: str, options: dict[str, object]) -> None:
    found, info = mapped(name, **options)
    shares: list[float] = []
    space = space_of(found, info, shares.append)
    expected = gather(info, found.spec).vectors
    assert sorted(space.rows.tolist()) == list(range(60)) and space.rebuilt == 0
    assert space.vectors == pytest.approx(expected[space.rows], abs=1e-4)
    assert space.sight.encodes or shares[-1] == 1


def test_a_sample_that_is_on_the_map_lies_where_it_is(zoo: Path) -> None:
    found, info = mapped("tiny-gan", of="pixels", dataset="", generated=60)
    fresh = place_samples(space_of(found, info), info, info, range(10, 40))
    assert fresh.positions == pytest.approx(found.positions[10:40], abs=2e-3)
    assert fresh.indices.tolist() == list(range(10, 40)) and (fresh.sources == Source.GENERATED).all()
    assert fresh.latents == pytest.approx(found.latents[10:40]) and fresh.spec.model == info.digest


@pytest.mark.parametrize(("name", "dim"), [("tiny-vae", 6), ("tiny-gan", 12)])
def test_samples_are_placed_by_their_pictures_whoever_made_them(zoo: Path, name: str, dim: int) -> None:
    found, info = mapped("tiny-vae")
    who = catalog.find(name)
    fresh = place_samples(space_of(found, info), info, who, range(5, 45))
    assert fresh.spec.model == who.digest and fresh.latents.shape == (40, dim)
    model = decoder(who.digest).model
    with torch.inference_mode():
        x = model.decode(torch.from_numpy(fresh.latents))
        means = decoder(info.digest).model.encode(x).mean.numpy()  # type: ignore[operator]
    from models.embedding.place import place_latents

    assert fresh.positions == pytest.approx(place_latents(found, means), abs=1e-5)


def test_a_conditional_encoder_is_told_what_pictures_show(zoo: Path) -> None:
    found, info = mapped("tiny-cvae")
    space = space_of(found, info)
    for name in ("tiny-cgan", "tiny-gan"):  # one knows the class of its samples, the other does not
        fresh = place_samples(space, info, catalog.find(name), range(20))
        assert np.isfinite(fresh.positions).all() and np.ptp(fresh.positions) > 0
    labelled = place_samples(space, info, catalog.find("tiny-cgan"), range(20))
    assert labelled.categories["label"].codes.tolist() == [0] * 8 + [1] * 8 + [2] * 4


def test_pictures_of_others_have_no_place_among_the_latents_of_a_gan(zoo: Path) -> None:
    found, info = mapped("tiny-gan", dataset="", generated=60)
    space = space_of(found, info)
    assert len(place_samples(space, info, info, range(100, 110))) == 10
    with pytest.raises(UserError) as caught:
        place_samples(space, info, catalog.find("tiny-vae"), range(10))
    assert caught.value.code == "cannot-encode"


def test_without_the_images_reconstructions_do(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, info = mapped("tiny-vae", of="pixels", generated=20)
    gan, gan_info = mapped("tiny-gan", of="pixels", generated=20)
    only_images, _info = mapped("tiny-gan", of="pixels")
    monkeypatch.setattr(datasets, "available", lambda name: False)
    space = space_of(found, info)
    assert len(space.rows) == 60 and space.rebuilt == 40
    decoded = decoder(info.digest)(found.latents[space.rows])
    assert space.vectors == pytest.approx(decoded.reshape(60, -1) / 127.5 - 1, abs=0.01)
    assert space_of(gan, gan_info).rows.tolist() == list(range(40, 60))  # its images have no latents
    with pytest.raises(UserError) as caught:
        space_of(only_images, gan_info)
    assert caught.value.code == "no-space"


def test_cosine_maps_are_searched_by_angle(zoo: Path) -> None:
    found, info = mapped("tiny-vae", metric="cosine", method="umap", neighbours=5)
    space = space_of(found, info)
    assert space.place(3 * found.latents[:7]) == pytest.approx(found.positions[:7], abs=2e-3)


def test_coverage_is_that_of_as_many_test_images(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gan = catalog.find("tiny-gan")
    measured = coverage(gan, range(50))
    assert measured.count == 50 and measured.features and 0 <= measured.share <= 1
    monkeypatch.setattr(catalog, "classifier_for", lambda *_: None)
    in_pixels = coverage(gan, range(100, 150))
    real = datasets.load("digits", "test")
    from models.latent import generator

    chosen = torch.randperm(len(real), generator=generator(0, 9))[:50]
    fake = torch.from_numpy(_pictures(gan, range(100, 150)))
    expected = support(real.floats(chosen).flatten(1), fake, 5).coverage
    assert not in_pixels.features and in_pixels.share == pytest.approx(expected, abs=0.021)
    assert coverage(gan, range(5000)).count == len(real)


def _pictures(info: catalog.ModelInfo, seeds: range) -> np.ndarray:
    from models.latent import prior

    images = decoder(info.digest)(prior(seeds, info.latent_dim or 0).numpy())
    return images.reshape(len(images), -1).astype(np.float32) / 127.5 - 1


def test_without_the_images_there_is_no_coverage(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gan = catalog.find("tiny-gan")
    elsewhere = replace(gan, config=gan.config.model_copy(update={"dataset": "cifar10"}))
    monkeypatch.setattr(datasets, "available", lambda name: False)
    with pytest.raises(UserError) as caught:
        coverage(elsewhere, range(50))
    assert caught.value.code == "no-data"
