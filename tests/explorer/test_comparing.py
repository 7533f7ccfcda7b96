"""Maps side by side: the plane that is always there, what is known of a model, what two maps share."""

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

from explorer import maps
from explorer.panels import comparing, mapping
from models import catalog
from models.embedding import compute, files, library, quality
from models.embedding.maps import EmbeddingMap, MapSpec, Source

COUNT = 120


@pytest.fixture
def found(zoo: Path) -> EmbeddingMap:
    """A map of digits that is not that of their principal components."""
    info = catalog.find("tiny-vae")
    there = maps.quick(info, COUNT)
    assert there is not None
    spec = MapSpec(model=info.digest, dataset="digits", count=COUNT)
    density = {"density": np.ones(len(there), np.float32), "error": np.arange(len(there), dtype=np.float32)}
    return dataclasses.replace(there, spec=spec, values=density)


def measured(found: EmbeddingMap) -> EmbeddingMap:
    """Return the plane of a map with its figures."""
    plane = maps.principal(found)
    while maps.measuring(found):
        time.sleep(0.01)
    plane = maps.principal(found)
    assert plane is not None
    return plane


def test_the_plane_of_a_map_is_that_of_its_latents(found: EmbeddingMap) -> None:
    plane = measured(found)
    assert (plane.positions == maps.plane_of(found.latents)).all()
    assert (plane.spec.method, plane.spec.of, len(plane)) == ("pca", "latents", COUNT)
    assert list(plane.values) == ["error"] and (plane.indices == found.indices).all()
    expected = quality.trustworthiness(found.latents, plane.positions)
    assert plane.quality["trustworthiness"] == pytest.approx(expected)
    assert set(plane.quality) == {"trustworthiness", "knn_map", "knn_space"}
    assert maps.principal(found) is plane and maps.principal(plane) is None


def test_points_without_a_latent_are_not_on_the_plane(found: EmbeddingMap) -> None:
    latents = found.latents.copy()
    latents[::3] = np.nan
    partly = dataclasses.replace(found, latents=latents)
    plane = measured(partly)
    assert len(plane) == 80 == comparing.common(partly, plane)
    assert (
        plane.categories["label"].codes == found.categories["label"].codes[np.isfinite(latents[:, 0])]
    ).all()
    assert maps.principal(dataclasses.replace(found, latents=np.full_like(latents, np.nan))) is None


def test_points_are_the_same_by_source_and_number(found: EmbeddingMap) -> None:
    mixed = np.random.default_rng(0).permutation(COUNT)
    other = dataclasses.replace(found, sources=found.sources[mixed].copy(), indices=found.indices[mixed])
    assert comparing.common(found, other) == COUNT
    other.sources[:20] = Source.GENERATED  # seeds of the same numbers are other points
    assert comparing.common(found, other) == COUNT - 20


def test_what_was_computed_for_a_model_is_known(found: EmbeddingMap) -> None:
    info = catalog.find("tiny-vae")
    assert library.known(info) == []
    specs = [
        MapSpec(model=info.digest, dataset="digits", count=60, method="pca", seed=seed) for seed in range(2)
    ]
    for spec in specs:
        name = library.key(spec, info)
        files.write(library.path_of(name), compute.make(spec, info), name)
    assert set(library.known(info)) == set(specs)
    (path, *_) = library.folder().glob(f"*{files.SUFFIX}")
    path.with_name("0" * 32 + files.SUFFIX).write_bytes(path.read_bytes())  # not what its name says
    path.with_name("1" * 32 + files.SUFFIX).write_bytes(path.read_bytes()[:100])
    assert set(library.known(info)) == set(specs)
    assert library.known(catalog.find("tiny-gan")) == []


def test_maps_in_a_list_have_names_of_their_own(found: EmbeddingMap) -> None:
    spec = found.spec
    assert mapping.title(spec) == "UMAP · their latents · 120 · Images"
    others = [
        spec,
        *(spec.model_copy(update=one) for one in ({"min_dist": 0.5}, {"seed": 3}, {"generated": 60})),
    ]
    names: list[str] = []
    for one in others:
        names.append(mapping.title(one, names))
    assert len(set(names)) == 4 and names[1].endswith("· 15 neighbours") and names[3].endswith("· Both")
