"""Same image and Same path: what is measured and drawn, which image is chosen, and what no link tells."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import access, background, cache, link, own
from explorer.background import Works
from explorer.compare import evidence, remade, rivals
from explorer.compare.remade import Compared
from explorer.components.player import Film
from explorer.panels.compare import image, path
from explorer.state import View
from models import catalog, datasets
from models.datasets import presence
from models.errors import UserError
from models.metrics.reconstruction import Likeness, likeness
from models.requests import Decode, Interpolate, Invert, RenderRequest

PAIR = "tiny-vae,tiny-gan"


def blank(value: int = 0) -> np.ndarray:
    return np.full((16, 16, 1), value, np.uint8)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 1), np.uint8)


def attempt(made: np.ndarray, real: np.ndarray) -> Compared:
    figures = Likeness(0.0, 0.0, None)
    return Compared(catalog.find("tiny-vae"), "encode", real, made, figures, np.zeros(6, np.float32), None)


def test_a_picture_is_measured_as_it_is_shown() -> None:
    real = noise()
    same = likeness(real, real)
    assert same.psnr_db == pytest.approx(100) and same.ssim == pytest.approx(1)
    assert same.sharpness_ratio == pytest.approx(1)
    off = likeness(blank(100), blank(151))
    assert off.psnr_db == pytest.approx(20 * np.log10(255 / 51), abs=1e-4)
    assert off.sharpness_ratio is None, "an image without detail has none to blur"


def test_blur_lowers_sharpness_more_than_it_lowers_psnr() -> None:
    real = noise()
    flat = np.full_like(real, round(float(real.mean())))
    wrong = noise(1)
    assert likeness(real, flat).psnr_db > likeness(real, wrong).psnr_db + 2, "PSNR favours the average"
    blurred, other = (likeness(real, made).sharpness_ratio for made in (flat, wrong))
    assert blurred == pytest.approx(0, abs=1e-6) and other == pytest.approx(1, abs=0.2)


def test_differences_are_drawn_on_one_scale(zoo) -> None:
    near, far = attempt(blank(51), blank()), attempt(blank(102), blank())
    white = remade.worst([near, far])
    assert white == pytest.approx(102 / 255)
    assert remade.difference(near, white).ravel()[0] == 128
    assert remade.difference(far, white).ravel()[0] == 255
    assert remade.worst([attempt(blank(1), blank())]) == 1 / 8, "tiny ones are not blown up to noise"


def test_compared_is_what_the_model_makes_of_the_latent(zoo) -> None:
    for name, way in (("tiny-vae", "encode"), ("tiny-cvae", "encode"), ("tiny-gan", "search")):
        info = catalog.find(name)
        real = remade.held_out(info, 3)
        found = remade.compared(info, real)
        assert found.way == way == remade.ways(info)[0]
        assert np.array_equal(found.image, real) and found.done == 1
        again = cache.render(RenderRequest(model=info.digest, op=Decode(points=(found.point,)))).images[0]
        assert np.abs(found.made.astype(int) - again).max() <= 1
        assert found.figures == likeness(real, found.made)
        assert (found.label is None) == (not info.labels)


def test_a_search_comes_nearer_than_the_encoder(zoo) -> None:
    info = catalog.find("tiny-vae")
    real = remade.held_out(info, 0)
    encoded, searched = (remade.compared(info, real, way) for way in remade.ways(info))
    assert (encoded.way, searched.way) == ("encode", "search")
    assert searched.figures.psnr_db > encoded.figures.psnr_db
    assert image.titles([encoded, searched], [info]) == ["Tiny vae, encoded", "Tiny vae, searched for"]


def test_held_out_images_are_those_of_the_test_split_and_of_missing_data_it_is_said(zoo) -> None:
    info = catalog.find("tiny-gan")
    images = datasets.load("digits", "test").images
    assert np.array_equal(remade.held_out(info, 7), images[7].permute(1, 2, 0).numpy())
    assert np.array_equal(remade.held_out(info, len(images) + 7), remade.held_out(info, 7))
    with pytest.raises(UserError) as caught:
        cache.held_out("digits", (3, 64, 64))
    assert caught.value.code == "shape-mismatch"
    with pytest.raises(UserError) as caught:
        cache.held_out("", (1, 16, 16))
    assert caught.value.code == "no-data"


def test_a_path_leads_from_the_one_to_the_other(zoo) -> None:
    for name in ("tiny-vae", "tiny-gan"):
        info = catalog.find(name)
        first, second = (remade.compared(info, remade.held_out(info, number)) for number in (0, 1))
        for method in ("slerp", "lerp"):
            walk = remade.path(first, second, 9, method)
            assert walk.frames.shape == (9, 16, 16, 1) and walk.steps.shape == (8,)
            for end, frame in ((first, walk.frames[0]), (second, walk.frames[-1])):
                assert np.abs(end.made.astype(int) - frame).max() <= 1
            moved = np.square((walk.frames[1].astype(float) - walk.frames[0]) / 255).mean() ** 0.5
            assert walk.steps[0] == pytest.approx(moved, abs=1e-6)
    other = remade.compared(catalog.find("tiny-vae"), remade.held_out(info, 0))
    with pytest.raises(ValueError, match="no path"):
        remade.path(other, second)


def test_draws_of_the_posterior_stand_between_the_image_and_their_mean(zoo) -> None:
    info = catalog.find("tiny-vae")
    real = remade.held_out(info, 3)
    seen = evidence.around(info, real, 4)
    assert seen.images.shape == (6, 16, 16, 1) and np.array_equal(seen.images[0], real)
    assert np.abs(seen.images[1:5].astype(float).mean(0) - seen.images[5]).max() <= 0.5
    assert seen.sharpness(real) == pytest.approx(1)
    assert seen.sharpness(blank(9)) == pytest.approx(0)
    assert evidence.Around(np.stack([blank(3), real])).sharpness(real) is None, (
        "there is no detail to compare with"
    )
    pictures, psnr = evidence.reconstructed(info, np.stack([real, remade.held_out(info, 4)]))
    assert np.array_equal(pictures[0], remade.compared(info, real).made) and psnr.shape == (2,)


# The page -----------------------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Collect what is drawn by components, which need a browser."""
    drawn: dict[str, list[Any]] = {"panels": [], "films": [], "strips": [], "clicks": []}
    cache.forget_answers()

    def magnifier(panels: Any, **options: Any) -> None:
        drawn["panels"].append((panels, options))

    def tiles(sheet: bytes, **options: Any) -> None:
        drawn["strips"].append((sheet, options))
        if drawn["clicks"]:
            options["on_open"](drawn["clicks"].pop())

    monkeypatch.setattr(image, "magnifier", magnifier)
    monkeypatch.setattr(path, "player", lambda film, **options: drawn["films"].append(film))
    monkeypatch.setattr("explorer.panels.compare.subject.tiles", tiles)
    return drawn


