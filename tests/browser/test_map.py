"""The map in a real browser: hover, click, lasso, filter, colours; every picture is that of its own point."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from explorer import maps
from explorer.link import unpack
from models import catalog, datasets
from models.embedding.maps import EmbeddingMap, Source
from models.render import decoder

Open = Callable[..., Any]
MODEL = "digits-vae"
ACCENT = (0x0E, 0x74, 0x70)  # of the light theme


def image_of(found: EmbeddingMap, index: int) -> np.ndarray:
    """Return the image that a point stands for."""
    split: datasets.Split = "train" if found.sources[index] == Source.TRAIN else "test"
    return datasets.load("digits", split).images[int(found.indices[index]), 0].numpy().astype(int)


def name_of(found: EmbeddingMap, index: int) -> str:
    """Return how the page names that image."""
    kind = "training" if found.sources[index] == Source.TRAIN else "test"
    return f"{kind} image {int(found.indices[index])}"


def check_identity(shown: Any, found: EmbeddingMap, index: int) -> None:
    """Check that all that the lens shows is of one point."""
    assert (shown.picture(0, index) == image_of(found, index)).all()
    latent = found.latents[[index]].astype(np.float16).astype(np.float32)
    decoded = decoder(found.spec.model)(latent)[0, ..., 0]
    assert np.abs(shown.picture(1, index) - decoded).max() <= 1
    code = int(found.categories["label"].codes[index])
    assert f"{code}\n" in shown.lens.inner_text()
    assert name_of(found, index) in shown.lens.inner_text()


def pressed(shown: Any) -> list[bool]:
    """Return which entries of the legend are shown."""
    return [chip.get_attribute("aria-pressed") == "true" for chip in shown.chips.all()]


def picked(page: Any) -> tuple[float, ...]:
    """Return the point of the link."""
    page.wait_for_url(re.compile(r"[?&]z="))
    return unpack(parse_qs(urlsplit(page.url).query)["z"][0])


def wait_picked(page: Any, latent: np.ndarray) -> None:
    """Wait until a latent is the point of the link."""

    def there(url: str) -> bool:
        (text,) = parse_qs(urlsplit(url).query).get("z", [""])
        return bool(text) and bool(np.abs(np.asarray(unpack(text)) - latent).max() <= 2e-3)

    page.wait_for_url(there)


def test_what_the_pointer_meets_shows_its_own_pictures_and_becomes_the_point_of_explore(
    shown: Any, found: EmbeddingMap
) -> None:
    met = 0
    for index in shown.sweep(found):
        check_identity(shown, found, index)
        met += 1
        if met == 8:
            break
    assert met == 8
    shown.point(0.06, 0.94)  # between points
    picture = shown.picture(1, "between")
    assert "times as far as usual, and their latents agree" in shown.lens.inner_text()
    assert shown.page.locator(".lens .meter").is_visible() and shown.index is None
    shown.click()
    there = np.asarray([picked(shown.page)], np.float32)
    assert np.abs(found.latents - there).max(1).min() > 0.01  # it is none of the points
    assert np.abs(decoder(found.spec.model)(there)[0, ..., 0] - picture).max() <= 3
    shown.page.get_by_text("A place between points").wait_for()
    index = next(shown.sweep(found))
    shown.click()
    shown.page.get_by_text(name_of(found, index)).last.wait_for()
    wait_picked(shown.page, found.latents[index])
    x, y = shown.shares(found)[index]

    def pinned() -> bool:
        """Tell whether the pin's head, above its hole, is over the point."""
        pixels = shown.pixels()
        row, column = round(y * pixels.shape[0]) - 17 - 5, round(x * pixels.shape[1])
        return bool((np.abs(pixels[row, column - 2 : column + 3, :3] - ACCENT).max(1) < 24).all())

    shown.wait(pinned, "no pin is where the click was")
    shown.page.get_by_role("button", name="Open in Explore").click()
    shown.page.wait_for_url(re.compile("/explore"))
    wait_picked(shown.page, found.latents[index])


