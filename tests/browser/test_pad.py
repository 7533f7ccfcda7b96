"""The latent pad in a real browser: the picture follows whatever moves the point, and Python hears of it once."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import torch

from explorer.bench import decode
from explorer.bench.startup import free_port
from explorer.components import script
from models import latent

Open = Callable[..., Any]


def reruns(page: Any) -> list[str]:
    """Return a list that grows with each message to Streamlit's server: each asks for a rerun."""
    sent: list[str] = []

    def opened(socket: Any) -> None:
        if "_stcore/stream" in socket.url:
            socket.on("framesent", lambda _frame: sent.append(socket.url))

    page.on("websocket", opened)
    return sent


def counted(open_pad: Open, path: str) -> tuple[Any, list[str]]:
    """Open a pad and count the reruns from now on."""
    lists: list[list[str]] = []
    pad = open_pad(path, prepare=lambda page: lists.append(reruns(page))).wait_live()
    pad.page.wait_for_timeout(1000)
    lists[0].clear()
    return pad, lists[0]


def test_pictures_come_during_a_drag_and_one_rerun_after_it(address: str, browser: Any) -> None:
    async def drag() -> tuple[float, int, int, str]:
        async with decode.open_browser() as own, decode.open_page(own, f"{address}/explore?seed=5") as page:
            await page.close()
            page = await own.contexts[0].new_page()
            sent = reruns(page)
            await page.goto(f"{address}/explore?seed=5")
            await page.locator(".latent-pad[data-state=live] .film.drawn").wait_for()
            await asyncio.sleep(1)
            sent.clear()
            samples = "(window.latentExplorer.samples ?? []).length"
            drawn = await decode._drag(page, page.locator(decode._TRACK).first, count=samples)
            during = len(sent)
            await page.wait_for_url(re.compile("edits=0"))
            await asyncio.sleep(1)
            return drawn / decode.SECONDS, during, len(sent), page.url

    with ThreadPoolExecutor(1) as pool:  # the other tests hold playwright's loop in this thread
        rate, during, after, url = pool.submit(asyncio.run, drag()).result()
    assert rate > 1, "no pictures while the pointer is down"  # how many is for `bench decode` to say
    assert during == 0 and after == 1 and "edits=0" in url


def test_a_slider_moves_the_picture_before_it_is_let_go(open_pad: Open) -> None:
    pad, sent = counted(open_pad, "/explore?model=fashion-gan&seed=5")
    before = pad.pixels()
    move = pad.grab(pad.dial().locator(".track"), 0.9)
    shown = pad.wait_changed(before)
    move(0.1, 0.5)
    pad.wait_changed(shown)
    assert not sent and "edits" not in pad.page.url
    assert pad.value() == pytest.approx(-3.2, abs=0.05)
    pad.page.mouse.up()
    link = pad.wait_for_edits("edits=0:-3")
    pad.page.wait_for_timeout(1000)
    assert len(sent) == 1
    assert re.search(r"edits=0:-3\.\d{1,4}$", unquote(link))


@pytest.mark.parametrize("model", ["fashion-gan", "avatars-vae", "fashion-cgan", "mnist-vae-2d"])
def test_the_link_of_a_drag_shows_the_same_pixels(open_pad: Open, model: str) -> None:
    pad = open_pad(f"/explore?model={model}&seed=9").wait_live()
    before = pad.pixels()
    move = pad.grab(pad.plane)
    move(0.8, 0.25)
    pad.wait_changed(before)
    pad.page.mouse.up()
    link = pad.wait_for_edits()
    pad.page.wait_for_timeout(500)
    shown = pad.pixels()
    values = pad.values()
    other = open_pad(link)
    other.wait_shows(shown)
    assert other.values() == pytest.approx(values, abs=0.011)
    other.wait_live()
    other.page.wait_for_timeout(300)
    other.wait_shows(shown)


