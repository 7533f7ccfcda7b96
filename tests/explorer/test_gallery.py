"""The first page: what it draws, where from, and what a click does."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer import cache, controls, state
from explorer.panels import grid
from models import catalog
from models.catalog import Metric, ModelInfo
from models.render import render
from models.requests import Decode, Point, RenderRequest


def test_the_first_picture_is_the_cards_sheet(open_app, click, zoo: Path) -> None:
    drawn = click("none", 0)
    app = open_app(model="tiny-gan")
    assert app.title[0].value == "Gallery"
    assert drawn[0]["sheet"] == (zoo / "tiny-gan" / "sheet.png").read_bytes()
    assert drawn[0]["names"][:2] == ["Sample, seed 0", "Sample, seed 1"] and len(drawn[0]["names"]) == 64


def test_the_sheet_shows_what_would_be_rendered(open_app, click, monkeypatch) -> None:
    drawn = click("none", 0)
    app = open_app(model="tiny-cgan")
    from_card = drawn[0]
    app.slider(key="truncation-gallery").set_value(0.5).run()
    app.slider(key="truncation-gallery").set_value(1.0).run()
    assert [d for d in drawn if d["key"] == "samples-0"][-1]["sheet"] == from_card["sheet"]
    monkeypatch.setattr(cache, "card_sheet", lambda info: None)
    app.run()
    rendered = [d for d in drawn if d["key"] == "samples-0"][-1]
    first, second = (
        np.asarray(Image.open(io.BytesIO(d["sheet"]))).astype(int) for d in (from_card, rendered)
    )
    assert abs(first - second).max() <= 2  # weights are stored in half precision


def test_a_conditional_model_gets_a_row_for_each_class(open_app, click) -> None:
    drawn = click("none", 0)
    open_app(model="tiny-cvae")
    rows = [row for piece in drawn for row in piece["rows"]]
    assert rows == [str(i) for i in range(10)]


def test_only_conditional_models_have_a_class(open_app) -> None:
    assert {box.label for box in open_app(model="tiny-cvae").selectbox} == {"Model", "Class"}
    assert {box.label for box in open_app(model="tiny-gan").selectbox} == {"Model"}


def test_classifiers_are_not_offered(open_app) -> None:
    offered = open_app().selectbox(key="pick-model").options
    assert len(offered) == 5 and not any("classifier" in name.lower() for name in offered)


@pytest.mark.parametrize(
    ("model", "classes", "index", "seed", "label"),
    [
        ("tiny-gan", "rows", 12, 12, None),
        ("tiny-cvae", "rows", 19, 19, 2),
        ("tiny-cvae", "mixed", 19, 19, 9),
        ("tiny-cgan", "4", 19, 19, 4),
    ],
)
def test_a_click_opens_the_sample_in_explore(open_app, click, model, classes, index, seed, label) -> None:
    click("samples-0", index)
    params = {} if classes == "rows" else {"class": classes}
    app = open_app(model=model, **params)
    assert app.title[0].value == "Explore"
    point = app.session_state["view"].point
    assert (point.seed, point.label, point.edits) == (seed, label, ())
    assert app.number_input(key="seed").value == seed


@pytest.mark.parametrize("classes", ["rows", "mixed", "4"])
def test_a_tile_shows_the_class_that_it_names(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, classes: str
) -> None:
    shown = state.View(model="tiny-cgan", start=8, classes=classes)
    monkeypatch.setattr(state, "view", lambda: shown)
    info = catalog.find("tiny-cgan")
    sheet = np.asarray(Image.open(io.BytesIO(grid._sheet(info, 0, 64))))
    for index in (0, 19, 63):
        tile = grid.place(info, index)
        point = Point(seed=tile.seed, label=tile.label)
        alone = render(RenderRequest(model=info.digest, op=Decode(points=(point,)))).images[0, ..., 0]
        row, column = divmod(index, 8)
        there = sheet[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        assert abs(there.astype(int) - alone.astype(int)).max() <= 1


def test_a_sample_of_a_later_start_keeps_its_seed(open_app, click) -> None:
    click("samples-0", 5)
    app = open_app(model="tiny-gan", **{"from": 1000})
    assert app.session_state["view"].point.seed == 1005


def test_more_adds_a_piece(open_app, click) -> None:
    drawn = click("none", 0)
    app = open_app(model="tiny-gan")
    drawn.clear()
    app.button(key="more").click().run()
    assert [piece["key"] for piece in drawn] == ["samples-0", "samples-64"]
    assert drawn[1]["names"][0] == "Sample, seed 64"


def test_shuffle_starts_elsewhere_and_forgets_the_pieces(open_app, click) -> None:
    drawn = click("none", 0)
    app = open_app(model="tiny-gan")
    app.button(key="more").click().run()
    drawn.clear()
    app.button(key="shuffle").click().run()
    assert app.session_state["view"].start > 0 and len(drawn) == 1


def test_the_choice_of_a_model_survives_a_page_change(open_app) -> None:
    app = open_app(model="tiny-gan")
    app.selectbox(key="pick-model").set_value("tiny-vae").run()
    app.slider(key="truncation-gallery").set_value(0.7).run()
    app.switch_page("views/explore.py").run()
    assert app.session_state["view"].model == "tiny-vae"
    assert app.slider(key="truncation-explore").value == 0.7
    app.switch_page("views/gallery.py").run()
    assert app.selectbox(key="pick-model").value == "tiny-vae"


def test_without_models_it_says_what_to_do(open_app, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "empty"))
    app = open_app()
    assert "There is no model to show yet" in app.markdown[0].value
    assert "latent-explorer train" in app.code[0].value


def test_a_damaged_sheet_is_rendered_anew(zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(zoo / "tiny-gan", tmp_path / "tiny-gan")
    (tmp_path / "tiny-gan" / "sheet.png").write_bytes(b"not a picture")
    assert cache.card_sheet(catalog.read(tmp_path / "tiny-gan")) is None
    (tmp_path / "tiny-gan" / "sheet.png").unlink()
    assert cache.card_sheet(catalog.read(tmp_path / "tiny-gan")) is None


def test_a_sheet_of_fewer_rows_is_shown_on_cards_alone(zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(zoo / "tiny-gan", tmp_path / "tiny-gan")
    info = catalog.read(tmp_path / "tiny-gan")
    with Image.open(info.path / "sheet.png") as whole:
        whole.crop((0, 0, 128, 16)).save(info.path / "sheet.png")
    shown = cache.card_samples(info, 4, 2)
    assert shown and Image.open(io.BytesIO(shown)).size == (512, 128)
    assert cache.card_sheet(info) is None


def test_places_count_on_from_the_start(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "view", lambda: state.View(model="tiny-cvae", start=7))
    info = catalog.find("tiny-cvae")
    assert grid.place(info, 0) == grid.Tile(7, 0)
    assert grid.place(info, 80) == grid.Tile(87, 0)


@pytest.mark.parametrize(("page", "key"), [("explore", "seed"), ("gallery", "first-seed")])
def test_a_seed_that_is_too_large_becomes_the_largest_and_it_is_said(open_app, page: str, key: str) -> None:
    app = open_app(page, model="tiny-vae")
    most = {"seed": controls.MAX_SEED, "first-seed": controls.MAX_START}[key]
    app.number_input(key=key).set_value(2**40).run()
    assert app.number_input(key=key).value == most and not app.exception
    assert [f"{most} at most" in box.value for box in app.warning] == [True]
    app.number_input(key=key).set_value(7).run()
    assert app.number_input(key=key).value == 7 and not app.warning


@pytest.mark.parametrize(("value", "noisy"), [(0.6, False), (1.16, True)])
def test_more_detail_than_real_pictures_have_is_called_noise(
    open_app, monkeypatch, value: float, noisy: bool
) -> None:
    def measured(info: ModelInfo) -> ModelInfo:
        metric = Metric(value=value, n=100, protocol="a test")
        return replace(info, card=info.card.model_copy(update={"metrics": {"sharpness_ratio": metric}}))

    found, errors = cache.models()
    monkeypatch.setattr(cache, "models", lambda: ([measured(info) for info in found], errors))
    line = next(text.value for text in open_app(model="tiny-vae").caption if "Sharpness" in text.value)
    assert f"Sharpness {value:.2f} × real" in line and ("noise" in line) == noisy