def test_what_is_left_out_cannot_be_met_and_what_is_left_keeps_its_identity(
    shown: Any, found: EmbeddingMap
) -> None:
    codes = found.categories["label"].codes
    shown.chips.nth(6).click()  # alone
    assert pressed(shown).count(True) == 1
    met = list(shown.sweep(found, 100))
    assert len(met) >= 5 and (codes[met] == 6).all()
    check_identity(shown, found, met[-1]) if shown.index == met[-1] else shown.point(0.5, 0.5)
    shown.chips.nth(0).click(modifiers=["Shift"])  # and another one
    met = list(shown.sweep(found, 100))
    assert set(codes[met].tolist()) == {0, 6}
    for index in shown.sweep(found, 100):
        check_identity(shown, found, index)
        break
    words = shown.lasso(shown.ALL)
    inside = int(words.split()[0].replace(",", ""))
    assert 0.97 * np.isin(codes, (0, 6)).sum() <= inside <= np.isin(codes, (0, 6)).sum()
    shown.page.get_by_role("button", name="Show all").click()
    assert len(set(codes[list(shown.sweep(found, 100))].tolist())) > 5


def test_a_search_leads_to_its_point_and_enter_picks_it(shown: Any, found: EmbeddingMap) -> None:
    for index in (0, 700, 1400):
        shown.find(str(int(found.indices[index])))
        shown.page.locator(f".lens[data-index='{index}']").wait_for()
        check_identity(shown, found, index)
    shown.wait(lambda: name_of(found, 1400) in shown.status.inner_text(), "it is not said what was found")
    shown.view.press("Enter")
    assert picked(shown.page) == pytest.approx(found.latents[1400], abs=2e-3)


def test_a_lasso_selects_what_is_in_it_and_two_make_a_direction(shown: Any, found: EmbeddingMap) -> None:
    words = shown.lasso(shown.ALL)
    inside = int(words.split()[0].replace(",", ""))
    assert 0.97 * len(found) <= inside <= len(found)
    shown.page.locator(".st-key-map-sheet .tile").nth(47).wait_for()
    first = shown.page.locator(".st-key-map-sheet .tile").first
    name = first.get_attribute("aria-label")
    first.click()
    index = next(index for index in range(len(found)) if name.endswith(name_of(found, index)))
    assert picked(shown.page) == pytest.approx(found.latents[index], abs=2e-3)
    shown.page.get_by_role("button", name="Clear").click()
    shown.page.get_by_text("Draw around points to see").wait_for()
    shown.page.keyboard.down("Shift")
    shown.drag((0.05, 0.5), (0.4, 0.5), (0.4, 0.98), (0.05, 0.98))
    shown.page.mouse.up()
    shown.page.keyboard.up("Shift")
    shown.page.locator(".st-key-map-sheet .tile").first.wait_for()
    shown.begin_b()
    shown.drag((0.6, 0.1), (0.85, 0.1), (0.85, 0.6), (0.6, 0.6))
    shown.page.mouse.up()
    shown.page.locator(".st-key-map-direction .tile").nth(6).wait_for()
    shown.page.get_by_role("button", name="Use in Explore").click()
    shown.page.wait_for_url(re.compile("/explore"))
    for letter in "abc":
        shown.page.locator(f".st-key-sum-{letter}").get_by_role("combobox").wait_for()
    shown.page.get_by_role("button", name="Go there").wait_for()
    sums = shown.page.locator(".st-key-arithmetic figcaption").all_inner_texts()
    assert sums[:2] == ["a: Mean of B", "− b: Mean of A"] and sums[3] == "= a − b + c"


def test_the_map_moves_by_wheel_hand_buttons_and_keys(shown: Any) -> None:
    whole = shown.seen()
    shown.point(0.4, 0.6)
    shown.page.mouse.wheel(0, -600)
    near = shown.wait_seen(lambda seen: seen != whole)
    shown.page.mouse.down()
    shown.point(0.5, 0.5)
    shown.page.mouse.up()
    moved = shown.wait_seen(lambda seen: seen != near)
    assert moved != whole
    assert "z=" not in shown.page.url  # a drag is no click
    shown.page.get_by_role("button", name="Show the whole map").click()
    shown.point(0.5, 1.2)
    shown.wait_seen(lambda seen: seen == whole)
    shown.view.focus()
    for key in ("+", "ArrowRight"):
        shown.view.press(key)
    shown.wait_seen(lambda seen: seen != whole)
    assert shown.status.inner_text()
    shown.view.press("0")
    shown.view.evaluate("node => node.blur()")
    shown.point(0.5, 1.2)
    shown.wait_seen(lambda seen: seen == whole)


