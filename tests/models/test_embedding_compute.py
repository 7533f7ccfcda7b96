"""Maps of models: what goes into them, and that they are computed once, kept, and never trusted blindly."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from models import catalog, checkpoints, datasets
from models.core import Features, LatentModel
from models.embedding import compute, files, job, library
from models.embedding.gather import Points, gather
from models.embedding.maps import MapSpec, Source
from models.errors import UserError
from models.jobs import KINDS, embedding, locks
from models.latent import prior
from models.vae import Autoencoder

pytestmark = pytest.mark.usefixtures("zoo")


def asked(model: str, **options: object) -> tuple[MapSpec, catalog.ModelInfo]:
    info = catalog.find(model)
    standard = {"model": info.digest, "dataset": "digits", "count": 60, "method": "pca"}
    return MapSpec.model_validate({**standard, **options}), info


def gathered(model: str, **options: object) -> Points:
    spec, info = asked(model, **options)
    return gather(info, spec)


def test_a_vae_is_mapped_by_its_posterior_means() -> None:
    points = gathered("tiny-vae", generated=20)
    real = points.sources != Source.GENERATED
    assert len(points.vectors) == 60 and real.sum() == 40
    # Each split has its share: 1,438 of the 1,797 digits are for training.
    assert (points.sources == Source.TRAIN).sum() == 32
    model = cast(Autoencoder, checkpoints.load(catalog.find("tiny-vae")))
    data = datasets.load("digits", "test")
    rows = torch.as_tensor(points.indices[points.sources == Source.TEST]).long()
    with torch.inference_mode():
        x = data.floats(rows)
        means = model.encode(x).mean
        errors = (model.decode(means) - x).square().mean((1, 2, 3))
    test = points.sources == Source.TEST
    np.testing.assert_allclose(points.vectors[test], means, atol=1e-5)
    np.testing.assert_allclose(points.values["error"][test], errors, atol=1e-5)
    np.testing.assert_array_equal(points.categories["label"].codes[test], data.labels_at(rows))
    np.testing.assert_array_equal(points.pixels[32:40], data.images[rows].flatten(1))


def test_samples_are_those_of_their_seeds_and_labelled_by_the_classifier() -> None:
    points = gathered("tiny-vae", generated=20)
    samples = points.sources == Source.GENERATED
    np.testing.assert_array_equal(points.indices[samples], np.arange(20))
    z = prior(range(20), 6)
    np.testing.assert_allclose(points.latents[samples], z, atol=1e-6)
    assert np.isnan(points.values["error"][samples]).all()
    model = cast(LatentModel, checkpoints.load(catalog.find("tiny-vae")))
    classifier = cast(Any, checkpoints.load(catalog.find("tiny-classifier")))
    with torch.inference_mode():
        said = classifier.classify(model.decode(z))["digit"].argmax(1)
    np.testing.assert_array_equal(points.categories["digit"].codes[samples], said)
    assert (points.categories["digit"].codes[~samples] == -1).all()


def test_a_gan_is_mapped_by_its_first_features_and_scored() -> None:
    points = gathered("tiny-gan", dataset="", of="latents")
    model = cast(Any, checkpoints.load(catalog.find("tiny-gan")))
    z = prior(range(60), 12)
    assert (points.sources == Source.GENERATED).all()
    with torch.inference_mode():
        np.testing.assert_allclose(points.vectors, model.hidden(z), atol=1e-5)
        np.testing.assert_allclose(points.values["score"], model.score(model.decode(z)), atol=1e-4)


def test_features_bring_real_images_and_samples_of_a_gan_together() -> None:
    points = gathered("tiny-gan", of="features", generated=30)
    assert points.vectors.shape == (60, 8)
    real = points.sources != Source.GENERATED
    assert real.sum() == 30 and np.isnan(points.latents[real]).all()
    assert np.isfinite(points.latents[~real]).all() and np.isfinite(points.values["score"]).all()
    classifier = cast(Features, checkpoints.load(catalog.find("tiny-classifier")))
    data = datasets.load("digits", "train")
    rows = torch.as_tensor(points.indices[points.sources == Source.TRAIN]).long()
    with torch.inference_mode():
        wanted = classifier.features(data.floats(rows))
    np.testing.assert_allclose(points.vectors[points.sources == Source.TRAIN], wanted, atol=1e-4)


@pytest.mark.parametrize("model", ["tiny-cvae", "tiny-cgan"])
def test_samples_of_a_conditional_model_have_the_label_that_it_was_given(model: str) -> None:
    points = gathered(model, dataset="", generated=60)
    np.testing.assert_array_equal(points.categories["label"].codes[:16], [0] * 8 + [1] * 8)
    assert points.categories["label"].names == tuple(map(str, range(10)))


def test_pixels_are_mapped_as_they_are() -> None:
    points = gathered("tiny-vae", of="pixels", generated=10)
    assert points.vectors.shape == (60, 256) and np.abs(points.vectors).max() <= 1
    np.testing.assert_allclose(points.vectors[:50], points.pixels * (2 / 255) - 1, atol=1e-6)


def test_factors_are_categories_and_values() -> None:
    info = catalog.find("tiny-vae")
    shape = replace(datasets.DATASETS["sprites"], name="digits", size=16, train=8, test=4)
    factors = torch.stack([torch.arange(8.0) % 3, *torch.rand(4, 8)], 1)
    images = torch.randint(0, 256, (8, 1, 16, 16), dtype=torch.uint8)
    data = datasets.ImageData(shape, images, None, factors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load", lambda name, split: data)
        points = gather(info, asked("tiny-vae", count=16)[0])
    assert points.categories["shape"].names == shape.factors[0].values
    np.testing.assert_array_equal(points.categories["shape"].codes[:8], np.arange(8) % 3)
    np.testing.assert_allclose(points.values[shape.factors[1].name][:8], factors[:, 1])


@pytest.mark.parametrize(
    ("model", "options", "code"),
    [
        ("tiny-classifier", {}, "cannot-decode"),
        ("tiny-gan", {"of": "latents"}, "cannot-encode"),
        ("tiny-vae", {"of": "features", "dataset": "sprites"}, "no-classifier"),
        ("tiny-vae", {"dataset": "sprites"}, "shape-mismatch"),
        ("tiny-vae", {"dataset": "digitz"}, "unknown-data-set"),
        ("tiny-vae", {"dataset": "", "count": 3, "generated": 0}, None),
    ],
)
def test_what_cannot_be_mapped_is_said(model: str, options: dict[str, object], code: str | None) -> None:
    if code is None:
        assert (gathered(model, **options).sources == Source.GENERATED).all()
        return
    with pytest.raises(UserError) as caught:
        gathered(model, **options)
    assert caught.value.code == code


def test_a_missing_data_set_is_said_and_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "available", lambda name: False)
    with pytest.raises(UserError) as caught:
        gathered("tiny-vae", dataset="mnist")
    assert caught.value.code == "no-data"


def test_latents_that_are_no_numbers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points = gathered("tiny-vae")
    points.vectors[5] = np.nan
    monkeypatch.setattr(compute, "gather", lambda *_, **__: points)
    with pytest.raises(UserError) as caught:
        compute.make(*asked("tiny-vae"))
    assert caught.value.code == "bad-latents"


def test_a_map_has_all_that_is_known_and_tells_how_far_it_is() -> None:
    shares: list[float] = []
    found = compute.make(*asked("tiny-vae"), progress=shares.append)
    assert len(found) == len(found.latents) == 60
    assert set(found.values) == {"error", "density"} and set(found.categories) == {"label"}
    assert set(found.quality) == {"trustworthiness", "knn_map", "knn_space", "knn_pixels"}
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


def test_a_map_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, info = asked("tiny-vae")
    first = compute.obtain(spec, info)
    monkeypatch.setattr(compute, "make", lambda *_, **__: pytest.fail("it is computed again"))
    again = compute.obtain(spec, info)
    np.testing.assert_array_equal(first.positions, again.positions)
    np.testing.assert_array_equal(first.latents, again.latents)


@pytest.mark.parametrize("damage", [b"", b"poison", None])
def test_a_damaged_map_is_computed_again(damage: bytes | None) -> None:
    spec, info = asked("tiny-vae")
    first = compute.obtain(spec, info)
    path = library.path_of(library.key(spec, info))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    again = compute.obtain(spec, info)
    np.testing.assert_array_equal(first.positions, again.positions)
    assert files.read(path, library.key(spec, info)).spec == spec


def test_a_map_of_other_content_under_its_name_is_computed_again() -> None:
    spec, info = asked("tiny-vae")
    other = compute.make(*asked("tiny-vae", seed=1))
    name = library.key(spec, info)
    files.write(library.path_of(name), other, name)
    assert compute.obtain(spec, info).spec == spec


def test_who_comes_second_waits_and_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, info = asked("tiny-vae")
    made, name = compute.make(spec, info), library.key(spec, info)
    monkeypatch.setattr(compute, "make", lambda *_, **__: pytest.fail("both compute it"))
    path = library.path_of(name).with_suffix(".lock")
    path.parent.mkdir(parents=True)
    waits, found = threading.Event(), list[object]()

    def second() -> None:
        found.append(compute.obtain(spec, info, progress=lambda share: waits.set()))

    with locks.locked(path) as mine:
        assert mine is not None
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(10) and not found
        files.write(library.path_of(name), made, name)
    thread.join(10)
    assert len(found) == 1


@pytest.mark.slow
def test_two_processes_at_once_leave_one_whole_map(two_at_once: Callable[[str, str], list[str]]) -> None:
    spec, info = asked("tiny-vae", count=500, method="umap")
    code = (
        "import sys; from models import catalog; from models.embedding.compute import obtain\n"
        "from models.embedding.maps import MapSpec\n"
        "found = obtain(MapSpec.model_validate_json(sys.argv[1]), catalog.find('tiny-vae'))\n"
        "print(found.positions.tobytes().hex()[:200])"
    )
    said = two_at_once(code, spec.model_dump_json())
    assert said[0] and said[0] == said[1]
    assert sorted(path.suffix for path in library.folder().iterdir()) == [".lock", ".safetensors"]
    assert library.cached(spec, info) is not None


def test_what_cannot_be_kept_is_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "file"))
    assert len(compute.obtain(*asked("tiny-vae"))) == 60
    assert "Not kept for next time" in capsys.readouterr().err


def test_the_job_computes_and_keeps_a_map(tmp_path: Path) -> None:
    spec, info = asked("tiny-vae")
    order, shares = embedding(spec, owner="me"), list[float]()
    assert KINDS[order.kind].arguments is MapSpec
    told = job.embed(tmp_path, order, shares.append, lambda: False)
    assert told["points"] == 60 and 0 < told["quality"]["trustworthiness"] <= 1
    assert shares and library.cached(spec, info) is not None


def test_the_job_ends_when_told_and_keeps_nothing_half(tmp_path: Path) -> None:
    spec, info = asked("tiny-vae")
    shares: list[float] = []
    told = job.embed(tmp_path, embedding(spec), shares.append, lambda: len(shares) > 2)
    assert told == {} and len(shares) == 3
    assert library.cached(spec, info) is None
    assert [path.suffix for path in library.folder().iterdir()] == [".lock"]


def test_the_job_of_other_weights_is_refused(tmp_path: Path) -> None:
    order = embedding(MapSpec(model="tiny-vae"))
    with pytest.raises(UserError) as caught:
        job.embed(tmp_path, order, lambda share, line="": None, lambda: False)
    assert caught.value.code == "stale-model"
