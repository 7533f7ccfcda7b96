"""What is laid over a map: fresh samples of some models, what they cover, a person's own image; and files of a map."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer import fresh, map_data, map_figure, maps, own
from explorer.components.map.reports import Above, above
from explorer.components.map.scene import Extra, OwnImage
from explorer.panels import landscape, overlay
from models import catalog, datasets
from models.catalog import Metric
from models.embedding.compute import make
from models.embedding.fresh import place_samples
from models.embedding.maps import EmbeddingMap, MapSpec, Source
from models.embedding.place import place_latents
from models.embedding.space import space_of
from models.render import decoder

Open = Callable[..., AppTest]


class Maps:
    """What the map, which needs a browser, was given in each run of a page; it can report something."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self._pending: Above | None = None

    def __call__(self, scene: Any, **options: Any) -> None:
        self.options = {**vars(scene), **options}
        if self._pending is not None:
            choice, self._pending = self._pending, None
            options["on_above"](choice)

    @property
    def extras(self) -> list[Extra]:
        return self.options["extras"]

    def click(self, app: AppTest, choice: Above) -> None:
        """Let the browser report a click."""
        self._pending = choice
        app.run().run()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Maps:
    drawn = Maps()
    monkeypatch.setattr("explorer.components.map.latent_map", drawn)
    monkeypatch.setattr(overlay, "_PATIENCE", 30.0)
    for shared in (maps._maps, fresh._spaces, fresh._samples, fresh._coverages):
        shared.clear()
    return drawn


def texts(app: AppTest) -> str:
    return " ".join(str(one.value) for one in (*app.caption, *app.markdown, *app.error)).replace("\\", "")


def quick(name: str) -> EmbeddingMap:
    found = maps.quick(catalog.find(name))
    assert found is not None
    return found


# Fresh samples ---------------------------------------------------------------------------------------------


