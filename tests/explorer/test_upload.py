"""A person's own image: what is given, what the model sees, what it makes of it, and that no link tells."""

import base64
import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import link, own, state
from explorer.own import Own
from explorer.panels import upload
from explorer.state import View
from models import catalog, images
from models.errors import UserError
from models.images import Preparation
from models.render import render
from models.requests import Decode, Encode, Point, RenderRequest


def picture(mode: str = "L", size: tuple[int, int] = (40, 40), **options: Any) -> bytes:
    """Return a PNG with a dark mark on a light ground, as a pen makes it."""
    image = Image.new("L", size, 250)
    image.paste(20, (size[0] // 3, size[1] // 4, size[0] // 2, size[1] * 3 // 4))
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, format=options.pop("format", "PNG"), **options)
    return buffer.getvalue()


def as_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def drawing(side: int = 64) -> np.ndarray:
    """Return strokes, light on dark, away from the middle."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[side // 8 : side // 2, side // 8 : side // 5] = 255
    return pixels


def drawing_url(side: int = 64) -> str:
    buffer = io.BytesIO()
    Image.fromarray(drawing(side)).save(buffer, format="PNG")
    return as_url(buffer.getvalue())


def opened(open_app, model: str, **params: object) -> AppTest:
    app = open_app("explore", model=model, **params)
    app.session_state["own-image"] = True
    return app.run()


def give(app: AppTest, data: bytes, name: str = "mine.png") -> AppTest:
    app.file_uploader(key="own-file").set_value((name, data, "image/png"))
    return app.run()


def until_done(app: AppTest) -> AppTest:
    """Follow a search as the browser does, which asks again and again."""
    deadline = time.monotonic() + 60
    while any(button.key == "own-stop" for button in app.button):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        app.run()
    return app


def edit(app: AppTest, *edits: tuple[int, float]) -> AppTest:
    """Edit the point, whatever on the page does so."""
    view = app.session_state["view"]
    point = view.point.model_copy(update={"edits": edits})
    app.session_state["view"] = view.model_copy(update={"point": point})
    return app.run()


def shown(app: AppTest) -> str:
    return " ".join(html.proto.body for html in app.get("html"))


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    values: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", values)
    return values


# What the model sees ---------------------------------------------------------------------------------------


def test_ink_on_paper_becomes_light_on_black_and_fills_the_frame_as_digits_do(zoo, session) -> None:
    own.load("a.png", picture())
    seen = own.prepared(catalog.find("tiny-vae"), session["own_image"])
    assert seen.shape == (16, 16, 1) and seen.dtype == np.uint8
    rows = np.argwhere(seen[..., 0] > 100)[:, 0]
    assert seen[0, 0, 0] == 0 and (rows.min(), rows.max()) == (0, 15)
    own.change(centre=False, tone="keep")
    plain = own.prepared(catalog.find("tiny-vae"), session["own_image"])
    assert plain[0, 0, 0] > 240 and plain[8, 6, 0] < 60


def test_a_drawing_is_used_as_it_is_drawn(zoo, session) -> None:
    own.draw(drawing_url())
    own.change(tone="invert", centre=False)  # tones are for what others made
    seen = own.prepared(catalog.find("tiny-vae"), session["own_image"])
    expected = images.prepare(np.stack([drawing()] * 3, -1), (1, 16, 16), Preparation())
    assert np.array_equal(seen, expected) and seen.max() > 200 and seen[-1, -1, 0] == 0


def test_the_crop_moves_from_edge_to_edge_whatever_the_zoom() -> None:
    image = Own(np.zeros((30, 90, 3), np.uint8), "wide")
    assert image.room() == (60, 0) and image.place() == (0.5, 0.5)
    for zoom in (1.0, 2.0, 8.0):
        for share in (0.0, 0.25, 1.0):
            values: dict[str, Any] = {"own_image": Own(image.pixels, "wide")}
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("streamlit.session_state", values)
                own.zoom(zoom)
                own.move("x", share)
                moved = values["own_image"]
            assert moved.place()[0] == pytest.approx(share, abs=1e-9)
            left, _upper, right, _lower = images.box(90, 30, moved.crop)
            assert right - left == pytest.approx(30 / zoom) and left >= 0 and right <= 90


def huge_png() -> bytes:
    """Return a small PNG that says it has 1.6 thousand million pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 99)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "cannot be read"),
        (42, "cannot be read"),
        ("", "cannot be read"),
        ("https://example.org/a.png", "cannot be read"),
        ("data:image/svg+xml;base64,AAAA", "cannot be read"),
        ("data:image/png;base64,", "cannot be read"),
        ("data:image/png;base64,!!!!", "cannot be read"),
        (as_url(huge_png()), "cannot be read"),
        (as_url(b"x" * 800_000), "cannot be read"),
        (as_url(b"x" * 400), "cannot be read|not an image"),
        (drawing_url(2000), "cannot be read"),
        (as_url(picture()[:60]), "damaged"),
    ],
)
def test_what_is_no_drawing_is_refused(session, url: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        own.draw(url)
    assert "own_image" not in session


def test_an_empty_drawing_is_refused(session) -> None:
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, format="PNG")
    with pytest.raises(UserError, match="Nothing is drawn yet"):
        own.draw(as_url(buffer.getvalue()))


