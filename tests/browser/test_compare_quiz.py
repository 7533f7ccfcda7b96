"""The blind test, Why's slider and the report in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
LINK = "/compare?model=digits-vae&models=digits-vae,digits-gan&part=quiz"
ORIGINS = re.compile(r"digits[- ](vae|gan)|: real|seed|origin", re.IGNORECASE)


class Quiz:
    """The blind test of a page, as a person meets it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.tiles = page.locator(".tile")
        self.check = page.get_by_role("button", name="Check")
        self.next = page.get_by_role("button", name="Next round")
        self.drawn()

    def drawn(self) -> None:
        """Wait for an open round."""
        self.check.wait_for()
        self.page.locator(".tile[aria-disabled=false]").first.wait_for()

    def markup(self) -> str:
        """Return all that the page tells about the pictures."""
        return self.tiles.first.evaluate("t => t.getRootNode().querySelector('.tiles').outerHTML")

    def pictures(self) -> list[str]:
        """Return what each canvas shows."""
        return self.tiles.evaluate_all("tiles => tiles.map(t => t.querySelector('canvas').toDataURL())")

    def notes(self) -> list[str]:
        """Return what stands below each picture."""
        return self.page.locator(".note").all_inner_texts()

    def judge(self) -> None:
        """Press Check and wait for what comes of it."""
        self.check.click()
        self.next.wait_for()
        self.page.locator(".note.right, .note.wrong").first.wait_for()


@pytest.fixture
def quiz(open_page: Open) -> Quiz:
    return Quiz(open_page(LINK))


def test_a_round_tells_nothing_before_it_is_checked(quiz: Quiz) -> None:
    assert quiz.tiles.count() == 9 and not ORIGINS.search(quiz.markup())
    assert quiz.tiles.first.get_attribute("aria-label") == "Picture 1" and set(quiz.notes()) == {""}
    for place in (0, 4, 4, 8):  # the fifth is taken back
        quiz.tiles.nth(place).click()
    pressed = quiz.tiles.evaluate_all("tiles => tiles.map(t => t.getAttribute('aria-pressed'))")
    assert [place for place, state in enumerate(pressed) if state == "true"] == [0, 8]
    quiz.judge()
    notes = quiz.notes()
    assert all(re.fullmatch(r"[✓✗] (real|Digits VAE|Digits GAN)", note) for note in notes)
    for place, note in enumerate(notes):
        assert note.startswith("✓") == ((place in (0, 8)) == note.endswith("real"))
    right = sum(note.startswith("✓") for note in notes)
    quiz.page.get_by_text(f"{right} of 9 right").wait_for()
    reals = sum(note.endswith("real") for note in notes)
    hits = sum(notes[place].endswith("real") for place in (0, 8))
    assert f"{hits} of {reals}" in quiz.page.locator(".tallies").inner_text()
    quiz.tiles.first.click(force=True)  # it is locked
    assert quiz.tiles.first.get_attribute("aria-pressed") == "true"


def test_rounds_add_up_and_no_picture_comes_again(quiz: Quiz) -> None:
    seen: list[str] = []
    for number in range(1, 4):
        before = quiz.pictures()
        seen += before
        quiz.judge()
        assert f"{9 * number} pictures judged" in quiz.page.locator(".stMain").inner_text()
        quiz.next.click()
        quiz.drawn()
        quiz.page.wait_for_timeout(500)
    assert len(set(seen)) == len(seen) == 27
    quiz.page.get_by_role("button", name="Start anew").click()
    quiz.page.wait_for_url(re.compile("quiz=2"))
    quiz.page.get_by_text("0 pictures judged").wait_for()


def test_a_round_fits_the_screen_and_its_score_outlives_a_reload(open_page: Open) -> None:
    quiz = Quiz(open_page(LINK, width=1440, height=900))
    last = quiz.tiles.last.bounding_box()
    button = quiz.check.bounding_box()
    assert button["y"] + button["height"] < last["y"] and last["y"] + last["height"] <= 900
    quiz.judge()
    notes = quiz.notes()
    quiz.page.reload()
    quiz.next.wait_for()
    quiz.page.locator(".note.right, .note.wrong").first.wait_for()
    assert "9 pictures judged" in quiz.page.locator(".stMain").inner_text() and quiz.notes() == notes


def test_it_is_taken_by_keys(quiz: Quiz, flaws: Callable[[Any, str], list[str]]) -> None:
    quiz.tiles.first.focus()
    for key in ("ArrowRight", "Space", "ArrowDown", "Enter"):
        quiz.page.keyboard.press(key)
    assert [quiz.tiles.nth(place).get_attribute("aria-pressed") for place in (0, 1, 4)] == [
        "false",
        "true",
        "true",
    ]
    quiz.judge()
    assert re.match(r"Picture 2: .*, (rightly|wrongly) judged", quiz.tiles.nth(1).get_attribute("aria-label"))
    assert flaws(quiz.page, ".stMain") == []


def test_a_number_gives_the_same_quiz(open_page: Open) -> None:
    first, second, other = (Quiz(open_page(f"{LINK}&quiz={n}")).pictures() for n in (5, 5, 6))
    assert first == second and not set(first) & set(other)


def test_whys_slider_answers_at_once(open_page: Open) -> None:
    page = open_page("/compare?model=digits-vae&models=digits-vae,digits-gan&part=why")
    sweep = page.locator(".sweep[data-at='0']")
    sweep.wait_for()
    canvas = page.locator(".sweep canvas").first
    before = canvas.evaluate("c => c.toDataURL()")
    track = page.locator(".sweep .track")
    track.focus()
    page.keyboard.press("End")
    assert canvas.evaluate("c => c.toDataURL()") != before  # drawn by the browser alone, in the same moment
    assert "β = 64" in page.locator(".sweep").inner_text() and track.get_attribute("aria-valuenow") == "3"
    page.wait_for_function(
        "() => document.querySelector('.stPlotlyChart .js-plotly-plot')?.data?.[0].marker.size[3] > 10"
    )
    page.keyboard.press("Home")
    assert canvas.evaluate("c => c.toDataURL()") == before


def test_the_report_opens_from_disk(open_page: Open, browser: Any, tmp_path: Path) -> None:
    page = open_page(LINK)
    page.get_by_role("button", name="Report").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download HTML").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    context = browser.new_context(offline=True)
    problems: list[str] = []
    asked: list[str] = []
    try:
        there = context.new_page()
        there.on("pageerror", lambda error: problems.append(str(error)))
        there.on("request", lambda request: asked.append(request.url.split(":")[0]))
        there.goto(file.as_uri())
        there.locator(".chart svg.main-svg").first.wait_for()
        widths = there.evaluate("() => [...document.images].map(i => i.naturalWidth)")
        assert len(widths) >= 3 and all(width > 0 for width in widths)
        assert there.locator("math").count() == 3 and set(asked) <= {"file", "data", "blob"} and not problems
    finally:
        context.close()