def test_fresh_samples_lie_over_the_map_and_say_what_they_cover(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-vae")
    assert drawn.extras == []
    app.toggle(key="map-fresh").set_value(True).run()
    (extra,) = drawn.extras
    assert (extra.name, extra.count, extra.mark) == ("Fresh samples", 500, "square")
    published = map_data.published(extra.key)
    assert published is not None
    samples = published.map
    assert samples.indices.tolist() == list(range(overlay.FIRST, overlay.FIRST + 500))
    info = catalog.find("tiny-vae")
    expected = place_samples(space_of(quick("tiny-vae"), info), info, info, samples.indices.tolist())
    assert samples.positions == pytest.approx(expected.positions, abs=1e-5)
    covered = fresh.coverage(catalog.find("tiny-vae"), range(overlay.FIRST, overlay.FIRST + 500)).value()
    said = re.search(r"covers ([\d.<]+) ?([\d.]*) % of ([\d,]+) test images in what a classifier", texts(app))
    assert said is not None and said[3] == f"{covered.count:,}"


def test_samples_of_another_model_open_with_their_own(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-vae")
    app.toggle(key="map-fresh").set_value(True).run()
    app.multiselect(key="map-fresh-of-tiny-vae").set_value(["tiny-vae", "tiny-cgan"]).run()
    app.button_group(key="map-fresh-count").set_value(100).run()
    app.number_input(key="map-fresh-seed").set_value(7).run()
    assert [(one.name, one.mark, one.count) for one in drawn.extras] == [
        ("Fresh samples", "square", 100),
        ("Tiny cgan", "diamond", 100),
    ]
    before = app.session_state["view"].point
    drawn.click(app, Above(drawn.extras[1].key, 20))
    assert app.session_state["view"].point == before and "seed 27" in texts(app) and "Tiny cgan" in texts(app)
    app.button(key="map-open-other").click().run()
    shown = app.session_state["view"]
    assert (shown.model, shown.point.seed, shown.point.label, shown.point.latent) == ("tiny-cgan", 27, 3, ())


def test_a_sample_of_the_same_model_becomes_the_point(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-cgan")
    app.toggle(key="map-fresh").set_value(True).run()
    drawn.click(app, Above(drawn.extras[0].key, 12))
    point = app.session_state["view"].point
    assert (point.seed, point.latent) == (overlay.FIRST + 12, ()) and f"seed {overlay.FIRST + 12}" in texts(
        app
    )
    assert point.label == (overlay.FIRST + 12) // 8 % 10
    assert drawn.options["here"] is not None  # where the click was
    assert not [one for one in app.button if one.key == "map-open-other"]


def test_what_cannot_be_placed_says_why_and_the_rest_is(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-gan")  # a quick map, of latents
    app.toggle(key="map-fresh").set_value(True).run()
    app.multiselect(key="map-fresh-of-tiny-gan").set_value(["tiny-vae", "tiny-gan"]).run()
    assert "cannot encode pictures of other models" in texts(app) and "what a classifier sees" in texts(app)
    assert [one.name for one in drawn.extras] == ["Fresh samples"]


def test_without_the_images_the_card_says_what_is_covered(
    open_app: Open, drawn: Maps, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = catalog.find("tiny-gan")
    monkeypatch.setattr("models.datasets.presence.check", _gone)
    app = open_app("map", model="tiny-gan")
    app.toggle(key="map-fresh").set_value(True).run()
    assert "No coverage: The images are elsewhere." in texts(app) and len(drawn.extras) == 1
    card = info.card.model_copy(update={"metrics": {"coverage": Metric(value=0.8)}})
    real = catalog.scan
    monkeypatch.setattr(
        catalog,
        "scan",
        lambda: (
            [dataclasses.replace(one, card=card) if one.id == info.id else one for one in real()[0]],
            [],
        ),
    )
    monkeypatch.setattr("explorer.cache._scan", lambda state: catalog.scan())
    app.run()
    assert "Tiny gan** covers 80 % of the real images, says its card" in texts(app)


@pytest.mark.parametrize(
    ("model", "dropped", "words"),
    [
        ("tiny-cvae", 0, "among reconstructions of 40 images"),
        ("tiny-gan", 40, "samples alone: its 40 images are"),
    ],
)
def test_without_the_images_it_is_said_what_samples_were_placed_among(
    open_app: Open, drawn: Maps, monkeypatch: pytest.MonkeyPatch, model: str, dropped: int, words: str
) -> None:
    info = catalog.find(model)
    spec = MapSpec(model=info.digest, dataset="digits", of="pixels", method="pca", count=60, generated=20)
    found = make(spec, info)
    monkeypatch.setattr(maps, "quick", lambda info: found)
    monkeypatch.setattr("models.embedding.space._real_images", lambda found, info: None)
    app = open_app("map", model=model)
    app.toggle(key="map-fresh").set_value(True).run()
    assert words in texts(app) and len(fresh.space(info, found).value().rows) == 60 - dropped


def _gone(*_: object, **__: object) -> None:
    from models.errors import UserError

    raise UserError("no-data", "The images are elsewhere.", "Fetch them.")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "above",
        {"index": 1},
        {"above": "other", "index": 0},
        {"above": "5" * 64, "index": 100},
        {"above": "5" * 64, "index": -1},
        {"above": "5" * 64, "index": True},
        {"above": "5" * 64},
        {"above": "own"},
        {"above": ["own"]},
    ],
)
def test_what_is_no_click_above_is_none(value: object) -> None:
    extra = Extra("5" * 64, "/api/maps/5", "Fresh samples", 100, 6, (16, 16, 1), "square")
    assert above(value, [extra], None) is None
    assert above({"above": extra.key, "index": 99}, [extra], None) == Above(extra.key, 99)
    picture = np.zeros((16, 16, 1), np.uint8)
    assert above({"above": "own"}, [], OwnImage((0, 0), picture, picture)) == Above(None)


# A person's own image --------------------------------------------------------------------------------------


@pytest.fixture
def given() -> own.Own:
    """An image of a person's own."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[8:32, 8:13] = 255
    return own.Own(pixels, "mine.png", drawn=True)


@pytest.mark.parametrize("model", ["tiny-vae", "tiny-cvae"])
def test_an_own_image_is_placed_and_kept_out_of_the_link(
    open_app: Open, drawn: Maps, given: own.Own, model: str
) -> None:
    app = open_app("map", model=model)
    app.toggle(key="map-own").set_value(True).run()
    assert not drawn.options["own"] and app.file_uploader(key="own-file") is not None
    app.session_state["own_image"] = given
    app.run()
    placed = drawn.options["own"]
    info = catalog.find(model)
    assert (placed.picture == own.prepared(info, given)).all()
    drawn.click(app, Above(None))
    point = app.session_state["view"].point
    latent = np.asarray([point.latent], np.float32)
    assert placed.place == pytest.approx(place_latents(quick(model), latent)[0].tolist(), abs=0.02)
    labels = None if point.label is None else np.array([point.label])
    assert np.abs(decoder(info.digest)(latent, labels)[0].astype(int) - placed.rebuilt).max() <= 3
    assert "Your own image" in texts(app) and drawn.options["here"] == placed.place
    app.run()
    assert "z" not in app.query_params


def test_a_model_without_an_encoder_takes_no_image(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-gan")
    assert drawn.options["own"] is None and not [one for one in app.toggle if one.key == "map-own"]


# Files -----------------------------------------------------------------------------------------------------


def chart(*how: Any) -> Any:
    """Draw a chart; the stubs of its library know nothing of traces."""
    return map_figure.figure(*how)


def test_a_chart_has_a_trace_for_each_class_and_each_layer(zoo: Path) -> None:
    found = quick("tiny-vae")
    shown = landscape.shown(catalog.find("tiny-vae"), found)
    samples = dataclasses.replace(
        quick("tiny-cgan"), positions=np.zeros((2000, 2), np.float32) + np.float32(0.25)
    )
    drawn = chart(found, shown.colourings[0], "A <b>map</b>", [("Fresh", "diamond", samples)])
    names = [trace.name for trace in drawn.data]
    assert names == [*"0123456789", "Fresh"] and {trace.type for trace in drawn.data} == {"scattergl"}
    codes = found.categories["label"].codes
    three = drawn.data[3]
    assert len(three.x) == (codes == 3).sum() and three.x[0] == pytest.approx(
        found.positions[codes == 3][0, 0], abs=1e-4
    )
    assert three.text[0] == f"training image {found.indices[codes == 3][0]}"
    assert drawn.layout.title.text == "A &lt;b&gt;map&lt;/b&gt;" and drawn.data[-1].marker.symbol == "diamond"


def test_values_and_sources_colour_a_chart(zoo: Path) -> None:
    found = quick("tiny-vae")
    values = np.linspace(0, 1, len(found), dtype=np.float32)
    sources = found.sources.copy()
    sources[-50:] = Source.GENERATED
    both = dataclasses.replace(found, values={"error": values}, sources=sources)
    by = {one.name: one for one in landscape.shown(catalog.find("tiny-vae"), both).colourings}
    (scale,) = chart(both, by["error"], "Map").data
    assert scale.marker.showscale and list(scale.marker.color[:2]) == list(values[:2])
    assert [trace.name for trace in chart(both, by["source"], "Map").data] == [
        "Training images",
        "Samples",
    ]
    (plain,) = chart(both, None, "Map").data
    assert len(plain.x) == len(found) and not plain.showlegend


def test_a_page_stands_for_itself(zoo: Path) -> None:
    found = quick("tiny-cgan")
    shown = landscape.shown(catalog.find("tiny-cgan"), found)
    page = map_figure.page(found, shown.colourings[0], shown.name).decode()
    assert page.lower().startswith("<!doctype html>") and not re.search(r"<script[^>]+src=", page)
    assert "Map of 2,000 points of Tiny cgan" in page and json.dumps("seed 7") in page


# A model that still trains ---------------------------------------------------------------------------------


def test_places_are_turned_to_lie_as_before() -> None:
    rng = np.random.default_rng(0)
    places = maps._fitted(rng.normal(size=(200, 2)).astype(np.float32) * (2, 1))
    turn = np.array([[0.6, 0.8], [0.8, -0.6]], np.float32)  # with a mirror
    assert maps.turned(places @ turn, places) == pytest.approx(places, abs=1e-4)


def test_the_quick_map_of_a_run_lies_as_the_one_before(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = dataclasses.replace(catalog.find("tiny-vae"), run=True)
    monkeypatch.setattr(maps, "_last", type(maps._last)())
    maps._maps.clear()
    first = maps.quick(info, 100)
    assert first is not None
    mirrored = dataclasses.replace(first, positions=first.positions * (-1, 1))
    again = maps._followed(info.id, mirrored)
    assert again.positions == pytest.approx(first.positions, abs=1e-4)
    others = dataclasses.replace(mirrored, indices=mirrored.indices + 1)
    assert maps._followed(info.id, others) is others  # other points: nothing to lie like


def test_without_the_data_a_run_still_has_one(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "available", lambda name: False)
    maps._maps.clear()
    found = maps.quick(dataclasses.replace(catalog.find("tiny-vae"), run=True), 64)
    assert found is not None and (found.sources == Source.GENERATED).all()