# The panel -------------------------------------------------------------------------------------------------


def test_nothing_is_computed_while_the_panels_are_closed(open_app) -> None:
    app = open_app("explore", model="tiny-vae")
    assert not app.file_uploader or all(box.key != "own-file" for box in app.file_uploader)
    assert "work-own" not in app.session_state and "work-nearest" not in app.session_state


def test_an_upload_is_encoded_shown_and_edited_and_no_link_tells(open_app) -> None:
    app = give(opened(open_app, "tiny-vae", seed=3), picture())
    assert not app.error and "What the model sees" in shown(app) and "Absolute difference" in shown(app)
    info = catalog.find("tiny-vae")
    seen = own.prepared(info, app.session_state["own_image"])
    result = render(RenderRequest(model=info.digest, op=Encode(image=images.keep(seen))))
    psnr = float(result.values["psnr_db"][0])
    assert any(f"PSNR {psnr:.1f} dB" in text.value for text in app.markdown)
    app.button(key="own-edit").click().run()
    point = app.session_state["view"].point
    assert point.latent == state.half(result.latents[0].tolist())
    made = (
        render(RenderRequest(model=info.digest, op=Decode(points=(Point(latent=point.latent),))))
        .images[0]
        .astype(int)
    )
    assert np.abs(made - result.images[1]).max() <= 2  # the latent is kept in half precision
    assert "z" not in app.query_params and app.query_params["seed"] == "3"
    assert any("The link leaves your image out" in text.value for text in app.caption)

    edit(app, (1, 2.5))
    assert "z" not in app.query_params and "edits" not in app.query_params
    app.switch_page("views/gallery.py").run()
    app.switch_page("views/explore.py").run()
    assert "What the model sees" in shown(app), "the image is still there after a page change"
    assert app.session_state["view"].point.edits == ((1, 2.5),) and "z" not in app.query_params

    app.button(key="random").click().run()
    edit(app, (1, 1.5))
    assert app.query_params["edits"] == "1:1.5"
    assert any("The address bar holds a link" in text.value for text in app.caption)
    app.button(key="undo").click().run()
    assert app.session_state["view"].point.latent == point.latent
    assert "z" not in app.query_params, "undo leads back to the image, and the link still leaves it out"


def test_a_kept_point_of_an_image_stays_out_of_the_link_and_so_do_its_sums(open_app) -> None:
    app = give(opened(open_app, "tiny-vae", seed=3), picture())
    app.button(key="own-edit").click().run()
    app.button(key="keep").click().run()
    for seed in (4, 5):
        app.number_input(key="seed").set_value(seed).run()
        app.button(key="keep").click().run()
    assert [one.private for one in app.session_state["kept_points"]] == [True, False, False]
    app.session_state["arithmetic"] = True
    app.run()
    app.button(key="go-to-sum").click().run()
    assert app.session_state["view"].point.latent and "z" not in app.query_params


def test_the_class_that_fits_best_goes_with_the_point(open_app) -> None:
    app = give(opened(open_app, "tiny-cvae"), picture())
    label = int(app.session_state["work-own"].shown.values["label"][0])
    assert any(f"as {label}" in text.value for text in app.markdown)
    app.button(key="own-edit").click().run()
    assert app.session_state["view"].point.label == label and "class" not in app.query_params


def test_a_model_without_encoder_searches_and_shows_steps(open_app) -> None:
    app = give(opened(open_app, "tiny-gan"), picture())
    assert "own-edit" not in [button.key for button in app.button]
    app.button(key="own-search").click().run()
    until_done(app)
    result = app.session_state["work-own"].shown
    assert result.done == 1 and len(result.values["trace"]) > 5
    assert result.values["trace"][-1, 1] >= result.values["trace"][0, 1]
    app.button(key="own-edit").click().run()
    assert app.session_state["view"].point.latent == state.half(result.latents[0].tolist())
    assert "z" not in app.query_params


def test_a_search_can_be_stopped_and_begun_again(open_app, monkeypatch) -> None:
    from models.render import stream

    def slow(request: RenderRequest, cancel: Any) -> Any:
        for result in stream(request, cancel):
            yield result
            time.sleep(0.2)

    monkeypatch.setattr("models.render.stream", slow)
    app = give(opened(open_app, "tiny-gan"), picture())
    app.button(key="own-search").click().run()
    app.button(key="own-stop").click().run()
    until_done(app)
    work = app.session_state["work-own"]
    assert work.share < 1 and not app.exception
    again = "own-again" if work.shown is not None else "own-search"
    app.button(key=again).click().run()
    if again == "own-again":
        app.button(key="own-search").click().run()
    assert app.session_state["work-own"] is not work
    app.session_state["work-own"].cancel()


