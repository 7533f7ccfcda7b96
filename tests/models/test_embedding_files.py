"""Maps on disk: read whole and as they were written, or refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import catalog, paths, shelf
from models.embedding import files, library
from models.embedding.maps import Categories, EmbeddingMap, MapSpec, Source
from models.errors import UserError

SPEC = MapSpec(model="0" * 64, dataset="digits", count=50, generated=10)


def a_map(spec: MapSpec = SPEC, count: int = 50) -> EmbeddingMap:
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(count, 6)).astype(np.float32)
    latents[3] = np.nan
    error = rng.random(count).astype(np.float32)
    error[-10:] = np.nan
    sources = np.full(count, Source.TRAIN, np.uint8)
    sources[-10:] = Source.GENERATED
    return EmbeddingMap(
        spec,
        rng.uniform(-1, 1, (count, 2)).astype(np.float32),
        latents,
        sources,
        np.arange(count, dtype=np.int32),
        {"label": Categories(np.arange(count, dtype=np.int16) % 3 - 1, ("cat", "dog"))},
        {"error": error},
        {"trustworthiness": 0.9},
    )


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path, written = tmp_path / "a.safetensors", a_map()
    files.write(path, written, "key")
    found = files.read(path, "key")
    assert found.spec == written.spec and found.quality == written.quality
    np.testing.assert_allclose(found.positions, written.positions, atol=1 / 65_535)
    np.testing.assert_allclose(found.latents, written.latents, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.values["error"], written.values["error"], rtol=1e-3)
    np.testing.assert_array_equal(found.sources, written.sources)
    np.testing.assert_array_equal(found.categories["label"].codes, written.categories["label"].codes)
    assert found.categories["label"].names == ("cat", "dog")
    assert files.spec_of(path) == SPEC


def test_numbers_beyond_half_precision_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    files.write(path, replace(a_map(), values={"score": np.full(50, 1e5, np.float32)}))
    assert files.read(path).values["score"].max() == 1e5


def flipped(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


def resigned(field: str, value: object) -> Callable[[bytes], bytes]:
    """Return what changes a field of the header, which then has another length."""

    def change(content: bytes) -> bytes:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        told = json.loads(header["__metadata__"]["map"])
        told[field] = value
        header["__metadata__"]["map"] = json.dumps(told)
        encoded = json.dumps(header).encode()
        return len(encoded).to_bytes(8, "little") + encoded + content[8 + length :]

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:5],
        lambda content: b"",
        lambda content: b"\xff" * 8 + content,
        flipped,
        resigned("format", 99),
        resigned("quality", {"trustworthiness": 1.0}),
        resigned("spec", {**SPEC.model_dump(), "method": "guess"}),
        resigned("unheard_of", 1),
    ],
    ids=[
        "half",
        "five bytes",
        "empty",
        "endless header",
        "one bit",
        "version",
        "figures",
        "method",
        "unknown field",
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.safetensors"
    files.write(path, a_map())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError) as caught:
        files.read(path)
    assert caught.value.code == "bad-map"


@pytest.mark.parametrize(
    "change",
    [
        {"sources": np.full(50, 7, np.uint8)},
        {"indices": np.full(50, -1, np.int32)},
        {"values": {"error": np.zeros(3, np.float32)}},
        {"values": {"error": np.full(50, np.inf, np.float32)}},
        {"categories": {"label": Categories(np.full(50, 2, np.int16), ("cat", "dog"))}},
        {"positions": np.zeros((0, 2), np.float32)},
    ],
    ids=["source", "index", "length", "infinite", "name", "empty"],
)
def test_a_map_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "a.safetensors"
    files.write(path, replace(a_map(), **change))  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError) as caught:
        files.read(path)
    assert caught.value.code == "bad-map"


def test_a_missing_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        files.read(tmp_path / "a.safetensors")
    assert caught.value.code == "no-map"


def test_the_cache_gives_a_map_only_for_what_it_was_computed_from(zoo: Path) -> None:
    info = catalog.find("tiny-vae")
    spec = library.default_spec(info)
    name = library.key(spec, info)
    assert library.cached(spec, info) is None
    files.write(library.path_of(name), a_map(spec), name)
    found = library.cached(spec, info)
    assert found is not None and found.spec == spec
    other = spec.model_copy(update={"seed": 1})
    assert library.cached(other, info) is None
    # A file under the name of another is not what that one was computed from.
    library.path_of(library.key(other, info)).write_bytes(library.path_of(name).read_bytes())
    assert library.cached(other, info) is None


def test_the_key_changes_with_weights_images_and_options(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vae, gan = catalog.find("tiny-vae"), catalog.find("tiny-gan")
    spec = library.default_spec(vae)
    keys = {
        library.key(spec, vae),
        library.key(spec, gan),
        library.key(spec.model_copy(update={"min_dist": 0.5}), vae),
    }
    monkeypatch.setattr("models.datasets.state", lambda name: "another folder")
    keys.add(library.key(spec, vae))
    monkeypatch.setattr(shelf, "_version", lambda name: "99")
    keys.add(library.key(spec, vae))
    assert len(keys) == 5


def test_the_first_map_of_a_model_is_of_what_it_can(zoo: Path) -> None:
    vae = library.default_spec(catalog.find("tiny-vae"))
    assert (vae.of, vae.dataset, vae.generated) == ("latents", "digits", 0)
    assert (vae.method, library.default_spec(catalog.find("tiny-vae-2d")).method) == ("umap", "pca")
    gan = library.default_spec(catalog.find("tiny-gan"))
    assert (gan.of, gan.dataset, gan.generated) == ("features", "", gan.count)
    cvae = library.default_spec(catalog.find("tiny-cvae"))
    assert (cvae.of, cvae.dataset, cvae.method) == ("features", "digits", "umap")


def test_shipped_maps_are_found_by_weights(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    monkeypatch.setenv("EXPLORER_ASSETS_DIR", str(assets))
    info = catalog.find("tiny-vae")
    assert library.shipped(info.digest) is None
    spec = library.default_spec(info).model_copy(update={"count": 50})
    files.write(assets / "maps" / "tiny-vae.safetensors", a_map(spec))
    (assets / "maps" / "broken.safetensors").write_bytes(b"no map")
    found = library.shipped(info.digest)
    assert found is not None and len(found) == 50
    assert library.shipped("1" * 64) is None
    assert library.find(spec, info) is not None
    assert library.find(library.default_spec(info), info) is None


SHIPPED = sorted(paths.shipped_maps().glob("*.safetensors"), key=lambda path: path.stem)


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_a_shipped_map_is_of_the_weights_that_are_shipped(path: Path) -> None:
    info = catalog.read(paths.shipped_checkpoints() / path.stem)
    found = library.shipped(info.digest)
    assert found is not None and found.spec == files.spec_of(path)
    standard = library.default_spec(info)
    assert (found.spec.of, found.spec.dataset) == (standard.of, standard.dataset)
    assert found.latents.shape == (len(found), info.latent_dim) and np.isfinite(found.latents).all()
    assert found.quality["trustworthiness"] > 0.7
    assert np.abs(found.positions).max() == pytest.approx(1, abs=1e-3)


def test_every_shipped_model_of_pictures_has_a_map_and_all_are_small() -> None:
    folders = sorted(paths.shipped_checkpoints().iterdir())
    pictures = [folder.name for folder in folders if catalog.read(folder).can("picture")]
    assert [path.stem for path in SHIPPED] == pictures
    assert sum(path.stat().st_size for path in SHIPPED) <= 10e6