def test_a_click_in_the_legend_isolates_and_the_link_says_so(
    shown: Any, open_map: Open, found: EmbeddingMap
) -> None:
    page, chips = shown.page, shown.chips
    codes = found.categories["label"].codes
    chips.nth(3).click()
    assert pressed(shown) == [code == 3 for code in range(10)]
    chips.nth(3).click()
    assert all(pressed(shown))
    chips.nth(5).focus()
    page.keyboard.press("Enter")
    assert pressed(shown) == [code == 5 for code in range(10)]
    page.keyboard.press("Shift+ArrowRight")  # no key of the legend
    chips.nth(7).focus()
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Shift+Space")
    page.keyboard.press("Shift+Space")
    assert pressed(shown) == [code in (5, 7) for code in range(10)]
    page.locator(".latent-map select").select_option(label="Reconstruction error")
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("colour") == ["error"])
    assert parse_qs(urlsplit(page.url).query)["only"] == ["label:5,7"]
    page.reload()
    again = type(shown)(page)
    assert again.page.locator(".latent-map select").input_value() == "error"
    met = list(again.sweep(found, 60))
    assert len(met) >= 5 and np.isin(codes[met], (5, 7)).all()
    again.page.locator(".latent-map select").select_option(label="Class")
    chips.nth(9).wait_for()
    assert pressed(again) == [code in (5, 7) for code in range(10)]
    chips.nth(5).focus()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("only") == ["label:7"])
    assert chips.nth(5).evaluate(
        "chip => chip.getRootNode().activeElement === chip"
    )  # the page was drawn anew
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Show all").click()
    page.wait_for_url(lambda url: "only" not in url)
    assert "colour" not in page.url and all(pressed(again))


def test_colours_are_chosen_in_the_browser_and_filters_stay(open_map: Open) -> None:
    sprites = maps.ready(catalog.find("sprites-btcvae"))
    assert sprites is not None
    shown = open_map("/map?model=sprites-btcvae")
    before = shown.seen()
    names = shown.chips.all_inner_texts()
    assert len(names) == 3
    shown.chips.nth(1).click(modifiers=["Control"])  # out
    counted = shown.lasso(shown.ALL)
    select = shown.page.locator(".latent-map select")
    select.select_option(label="Scale")
    shown.page.locator(".latent-map .ramp").wait_for()
    assert shown.chips.count() == 0 and shown.seen() != before
    assert shown.lasso(shown.ALL) == counted  # what was left out stays so
    for _index in shown.sweep(sprites):
        assert re.search(r"Scale 0\.\d", shown.lens.inner_text())
        assert names[1].split("\n")[0] not in shown.lens.inner_text().split("\n")
        break
    shown.page.get_by_role("button", name="Show all").click()
    select.select_option(label="Shape")
    shown.chips.nth(2).wait_for()
    assert pressed(shown) == [True] * 3


def test_a_range_of_values_leaves_out_the_rest(shown: Any, found: EmbeddingMap) -> None:
    errors = found.values["error"]
    select = shown.page.locator(".latent-map select")
    select.select_option(label="Reconstruction error")
    least, most = (
        shown.page.get_by_role("slider", name=f"{end} Reconstruction error") for end in ("Least", "Most")
    )
    assert least.get_attribute("aria-valuetext").endswith("or less")
    least.focus()
    for _ in range(4):
        least.press("PageUp")
    most.press("Home")  # as far as the other one
    most.press("PageUp")
    low, high = (float(end.get_attribute("aria-valuenow")) for end in (least, most))
    assert low < high and least.get_attribute("aria-valuetext") == f"{low:.2g}"
    kept = (low <= errors) & (errors <= high)
    met = list(shown.sweep(found, 100))
    assert 0.02 < kept.mean() < 0.5 and len(met) >= 3 and kept[met].all()
    select.select_option(label="Class")  # what was left out stays so
    shown.status.get_by_text("Filtered by Reconstruction error.").wait_for()
    inside = int(shown.lasso(shown.ALL).split()[0].replace(",", ""))
    assert 0.9 * kept.sum() <= inside <= kept.sum()
    select.select_option(label="Reconstruction error")
    assert float(least.get_attribute("aria-valuenow")) == low
    bar = shown.page.locator(".latent-map .scale").bounding_box()
    shown.page.mouse.move(bar["x"] + bar["width"] * 0.95, bar["y"] + 10)
    shown.page.mouse.down()
    shown.page.mouse.move(bar["x"] + bar["width"] + 30, bar["y"] + 10, steps=3)
    shown.page.mouse.up()
    assert most.get_attribute("aria-valuetext").endswith("or more")
    assert "Filtered by" in shown.status.inner_text()
    shown.page.get_by_role("button", name="Show all").click()
    assert not kept[list(shown.sweep(found, 100))].all()
    assert least.get_attribute("aria-valuetext").endswith("or less")
    assert "Filtered by" not in shown.status.inner_text()