def test_another_crop_or_another_model_asks_for_another_search(open_app) -> None:
    app = give(opened(open_app, "tiny-gan"), picture(size=(80, 40)))
    app.button(key="own-search").click().run()
    until_done(app)
    app.slider(key="own-zoom").set_value(2.0).run()
    assert app.session_state["own_image"].crop.size == 0.5
    assert any(button.key == "own-search" for button in app.button)
    app.selectbox(key="pick-model").set_value("tiny-vae").run()
    assert any(button.key == "own-edit" for button in app.button) and not app.error


def test_sliders_are_only_there_where_the_crop_has_room(open_app) -> None:
    app = give(opened(open_app, "tiny-vae"), picture(size=(80, 40)))
    assert not app.slider(key="own-x").disabled and app.slider(key="own-y").disabled
    app.slider(key="own-x").set_value(0.0).run()
    assert images.box(80, 40, app.session_state["own_image"].crop)[0] == 0
    assert app.slider(key="own-x").value == 0.0
    app.slider(key="own-zoom").set_value(4.0).run()
    assert not app.slider(key="own-y").disabled


def rotated() -> bytes:
    exif = Image.Exif()
    exif[274] = 6  # the camera was held upright
    return picture("RGB", (40, 60), format="JPEG", exif=exif)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (picture("RGBA"), (40, 40)),
        (picture("P"), (40, 40)),
        (picture("LA"), (40, 40)),
        (picture("1"), (40, 40)),
        (picture("RGB", format="BMP"), (40, 40)),
        (picture("P", format="GIF"), (40, 40)),
        (picture("CMYK", format="TIFF"), (40, 40)),
        (rotated(), (60, 40)),
    ],
)
def test_every_kind_of_image_is_read(open_app, data: bytes, size: tuple[int, int]) -> None:
    app = give(opened(open_app, "tiny-vae"), data)
    pixels = app.session_state["own_image"].pixels
    assert not app.error and pixels.shape == (size[1], size[0], 3)
    assert any(button.key == "own-edit" for button in app.button)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an image"),
        (b"<svg onload='alert(1)'/>", "not an image"),
        (huge_png(), "million pixels"),
        (picture()[:80], "damaged"),
    ],
)
def test_what_is_no_image_gets_a_sentence_and_the_panel_goes_on(open_app, data: bytes, words: str) -> None:
    app = give(opened(open_app, "tiny-vae"), picture())
    give(app, data)
    assert len(app.error) == 1 and words in app.error[0].value
    assert "own_image" not in app.session_state and not app.exception
    give(app, picture())
    assert not app.error and any(button.key == "own-edit" for button in app.button)
    app.file_uploader(key="own-file").set_value(None).run()
    assert "own_image" not in app.session_state and "What the model sees" not in shown(app)


def test_a_drawing_that_is_refused_gets_a_sentence(open_app, monkeypatch) -> None:
    sent: list[object] = ["data:image/png;base64,AAAA", drawing_url()]

    def pad(*, key: str, on_use: Any) -> None:
        if sent:
            on_use(sent.pop(0))

    monkeypatch.setattr(upload, "draw_pad", pad)
    app = opened(open_app, "tiny-vae")
    app.session_state["own-way"] = "draw"
    app.run()
    assert "The drawing cannot be read" in app.error[0].value
    app.run()
    assert not app.error and app.session_state["own_image"].drawn
    assert all(slider.key != "own-zoom" for slider in app.slider)
    assert app.button(key="own-remove").label == "Remove the drawing"
    app.button(key="own-remove").click().run()
    assert "own_image" not in app.session_state


def test_an_image_that_others_crowded_out_of_memory_is_kept_again(open_app, monkeypatch) -> None:
    from models.blobs import BLOBS

    app = give(opened(open_app, "tiny-vae"), picture())
    for i in range(1100):
        BLOBS.put(str(i).encode())
    app.slider(key="own-zoom").set_value(1.5).run()
    assert not app.error and any(button.key == "own-edit" for button in app.button)


# The link --------------------------------------------------------------------------------------------------


def test_a_private_point_becomes_that_of_its_seed_in_a_link(zoo, session) -> None:
    latent = (0.5,) * 6
    session["view"] = View(model="tiny-cvae", point=Point(seed=7, axes="raw"))
    state.go_to(latent, private=True, label=4)
    state.set_edit(0, 1.0)
    assert link.write(state.public(), link.EXPLORE) == {"model": "tiny-cvae", "seed": "7", "axes": "raw"}
    state.go_to((0.25,) * 6)  # from there on, as a change of axes does
    assert "z" not in link.write(state.public(), link.EXPLORE)
    state.go_to((0.25, *latent[1:]), private=False)
    assert "z" in link.write(state.public(), link.EXPLORE)
    state.update_point(seed=9)
    assert not state.is_private(state.view().point) and state.public() == state.view()
