"""The map page: what a person does on the map, and what becomes of it; maps side by side."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer import map_data, maps
from explorer.components.map.reports import Chosen
from explorer.components.map.scene import Scene, Selection, Shown
from explorer.link import pack
from explorer.panels import pin, selecting
from explorer.panels.comparing import Pane
from models import catalog
from models.embedding.maps import Categories, EmbeddingMap
from models.embedding.place import place_latents
from models.latent import prior
from models.render import decoder

Open = Callable[..., AppTest]
COUNT = 2000  # what the page begins with; there are fewer digits


class Maps:
    """What the map, which needs a browser, was given in each run of a page; it can report something."""

    def __init__(self) -> None:
        self.drawn: list[tuple[Shown, dict[str, Any]]] = []
        self._pending: Any = None

    def __call__(self, scene: Scene, **options: Any) -> None:
        options = {**vars(scene), **options}
        self.drawn.append((scene.shown, options))
        if self._pending is not None:
            (event, number, value), self._pending = self._pending, None
            options[event](*value) if number is None else options[event](number, value)

    @property
    def shown(self) -> Shown:
        """The last one."""
        return self.drawn[-1][0]

    @property
    def options(self) -> dict[str, Any]:
        """What went with it."""
        return self.drawn[-1][1]

    def tell(self, app: AppTest, event: str, value: Any, number: int = 0) -> None:
        """Let the browser report something of a map."""
        self._pending = (event, number, value)
        app.run().run()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Maps:
    """Replace the component; what is imported by a page's script is looked up anew in each run."""
    drawn = Maps()
    monkeypatch.setattr("explorer.components.map.latent_map", drawn)
    monkeypatch.setattr(maps._maps, "_tasks", type(maps._maps._tasks)())
    return drawn


def texts(app: AppTest) -> str:
    return " ".join(str(one.value) for one in (*app.caption, *app.markdown)).replace("\\", "")


# The page --------------------------------------------------------------------------------------------------


