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

    page = open_page("/models", width=width, scheme=scheme, prepare=hold, until="commit")
    page.locator(SHELL).wait_for()
    page.wait_for_function("document.fonts.check('600 20px Heading')")
    assert page.title() == "Models · Latent Explorer"
    before = place(page, SHELL), colour(page, SHELL, "color"), colour(page, "#first-paint", "backgroundColor")
    assert page.locator(OWN).count() == 0
    for route in held:
        route.continue_()
    page.locator(OWN).wait_for()
    page.locator("#first-paint").wait_for(state="detached")
    page.locator("[class*=st-key-card-]").first.wait_for()  # the page is as it will be
    assert before == (place(page, OWN), colour(page, OWN, "color"), colour(page, ".stApp", "backgroundColor"))


def test_a_chosen_theme_is_known_at_once(open_page: Open) -> None:
    def choose(page: Any) -> None:
        page.add_init_script("""localStorage.setItem("stActiveTheme-/-v2", '"Dark"')""")
        page.route("**/index.*.js", lambda route: None)

    page = open_page("/", prepare=choose, until="commit")
    page.locator("#first-paint.dark").wait_for()


def test_the_title_is_never_there_twice(open_page: Open) -> None:
    def watch(page: Any) -> None:
        page.add_init_script(
            """(() => {
              const look = () => {
                window.most = Math.max(window.most ?? 0, document.querySelectorAll("h1").length)
                requestAnimationFrame(look)
              }
              requestAnimationFrame(look)
            })()"""
        )

    page = open_page("/train", prepare=watch)
    page.locator(OWN).wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("window.most") == 1


def test_an_address_that_is_no_page_says_so(open_page: Open) -> None:
    page = open_page("/nowhere")
    page.get_by_role("dialog").get_by_text("Page not found").wait_for()
    assert page.locator("#first-paint").count() == 0
