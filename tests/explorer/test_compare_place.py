"""Compare's shared place: the directions that models share, what the browser is told of them and believed."""

import base64
import math
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from explorer import link as links
from explorer.compare import together
from explorer.compare.together import NAMES, RANKS, Together
from explorer.components import linked as component, script
from explorer.components.linked import Rival, Scene, opened, payload, reported
from explorer.panels.compare import meeting, place
from explorer.state import View
from models import catalog
from models.render import render
from models.requests import Decode, Directions, Point, RenderRequest, Sample, default_label

PAIR = "tiny-vae,tiny-gan"


# The directions --------------------------------------------------------------------------------------------


def found(names: list[str], scores: list[float], *, groups: list[str] | None = None) -> dict[str, Any]:
    return {
        "names": np.array(names),
        "attributes": np.array(groups or [name.split(":")[0] for name in names]),
        "scores": np.array(scores),
        "chances": np.array([0.0 if name == "tilt" else 0.5 for name in names]),
    }


def test_models_share_the_names_that_all_have_whole_attributes_first() -> None:
    one = found(["hat: cap", "tilt", "hat", "skin: pale"], [0.95, 0.9, 0.8, 0.9])
    other = found(["hat", "beard", "hat: cap", "tilt"], [0.6, 0.9, 0.9, 0.5])
    shared = together.shared([one, other], NAMES)
    assert [direction.name for direction in shared] == ["hat", "hat: cap", "tilt"]
    assert [direction.indices for direction in shared] == [(2, 0), (0, 2), (1, 3)]
    assert shared[0].values == (0.8, 0.6) and shared[2].chance == 0.0


def test_otherwise_the_strongest_of_each_belong_together() -> None:
    found = [{"shares": np.array(shares)} for shares in ([0.1, 0.6, 0.2], [0.5, 0.3])]
    shared = together.shared(found, RANKS)
    assert [direction.indices for direction in shared] == [(1, 0), (2, 1)]
    assert shared[0].values == (0.6, 0.5) and not shared[0].name


@pytest.mark.parametrize("angle", [90, 60, 8])
def test_moved_points_are_sums_of_directions_as_a_point_with_edits_has_them(zoo, angle: float) -> None:
    info = catalog.find("tiny-vae")
    start = render(RenderRequest(model=info.digest, op=Sample(seed=3, count=1))).latents[0]
    vectors = render(RenderRequest(model=info.digest, op=Directions(axes="pca"))).values["vectors"][:2]
    coordinates = together.edits(((0, 1.5), (1, -2.0)), start, vectors)
    point = Point(seed=3, axes="pca", edits=tuple(enumerate(coordinates)))
    reached = render(RenderRequest(model=info.digest, op=Decode(points=(point,)))).latents[0]
    assert reached == pytest.approx(start + 1.5 * vectors[0] - 2 * vectors[1], abs=1e-3)
    # Along directions that overlap, too: the nearest point with these coordinates is the same sum.
    turn = math.radians(angle)
    rows = np.stack([vectors[0], math.cos(turn) * vectors[0] + math.sin(turn) * vectors[1]])
    coordinates = np.asarray(together.edits(((0, 1.5), (1, -2.0)), start, rows))
    reached = start + np.linalg.pinv(rows) @ (coordinates - rows @ start)
    assert reached == pytest.approx(start + 1.5 * rows[0] - 2 * rows[1], abs=5e-3)


def test_moves_survive_a_link() -> None:
    moves = ((0, 1.5), (3, -2.0625))
    assert together.from_text(together.to_text(moves)) == moves


def test_a_link_has_no_more_moves_than_there_are_directions() -> None:
    text = ",".join(f"{index}:1" for index in range(together.MOST))
    assert len(together.from_text(text)) == together.MOST
    known = [catalog.find("avatars-vae"), catalog.find("avatars-gan")]
    params = {"model": "avatars-vae", "moves": f"{text},{together.MOST}:1"}
    view, notices = links.read(params, links.COMPARE, View(), known)
    assert view.together.moves == () and len(notices) == 1
    assert f"{together.MOST} at most" in notices[0] and "shown as they are" in notices[0]


@pytest.mark.parametrize("text", ["", "a", "0", "0:1:2", "0:nan", "0:13", "-1:2", "0:1,", "0:1e9"])
def test_moves_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid|unpack|convert|validation"):
        together.from_text(text)


def test_overlong_moves_stay_within_what_a_point_may_be() -> None:
    vectors = np.ones((9, 1), np.float32)
    coordinates = together.edits(tuple((k, 12.0) for k in range(9)), np.zeros(1, np.float32), vectors)
    assert Point(edits=tuple(enumerate(coordinates))).edits[0] == (0, 100.0)