Shown = dict[str, list[Any]]


def opened(open_app: Callable[..., AppTest], part: str = "image", **params: object) -> AppTest:
    app = open_app("compare", **{"model": "tiny-vae", "models": PAIR, "part": part, **params})
    assert not app.error
    return app


def test_the_image_stands_beside_what_each_model_makes(open_app, shown: Shown) -> None:
    app = opened(open_app, images="5,1")
    panels, options = shown["panels"][-1]
    assert [panel.name for panel in panels] == ["Real image 5", "Tiny vae, encoded", "Tiny gan, searched for"]
    real = remade.held_out(catalog.find("tiny-vae"), 5)
    assert np.array_equal(panels[0].pixels, real) and panels[0].difference is None
    largest = []
    for panel in panels[1:]:
        error = np.abs(panel.pixels.astype(float) - real) / 255
        assert np.abs(panel.difference / 255 * options["white"] - error).max() < 1 / 255
        largest.append(error.max())
        psnr = likeness(real, panel.pixels).psnr_db
        assert panel.lines[0] == f"PSNR {psnr:.1f} dB" and "Sharpness" in panel.lines[2]
    assert options["white"] == pytest.approx(max(largest))
    assert app.query_params["images"] == "5,1"


def test_both_ways_can_be_asked_of_a_model_with_an_encoder(open_app, shown: Shown) -> None:
    app = opened(open_app)
    app.segmented_control(key="compare-ways").set_value("both").run()
    names = [panel.name for panel in shown["panels"][-1][0]]
    assert names[1:] == ["Tiny vae, encoded", "Tiny vae, searched for", "Tiny gan, searched for"]


