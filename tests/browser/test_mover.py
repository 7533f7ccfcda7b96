"""What the pad and the comparison tell the server of a place, and when they say it again."""

from typing import Any

import pytest

from explorer.components import script

PARTS = ("parts", "dial", "field", "mover")
SETUP = """source => {
  const Mover = new Function(`${source}; return Mover`)()
  class Point extends Mover {
    put([[, x]]) { this.x = x; this.moved = true }
    takeBack() { this.put([[0, 0]]) }
    coordinate() { return this.x ?? 0 }
    place() { return { x: this.coordinate() } }
    keyOf(place) { return JSON.stringify(place) }
    present() { window.presented = (window.presented ?? 0) + 1 }
  }
  const point = (window.point = new Point())
  window.told = []
  point.tell = (name, { x }) => window.told.push(x)
  point.hear(point.keyOf({ x: 0 }))
  point.put([[0, 3]])
}"""


@pytest.fixture
def page(still_page: Any) -> Any:
    """A page with a point that was moved from 0 to 3, and with a clock of its own."""
    still_page.evaluate(SETUP, script(*(f"latent_pad/{part}.js" for part in PARTS)))
    return still_page


def told(page: Any, seconds: float = 0) -> list[int]:
    """Return what the server was told, after some time."""
    page.clock.run_for(1000 * seconds)
    return page.evaluate("told")


def test_an_answer_ends_it(page: Any) -> None:
    page.evaluate("point.report()")
    assert told(page) == [3]
    assert page.evaluate("point.hear(point.keyOf({ x: 3 }))") == "echo"
    assert told(page, 600) == [3] and page.evaluate("point.idle")


def test_what_is_not_answered_is_told_again_and_in_the_end_given_up(page: Any) -> None:
    page.evaluate("point.report()")
    assert told(page, 9) == [3] and told(page, 2) == [3, 3]
    assert told(page, 1000) == [3] * 5 and page.evaluate("point.idle")


def test_a_run_without_it_is_soon_told_again(page: Any) -> None:
    page.evaluate("point.report()")
    assert page.evaluate("point.hear(point.keyOf({ x: 0 }))") == "same"
    assert told(page, 1) == [3] and told(page, 2) == [3, 3]


def test_what_is_refused_each_time_is_given_up(page: Any) -> None:
    page.evaluate("""() => {
      const { tell } = point
      point.tell = (...words) => { tell(...words); point.hear(point.keyOf({ x: 0 })) }
      point.report()
    }""")
    assert told(page, 1000) == [3] * 5 and page.evaluate("point.idle")


def test_nothing_is_told_while_somebody_drags(page: Any) -> None:
    page.evaluate("point.report(); point.drag.start()")
    assert told(page, 100) == [3]
    page.evaluate("point.drag.move([2, 0], 0); point.drag.end()")
    assert told(page) == [3, 2]


def test_another_place_is_where_to_go(page: Any) -> None:
    page.evaluate("point.report()")
    assert page.evaluate("point.hear(point.keyOf({ x: 7 }))") == "elsewhere"
    assert told(page, 600) == [3] and page.evaluate("point.idle")


def test_sliders_wait_for_a_picture_that_comes_soon(page: Any) -> None:
    assert page.evaluate("presented = 0; point.showWith(10); point.showWith(10); presented") == 0
    page.clock.run_for(100)
    assert page.evaluate("presented") == 1, "it did not come"


@pytest.mark.parametrize("latency", ["40", "Infinity"])
def test_sliders_do_not_wait_for_one_that_takes_long(page: Any, latency: str) -> None:
    page.evaluate(f"presented = 0; point.showWith({latency}); point.showWith({latency})")
    assert page.evaluate("presented") == 2