# The browser -----------------------------------------------------------------------------------------------


@pytest.fixture
def scene() -> Scene:
    def rival(digest: str, dim: int, label: int | None) -> Rival:
        image = np.full((4, 3, 1), dim, np.uint8)
        start = np.arange(dim, dtype=np.float32)
        return Rival(
            digest * 32, digest, digest, "VAE", label, start, image, np.eye(3, dim, dtype=np.float32), "x"
        )

    rivals = [rival("ab", 4, None), rival("cd", 6, 2)]
    return Scene(rivals, ["a", "b", "c"], [""] * 3, [""] * 3, 2, ((1, 2.5),), 0.5)


def test_the_browser_gets_all_that_it_needs(scene: Scene) -> None:
    data = payload(scene, "/api/live")
    one, other = data["rivals"]

    def floats(text: str) -> list[float]:
        return np.frombuffer(base64.b64decode(text), "<f4").tolist()

    assert floats(one["start"]) == [0, 1, 2, 3] and len(floats(other["start"])) == 6
    assert floats(other["vectors"]) == np.eye(3, 6).flatten().tolist()
    assert base64.b64decode(other["pixels"]) == bytes([6] * 12) and other["shape"] == [4, 3, 1]
    assert one["label"] == -1 and other["label"] == 2 and one["model"] == "ab" * 32
    assert data["moves"] == [[1, 2.5]] and data["real"] == 0.5 and data["axes"]["shown"] == 2


def test_every_text_that_the_scripts_show_is_given() -> None:
    parts = script(*(f"linked/{name}.js" for name in component._PARTS), "latent_pad/field.js")
    used = set(re.findall(r"\btexts\.([a-zA-Z]+)", parts)) - {
        "keep",
        "keepHint",
    }  # a switch that is hidden here
    assert used == set(component._texts())


def test_the_serial_names_what_moves_start_from(scene: Scene) -> None:
    one, other = scene.rivals
    assert replace(scene, moves=(), real=None).serial == scene.serial
    assert replace(scene, rivals=[replace(one, model="ef" * 32), other]).serial == scene.serial
    others = [
        replace(scene, rivals=[other, one]),
        replace(scene, rivals=[replace(one, name="ef"), other]),
        replace(scene, rivals=[replace(one, label=1), other]),
        replace(scene, rivals=[replace(one, start=one.start + 1), other]),
        replace(scene, rivals=[replace(one, vectors=one.vectors[::-1]), other]),
    ]
    assert len({scene.serial, *(changed.serial for changed in others)}) == 6


def test_what_a_browser_reports_is_taken_over(scene: Scene) -> None:
    value = {"serial": scene.serial, "moves": [[2, -1.23456], [0, 2]]}
    assert reported(value, scene) == ((0, 2.0), (2, -1.2346))
    assert opened({**value, "rival": 1}, scene) == (1, ((0, 2.0), (2, -1.2346)))


@pytest.mark.parametrize(
    "moves",
    [
        None,
        "0:1",
        {"0": 1},
        [[3, 1.0]],
        [[-1, 1.0]],
        [[0, 1.0], [0, 2.0]],
        [[0]],
        [[0, "1"]],
        [[0, True]],
        [[0, math.nan]],
        [[0, math.inf]],
        [[0, 12.5]],
        [[True, 1.0]],
        [[0, 1.0]] * 4,
    ],
)
def test_nothing_that_a_browser_reports_is_believed(scene: Scene, moves: Any) -> None:
    assert reported({"serial": scene.serial, "moves": moves}, scene) is None
    assert opened({"serial": scene.serial, "moves": moves, "rival": 0}, scene) is None


@pytest.mark.parametrize("value", [None, 3, [], {}, {"serial": "", "moves": []}, {"moves": [[0, 1.0]]}])
def test_a_report_for_another_place_is_too_late(scene: Scene, value: Any) -> None:
    assert reported(value, scene) is None and opened(value, scene) is None


@pytest.mark.parametrize("rival", [None, -1, 2, True, 0.0, "0"])
def test_only_models_that_are_shown_can_be_opened(scene: Scene, rival: Any) -> None:
    assert opened({"serial": scene.serial, "moves": [], "rival": rival}, scene) is None


# The page --------------------------------------------------------------------------------------------------


class Linked:
    """What the component, which needs a browser, was given in each run of the page; it can report."""

    def __init__(self) -> None:
        self.drawn: list[Scene] = []
        self._pending: Any = None

    def __call__(self, scene: Scene, *, on_move: Any, on_open: Any, **options: Any) -> bool:
        self.drawn.append(scene)
        event, self._pending = self._pending, None
        if event is not None:
            name, values = event
            {"move": on_move, "open": on_open}[name](*values)
        return event is not None and event[0] == "open"

    @property
    def last(self) -> Scene:
        """What it shows."""
        return self.drawn[-1]

    def tell(self, app: Any, name: str, *values: Any) -> None:
        """Let the browser report something."""
        self._pending = (name, values)
        app.run().run()