def test_a_click_becomes_the_point_of_explore(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-vae")
    there = maps.quick(catalog.find("tiny-vae"), COUNT)
    assert there is not None and len(there) == drawn.shown.count
    drawn.tell(app, "on_pick", Chosen((41,), (1.0,)))
    point = app.session_state["view"].point
    assert point.latent == pytest.approx(there.latents[41], abs=2e-3)
    code = int(there.categories["label"].codes[41])
    assert f"{code} · training image {int(there.indices[41])}" in texts(app)
    drawn.tell(app, "on_pick", Chosen((3, 9), (0.25, 0.75)))
    mean = 0.25 * there.latents[3] + 0.75 * there.latents[9]
    lengths = np.linalg.norm(there.latents[[3, 9]], axis=1)
    expected = mean * (0.25 * lengths[0] + 0.75 * lengths[1]) / np.linalg.norm(mean)
    assert app.session_state["view"].point.latent == pytest.approx(expected, abs=2e-3)
    assert "A place between points" in texts(app)


def test_the_point_of_explore_is_marked_on_the_map(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-vae", seed=4)
    there = maps.quick(catalog.find("tiny-vae"), COUNT)
    assert there is not None
    latent = prior(range(4, 5), there.latents.shape[1]).numpy()
    assert drawn.options["here"] == pytest.approx(place_latents(there, latent)[0].tolist(), abs=1e-5)
    assert "The pin is there" in texts(app)
    drawn.tell(app, "on_pick", Chosen((3, 9), (0.25, 0.75), (0.125, -0.5)))
    assert drawn.options["here"] == (0.125, -0.5)
    app.session_state["view"] = app.session_state["view"].model_copy(
        update={"point": app.session_state["view"].point.model_copy(update={"axes": "pca", "keep": (1,)})}
    )
    app.run()
    assert drawn.options["here"] == (0.125, -0.5), "it has not moved"
    app = open_app("map", model="tiny-vae", z=pack(tuple(there.latents[41].tolist())))
    assert drawn.options["here"] == pytest.approx(there.positions[41].tolist())


def test_on_a_map_of_samples_the_point_is_marked_where_it_is_one_of_them(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-cgan", seed=19, **{"class": 2})
    there = maps.quick(catalog.find("tiny-cgan"), COUNT)
    assert there is not None
    assert drawn.options["here"] == pytest.approx(there.positions[19].tolist())
    drawn.tell(app, "on_pick", Chosen((5,), (1.0,)))
    assert drawn.options["here"] == pytest.approx(there.positions[5].tolist())
    open_app("map", model="tiny-cgan", seed=19, **{"class": 3})  # the same latent with another class
    assert drawn.options["here"] is None
    app = open_app("map", model="tiny-cgan", seed=COUNT + 1)
    assert drawn.options["here"] is None and "The pin is there" not in texts(app)


def test_a_click_on_a_sample_goes_to_its_seed_and_class(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-cgan")
    drawn.tell(app, "on_pick", Chosen((19,), (1.0,)))
    point = app.session_state["view"].point
    assert (point.seed, point.latent, point.label) == (19, (), 2)


def test_a_selection_shows_its_pictures_and_its_mean(open_app: Open, drawn: Maps, sheets: Any) -> None:
    app = open_app("map", model="tiny-vae")
    there = maps.quick(catalog.find("tiny-vae"), COUNT)
    assert there is not None
    rows = np.flatnonzero(there.categories["label"].codes == 3)
    drawn.tell(app, "on_select", rows)
    assert drawn.options["selections"]["A"].rows.tolist() == rows.tolist()
    (sheet,) = [one for one in sheets if one["key"] == "map-sheet"][-1:]
    assert len(sheet["names"]) == 48 and all(name.startswith("3 · training image") for name in sheet["names"])
    assert f"{len(rows)} points, 48 of them below · 3 100 %" in texts(app)
    info = catalog.find("tiny-vae")
    mean = decoder(info.digest)(there.latents[rows].mean(0)[None])[0]
    picture = selecting.mean_picture(info, there, rows)
    assert picture is not None and np.abs(picture.astype(int) - mean).max() <= 1
    sheet["on_open"](5)
    shown_row = selecting.some(rows, 48)[5]
    assert sheet["names"][5].endswith(f"training image {int(there.indices[shown_row])}")


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect the contact sheets, which need a browser."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(selecting, "tiles", lambda sheet, **options: seen.append({"sheet": sheet, **options}))
    return seen


def test_two_selections_are_a_direction(open_app: Open, drawn: Maps, sheets: Any) -> None:
    app = open_app("map", model="tiny-vae")
    there = maps.quick(catalog.find("tiny-vae"), COUNT)
    assert there is not None
    drawn.tell(app, "on_select", np.arange(10))
    app.button_group(key="map-selection").set_value("B").run()
    drawn.tell(app, "on_select", np.arange(10, 30))
    assert [one["key"] for one in sheets[-2:]] == ["map-sheet", "map-direction"]
    app.button(key="map-arithmetic").click().run()
    kept = app.session_state["kept_points"]
    assert [one.name for one in kept] == ["Mean of B", "Mean of A", "seed 0"]
    assert kept[1].point.latent == pytest.approx(there.latents[:10].mean(0), abs=2e-3)
    assert kept[0].point.latent == pytest.approx(there.latents[10:30].mean(0), abs=2e-3)


def test_images_that_the_model_cannot_encode_have_no_place_in_explore(
    open_app: Open, drawn: Maps, sheets: Any, found: EmbeddingMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents = found.latents.copy()
    latents[:100] = np.nan
    partly = dataclasses.replace(found, latents=latents)
    monkeypatch.setattr(maps, "quick", lambda info: partly)
    app = open_app("map", model="tiny-vae")
    before = app.session_state["view"].point
    drawn.tell(app, "on_pick", Chosen((7,), (1.0,)))
    assert app.session_state["view"].point == before and "cannot encode that image" in texts(app)
    assert pin.latent_of(partly, Chosen((99, 150), (0.5, 0.5))) is None
    drawn.tell(app, "on_select", np.arange(95, 105))
    assert selecting.mean_of(partly, np.arange(95, 105)) == pytest.approx(found.latents[100:105].mean(0))
    app.button_group(key="map-selection").set_value("B").run()
    drawn.tell(app, "on_select", np.arange(10))
    assert sheets[-1]["key"] == "map-sheet" and "no way from A to B" in texts(app)


def test_another_map_has_no_selection(
    found: EmbeddingMap, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {"map_selections": {"A": Selection("0" * 64, np.arange(3))}}
    monkeypatch.setattr(selecting.st, "session_state", kept)
    panes = [Pane(found, shown)]
    assert selecting.of(panes) == {}
    selecting.take(panes, 0, np.arange(4))
    assert selecting.of(panes)["A"].rows.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("count", "most"), [(10, 48), (48, 48), (5000, 48)])
def test_a_part_of_a_selection_is_evenly_spread(count: int, most: int) -> None:
    part = selecting.some(np.arange(count), most)
    assert len(part) == min(count, most) == len(set(part.tolist()))
    assert part[0] == 0 and part[-1] == count - 1


def test_a_search_goes_to_a_point_and_rings_a_class(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-vae")
    there = maps.quick(catalog.find("tiny-vae"), COUNT)
    assert there is not None
    app.text_input(key="map-find").set_value("1200").run()
    (row,) = np.flatnonzero(there.indices == 1200).tolist()
    assert drawn.options["found"] == [row] and drawn.options["focus"][0] == row
    assert "1 point is called that" in texts(app)
    app.text_input(key="map-find").set_value("nobody").run()
    assert not drawn.options["found"] and drawn.options["focus"] is None
    assert "No point is called that" in texts(app)


def test_a_search_of_many_rings_them_and_goes_nowhere(
    open_app: Open, drawn: Maps, found: EmbeddingMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = found.categories["label"].codes
    words = Categories(codes, tuple(f"Kind {number}" for number in range(10)))
    named = dataclasses.replace(found, categories={"label": words})
    monkeypatch.setattr(maps, "quick", lambda info: named)
    app = open_app("map", model="tiny-vae")
    app.text_input(key="map-find").set_value("kind 7").run()
    assert drawn.options["found"] == np.flatnonzero(codes == 7).tolist()
    assert drawn.options["focus"] is None
    assert f"{(codes == 7).sum()} points are called that" in texts(app)


def test_the_film_of_interpolate_is_a_line_on_the_map(open_app: Open, drawn: Maps) -> None:
    app = open_app("map", model="tiny-vae")
    assert not drawn.options["path"]
    app.toggle(key="map-way").set_value(True).run()
    path = np.asarray(drawn.options["path"])
    assert not app.exception and path.shape[1] == 2 and len(path) >= 8
    there = maps.quick(catalog.find("tiny-vae"))
    assert there is not None
    low, high = there.positions.min(0), there.positions.max(0)
    assert ((low <= path) & (path <= high)).all() and np.ptp(path, axis=0).max() > 0.05


# Side by side ------------------------------------------------------------------------------------------------


@pytest.fixture
def mapped(found: EmbeddingMap, monkeypatch: pytest.MonkeyPatch) -> EmbeddingMap:
    """A map that is not that of the principal components, shown by the page."""
    other = dataclasses.replace(
        found, spec=found.spec.model_copy(update={"method": "umap"}), positions=found.positions[:, ::-1]
    )
    monkeypatch.setattr(maps, "quick", lambda info: other)
    return other


def test_a_saved_map_begins_with_the_colours_of_the_page(
    open_app: Open, drawn: Maps, found: EmbeddingMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = np.linspace(0, 1, len(found), dtype=np.float32)
    monkeypatch.setattr(maps, "quick", lambda info: dataclasses.replace(found, values={"error": errors}))
    for colour in ("label", "error"):
        app = open_app("map", model="tiny-vae", colour=colour)
        (chosen,) = (box for box in app.selectbox if str(box.key).startswith("map-save-by"))
        assert chosen.value == colour and not app.warning


def test_principal_components_stand_beside_a_map(open_app: Open, drawn: Maps, mapped: EmbeddingMap) -> None:
    app = open_app("map", model="tiny-vae")
    assert not drawn.options["beside"] and drawn.shown.caption == ""
    plane = maps.principal(mapped)
    assert plane is not None
    compare(app, plane)
    (beside,) = drawn.options["beside"]
    assert not app.exception and beside.key == map_data.digest(plane)
    assert beside.caption.startswith("PCA of 300 points") and drawn.shown.caption.startswith("UMAP of 300")
    drawn.tell(app, "on_pick", Chosen((7,), (1.0,)), 1)
    assert app.session_state["view"].point.latent == pytest.approx(plane.latents[7], abs=2e-3)
    compare(app)
    assert not drawn.options["beside"]


def test_a_direction_leads_from_one_map_to_another(
    open_app: Open, drawn: Maps, sheets: Any, mapped: EmbeddingMap
) -> None:
    plane = maps.principal(mapped)
    assert plane is not None
    app = open_app("map", model="tiny-vae")
    compare(app, plane)
    drawn.tell(app, "on_select", np.arange(10), 1)
    app.button_group(key="map-selection").set_value("B").run()
    drawn.tell(app, "on_select", np.arange(10, 30), 0)
    assert drawn.options["letter"] == "B" and sheets[-1]["key"] == "map-direction"
    keys = {letter: one.identity for letter, one in drawn.options["selections"].items()}
    assert keys == {"A": map_data.digest(plane), "B": drawn.shown.key}
    compare(app)  # and with its map the selection goes
    assert list(drawn.options["selections"]) == ["B"]


def test_a_map_that_is_gone_stands_beside_no_other(open_app: Open, drawn: Maps, mapped: EmbeddingMap) -> None:
    plane = maps.principal(mapped)
    assert plane is not None
    app = open_app("map", model="tiny-vae")
    compare(app, plane)
    app.session_state[beside()] = [plane.spec.model_copy(update={"model": "0" * 64})]
    app.run()
    assert not app.exception and not drawn.options["beside"] and app.session_state[beside()] == []


def beside() -> str:
    """Return the name of what chooses what stands beside the map."""
    return f"map-beside-{catalog.find('tiny-vae').digest[:8]}"


def compare(app: AppTest, *others: EmbeddingMap) -> None:
    """Choose what stands beside the map."""
    app.multiselect(key=beside()).set_value([one.spec for one in others]).run().run()
