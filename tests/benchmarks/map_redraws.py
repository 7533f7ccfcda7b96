"""How fast the map is in a real Chromium without a GPU: redraws, thumbnails, clicks, lasso; plotly's scattergl too.

    uv run python tests/benchmarks/map_redraws.py [--points 60000 1000000] [--seconds 4] [--maps 1] [--model NAME]

Redraws: the component itself with made-up points, 1000 x 640 pixels, one for each; while it is dragged and while the
wheel turns, an event for each frame of the browser. `points each` is how many a redraw drew: those in view, or fewer
where it has to while the map moves; at rest all are drawn. plotly gets the same points, and as many changes of its
ranges as it can take. With `--maps 2`, another map of the same points stands beside it.

Thumbnails, clicks and lasso: the real app, with 10,000 encoded images. A thumbnail counts from the event that the
pointer moved to the frame that shows the picture. A click goes to a point that the pointer was not near to before: it
counts from the move that led there, an instant before the button, to the frame that shows the decoded picture under
the pointer; and from the release of the button to that with the picture of the point of Explore beside the map, which
Streamlit draws. The lasso counts from the release of the button to the contact sheet on the page.
"""

import argparse
import contextlib
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.offline
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from explorer import map_data, maps
from explorer.bench.serving import serving
from explorer.bench.startup import FLAGS, chromium, free_port
from explorer.components import map as component, script
from explorer.components.map import scene
from explorer.components.map.scene import Colouring, Scene, Shown
from models import catalog
from models.embedding.maps import Categories, EmbeddingMap, MapSpec, Source

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CLASSES = 10
SIZE = {"width": 1000, "height": 640}
FORMAT = "{:>10} {:>8} {:>6} {:>12} {:>12} {:>9}"
_COMPONENT = """<body style="margin: 0; --st-background-color: #fcfbf8; --st-text-color: #222; --st-font: sans-serif">
<style>%s .view {width: 1000px}</style>%s<script type="module">
import show from "/map.js"
Element.prototype.setPointerCapture = () => {} // made-up pointers have nothing to capture
const data = await (await fetch("/payload/" + location.hash.slice(1))).json()
show({ data: [data], parentElement: document.body, setTriggerValue() {} })
</script>"""
_DRIVE = """([way, ms]) => new Promise(done => {
  const [root, view] = [".latent-map", ".view"].map(name => document.querySelector(name))
  const box = view.getBoundingClientRect()
  const pointer = (type, x, y) => view.dispatchEvent(new PointerEvent(type,
    { pointerId: 7, pointerType: "mouse", clientX: box.left + x, clientY: box.top + y, bubbles: true, button: 0 }))
  if (way === "drag") pointer("pointerdown", 500, 320)
  const before = { ...root.figures }
  const since = performance.now()
  let i = 0
  const step = now => {
    i++
    if (way === "drag") pointer("pointermove", 500 + 90 * Math.sin(i / 25), 320 + 60 * Math.sin(i / 40))
    else view.dispatchEvent(new WheelEvent("wheel", { deltaY: i % 160 < 80 ? -14 : 14, clientX: box.left + 560,
      clientY: box.top + 350, cancelable: true }))
    if (performance.now() - since < ms) return requestAnimationFrame(step)
    const spent = performance.now() - since
    const [redraws, points, busy] = ["redraws", "points", "busy"].map(name => root.figures[name] - before[name])
    pointer("pointerup", 500, 320)
    done({ rate: (1000 * redraws) / spent, points: points / redraws, busy: busy / redraws })
  }
  requestAnimationFrame(step)
})"""
_PLOTLY = """async ([way, ms]) => {
  const since = performance.now()
  let i = 0
  while (performance.now() - since < ms) {
    i++
    const [x, y, k] = way === "drag" ? [0.2 * Math.sin(i / 25), 0.1 * Math.sin(i / 40), 1] : [0, 0, 1.03 ** (i % 80)]
    await Plotly.relayout("plot", { "xaxis.range": [x - 1.5 / k, x + 1.5 / k], "yaxis.range": [y - 1 / k, y + 1 / k] })
    await new Promise(requestAnimationFrame)
  }
  return (1000 * i) / (performance.now() - since)
}"""
_HOVER = """root => {
  const lens = root.querySelector(".lens")
  const times = (window.thumbnails = [])
  let moved = 0
  root.querySelector(".view").addEventListener("pointermove", () => (moved = performance.now()), true)
  const canvases = [...lens.querySelectorAll("canvas")]
  for (const [i, canvas] of canvases.entries()) new MutationObserver(() => {
    const [of, index, from] = [canvas.dataset.of, lens.dataset.index, moved]
    if (of !== undefined && of === index) requestAnimationFrame(() => times.push([i, performance.now() - from]))
  }).observe(canvas, { attributeFilter: ["data-of"] })
}"""
_CLICK = """root => {
  const [view, lens] = [".view", ".lens"].map(name => root.querySelector(name))
  const decoded = [...lens.querySelectorAll("canvas")].at(-1)
  const beside = () => document.querySelector("[data-testid=stImage] img")
  window.clicks = []
  let moved = 0
  view.addEventListener("pointermove", () => (moved = performance.now()), true)
  view.addEventListener("pointerup", () => {
    const [released, before, click] = [performance.now(), beside().src, { from: moved }]
    window.clicks.push(click)
    const look = () => {
      const [index, img] = [lens.dataset.index, beside()]
      if (index === undefined) return
      if (!click.lens && decoded.dataset.of === index) click.lens = performance.now() - click.from
      if (img?.complete && img.src !== before) click.beside = performance.now() - released
      if (!click.lens || !click.beside) requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  }, true)
}"""
_SHEET = """() => new Promise(done => {
  addEventListener("pointerup", () => {
    const since = performance.now()
    const look = () => {
      const all = [...document.querySelectorAll(".st-key-map-sheet *")].flatMap(node =>
        node.shadowRoot ? [...node.shadowRoot.querySelectorAll(".tile canvas")] : [])
      const drawn = canvas => {
        const middle = [canvas.width >> 1, canvas.height >> 1, 1, 1]
        return canvas.width && canvas.getContext("2d").getImageData(...middle).data[3]
      }
      if (all.length > 40 && all.every(drawn)) requestAnimationFrame(() => done(performance.now() - since))
      else requestAnimationFrame(look)
    }
    look()
  }, { capture: true, once: true })
  window.watching = true
})"""