def test_another_image_is_chosen_by_number_by_chance_and_from_the_strip(
    open_app, shown: Shown, monkeypatch
) -> None:
    app = opened(open_app)
    app.number_input(key="compare-image-0").set_value(40).run()
    assert app.query_params["images"] == "40,1"
    _sheet, options = shown["strips"][-1]
    assert options["names"][options["marks"][0]] == "Real image 40" == shown["panels"][-1][0][0].name
    shown["clicks"].append(2)
    app.run()
    assert app.run().query_params["images"] == "37,1" and options["names"][2] == "Real image 37"
    monkeypatch.setattr("random.randrange", lambda count: count - 1)
    app.button(key="compare-another-0").click().run()
    last = len(datasets.load("digits", "test")) - 1
    assert app.query_params["images"] == f"{last},1"
    assert shown["strips"][-1][1]["marks"] == [11], "the last one stands at the end of the strip"


def give_own(app: AppTest) -> np.ndarray:
    """Give an image of one's own; returns what models of the zoo see of it."""
    buffer = io.BytesIO()
    pixels = np.kron(np.eye(4, dtype=np.uint8)[::-1] * 255, np.ones((8, 8), np.uint8))
    Image.fromarray(pixels).save(buffer, "PNG")
    app.file_uploader(key="own-file").set_value(("mine.png", buffer.getvalue(), "image/png")).run()
    return own.prepared(catalog.find("tiny-vae"), app.session_state["own_image"])


def test_an_own_image_is_compared_and_stays_out_of_the_link_and_of_what_is_kept(
    open_app, shown: Shown
) -> None:
    app = opened(open_app, images="5,1")
    app.segmented_control(key="compare-own-0").set_value(True).run()
    drawn = len(shown["panels"])
    seen = give_own(app)
    panels, _options = shown["panels"][-1]
    assert len(shown["panels"]) > drawn and panels[0].name == "Your image"
    assert np.array_equal(panels[0].pixels, seen)
    assert app.query_params["images"] == "5,1"
    for name in PAIR.split(","):
        info = catalog.find(name)
        (usual, *_others) = remade.ways(info)
        assert cache.there(remade.asked(info, seen, usual)) is None
    app.segmented_control(key="compare-own-0").set_value(False).run()
    assert shown["panels"][-1][0][0].name == "Real image 5"


def test_without_the_data_it_is_said_and_an_own_image_can_be_given(
    open_app, shown: Shown, monkeypatch
) -> None:
    def check(name: str, shape: tuple[int, ...]) -> None:
        raise UserError("no-data", f"The images of '{name}' are not on this machine.", "Put them there.")

    monkeypatch.setattr(presence, "check", check)
    app = opened(open_app)
    assert any("not on this machine" in str(each.value) for each in app.caption) and not shown["panels"]
    app.segmented_control(key="compare-own-0").set_value(True).run()
    assert app.file_uploader(key="own-file") is not None