@pytest.fixture
def canvases(monkeypatch: pytest.MonkeyPatch) -> Linked:
    """Replace the component and the sheet of pictures."""
    fake = Linked()
    monkeypatch.setattr(place, "linked", fake)
    return fake


def picture(model: str, latent: np.ndarray, label: int | None = None) -> np.ndarray:
    point = Point(latent=tuple(latent.tolist()), label=label)
    return render(RenderRequest(model=catalog.find(model).digest, op=Decode(points=(point,)))).images[0]


def link(app: Any, name: str) -> str:
    return unquote("".join(app.query_params.get(name, "")))


def test_all_models_start_at_the_same_seed(open_app, canvases: Linked) -> None:
    app = open_app("compare", model="tiny-vae", models=PAIR, seed=7, psi=0.5, along="ranks")
    assert [rival.title for rival in canvases.last.rivals] == ["Tiny vae", "Tiny gan"]
    for name, rival in zip(PAIR.split(","), canvases.last.rivals, strict=True):
        op = Sample(seed=7, count=1, truncation=0.5)
        expected = render(RenderRequest(model=catalog.find(name).digest, op=op))
        assert (rival.start == expected.latents[0]).all() and (rival.image == expected.images[0]).all()
        assert rival.label is None
    assert len(canvases.last.names) == 6 and canvases.last.moves == ()  # as many as the smaller space has
    assert "need not mean the same" in " ".join(str(one.value) for one in app.caption)
    assert canvases.last.real is None  # nobody measured these models


def test_models_of_one_title_are_told_apart(open_app, canvases: Linked, monkeypatch) -> None:
    monkeypatch.setattr(catalog.ModelInfo, "title", "Twin")
    app = open_app("compare", model="tiny-vae", models=PAIR, along="ranks")
    assert [rival.title for rival in canvases.last.rivals] == ["Twin (tiny-vae)", "Twin (tiny-gan)"]
    for shown in (canvases.last.hints[0], " ".join(rival.alt for rival in canvases.last.rivals)):
        assert "Twin (tiny-vae)" in shown and "Twin (tiny-gan)" in shown
    assert {"Twin (tiny-vae)", "Twin (tiny-gan)"} <= set(app.multiselect[0].options)
    app = open_app("compare", model="tiny-vae", models=PAIR, part="quiz")
    scores = next(str(one.proto.body) for one in app.get("html") if "tallies" in str(one.proto.body))
    assert not app.exception and "Twin (tiny-vae)" in scores and "Twin (tiny-gan)" in scores


def test_a_move_is_made_in_all_models_and_kept_in_the_link(open_app, canvases: Linked) -> None:
    app = open_app("compare", model="tiny-vae", models=PAIR, along="ranks")
    canvases.tell(app, "move", ((0, 1.5), (2, -2.0)))
    assert canvases.last.moves == ((0, 1.5), (2, -2.0)) and link(app, "moves") == "0:1.5,2:-2"
    for name, rival in zip(PAIR.split(","), canvases.last.rivals, strict=True):
        latent = rival.start + 1.5 * rival.vectors[0] - 2 * rival.vectors[2]
        assert np.abs(rival.image.astype(int) - picture(name, latent)).max() <= 1
    again = open_app("compare", **{name: link(app, name) for name in ("model", "models", "along", "moves")})
    assert not again.warning and canvases.last.moves == ((0, 1.5), (2, -2.0))


def test_another_seed_and_other_models_drop_the_moves(open_app, canvases: Linked) -> None:
    app = open_app("compare", model="tiny-vae", models=PAIR, along="ranks", moves="0:1")
    app.number_input(key="compare-seed").set_value(5).run()
    assert canvases.last.moves == () and link(app, "seed") == "5"
    canvases.tell(app, "move", ((1, 1.0),))
    app.multiselect(key="compare-models").set_value(["tiny-vae", "tiny-gan", "tiny-cvae"]).run()
    assert len(canvases.last.rivals) == 3 and canvases.last.moves == ()
    assert link(app, "moves") == ""


def test_reset_goes_back_to_where_the_seed_leads(open_app, canvases: Linked) -> None:
    app = open_app("compare", model="tiny-vae", models=PAIR, along="ranks", moves="0:1")
    before = canvases.last.rivals[0].image
    app.button(key="compare-reset").click().run()
    assert canvases.last.moves == () and (canvases.last.rivals[0].image != before).any()
    assert app.button(key="compare-reset").disabled


