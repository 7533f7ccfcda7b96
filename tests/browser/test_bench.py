"""What `bench decode` reads off the page."""

from collections.abc import Callable
from typing import Any

Open = Callable[..., Any]


def test_a_frame_counts_one_picture(open_pad: Open) -> None:
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
    pad.wait_changed(shown)
    for x in (0.7, 0.8):
        move(x, 0.5)
    pad.page.wait_for_timeout(500)
    assert pad.page.evaluate("window.latentExplorer.samples.length") == 0
    pad.page.evaluate("window.showFrame()")
    assert pad.page.evaluate("window.latentExplorer.samples.length") == 1
    move(0.9, 0.5)
    pad.page.wait_for_function("window.latentExplorer.samples.length >= 2")
