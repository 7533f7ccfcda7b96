"""Maps that are there already: shipped with the project, or computed before. Without torch and umap-learn.

What a map was computed from is its key: weights, images, classifier, spec, versions. A file in the cache is used only
if all of it is as it was written and it names this key.
"""

from pathlib import Path

from models import catalog, datasets, paths, shelf
from models.catalog import ModelInfo
from models.embedding import files
from models.embedding.maps import EmbeddingMap, MapSpec
from models.errors import UserError

VERSION = 1  # of how maps are made: a change makes everything that is cached void
_LIBRARIES = {"umap": ("numba", "pynndescent"), "pca": (), "tsne": ("scikit-learn",)}


def folder() -> Path:
    """Return the folder of the maps that were computed on this machine."""
    return paths.cache() / "maps"


def default_spec(info: ModelInfo) -> MapSpec:
    """Return the map of a model that is shown first: of its posterior means, or else of what its samples show.

    Where latents are in a plane already, that is the map. A conditional model is told the class, so that its posterior
    means say nothing of it and form one cloud: what its images show is mapped, where a classifier tells.
    """
    judged = catalog.classifier_for(info.dataset, info.sample_shape) is not None
    if info.can("encode"):
        if info.labels and judged:
            return MapSpec(model=info.digest, dataset=info.dataset, of="features")
        method = "pca" if info.latent_dim == 2 else "umap"
        return MapSpec(model=info.digest, dataset=info.dataset, method=method)
    count: int = MapSpec.model_fields["count"].default
    return MapSpec(model=info.digest, of="features" if judged else "pixels", generated=count)


def shipped(digest: str) -> EmbeddingMap | None:
    """Return the map that comes with the project for a model's weights; None if there is none, or it is damaged."""
    found = shelf.shipped(paths.shipped_maps(), files.SUFFIX, digest, _model_of, files.read)
    return next(found, None)


def _model_of(path: Path) -> str:
    return files.spec_of(path).model


def key(spec: MapSpec, info: ModelInfo) -> str:
    """Return what a map is computed from, in short: it changes with anything that would change the map."""
    name = spec.dataset or info.dataset
    judge = catalog.classifier_for(name, info.sample_shape)
    parts = {
        "version": [VERSION, files.FORMAT],
        "spec": spec.model_dump(mode="json"),
        "weights": info.digest,
        "images": datasets.state(name) if spec.dataset else None,
        "classifier": judge and judge.digest,
        "libraries": shelf.versions(("numpy", "torch", *_LIBRARIES[spec.method])),
    }
    return shelf.key(parts)


def path_of(key: str) -> Path:
    """Return where the map of a key is kept."""
    return folder() / f"{key[:32]}{files.SUFFIX}"


def cached(spec: MapSpec, info: ModelInfo) -> EmbeddingMap | None:
    """Return a map that was computed here before; None if it was not, or its file is not what was written."""
    name = key(spec, info)
    try:
        found = files.read(path_of(name), name)
    except UserError:
        return None
    return found if found.spec == spec else None


def find(spec: MapSpec, info: ModelInfo) -> EmbeddingMap | None:
    """Return a map that need not be computed: the shipped one if it is what is asked for, or a cached one."""
    there = shipped(info.digest)
    return there if there and there.spec == spec else cached(spec, info)


def known(info: ModelInfo) -> list[MapSpec]:
    """Return the maps of a model that `find` finds, the shipped one first; only their headers were looked at."""
    there = [spec for _, spec in _specs(paths.shipped_maps()) if spec.model == info.digest]
    there += [
        spec
        for path, spec in _specs(folder())
        if spec.model == info.digest and path == path_of(key(spec, info))
    ]
    return list(dict.fromkeys(there))


def _specs(root: Path) -> list[tuple[Path, MapSpec]]:
    return shelf.headers(root, files.SUFFIX, files.spec_of)