@pytest.mark.parametrize(("owner", "remedy"), [(True, "/srv/secret"), (False, "Whoever runs this app")])
def test_only_who_runs_the_app_is_told_where_data_belong(
    zoo, monkeypatch: pytest.MonkeyPatch, owner: bool, remedy: str
) -> None:
    def check(name: str, shape: tuple[int, ...]) -> None:
        raise UserError("no-data", f"The images of '{name}' are not here.", "Put them into /srv/secret.")

    monkeypatch.setattr(presence, "check", check)
    monkeypatch.setattr(access, "may_change", lambda: owner)
    with pytest.raises(UserError) as caught:
        cache.held_out("digits", (1, 16, 16))
    assert remedy in caught.value.remedy and ("/srv" in caught.value.remedy) == owner
    assert (caught.value.code, caught.value.problem) == ("no-data", "The images of 'digits' are not here.")


def test_a_search_is_kept_for_all_sessions_and_found_at_once(open_app, shown: Shown, monkeypatch) -> None:
    opened(open_app, images="6,1")
    info = catalog.find("tiny-gan")
    request = remade.asked(info, remade.held_out(info, 6), "search")
    kept = cache.there(request)
    assert kept is not None and kept.done == 1
    monkeypatch.setattr("models.render.stream", lambda *_: pytest.fail("it is searched for again"))
    opened(open_app, images="6,1")
    panels, _options = shown["panels"][-1]
    assert np.array_equal(panels[2].pixels, kept.images[1])


def test_the_path_of_each_model_is_a_reel_between_the_real_images(open_app, shown: Shown) -> None:
    app = opened(open_app, "path", images="5,8")
    film: Film = shown["films"][-1]
    assert [reel.name for reel in film.reels] == ["Tiny vae", "Tiny gan"] and film.count == 25
    assert film.ends is not None
    for number, png in zip((5, 8), film.ends, strict=True):
        with Image.open(io.BytesIO(png)) as picture:
            assert np.array_equal(
                np.asarray(picture), remade.held_out(catalog.find("tiny-vae"), number)[..., 0]
            )
    for name, reel in zip(PAIR.split(","), film.reels, strict=True):
        info = catalog.find(name)
        start, end = (remade.compared(info, remade.held_out(info, number)) for number in (5, 8))
        frames = remade.path(start, end).frames
        with Image.open(io.BytesIO(reel.frames)) as sheet:
            pixels = np.asarray(sheet)
        assert np.array_equal(pixels[16:32, :16], frames[16, :, :, 0]), "frame 17 begins the second row"
    app.slider(key="compare-frames").set_value(9).run()
    assert shown["films"][-1].count == 9
    arc = shown["films"][-1].reels[0].frames
    app.segmented_control(key="compare-method").set_value("lerp").run()
    assert shown["films"][-1].reels[0].frames != arc
    assert any("× the mean" in str(each.value) for each in app.caption)


def test_nothing_of_a_path_from_an_own_image_is_kept_for_others(open_app, shown: Shown, monkeypatch) -> None:
    asked: list[tuple[RenderRequest, bool]] = []
    render = cache.render

    def recorded(request: RenderRequest, *, private: bool = False) -> Any:
        asked.append((request, private))
        return render(request, private=private)

    monkeypatch.setattr(cache, "render", recorded)
    app = opened(open_app, "path")
    steps = [(request, private) for request, private in asked if isinstance(request.op, Interpolate)]
    assert len(steps) == 2 and not any(private for _request, private in steps)
    assert all(cache.there(request) is not None for request, _private in steps)
    asked.clear()
    app.segmented_control(key="compare-own-1").set_value(True).run()
    give_own(app)
    assert len(shown["films"][-1].reels) == len(asked) == 2 and all(private for _request, private in asked)
    assert all(cache.there(request) is None for request, _private in asked)


def test_only_one_end_shows_the_own_image(open_app, shown: Shown) -> None:
    app = opened(open_app, "path")
    app.segmented_control(key="compare-own-0").set_value(True).run()
    app.segmented_control(key="compare-own-1").set_value(True).run()
    assert app.segmented_control(key="compare-own-0").value is False and not app.exception
    assert app.number_input(key="compare-image-0").value == 0


