"""The route to maps: what a browser gets of one, in which order, and who gets nothing."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer import map_data, map_pictures
from models import catalog, datasets
from models.embedding.maps import Categories, EmbeddingMap, MapSpec, Source
from models.render import decoder

COUNT = 300  # two blocks of latents, five sheets
FOR_EVER = "private, max-age=31536000, immutable"


def a_map(model: str, **changes: Any) -> EmbeddingMap:
    """Return a map of digits, and of samples at its end."""
    rng = np.random.default_rng(1)
    info = catalog.find(model)
    sources = np.repeat([Source.TRAIN, Source.TEST, Source.GENERATED], COUNT // 3).astype(np.uint8)
    given = EmbeddingMap(
        MapSpec(model=info.digest, dataset="digits", count=COUNT),
        rng.uniform(-1, 1, (COUNT, 2)).astype(np.float32),
        rng.standard_normal((COUNT, info.latent_dim or 0), np.float32),
        sources,
        rng.permutation(COUNT).astype(np.int32),
        {"label": Categories(rng.integers(-1, 10, COUNT).astype(np.int16), tuple("0123456789"))},
        {"error": rng.random(COUNT, np.float32)},
    )
    return dataclasses.replace(given, **changes)


@pytest.fixture
def found(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddingMap:
    for name in ("_published", "_keys"):
        monkeypatch.setattr(map_data, name, type(getattr(map_data, name))())
    return a_map("tiny-vae")


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=map_data.routes("/apps/latent")))


def ask(client: TestClient, key: str, path: str) -> Any:
    return client.get(f"{map_data.address('/apps/latent', key)}/{path}")


def read(client: TestClient, key: str, path: str, kind: str) -> np.ndarray:
    answer = ask(client, key, path)
    assert answer.status_code == 200 and answer.headers["cache-control"] == FOR_EVER
    return np.frombuffer(answer.content, kind)


def order_of(client: TestClient, key: str) -> np.ndarray:
    """Return which point stands where, as a browser reads it."""
    data = ask(client, key, "points").content
    return np.frombuffer(data, "<i4", COUNT, 8 * COUNT)


# Points and what is known of them --------------------------------------------------------------------------


def test_points_come_with_their_indices(found: EmbeddingMap, client: TestClient) -> None:
    data = ask(client, map_data.publish(found), "points").content
    assert len(data) == 18 * COUNT
    places = np.frombuffer(data, "<f4", 2 * COUNT).reshape(-1, 2)
    order, numbers = np.frombuffer(data, "<i4", 2 * COUNT, 8 * COUNT).reshape(2, -1)
    sources = np.frombuffer(data, "u1", COUNT, 16 * COUNT)
    assert sorted(order) == list(range(COUNT))
    assert (places == found.positions[order]).all()
    assert (numbers == found.indices[order]).all() and (sources == found.sources[order]).all()
    assert np.frombuffer(data, "u1", COUNT, 17 * COUNT).all()


def test_points_without_a_latent_say_so_and_decode_to_black(found: EmbeddingMap, client: TestClient) -> None:
    latents = found.latents.copy()
    latents[[3, 250]] = np.nan
    partly = a_map("tiny-vae", latents=latents)
    key = map_data.publish(partly)
    order = order_of(client, key)
    flags = np.frombuffer(ask(client, key, "points").content, "u1", COUNT, 17 * COUNT)
    assert sorted(order[flags == 0]) == [3, 250]
    images = map_pictures.pictures(partly, [3, 4, 250], "decoded")
    assert not images[[0, 2]].any() and images[1].any()
    assert map_pictures.pictures(partly, [3], "images").any()  # the image itself is there


def test_columns_and_latents_stand_in_the_same_order(found: EmbeddingMap, client: TestClient) -> None:
    key = map_data.publish(found)
    order = order_of(client, key)
    assert (read(client, key, "categories/0", "<i2") == found.categories["label"].codes[order]).all()
    assert (read(client, key, "values/0", "<f4") == found.values["error"][order]).all()
    blocks = [read(client, key, f"latents/{n}", "<f2").reshape(-1, 6) for n in (0, 1)]
    assert [len(block) for block in blocks] == [map_data.BLOCK, COUNT - map_data.BLOCK]
    assert np.concatenate(blocks) == pytest.approx(found.latents[order], abs=2e-3)


def test_points_in_a_row_are_near_to_each_other() -> None:
    places = np.random.default_rng(0).uniform(-1, 1, (4096, 2)).astype(np.float32)
    order = map_data.along_curve(places)
    blocks = places[order].reshape(-1, 64, 2)
    sides = np.ptp(blocks, axis=1).prod(1) ** 0.5
    assert sorted(order) == list(range(4096))
    assert np.median(sides) < 2 * (4 / len(blocks)) ** 0.5  # twice the side of its share of the square


@pytest.mark.parametrize("places", [np.zeros((5, 2)), np.array([[0.3, 0.1]]), np.array([[0, 1], [0, -1]])])
def test_a_map_without_an_extent_has_an_order(places: np.ndarray) -> None:
    assert sorted(map_data.along_curve(places.astype(np.float32))) == list(range(len(places)))


# Pictures --------------------------------------------------------------------------------------------------


def tiles_of(answer: Any) -> np.ndarray:
    """Return the pictures of a sheet, (N, 16, 16)."""
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)))
    rows = sheet.reshape(len(sheet) // 16, 16, 8, 16)
    return rows.transpose(0, 2, 1, 3).reshape(-1, 16, 16)


def test_sheets_show_each_point_its_own_picture(found: EmbeddingMap, client: TestClient) -> None:
    key = map_data.publish(found)
    order = order_of(client, key)
    splits = {Source.TRAIN: datasets.load("digits", "train"), Source.TEST: datasets.load("digits", "test")}
    for number in (0, 3, 4):
        answer = ask(client, key, f"pictures/images/{number}.png")
        assert answer.headers["cache-control"] == FOR_EVER and answer.headers["x-pictures"] == "images"
        seen = tiles_of(answer)
        for tile, row in zip(
            seen, order[number * map_data.SHEET : (number + 1) * map_data.SHEET], strict=False
        ):
            source = Source(int(found.sources[row]))
            if source == Source.GENERATED:
                expected = decoder(found.spec.model)(found.latents[[row]])[0, ..., 0]
                assert np.abs(tile.astype(int) - expected).max() <= 1
            else:
                assert (tile == splits[source].images[int(found.indices[row]), 0].numpy()).all()


def test_reconstructions_say_that_they_are_some(found: EmbeddingMap, client: TestClient) -> None:
    key = map_data.publish(found)
    answer = ask(client, key, "pictures/decoded/0.png")
    row = order_of(client, key)[0]
    expected = decoder(found.spec.model)(found.latents[[row]])[0, ..., 0]
    assert answer.headers["x-pictures"] == "decoded"
    assert np.abs(tiles_of(answer)[0].astype(int) - expected).max() <= 1


def test_without_the_data_set_pictures_are_reconstructions(
    found: EmbeddingMap, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert map_pictures.kind(found) == "images"
    monkeypatch.setattr(datasets, "available", lambda name: False)
    assert map_pictures.kind(found) == "decoded"
    assert ask(client, map_data.publish(found), "pictures/decoded/1.png").status_code == 200


def test_a_conditional_model_decodes_points_with_their_class(found: EmbeddingMap) -> None:
    conditional = a_map("tiny-cvae")
    known = np.flatnonzero(conditional.categories["label"].codes >= 0)[:5]
    seen = map_pictures.pictures(conditional, known, "decoded")
    labels = conditional.categories["label"].codes[known].astype(np.int64)
    expected = decoder(conditional.spec.model)(conditional.latents[known], labels)
    assert np.abs(seen.astype(int) - expected).max() <= 1
    assert map_pictures.label_of(conditional, int(known[0])) == labels[0]


def test_other_images_than_the_map_was_made_of_are_not_shown(found: EmbeddingMap, client: TestClient) -> None:
    beyond = a_map("tiny-vae", indices=np.full(COUNT, 5000, np.int32), sources=np.zeros(COUNT, np.uint8))
    key = map_data.publish(beyond)
    assert ask(client, key, "pictures/images/0.png").status_code == 404
    assert ask(client, key, "pictures/decoded/0.png").status_code == 200


def test_images_that_are_being_loaded_are_asked_for_again(
    found: EmbeddingMap, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loading(*_: Any) -> None:
        raise map_pictures.LoadingError

    monkeypatch.setattr(map_pictures, "pictures", loading)
    answer = ask(client, map_data.publish(found), "pictures/images/0.png")
    assert answer.status_code == 503 and answer.headers["cache-control"] == "no-store"


# Keys ------------------------------------------------------------------------------------------------------


def test_the_key_is_that_of_the_content(found: EmbeddingMap) -> None:
    same = a_map("tiny-vae")
    moved = a_map("tiny-vae", positions=found.positions + np.float32(0.01))
    recoloured = a_map("tiny-vae", values={"density": found.values["error"]})
    keys = [map_data.publish(one) for one in (found, same, moved, recoloured)]
    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert all(len(key) == 64 for key in keys)


def test_of_a_map_that_nobody_published_there_is_nothing(found: EmbeddingMap, client: TestClient) -> None:
    key = map_data.digest(found)
    answers = [ask(client, one, "points") for one in (key, "0" * 64, "..", "%2E%2E")]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert answers[0].headers["cache-control"] == "no-store" and answers[0].content == answers[1].content
    map_data.publish(found)
    assert ask(client, key, "points").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "categories/1",
        "categories/-1",
        "categories/label",
        "values/1",
        f"values/{'9' * 5000}",
        "latents/2",
        "latents/\u0662",
        "secrets/0",
        "pictures/images/5.png",
        "pictures/other/0.png",
        "pictures/images/0",
        f"pictures/decoded/{'9' * 5000}.png",
    ],
)
def test_what_a_map_has_not_is_not_found(found: EmbeddingMap, client: TestClient, path: str) -> None:
    assert ask(client, map_data.publish(found), path).status_code == 404


def test_the_oldest_maps_go_where_there_are_too_many(
    found: EmbeddingMap, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [a_map("tiny-vae", positions=found.positions * np.float32(factor)) for factor in (0.5, 0.25)]
    monkeypatch.setattr(map_data, "_KEPT_BYTES", int(2.5 * map_data.Published("", found).size))
    keys = [map_data.publish(one) for one in (found, others[0])]
    map_data.publish(found)  # is looked at again
    keys.append(map_data.publish(others[1]))
    assert [ask(client, key, "points").status_code for key in keys] == [200, 404, 200]
    monkeypatch.setattr(map_data, "_KEPT_BYTES", 1)
    assert ask(client, map_data.publish(others[0]), "points").status_code == 200  # the newest is always there
