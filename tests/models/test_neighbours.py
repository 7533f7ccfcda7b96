"""Nearest real images: exact, in each space, from vectors that are computed once."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from models import catalog, checkpoints, datasets, neighbours
from models.core import Encodes, Features, to_unit
from models.errors import UserError
from models.judge import judge_of
from models.neighbours import SPACES, search
from models.render import render, stream
from models.requests import Codes, Decode, Interpolate, Nearest, Point, RenderRequest, Sample
from models.shared import Shared

pytestmark = pytest.mark.usefixtures("zoo", "cache")


def ask(model: str, **fields: object) -> RenderRequest:
    return RenderRequest(model=catalog.find(model).digest, op=Nearest.model_validate(fields))


@pytest.mark.parametrize("k", [1, 3, 16])
@pytest.mark.parametrize("count", [5, 300])
def test_a_search_finds_what_sorting_all_distances_finds(
    k: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", 64)
    rng = torch.Generator().manual_seed(0)
    rows, queries = torch.randn(count, 7, generator=rng), torch.randn(9, 7, generator=rng)
    distances, where = search(queries, rows, k)
    exact, order = torch.cdist(queries, rows).sort(dim=1)
    kept = min(k, count)
    assert torch.equal(where, order[:, :kept])
    torch.testing.assert_close(distances, exact[:, :kept])


def test_an_image_is_its_own_nearest_without_rounding() -> None:
    rows = 300 + torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    distances, where = search(rows, rows, 2)
    assert torch.equal(where[:, 0], torch.arange(50))
    assert (distances[:, 0] == 0).all()


@pytest.mark.parametrize("space", SPACES)
def test_neighbours_are_those_of_a_plain_computation(space: str) -> None:
    op = Sample(seed=4, count=3)
    result = render(ask("tiny-vae", of=op, k=4, space=space))
    info = catalog.find("tiny-vae")
    model, judge = checkpoints.load(info), checkpoints.load(catalog.find("tiny-classifier"))
    shown = render(RenderRequest(model=info.digest, op=op))
    data = datasets.load("digits", "train")
    real, own = data.floats(slice(None)), to_unit(torch.tensor(shown.images).permute(0, 3, 1, 2))
    assert isinstance(model, Encodes) and isinstance(judge, Features)
    with torch.no_grad():
        rows, queries = {
            "features": lambda: (judge.features(real), judge.features(own)),
            "pixels": lambda: (real.flatten(1) / 2 / 16, own.flatten(1) / 2 / 16),
            "latent": lambda: (model.encode(real).mean, torch.tensor(shown.latents)),
        }[space]()
    exact, _ = torch.cdist(queries.double(), rows.double()).sort(dim=1)
    # Vectors are kept in half precision: near ties may swap, distances may not change.
    assert np.allclose(result.values["distances"], exact[:, :4].numpy(), rtol=5e-3, atol=1e-3)
    indices = result.values["indices"].astype(int)
    assert np.array_equal(result.images, data.images[indices.ravel()].permute(0, 2, 3, 1).numpy())
    assert data.labels is not None
    assert np.array_equal(result.values["labels"], data.labels[indices].numpy())
    assert np.array_equal(result.latents, shown.latents)
    assert SPACES[int(result.values["space"][0])] == space
    assert result.done == 1


def test_without_a_classifier_pixels_are_compared_and_the_result_says_so(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny-gan").symlink_to(zoo / "tiny-gan")
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path))
    op = Decode(points=(Point(seed=1), Point(seed=2)))
    result, plain = (render(ask("tiny-gan", of=op, space=space)) for space in ("features", "pixels"))
    assert SPACES[int(result.values["space"][0])] == "pixels"
    assert np.array_equal(result.values["distances"], plain.values["distances"])


def test_the_neighbours_of_a_path_come_in_growing_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "CHUNK", 8)
    of = Interpolate(points=(Point(seed=1), Point(seed=2)), frames=20)
    parts = list(stream(ask("tiny-cgan", of=of, k=2)))
    sizes = [len(part.images) for part in parts if part.done and len(part.images)]
    assert sizes == [16, 32, 40]
    assert [part.done for part in parts if len(part.images)] == [0.4, 0.8, 1]
    assert parts[-1].values["indices"].shape == (20, 2)


@pytest.mark.parametrize("space", ["features", "latent"])
def test_vectors_are_computed_once_and_then_read(
    space: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask("tiny-vae", of=Sample(count=2), space=space)
    monkeypatch.setattr(neighbours, "_vectors", Shared(4))
    first = list(stream(request))
    (path,) = cache.rglob("*.safetensors")
    stamp = path.stat().st_mtime_ns
    monkeypatch.setattr(neighbours, "_vectors", Shared(4))  # as in a new process
    again = render(request)
    assert path.stat().st_mtime_ns == stamp
    assert np.array_equal(first[-1].values["distances"], again.values["distances"])
    assert len(list(stream(request))) == 1  # nothing to wait for


def test_latent_neighbours_need_an_encoder() -> None:
    with pytest.raises(UserError) as caught:
        render(ask("tiny-gan", of=Sample(count=1), space="latent"))
    assert caught.value.code == "cannot-encode"


def write_model(folder: Path, dataset: str) -> str:
    """Write a tiny model that names a data set of 32x32 grey images, and return its digest."""
    from models.catalog import Card, CheckpointConfig

    config = catalog.model_config(
        {"family": "gan", "size": 32, "channels": 1, "network": "mlp", "width": 4, "latent_dim": 5}, "test"
    )
    torch.manual_seed(len(dataset))  # models are kept by the digest of their weights
    model = checkpoints.build(config).eval()
    record = CheckpointConfig(id="padded", model=config.model_dump(mode="json"), dataset=dataset)
    checkpoints.save(folder / "padded", model, record, Card())
    return catalog.read(folder / "padded").digest


def test_without_the_data_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr("models.paths.data_sources", lambda: (tmp_path,))
    digest = write_model(tmp_path, "mnist")
    with pytest.raises(UserError) as caught:
        render(RenderRequest(model=digest, op=Nearest(of=Sample(count=1))))
    assert caught.value.code == "no-data"
    assert "idx files" in caught.value.remedy


def test_a_model_of_unknown_data_has_no_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path))
    with pytest.raises(UserError, match="not known what 'padded' was trained on") as caught:
        render(RenderRequest(model=write_model(tmp_path, ""), op=Nearest(of=Sample(count=1))))
    assert caught.value.code == "no-data"
    with pytest.raises(UserError, match="data set is not known, so nobody knows what its pictures show"):
        judge_of("", (1, 32, 32))


def test_data_of_another_shape_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path))
    with pytest.raises(UserError) as caught:
        render(RenderRequest(model=write_model(tmp_path, "digits"), op=Nearest(of=Sample(count=1))))
    assert caught.value.code == "shape-mismatch"


def test_more_neighbours_than_images_are_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (3, 28, 28), dtype=np.uint8)
    for stem in ("train", "t10k"):
        images = struct.pack(">HBBIII", 0, 8, 3, 3, 28, 28) + pixels.tobytes()
        (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        labels = struct.pack(">HBBI", 0, 8, 1, 3) + bytes([7, 8, 9])
        (folder / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr("models.paths.data_sources", lambda: (tmp_path,))
    op = Nearest(of=Sample(count=2), k=5)
    result = render(RenderRequest(model=write_model(tmp_path, "mnist"), op=op))
    assert result.images.shape == (6, 32, 32, 1)
    assert sorted(result.values["labels"][0]) == [7, 8, 9]


def test_too_many_neighbours_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="at most 20,000"):
        Nearest(of=Sample(count=10_000), k=3)


@pytest.mark.parametrize("model", ["tiny-vae", "tiny-cvae"])
def test_codes_are_posterior_means_of_real_images(model: str) -> None:
    info = catalog.find(model)
    parts = list(stream(RenderRequest(model=info.digest, op=Codes(count=600))))
    result = parts[-1]
    assert [len(part.latents) for part in parts if len(part.latents)] == [256, 512, 600]
    data, network = datasets.load("digits", "train"), checkpoints.load(info)
    index = torch.tensor(result.values["indices"]).long()
    assert len(index.unique()) == 600
    assert data.labels is not None
    assert np.array_equal(result.values["labels"], data.labels[index].numpy())
    assert isinstance(network, Encodes)
    labels = data.labels[index] if info.labels else None
    with torch.no_grad():
        means = network.encode(data.floats(index), labels).mean
    assert np.allclose(result.latents, means.numpy(), atol=1e-5)
    fewer = render(RenderRequest(model=info.digest, op=Codes(count=10)))
    assert np.array_equal(fewer.values["indices"], result.values["indices"][:10])


def test_codes_need_an_encoder() -> None:
    with pytest.raises(UserError, match="no encoder"):
        render(RenderRequest(model=catalog.find("tiny-gan").digest, op=Codes()))
