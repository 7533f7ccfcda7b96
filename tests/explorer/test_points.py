"""Models over points are not among those that the pages show."""

import shutil
from pathlib import Path

import pytest

from models import catalog, checkpoints
from models.catalog import Card, CheckpointConfig


@pytest.fixture
def with_points(zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The zoo, and before all others a model over points."""
    folder = tmp_path / "models"
    shutil.copytree(zoo, folder)
    fields = {"family": "gan", "size": 0, "channels": 2, "network": "mlp", "width": 4, "latent_dim": 2}
    model = checkpoints.build(catalog.model_config(fields, "points")).eval()
    record = CheckpointConfig(id="a-grid", model=fields, dataset="toy:grid25")
    checkpoints.save(folder / "a-grid", model, record, Card(), checkpoints.sheet_of(model))
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(folder))


@pytest.mark.usefixtures("with_points")
def test_the_picker_leaves_them_out(open_app) -> None:
    assert catalog.models()[0].id == "a-grid"
    app = open_app()
    options = app.sidebar.selectbox[0].options
    assert len(options) == 5 and not any("grid" in option for option in options)


@pytest.mark.usefixtures("with_points")
@pytest.mark.parametrize("page", ["gallery", "explore"])
def test_a_link_to_one_is_explained(open_app, pads, page: str) -> None:
    app = open_app(page, model="a-grid")
    assert any("makes no pictures" in str(box.value) for box in (*app.warning, *app.error))


@pytest.mark.usefixtures("with_points")
def test_the_page_of_models_shows_their_scatter_plot(open_app) -> None:
    app = open_app("library")
    text = " ".join(str(part.value) for part in app.caption)
    assert "Points in the plane" in text and not app.exception
    assert "open-a-grid" not in {button.key for button in app.button}