def test_the_plane_moves_both_of_its_directions(open_pad: Open) -> None:
    pad, sent = counted(open_pad, "/explore?model=avatars-gan&seed=5")
    pad.page.locator(".field select").nth(1).select_option(label="Direction 3")
    before = pad.pixels()
    move = pad.grab(pad.plane)
    move(0.75, 0.125)
    pad.wait_changed(before)
    assert pad.value(0) == pytest.approx(2, abs=0.1) and pad.value(2) == pytest.approx(3, abs=0.1)
    pad.page.mouse.up()
    pad.wait_for_edits(r"edits=0.*2:")
    assert len(sent) == 1


def test_the_same_direction_is_not_on_both_axes(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan").wait_live()
    across, upwards = pad.page.locator(".field select").nth(0), pad.page.locator(".field select").nth(1)
    across.select_option(label="Direction 2")
    assert (across.input_value(), upwards.input_value()) == ("1", "0")


def test_the_picture_can_be_dragged(open_pad: Open) -> None:
    pad, sent = counted(open_pad, "/explore?model=mnist-vae-2d&seed=5")
    assert pad.page.locator(".hint").is_visible()
    across, upwards = (int(pad.page.locator(".field select").nth(i).input_value()) for i in range(2))
    x, y = pad.value(across), pad.value(upwards)
    before = pad.pixels()
    move = pad.grab(pad.canvas)
    move(0.7, 0.4)
    pad.wait_changed(before)
    assert not sent
    pad.page.mouse.up()
    pad.wait_for_edits()
    assert pad.value(across) == pytest.approx(x + 0.2 * 6, abs=0.1)
    assert pad.value(upwards) == pytest.approx(y + 0.1 * 6, abs=0.1)
    assert sorted((across, upwards)) == [0, 1]
    assert pad.dial(across).get_attribute("aria-label").startswith("z1"), "across goes the first, as on Plane"
    assert len(sent) == 1 and pad.page.locator(".hint").is_hidden()


def test_the_keyboard_does_all_of_it(open_pad: Open) -> None:
    pad, sent = counted(open_pad, "/explore?model=fashion-gan&seed=5")
    pad.dial(1).focus()
    start, before = pad.value(1), pad.pixels()
    for key, step in [("ArrowRight", 0.1), ("Shift+ArrowUp", 0.01), ("PageDown", -1), ("ArrowLeft", -0.1)]:
        was = pad.value(1)
        pad.page.keyboard.press(key)
        assert pad.value(1) == pytest.approx(was + step, abs=0.011)
    pad.wait_changed(before)
    pad.wait_for_edits("edits=1")
    pad.page.wait_for_timeout(800)
    assert len(sent) == 1, "a run of keys is one move"
    pad.page.keyboard.press("Home")
    assert pad.value(1) == 0
    pad.wait_for_edits("edits=1:0")
    pad.page.keyboard.press("Delete")
    pad.page.wait_for_url(lambda url: "edits" not in url)
    assert pad.value(1) == pytest.approx(start, abs=0.011)
    pad.plane.focus()
    pad.page.keyboard.press("ArrowUp")
    assert pad.value(1) == pytest.approx(start + 0.1, abs=0.011)
    pad.wait_for_edits("edits=0.*1:")
    assert pad.plane.evaluate("e => e.matches(':focus')"), "the rerun takes the focus away"


def test_a_slider_goes_beyond_its_range(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5&edits=0:3.9").wait_live()
    pad.dial().focus()
    pad.page.keyboard.press("PageUp")
    assert pad.value() == pytest.approx(4.9, abs=0.01)
    assert pad.dial().get_attribute("aria-valuemax") == "5"


def test_the_wheel_moves_only_what_has_the_focus(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    start = pad.value(2)
    pad.dial(2).hover()
    pad.page.mouse.wheel(0, -100)
    pad.page.wait_for_timeout(300)
    assert pad.value(2) == start
    pad.dial(2).focus()
    pad.page.mouse.wheel(0, -100)
    pad.page.wait_for_timeout(300)
    assert pad.value(2) == pytest.approx(start + 0.1, abs=0.011)
    pad.wait_for_edits("edits=2")


def test_a_double_click_takes_an_edit_back(open_pad: Open) -> None:
    origin = open_pad("/explore?model=fashion-gan&seed=5")
    pad = open_pad("/explore?model=fashion-gan&seed=5&edits=0:3,1:-2").wait_live()
    pad.dial(0).dblclick()
    pad.page.wait_for_url(lambda url: "edits=1" in url)
    pad.dial(1).dblclick()
    pad.page.wait_for_url(lambda url: "edits" not in url)
    pad.wait_shows(origin.pixels())
    assert pad.values() == pytest.approx(origin.values(), abs=0.011)


def test_the_filmstrip_shows_where_a_click_leads(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    assert pad.frames.count() == 9
    frame = pad.frames.nth(7).locator("canvas")
    before = pad.pixels()
    pad.frames.nth(7).click()
    shown = pad.wait_changed(before)
    pad.wait_for_edits(r"edits=0:2\.25")
    size = shown.shape[:2]
    data = frame.evaluate("(c, [h, w]) => [...c.getContext('2d').getImageData(0, 0, w, h).data]", list(size))
    pad.wait_shows(np.array(data).reshape(*size, 4))
    assert pad.value() == 2.25
    # The strip does not depend on where the point is along it, but on everything else.
    assert pad.frames.nth(7).locator("canvas").evaluate("c => c.toDataURL()") == frame.evaluate(
        "c => c.toDataURL()"
    )
    strip = frame.evaluate("c => c.toDataURL()")
    pad.dial(3).focus()
    for _ in range(10):
        pad.page.keyboard.press("ArrowRight")
    pad.page.wait_for_timeout(500)
    assert frame.evaluate("c => c.toDataURL()") != strip


def test_random_and_reset_lead_to_the_pictures_of_their_links(open_pad: Open) -> None:
    pad = open_pad("/explore?model=avatars-vae&seed=5").wait_live()
    first = pad.pixels()
    pad.page.get_by_role("button", name="Random").click()
    pad.page.wait_for_url(lambda url: "seed=" in url and "seed=5&" not in url)
    pad.page.wait_for_timeout(1500)
    assert differ_much(pad.pixels(), first)
    fresh = open_pad(pad.page.url[pad.page.url.index("/explore") :])
    pad.wait_shows(fresh.pixels())
    shown = pad.pixels()
    pad.grab(pad.plane, 0.9, 0.9)
    pad.page.mouse.up()
    pad.wait_for_edits()
    pad.page.get_by_role("button", name="Reset").click()
    pad.wait_shows(shown)


def differ_much(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape != other.shape or float(np.abs(one - other).mean()) > 2


def test_other_directions_do_not_move_the_point(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-vae&seed=5&edits=0:2.5,2:-1.5").wait_live()
    shown = pad.pixels()
    pad.page.get_by_role("radio", name="First layer").click()
    pad.page.wait_for_url(re.compile("axes=sefa"))
    pad.page.wait_for_timeout(1000)
    assert "z=" in pad.page.url and "edits" not in pad.page.url
    assert int(np.abs(pad.pixels() - shown).max()) <= 3, "the point has moved"


def test_what_a_person_likes_is_remembered(open_pad: Open) -> None:
    pad = open_pad("/explore?model=digits-gan&seed=5").wait_live()
    pad.page.get_by_role("button", name="Show speed").click()
    pad.page.get_by_role("button", name="Smooth between the pixels").click()
    assert pad.page.locator(".meter").is_visible()
    assert pad.canvas.evaluate("c => c.width") >= 512
    pad.page.reload()
    pad.wait_live()
    assert pad.page.get_by_role("button", name="Show speed").get_attribute("aria-pressed") == "true"
    assert pad.canvas.evaluate("c => c.width") >= 512


def test_easing_ends_where_the_pointer_is(open_pad: Open) -> None:
    pad = open_pad("/explore?model=digits-gan&seed=5").wait_live()
    pad.page.get_by_role("button", name="Ease to where you point").click()
    pad.grab(pad.plane, 0.2, 0.2)
    pad.page.mouse.up()
    link = pad.wait_for_edits()
    pad.page.wait_for_timeout(1500)
    assert [pad.value(0), pad.value(1)] == pytest.approx([-2.4, 2.4], abs=0.1)
    open_pad(link).wait_shows(pad.pixels())


def test_a_drag_outlives_a_restart_of_the_server(
    open_pad: Open, home: Path, running: Callable[..., Any]
) -> None:
    port = free_port()
    with running(home, port) as address:
        pad = open_pad("/explore?model=digits-gan&seed=5", at=address).wait_live()
        move = pad.grab(pad.dial().locator(".track"), 0.8)
        pad.wait_changed(np.zeros_like(pad.pixels()))
    move(0.3, 0.5)
    pad.page.locator(".latent-pad[data-state=lost]").wait_for()
    shown = pad.pixels()
    with running(home, port):
        pad.page.locator(".latent-pad[data-state=live]").wait_for()
        shown = pad.wait_changed(shown)  # the move that had no answer
        move(0.15, 0.5)
        shown = pad.wait_changed(shown)
        pad.page.wait_for_timeout(3000)  # Streamlit's own page connects again and runs anew
        assert not differ_much(pad.pixels(), shown), "the rerun took the point away from under the pointer"
        move(0.2, 0.5)
        pad.wait_changed(shown)
        pad.page.mouse.up()
        link = pad.wait_for_edits()
        open_pad(link, at=address).wait_shows(pad.pixels())


@pytest.mark.parametrize("code", [1006, 4429])
def test_without_a_socket_the_picture_follows_on_release(open_pad: Open, code: int) -> None:
    reason = "The server is full." if code == 4429 else ""

    def block(page: Any) -> None:
        close = {"code": code, "reason": reason} if code == 4429 else {}
        page.route_web_socket(re.compile("/api/live"), lambda socket: socket.close(**close))

    pad = open_pad("/explore?model=digits-gan&seed=5", prepare=block)
    pad.status.get_by_text("when you let go").wait_for()
    assert reason in pad.status.inner_text()
    before = pad.pixels()
    pad.grab(pad.dial().locator(".track"), 0.9)
    pad.page.wait_for_timeout(300)
    assert not differ_much(pad.pixels(), before) and pad.value() > 3
    pad.page.mouse.up()
    link = pad.wait_for_edits()
    shown = pad.wait_changed(before)
    open_pad(link).wait_shows(shown)


def test_the_browser_and_python_agree_on_every_move(browser: Any) -> None:
    rng = torch.Generator().manual_seed(3)
    page = browser.new_page()
    source = script("latent_pad/parts.js", "latent_pad/space.js")
    for keep in (False, True):
        for trial in range(20):
            dim, count = 12, 6
            vectors = torch.randn(count, dim, generator=rng) + 0.6 * torch.randn(1, dim, generator=rng)
            vectors = torch.nn.functional.normalize(vectors, dim=1)
            if trial % 4 == 0:
                vectors = torch.linalg.qr(vectors.T)[0].T.contiguous()
            start = torch.randn(dim, generator=rng)
            moves = [
                [
                    (int(k), float(c))
                    for k, c in zip(torch.randperm(count, generator=rng)[:n], 3 * torch.randn(n), strict=True)
                ]
                for n in (1, 2, 1)
            ]
            along = torch.empty(0, dim)
            if keep:
                along = torch.nn.functional.normalize(
                    vectors + 0.1 * torch.randn(count, dim, generator=rng), dim=1
                )
            z, touched = page.evaluate(
                """([source, dim, vectors, along, start, moves]) => {
                  const { Space } = new Function(source + "; return { Space }")()
                  const space = new Space(dim, Float64Array.from(vectors), Float64Array.from(along))
                  let z = Float64Array.from(start)
                  const touched = new Set()
                  for (const targets of moves) {
                    z = space.move(z, targets)
                    targets.forEach(([k]) => touched.add(k))
                  }
                  const report = [...touched].map(k => [k, Math.round(1e4 * space.coordinate(z, k)) / 1e4])
                  return [[...z], report]
                }""",
                [source, dim, vectors.flatten().tolist(), along.flatten().tolist(), start.tolist(), moves],
            )
            chosen = [k for k, _c in touched]
            expected = latent.set_coordinates(
                start,
                vectors[chosen],
                torch.tensor([c for _k, c in touched]),
                along[chosen] if keep else None,
            )
            assert torch.tensor(z) == pytest.approx(expected, abs=1e-2)
            last = moves[-1][0]
            assert float(vectors[last[0]] @ torch.tensor(z)) == pytest.approx(last[1], abs=1e-3)
    page.close()


def test_the_others_stay_where_they_are_kept(open_pad: Open) -> None:
    pad = open_pad("/explore?model=digits-gan&seed=5").wait_live()
    switch = pad.page.get_by_role("switch", name="Disturb the others less")
    before, values = pad.pixels(), pad.values()
    pad.grab(pad.dial().locator(".track"), 0.9)
    pad.wait_changed(before)  # the sliders move with the picture
    moved = pad.values()
    assert max(abs(a - b) for a, b in zip(moved[1:], values[1:], strict=True)) > 0.025, "these do overlap"
    pad.page.mouse.up()
    pad.wait_for_edits("edits=0:3")
    together = pad.wait_changed(before)
    switch.focus()
    pad.page.keyboard.press("Space")
    pad.page.wait_for_url(re.compile("keep=0"))
    alone = pad.wait_changed(together)
    assert pad.values() == pytest.approx([moved[0], *values[1:]], abs=0.011)
    pad.grab(pad.dial(1).locator(".track"), 0.2)
    pad.wait_changed(alone)
    pad.page.mouse.up()
    link = pad.wait_for_edits(r"edits=0:3.*1:-.*keep=0")
    assert pad.values() == pytest.approx([moved[0], pad.value(1), *values[2:]], abs=0.011)
    pad.page.wait_for_timeout(500)
    shown = pad.pixels()
    open_pad(link).wait_live().wait_shows(shown)


def test_a_direction_gets_a_name(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    pad.page.locator(".st-key-naming button").first.click()
    name = pad.page.get_by_label("Name", exact=True)
    name.fill("sleeves")
    name.press("Enter")
    pad.page.get_by_role("slider", name=re.compile("^sleeves, ")).wait_for()
    pad.page.keyboard.press("Escape")
    assert pad.page.locator(".field select option", has_text="sleeves").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_of_the_pad_is_inaccessible(
    open_pad: Open, flaws: Callable[[Any, str], list[str]], scheme: str
) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5&edits=0:2", scheme=scheme).wait_live()
    assert flaws(pad.page, ".st-key-pad") == []


def test_a_full_screen_has_the_sliders_too(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    before = pad.width()
    pad.page.locator(".tool[data-name=full]").click()
    pad.page.wait_for_function("document.fullscreenElement !== null")
    pad.wait_wider(before)
    for part in (pad.canvas, pad.dial(), pad.plane, pad.frames.first):
        box = part.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= pad.page.viewport_size["width"]
        assert box["y"] >= 0 and box["y"] + box["height"] <= pad.page.viewport_size["height"]
    pad.dial().press("ArrowRight")
    pad.wait_for_edits()
