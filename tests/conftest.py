"""A zoo of tiny untrained models that tests share; torch is imported only by the tests that ask for it."""

import os
from pathlib import Path

import pytest

# Tests run side by side, and so do the programs that they start: more threads would only get into each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

COMMON = {"size": 16, "channels": 1, "network": "mlp", "width": 4}
ZOO: dict[str, dict[str, object]] = {
    "tiny-cgan": {"family": "cgan", "latent_dim": 12, "classes": 10},
    "tiny-cvae": {"family": "cvae", "latent_dim": 6, "classes": 10, "likelihood": "bernoulli"},
    "tiny-gan": {"family": "gan", "latent_dim": 12},
    "tiny-vae": {"family": "vae", "latent_dim": 6, "likelihood": "bernoulli"},
    "tiny-vae-2d": {"family": "vae", "latent_dim": 2, "likelihood": "bernoulli"},
    "tiny-classifier": {
        "family": "classifier",
        "network": "conv",
        "heads": [{"name": "digit", "values": [str(i) for i in range(10)]}],
        "feature_dim": 8,
    },
}


@pytest.fixture(scope="session")
def zoo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the zoo, for tests that only read it."""
    import torch

    from models import catalog, checkpoints, latent
    from models.catalog import Card, CheckpointConfig
    from models.core import LatentModel

    root = tmp_path_factory.mktemp("zoo")
    for name, options in ZOO.items():
        config = catalog.model_config({**COMMON, **options}, name)
        torch.manual_seed(0)
        model = checkpoints.build(config).eval().requires_grad_(False)
        sheet = None
        if isinstance(model, LatentModel):
            labels = torch.arange(64) // 8 % model.classes if model.classes else None
            sheet = checkpoints.as_sheet(model.decode(latent.prior(range(64), model.latent_dim), labels))
        record = CheckpointConfig(id=name, model=config.model_dump(mode="json"), dataset="digits")
        card = Card(
            title=name.replace("-", " ").capitalize(), parameters={"model": 1234}, images=5000, seconds=9
        )
        checkpoints.save(root / name, model, record, card, sheet)
    return root


@pytest.fixture
def zoo(zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make the zoo the only models there are; returns its folder, which a test must not change."""
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(zoo_folder))
    monkeypatch.setenv("EXPLORER_ASSETS_DIR", str(tmp_path / "no-assets"))
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("EXPLORER_WARM_UP", "false")
    return zoo_folder


@pytest.fixture(scope="session")
def judged_folder(zoo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same models, with a classifier that fits their data."""
    import shutil

    import torch

    from models import catalog, checkpoints
    from models.catalog import Card, CheckpointConfig

    root = tmp_path_factory.mktemp("judged") / "zoo"
    shutil.copytree(zoo_folder, root)
    shutil.rmtree(root / "tiny-classifier")
    heads = [{"name": "label", "values": [str(i) for i in range(10)]}]
    config = catalog.model_config({**COMMON, **ZOO["tiny-classifier"], "heads": heads}, "tiny-classifier")
    torch.manual_seed(0)
    model = checkpoints.build(config).eval().requires_grad_(False)
    record = CheckpointConfig(id="tiny-classifier", model=config.model_dump(mode="json"), dataset="digits")
    checkpoints.save(root / "tiny-classifier", model, record, Card(), None)
    return root


@pytest.fixture
def judged(zoo: Path, judged_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the zoo with a fitting classifier the only models there are."""
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(judged_folder))
    return judged_folder