def test_conditional_models_take_the_class_of_the_seed_or_a_chosen_one(open_app, canvases: Linked) -> None:
    names = "tiny-cvae,tiny-gan"
    app = open_app("compare", model="tiny-cvae", models=names, seed=21, along="ranks")
    assert [rival.label for rival in canvases.last.rivals] == [default_label(21, 10), None]
    app.selectbox(key="compare-label").select_index(7).run()
    assert [rival.label for rival in canvases.last.rivals] == [7, None] and link(app, "class") == "7"
    assert (canvases.last.rivals[0].image == picture("tiny-cvae", canvases.last.rivals[0].start, 7)).all()


def test_explore_opens_at_the_same_place(open_app, canvases: Linked, pads) -> None:
    app = open_app("compare", model="tiny-vae", models=PAIR, along="ranks", seed=4)
    image = canvases.last.rivals[1].image
    canvases.tell(app, "open", 1, ((0, 2.0), (1, -1.0)))
    view = app.session_state["view"]
    assert view.model == "tiny-gan" and view.point.seed == 4 and view.point.axes == "pca"
    assert view.rivals == ("tiny-vae", "tiny-gan") and view.together.moves == ((0, 2.0), (1, -1.0))
    shown = canvases.drawn[-1].rivals[1]
    opened_at = pads.last["place"]
    expected = shown.start + 2 * shown.vectors[0] - shown.vectors[1]
    assert opened_at.latent == pytest.approx(expected, abs=1e-3) and (opened_at.image != image).any()


def by_name(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the classifier find these names; untrained models show it nothing that it could tell."""
    plain = meeting._shared

    def shared(models: Any, kind: str) -> list[together.Shared]:
        if kind != NAMES:
            return plain(models, kind)
        return [together.Shared(name, (k, k), (0.9, 0.7), 0.5) for k, name in enumerate(names)]

    monkeypatch.setattr(meeting, "_shared", shared)
    monkeypatch.setattr(together, "axes", lambda info, along: "raw")


def test_directions_by_name_are_there_for_who_wants_them(open_app, canvases: Linked, monkeypatch) -> None:
    by_name(monkeypatch, "3", "7")
    app = open_app("compare", model="tiny-vae", models=PAIR)
    assert canvases.last.names[0] == "Direction 1"  # nobody waits for a classifier unasked
    canvases.tell(app, "move", ((0, 1.0),))
    app.button_group(key="compare-along").set_value(NAMES).run()
    assert canvases.last.names == ["3", "7"] and canvases.last.details == ["70 %", "70 %"]
    assert canvases.last.hints[0].endswith("Tiny vae 90 %, Tiny gan 70 %; a guess: 50 %")
    assert canvases.last.moves == () and link(app, "along") == NAMES


def test_models_that_share_too_few_names_move_by_strength(open_app, canvases: Linked, monkeypatch) -> None:
    by_name(monkeypatch, "3")
    app = open_app("compare", model="tiny-vae", models=PAIR, along=NAMES)
    assert canvases.last.names[0] == "Direction 1" and link(app, "along") == RANKS
    assert any("too few attributes" in str(one.value) for one in app.warning)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"moves": "0:x"}, "direction:distance"),
        ({"moves": "0:50"}, "12 at most"),
        ({"along": "colour"}, "none of names, ranks"),
        ({"class": "3"}, "no classes"),
        ({"moves": "40:1", "along": "ranks"}, "names direction 40"),
    ],
)
def test_bad_links_say_so_and_show_the_seeds(open_app, canvases: Linked, params, words: str) -> None:
    app = open_app("compare", model="tiny-vae", models=PAIR, **params)
    assert any(words in str(one.value).replace("\\", "") for one in app.warning)
    assert canvases.last.moves == () and len(canvases.last.rivals) == 2


def test_the_shipped_models_share_attributes_by_name() -> None:
    for names in (("avatars-vae", "avatars-gan"), ("fashion-vae", "fashion-gan")):
        models = [catalog.find(name) for name in names]
        assert together.suits(models) == NAMES
        requests = [RenderRequest(model=info.digest, op=Directions(axes="attributes")) for info in models]
        answers = [render(request).values for request in requests]
        shared = together.shared(answers, NAMES)
        for direction in shared:
            own = [str(one["names"][i]) for one, i in zip(answers, direction.indices, strict=True)]
            assert own == [direction.name] * 2
        assert {"glasses", "smile"} <= {one.name for one in shared} or names[0] == "fashion-vae"
        assert meeting._real(models) == models[0].card.metrics["sharpness_real"].value


def test_together_is_a_value_with_bounds() -> None:
    assert Together(moves=((0, 12.0),)).moves == ((0, 12.0),)
    with pytest.raises(ValueError, match="less than or equal to 12"):
        Together(moves=((0, 12.1),))