def landscape(count: int, seed: int = 0) -> EmbeddingMap:
    """Return a map of made-up clusters; with another seed, another map of the same points."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, CLASSES, count)
    middles, widths = rng.uniform(-0.8, 0.8, (CLASSES, 2)), rng.uniform(0.04, 0.15, (CLASSES, 2))
    positions = middles[codes] + widths[codes] * rng.standard_normal((count, 2))
    positions /= np.abs(positions).max()
    names = tuple(f"class {number}" for number in range(CLASSES))
    return EmbeddingMap(
        MapSpec(model="0" * 64, method="pca", count=count),
        positions.astype(np.float32),
        rng.standard_normal((count, 2), np.float32),
        np.full(count, Source.GENERATED, np.uint8),
        np.arange(count, dtype=np.int32),
        {"label": Categories(codes.astype(np.int16), names)},
        {},
    )


def payload(found: EmbeddingMap, *others: EmbeddingMap) -> dict[str, Any]:
    """Return what the component is given."""
    shown = Scene(described(found), beside=[described(one) for one in others])
    return scene.payload(shown, "/api/live", component.texts())


def described(found: EmbeddingMap) -> Shown:
    """Return what the component has to know of a map."""
    key = map_data.publish(found)
    names = found.categories["label"].names
    return Shown(
        key=key,
        address=map_data.address("", key),
        name="Map",
        model=found.spec.model,
        count=len(found),
        dim=2,
        shape=(32, 32, 1),
        pictures="decoded",
        conditional=False,
        label="label",
        colourings=[Colouring("label", "Class", "categories", 0, names)],
        colouring="label",
    )


@contextlib.contextmanager
def served(*found: EmbeddingMap) -> Iterator[str]:
    """Serve the component alone, with some maps; yields the address."""
    html = _COMPONENT % (script("tools.css", "map/map.css"), component._HTML)
    page = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse(html)),
            Route("/map.js", lambda _: Response(script(*component._SCRIPTS), media_type="text/javascript")),
            Route(
                "/payload/", lambda _: Response(json.dumps(payload(*found)), media_type="application/json")
            ),
            *map_data.routes(""),
        ]
    )
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(page, "127.0.0.1", port, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def show_row(count: int, what: str, way: str, figures: dict[str, float]) -> None:
    """Print a row of the table."""
    points = f"{figures['points']:,.0f}" if "points" in figures else ""
    busy = f"{figures['busy']:.1f}" if "busy" in figures else ""
    print(FORMAT.format(f"{count:,}", what, way, f"{figures['rate']:.1f}", points, busy), flush=True)


def redraws(browser: "Browser", count: int, seconds: float, beside: int) -> None:
    """Measure the component and plotly with the same points."""
    found, *others = (landscape(count, seed) for seed in range(1 + beside))
    with served(found, *others) as address:
        size = {"width": 1000 + 1012 * beside, "height": 900}
        page = browser.new_page(viewport=size)  # pyright: ignore[reportArgumentType]
        page.goto(address)
        page.locator(".latent-map[data-ready]").wait_for()
        page.evaluate("document.querySelector('.view').style.height = '640px'")
        for way in ("drag", "wheel"):
            page.wait_for_timeout(500)
            show_row(count, "map", way, page.evaluate(_DRIVE, [way, 1000 * seconds]))
        page.close()
    page = browser.new_page(viewport=SIZE)  # pyright: ignore[reportArgumentType]
    page.set_content("<div id='plot' style='width: 1000px; height: 640px'></div>")
    page.add_script_tag(content=plotly.offline.get_plotlyjs())
    traces = []
    for code in range(CLASSES):
        rows = found.positions[found.categories["label"].codes == code].round(4)
        traces.append(
            {"x": rows[:, 0].tolist(), "y": rows[:, 1].tolist(), "type": "scattergl", "mode": "markers"}
        )
    page.evaluate(
        """traces => {
          const [margin, bare] = [{ l: 0, r: 0, t: 0, b: 0 }, { visible: false }]
          const layout = { margin, showlegend: false, xaxis: bare, yaxis: { ...bare } }
          return Plotly.newPlot("plot", traces.map(one => ({ ...one, marker: { size: 3 } })), layout).then(() => 0)
        }""",
        traces,
    )
    for way in ("drag", "wheel"):
        show_row(count, "plotly", way, {"rate": page.evaluate(_PLOTLY, [way, 1000 * max(seconds, 6)])})
    page.close()


def thumbnails(page: "Page", moves: int) -> None:
    """Hover over places all over the map, and print how long pictures take."""
    box: Any = page.locator(".latent-map .view").bounding_box()
    page.locator(".latent-map").evaluate(_HOVER)
    rng = random.Random(0)
    for _move in range(moves):
        x, y = (min(max(rng.gauss(0.5, 0.13), 0.05), 0.85) for _ in range(2))
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(350)
    seen = page.evaluate("window.thumbnails")
    for number, what in ((0, "thumbnail"), (1, "reconstruction")):
        times = [ms for which, ms in seen if which == number]
        if times:
            print(
                f"pointer to {what}: p50 {np.quantile(times, 0.5):.0f} ms, p95 {np.quantile(times, 0.95):.0f} ms, "
                f"most {max(times):.0f} ms ({len(times)} points)"
            )


def clicks(page: "Page", model: str, count: int) -> None:
    """Click on points all over the map, and print how long their decoded pictures take."""
    found = maps.ready(catalog.find(model))
    assert found is not None, "the model has a map that comes with the project"
    box: Any = page.locator(".latent-map .view").bounding_box()
    size = np.asarray([box["width"], box["height"]])
    low, high = found.positions.min(0), found.positions.max(0)
    scale = (0.93 * size / (high - low)).min()
    places = (found.positions - (low + high) / 2) * (1, -1) * scale + size / 2
    page.locator(".latent-map").evaluate(_CLICK)
    for x, y in np.random.default_rng(1).permutation(places)[:count]:
        page.mouse.move(box["x"] + 3, box["y"] + 3)
        page.wait_for_timeout(200)
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_timeout(1800)
    seen = page.evaluate("window.clicks")
    for name, what in (("lens", "decoded picture under the pointer"), ("beside", "that beside the map")):
        times = [one[name] for one in seen if name in one]
        print(
            f"click to {what}: p50 {np.quantile(times, 0.5):.0f} ms, p95 {np.quantile(times, 0.95):.0f} ms, "
            f"most {max(times):.0f} ms ({len(times)} clicks)"
        )


def lasso(page: "Page") -> None:
    """Draw around about half of the points, and print how long the contact sheet takes."""
    box: Any = page.locator(".latent-map .view").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.locator(".latent-map .tool").first.click()
    corners = ((0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99))
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.evaluate(f"window.took = ({_SHEET})(); 0")
    for x, y in corners:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
    page.mouse.up()
    took = page.evaluate("window.took")
    words = page.get_by_text("of them below").inner_text()
    print(f"lasso to contact sheet: {took:.0f} ms ({words})")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, nargs="*", default=[60_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--model", default="fashion-vae", help="whose map is hovered over; empty: no app")
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--clicks", type=int, default=30)
    parser.add_argument(
        "--maps", type=int, default=1, choices=(1, 2, 3), help="side by side, of the first figures"
    )
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=list(FLAGS), ignore_default_args=["--headless"]
        )
        if options.points:
            print(FORMAT.format("points", "what", "how", "redraws/s", "points each", "ms each"))
        for count in options.points:
            redraws(browser, count, options.seconds, options.maps - 1)
        if options.model:
            with (
                tempfile.TemporaryDirectory() as home,
                serving(Path(home), {"OMP_NUM_THREADS": "1"}) as server,
            ):
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.set_default_timeout(120_000)
                page.goto(f"{server.address}/map?model={options.model}")
                page.locator(".latent-map[data-ready]").wait_for()
                page.wait_for_timeout(3000)
                thumbnails(page, options.moves)
                clicks(page, options.model, options.clicks)
                lasso(page)
        browser.close()


if __name__ == "__main__":
    main()
