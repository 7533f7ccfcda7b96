"""What a page knows of a map, and tells the browser: the quick map, the payload, the colours, the search."""

import base64
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from explorer import map_data, maps
from explorer.components.map.reports import selection
from explorer.components.map.scene import Extra, OwnImage, Scene, Selection, Shown, payload
from explorer.panels import landscape
from models import catalog, datasets
from models.datasets import avatar_style as style
from models.embedding.maps import Categories, EmbeddingMap, Source


def test_a_map_of_images_is_that_of_their_latents(found: EmbeddingMap) -> None:
    assert len(found) == 300 and found.positions.dtype == np.float32
    assert np.abs(found.positions).max() == pytest.approx(1)
    data = datasets.load("digits", "train")
    assert data.labels is not None
    assert (found.categories["label"].codes == data.labels[found.indices].numpy()).all()
    centred = found.latents - found.latents.mean(0)
    _, scales, axes = np.linalg.svd(centred, full_matrices=False)
    ratio = found.positions.std(0) / (scales[:2] / np.sqrt(300))
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-3)  # the two largest components, equally enlarged
    assert abs(np.corrcoef(centred @ axes[0], found.positions[:, 0])[0, 1]) > 0.999


def test_a_map_of_samples_names_their_seeds(zoo: Path) -> None:
    there = maps.quick(catalog.find("tiny-cgan"), 50)
    assert there is not None and (there.sources == Source.GENERATED).all()
    assert there.indices.tolist() == list(range(50))
    assert there.categories["label"].codes[:17].tolist() == [0] * 8 + [1] * 8 + [2]


def test_a_classifier_has_no_map(zoo: Path) -> None:
    assert maps.quick(catalog.find("tiny-classifier")) is None


# What the browser is told ----------------------------------------------------------------------------------


def test_the_payload_stands_for_itself(found: EmbeddingMap, shown: Shown) -> None:
    extras = [Extra("5" * 64, "/api/maps/5", "Fresh samples", 100, 6, (16, 16, 1), "square")]
    picture = np.full((16, 16, 1), 9, np.uint8)
    own = OwnImage((0.5, -0.5), picture, picture)
    scene = Scene(shown, path=[(0, 1)], extras=extras, own=own, found=[7, 3])
    sent = payload(scene, "/api/live", texts={})
    data = json.loads(json.dumps(sent))
    assert data["key"] == map_data.digest(found) and map_data.published(data["key"]) is not None
    assert data["address"].endswith(f"/api/maps/{data['key']}")
    assert (data["count"], data["dim"], data["shape"]) == (300, 6, [16, 16, 1])
    assert data["pictures"] == "images" and data["label"] == data["colouring"] == "label"
    (colouring,) = data["colourings"]
    assert colouring["names"] == list("0123456789") and colouring["column"] == "categories"
    assert np.frombuffer(base64.b64decode(data["found"]), "<i4").tolist() == [7, 3]
    assert (data["extras"][0]["mark"], data["extras"][0]["count"]) == ("square", 100)
    assert data["own"]["place"] == [0.5, -0.5]
    assert all(one.startswith("data:image/png;base64,") for one in data["own"]["pictures"])
    assert data["path"] == [[0, 1]] and data["focus"] is None


def test_maps_beside_and_selections_are_in_the_payload(found: EmbeddingMap, shown: Shown) -> None:
    other = dataclasses.replace(shown, key="1" * 64, caption="Another one")
    gone = Selection("2" * 64, np.arange(3))
    rows = np.array([0, 8, 299])
    selections = {"A": Selection(other.key, rows), "B": gone}
    scene = Scene(shown, beside=[other], selections=selections, letter="B")
    data = json.loads(json.dumps(payload(scene, "", {})))
    assert [one["caption"] for one in data["beside"]] == ["Another one"] and data["letter"] == "B"
    (selected,) = data["selections"].values()  # that of no map of the page is left out
    read = selection({"key": selected["on"], "bits": selected["bits"]}, other)
    assert selected["on"] == other.key and read is not None and read.tolist() == rows.tolist()
    newer = dataclasses.replace(other, key="3" * 64, series="run")  # another map of the same points
    sent = payload(Scene(newer, selections={"A": Selection("run", rows)}), "", {})
    assert sent["selections"]["A"]["on"] == newer.key


def test_values_are_coloured_between_their_quantiles(found: EmbeddingMap) -> None:
    values = np.linspace(0, 1, 300, dtype=np.float32)
    values[:3] = np.nan, np.inf, 1000
    sources = found.sources.copy()
    sources[-50:] = Source.GENERATED
    other = dataclasses.replace(found, values={"error": values}, sources=sources)
    colourings = landscape.shown(catalog.find("tiny-vae"), other).colourings
    assert [one.name for one in colourings] == ["label", "source", "error"]
    assert colourings[2].title == "Reconstruction error" and colourings[2].names is None
    assert 0 < colourings[2].low < 0.05 and 0.95 < colourings[2].high < 1


def test_names_of_colours_have_these_colours(zoo: Path) -> None:
    codes = np.zeros(40, np.int16)
    there = maps.quick(catalog.find("tiny-vae"), 40)
    assert there is not None
    kinds = {
        "shirt_colour": Categories(codes, tuple(style.SHIRT_COLOUR)),
        "skin": Categories(codes, ("honey", "blue")),  # of another classifier
        "hat": Categories(codes, ("none", "cap")),
    }
    faces = dataclasses.replace(
        there, spec=there.spec.model_copy(update={"dataset": "avatars"}), categories=kinds
    )
    colours = {one.name: one.colours for one in landscape.shown(catalog.find("tiny-vae"), faces).colourings}
    assert colours["shirt_colour"] == tuple(style.SHIRT_COLOUR.values())
    assert colours["skin"] == colours["hat"] == ()


def test_a_map_begins_with_what_it_shows_most_clearly(zoo: Path) -> None:
    info, there = catalog.find("tiny-vae"), maps.quick(catalog.find("tiny-vae"), 200)
    assert there is not None and landscape.shown(info, there).colouring == "label"
    halves = (there.positions[:, 0] > np.median(there.positions[:, 0])).astype(np.int16)
    mixed = np.random.default_rng(0).integers(0, 2, len(there)).astype(np.int16)
    rare = np.zeros(len(there), np.int16)  # neighbours are alike, but so are all
    kinds = {
        "beard": Categories(mixed, ("none", "full")),
        "hat": Categories(halves, ("none", "cap")),
        "skin": Categories(rare, ("honey", "peach")),
    }
    assert landscape.shown(info, dataclasses.replace(there, categories=kinds)).colouring == "hat"


def test_the_search_finds_numbers_and_names(found: EmbeddingMap, shown: Shown) -> None:
    number = int(found.indices[17])
    assert landscape.matches(found, shown, str(number)) == [17]
    gone = next(n for n in range(10) if n not in found.indices)
    assert (
        landscape.matches(found, shown, str(gone))
        == np.flatnonzero(found.categories["label"].codes == gone).tolist()
    )
    assert landscape.matches(found, shown, "no such class") == []
    assert landscape.matches(found, shown, "9" * 5000) == []
