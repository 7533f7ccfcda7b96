"""Which of two pictures that come before one frame is shown, and when."""

from typing import Any

import pytest

from explorer.components import script

SETUP = """source => {
  const Pace = new Function(`${source}; return Pace`)()
  window.latentExplorer = {}
  window.shown = []
  window.pace = new Pace(reply => window.shown.push(reply.name))
  window.come = (name, age) => window.pace.take({ name, tag: { stamp: age === null ? null : performance.now() - age } })
}"""
FRAME = 0.017  # seconds


@pytest.fixture
def page(still_page: Any) -> Any:
    """A page with a clock of its own, on which `come(name, age)` is a reply to an event so many milliseconds ago."""
    still_page.evaluate(SETUP, script("latent_pad/pace.js"))
    return still_page


def shown(page: Any, seconds: float = 0) -> list[str]:
    """Return what was shown, after some time."""
    page.clock.run_for(1000 * seconds)
    return page.evaluate("shown")


def seen(page: Any) -> int:
    """Return how many frames had a picture of their own."""
    return page.evaluate("(latentExplorer.samples ?? []).length")


def test_a_second_picture_that_came_soon_has_a_frame_of_its_own(page: Any) -> None:
    page.evaluate("come('first', 5); come('second', 5)")
    assert shown(page) == ["first"]
    assert shown(page, 3 * FRAME) == ["first", "second"] and seen(page) == 2


def test_a_second_picture_that_took_long_is_shown_at_once_in_the_same_frame(page: Any) -> None:
    page.evaluate("come('first', 15); come('second', 12)")
    assert shown(page) == ["first", "second"]
    assert shown(page, 3 * FRAME) == ["first", "second"] and seen(page) == 1
    (stamp, painted), *_ = page.evaluate("latentExplorer.samples")
    assert 12 <= painted - stamp <= 12 + 1000 * FRAME  # of the picture that is seen, not of the one under it


def test_one_that_waits_gives_way_to_a_newer_one(page: Any) -> None:
    page.evaluate("come('first', 5); come('second', 5)")
    page.clock.run_for(1000 * FRAME)
    page.evaluate("come('third', 5)")
    assert shown(page, 3 * FRAME) == ["first", "third"]


def test_what_answers_no_pointer_never_waits(page: Any) -> None:
    page.evaluate("come('first', 5); come('second', 5); come('given', null)")
    assert shown(page) == ["first", "given"]
    assert shown(page, 3 * FRAME) == ["first", "given"], "the second is older than what was given"
    assert seen(page) == 0, "and the frame showed no answer to a pointer"