def test_an_empty_map_says_what_empties_it(open_map: Open, found: EmbeddingMap) -> None:
    shown = open_map("/map?model=digits-vae&only=error:9..")
    shown.status.get_by_text("No point of this map passes the filter by Reconstruction error").wait_for()
    assert list(shown.sweep(found, 30)) == []
    shown.page.get_by_role("button", name="Show all").click()
    shown.status.get_by_text("A click makes a place the point of Explore.").wait_for()
    assert list(shown.sweep(found, 30))


def leave_and_return(shown: Any) -> Any:
    """Go to another page and back."""
    shown.page.get_by_role("link", name="Gallery").click()
    shown.page.wait_for_url(lambda url: "/map" not in url)
    shown.page.locator(".latent-map").wait_for(state="detached")
    shown.page.get_by_role("link", name="Map", exact=True).click()
    return type(shown)(shown.page)


def test_the_view_and_the_lines_are_kept_when_the_page_is_left(shown: Any) -> None:
    whole = shown.seen()
    shown.lasso(((0.3, 0.3), (0.6, 0.3), (0.6, 0.6)))
    shown.point(0.4, 0.6)
    drawn = shown.seen()
    shown.page.mouse.wheel(0, -600)
    shown.wait_seen(lambda seen: seen != drawn)
    shown.point(0.5, 1.2)
    near = shown.seen()
    again = leave_and_return(shown)
    again.point(0.5, 1.2)
    again.wait_seen(lambda seen: seen == near != whole)
    again.page.get_by_role("button", name="Clear").click()
    again.page.get_by_text("Draw around points to see").wait_for()
    again.page.get_by_role("button", name="Show the whole map").click()
    again = leave_and_return(again)
    again.point(0.5, 1.2)
    again.wait_seen(lambda seen: seen == whole)
    assert again.page.get_by_text("Draw around points to see").is_visible(), "the line is not there any more"


def test_a_map_that_is_being_computed_can_be_cancelled(
    open_map: Open, running: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("EXPLORER_RUNS_DIR", raising=False)
    with running(tmp_path) as address:
        shown = open_map(f"/map?model={MODEL}", at=address)
        page, root = shown.page, shown.root
        before, picture = root.get_attribute("data-ready"), shown.seen()
        page.get_by_role("button", name="How it is made").click()
        page.get_by_role(
            "radio", name="Samples"
        ).click()  # each is drawn, decoded and encoded: it takes a while
        page.get_by_role("combobox", name="Points", exact=True).click()
        page.get_by_role("option", name="60,000").click()
        page.get_by_role("button", name="Make this map").click()
        page.locator("[role=progressbar]:not([aria-valuenow='0'])").wait_for()
        (job,) = (tmp_path / "runs").glob("*/job.json")
        page.get_by_role("button", name="Cancel").click()
        page.locator("[role=progressbar]").wait_for(state="detached")
        assert not job.parent.exists()  # nor anything that would go on
        assert root.get_attribute("data-ready") == before
        shown.point(0.5, 1.2)
        assert shown.seen() == picture
        left = {path.suffix for path in (tmp_path / "cache" / "maps").glob("*")}
        assert left <= {".lock"}  # no map, and no half of one


def test_without_a_socket_images_are_shown(open_page: Open, map_of: Open, found: EmbeddingMap) -> None:
    def block(page: Any) -> None:
        page.route_web_socket(re.compile("/api/live"), lambda socket: socket.close(code=4429, reason="Full."))

    shown = map_of(open_page(f"/map?model={MODEL}", prepare=block), state="refused")
    index = next(shown.sweep(found))
    assert (shown.picture(0, index) == image_of(found, index)).all()
