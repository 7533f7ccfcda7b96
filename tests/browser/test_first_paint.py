"""What is to be seen before the page is: the title, where it will be."""

from collections.abc import Callable
from typing import Any

import pytest

Open = Callable[..., Any]
SHELL, OWN = "#first-paint h1", "#root h1"


def place(page: Any, heading: str) -> list[float]:
    box = page.locator(heading).bounding_box()
    return [round(box[name], 1) for name in ("x", "y", "height")]


def colour(page: Any, element: str, name: str) -> str:
    return str(page.evaluate("([e, n]) => getComputedStyle(document.querySelector(e))[n]", [element, name]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1920, 1440, 1024, 600])
def test_the_title_stays_where_it_is(open_page: Open, width: int, scheme: str) -> None:
    held: list[Any] = []

    def hold(page: Any) -> None:
        page.route("**/index.*.js", lambda route: held.append(route))

    page = open_page("/models?embed=true", width=width, scheme=scheme, prepare=hold, until="commit")
    page.locator(SHELL).wait_for()
    page.wait_for_function("document.fonts.check('600 20px Heading')")
    assert page.title() == "Models · Latent Explorer"
    before = place(page, SHELL), colour(page, SHELL, "color"), colour(page, "body", "backgroundColor")
    assert page.locator(OWN).count() == 0
    for route in held:
        route.continue_()
    page.locator(OWN).wait_for()
    page.locator("#first-paint").wait_for(state="detached")
    page.locator("[class*=st-key-card-]").first.wait_for()  # the page is as it will be
    assert before == (place(page, OWN), colour(page, OWN, "color"), colour(page, ".stApp", "backgroundColor"))


@pytest.mark.parametrize(
    ("stored", "dark"), [('"Dark"', 1), ('"Light"', 0), ('"System"', 0), ("null", 0), ("{}", 0), ("7", 0)]
)
def test_a_chosen_theme_is_known_at_once(open_page: Open, stored: str, dark: int) -> None:
    def choose(page: Any) -> None:
        page.add_init_script(f"""localStorage.setItem("stActiveTheme-/-v2", '{stored}')""")
        page.add_init_script(
            """addEventListener("DOMContentLoaded", () => {
              window.chosen = document.querySelectorAll("#first-paint.dark").length
            })"""
        )

    page = open_page("/", prepare=choose)
    page.locator("#first-paint").wait_for(state="detached")
    assert page.evaluate("window.chosen") == dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_flickers(open_page: Open, scheme: str) -> None:
    """From the first frame on there is one heading, in one place, on a ground of one colour."""

    def watch(page: Any) -> None:
        page.add_init_script(
            """(() => {
              const seen = (window.seen = new Set())
              const look = () => {
                const headings = [...document.querySelectorAll("h1")]
                const ground = getComputedStyle(document.querySelector(".stApp") ?? document.body).backgroundColor
                const places = headings.map(h => `${Math.round(h.getBoundingClientRect().x)}`)
                if (document.body && (seen.size || headings.length)) seen.add(`${places} ${ground}`)
                requestAnimationFrame(look)
              }
              addEventListener("DOMContentLoaded", () => requestAnimationFrame(look))
            })()"""
        )

    page = open_page("/train", scheme=scheme, prepare=watch)
    page.locator(OWN).wait_for()
    page.wait_for_timeout(1000)
    seen = page.evaluate("[...window.seen]")
    assert len(seen) == 1, seen


def test_an_address_that_is_no_page_says_so(open_page: Open) -> None:
    page = open_page("/nowhere")
    page.get_by_role("dialog").get_by_text("Page not found").wait_for()
    page.locator(OWN).wait_for()
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.stMainBlockContainer')).paddingTop === '32px'"
    )  # the app's own styles
    assert page.get_by_role("dialog").count() == 1 and page.locator("#first-paint").count() == 0


def test_who_waits_long_is_told(open_page: Open) -> None:
    page = open_page(
        "/", prepare=lambda page: page.route("**/index.*.js", lambda route: None), until="commit"
    )
    waiting = page.locator("#first-paint [role=status]")
    page.wait_for_function("getComputedStyle(document.querySelector('#first-paint p')).opacity > 0.5")
    assert waiting.inner_text() == "The app is loading …"