@pytest.mark.parametrize("text", ["5", "5,6,7", "a,b", "-1,2", "5,999999", "1e3,2", ""])
def test_wrong_numbers_in_a_link_are_said(zoo, text: str) -> None:
    known = [catalog.find(name) for name in PAIR.split(",")]
    view, notices = link.read({"model": "tiny-vae", "images": text}, link.COMPARE, View(), known)
    assert view.images == (0, 1) and len(notices) == 1 and "held-out images" in notices[0]


def test_numbers_in_a_link_come_back(zoo) -> None:
    known = [catalog.find(name) for name in PAIR.split(",")]
    shown = View(model="tiny-vae", images=(12, 300))
    params = link.write(shown, link.COMPARE)
    assert params["images"] == "12,300" and "images" not in link.write(View(model="tiny-vae"), link.COMPARE)
    found, notices = link.read(params, link.COMPARE, View(), known)
    assert (found.model, found.images, notices) == (shown.model, shown.images, [])


def test_works_are_done_when_all_are() -> None:
    class Fake:
        def __init__(self, share: float, running: bool) -> None:
            self.share, self.running, self.cancelled = share, running, False

        def wait(self, seconds: float) -> None:
            time.sleep(min(seconds, 0.01))

        def cancel(self) -> None:
            self.cancelled = True

    pair: Any = [Fake(0.5, True), Fake(0.2, False)]
    works = Works(pair).wait(0.02)
    assert works.running and works.share == pytest.approx(0.75)
    works.cancel()
    assert all(each.cancelled for each in pair)
    pair[0].running = False
    assert not works.running and works.share == 1 and Works([]).share == 1


def test_models_of_one_title_are_told_apart(zoo) -> None:
    vae, gan = (catalog.find(name) for name in PAIR.split(","))
    assert rivals.names([vae, gan]) == {"tiny-vae": "Tiny vae", "tiny-gan": "Tiny gan"}
    assert rivals.names([vae, replace(gan, card=gan.card.model_copy(update={"title": "Tiny vae"}))]) == {
        "tiny-vae": "Tiny vae (tiny-vae)",
        "tiny-gan": "Tiny vae (tiny-gan)",
    }


def test_a_number_beyond_the_data_becomes_one_of_them(open_app, shown: Shown) -> None:
    app = opened(open_app)
    view = app.session_state["view"]
    count = len(datasets.load("digits", "test"))
    app.session_state["view"] = view.model_copy(update={"images": (count + 4, 1)})
    app.run()
    assert shown["panels"][-1][0][0].name == "Real image 4" and app.query_params["images"] == "4,1"


def test_a_search_ends_when_the_choice_no_longer_asks_for_it(open_app, shown: Shown, monkeypatch) -> None:
    from models import render

    app = opened(open_app)
    stream, asked = render.stream, set[str]()
    info = catalog.find("tiny-vae")

    def endless(request: RenderRequest, cancelled: Callable[[], bool]) -> Iterator[Any]:
        if isinstance(request.op, Invert) and request.model == info.digest:
            asked.add(request.model)
            while not cancelled():
                time.sleep(0.005)
            return
        yield from stream(request, cancelled)

    monkeypatch.setattr(render, "stream", endless)
    monkeypatch.setattr(background, "PATIENCE", 0.2)
    app.segmented_control(key="compare-ways").set_value("search").run()
    slot = f"work-compare-0-{info.digest}-search"
    work = app.session_state[slot]
    assert work.running and asked == {info.digest}
    app.segmented_control(key="compare-ways").set_value("encode").run()
    assert not work.wait(5).running and slot not in app.session_state


def test_a_search_that_was_stopped_can_be_taken_up_again(open_app, shown: Shown) -> None:
    app = opened(open_app)
    slot = f"work-compare-0-{catalog.find('tiny-gan').digest}-search"
    app.session_state[slot].latest = replace(app.session_state[slot].latest, done=0.5)
    app.run().button(key="compare-again").click().run()
    assert app.session_state[slot].latest.done == 1
    assert not any(button.key == "compare-again" for button in app.button)
