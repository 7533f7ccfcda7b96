"""What `bench decode` reads off the page."""

from collections.abc import Callable
from typing import Any

Open = Callable[..., Any]


def test_a_frame_shows_one_picture_and_the_next_waits(open_pad: Open) -> None:
    pad = open_pad("/explore?model=fashion-gan&seed=5").wait_live()
    move, shown = pad.grab(pad.dial().locator(".track"), 0.5), pad.pixels()
    pad.page.evaluate("""() => {
      const frame = window.requestAnimationFrame, waiting = []
      window.latentExplorer.samples = []
      window.requestAnimationFrame = then => waiting.push(then)
      window.showFrame = () => {
        window.requestAnimationFrame = frame
        waiting.forEach(then => then(performance.now()))
      }
    }""")
    move(0.6, 0.5)
    shown = pad.wait_changed(shown)
    for x in (0.7, 0.8):
        move(x, 0.5)
    pad.page.wait_for_timeout(500)
    assert (pad.pixels() == shown).all(), "no frame has shown the first yet, so the others wait"
    assert pad.page.evaluate("window.latentExplorer.samples.length") == 0
    pad.page.evaluate("window.showFrame()")
    assert pad.page.evaluate("window.latentExplorer.samples.length") == 1
    assert (pad.wait_changed(shown) != shown).any()
    pad.page.wait_for_function("window.latentExplorer.samples.length == 2")
