"""How closely the picture follows the pointer, in a real browser, and how long decoding takes.

The app runs as a process of its own, as for a person. A headless Chromium opens Explore and drags the first slider,
two seconds at a time, with 60 inputs a second. They are sent without waiting for each other: inputs that wait until
the page has dealt with the last one would pace themselves to it.

Inputs come at the display's own rate, so all of a drag come at about the same moment of a frame: a picture that is
there just before the frame is made is seen at once, one that comes just after it 17 ms later. So there are several
drags, each begun at another moment of a frame, and the figures are those of all their updates together.

An update is an animation frame that shows a new picture: of several replies between two frames only the last is
seen, and only it counts. Its delay runs from the `timeStamp` of the pointer's event to that frame, as the pad itself
records it (`window.latentExplorer.samples`).

For comparison, the same drag over `st.slider`, the way most demos show a model: it tells the server on release only.
"""

import asyncio
import contextlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from explorer.bench.startup import FLAGS, TIMEOUT, chromium, free_port, wait_for_port
from models import catalog
from models.errors import UserError

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page

SECONDS = 2.0  # of a drag
DRAGS = 5  # of each model
RATE = 60  # inputs a second
BATCHES = (1, 16, 64)
_SWEEPS = 2.25  # there and back in a drag, which ends elsewhere than it starts
_SETTLE = 2.0  # seconds that a page has for itself before
_LAST = 0.3  # seconds in which the last picture comes
_TRACK = ".dial .track"
_FRAME = "() => new Promise(requestAnimationFrame)"  # over when the next frame begins
_THUMB = "[data-testid=stSlider] input[type=range]"

# The same model and point by the plain way.
_PLAIN = """
import streamlit as st
from models.catalog import find
from models.requests import Decode, Point, RenderRequest
from models.render import render

value = st.slider("Direction 1", -4.0, 4.0, 0.0, step=0.05)
point = Point(seed=1, axes="pca", edits=((0, value),))
request = RenderRequest(model=find({name!r}).digest, op=Decode(points=(point,)))
st.image(render(request).images[0], width=448)
"""
_COUNT = """() => {
  window.__pictures = 0
  const picture = () => document.querySelector("[data-testid=stImage] img")?.src
  let last = picture()
  new MutationObserver(() => {
    if (picture() !== last) window.__pictures++
    last = picture()
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] })
}"""


def measure(names: Sequence[str] = ()) -> dict[str, Any]:
    """Drag and decode.

    Args:
        names: Ids of the models to measure; none: all that come with the project and make pictures.

    Returns:
        What `bench decode --json` prints.

    Raises:
        UserError: A model is not in the app or makes no pictures, there is no browser to measure with, or the app does
            not come up.
    """
    known = catalog.models()
    chosen = [_chosen(name, known) for name in names] or [i for i in known if i.shipped and i.can("picture")]
    if not chosen:
        remedy = "Name models of your own with --model."
        raise UserError("no-models", "No models come with this installation.", remedy)
    found = asyncio.run(_drags([info.id for info in chosen]))
    rows = {info.id: {**found[info.id], "decode_ms": _decode_times(info)} for info in chosen}
    return {"checkpoints": rows, "slider": {"updates_per_s": found["slider"]["updates_per_s"]}}


def _chosen(name: str, known: Sequence[catalog.ModelInfo]) -> catalog.ModelInfo:
    """Return a model that can be dragged in the app, which shows another one if it does not know a name."""
    info = next((info for info in known if info.id == name), None)
    if info is None:
        remedy = "Give an id from 'latent-explorer models'; the page Models adds others to them."
        raise UserError("unknown-model", f"The app has no model '{name}'.", remedy)
    if not info.can("picture"):
        remedy = "Choose a model with a latent space that it makes pictures of."
        raise UserError("no-pictures", f"'{name}' makes no pictures.", remedy)
    return info


async def _drags(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    async with open_browser() as browser:
        found: dict[str, dict[str, Any]] = {}
        port = free_port()
        with _serving("-m", "explorer", "run", "--no-browser", "--port", str(port), port=port):
            for name in names:
                async with open_page(browser, f"http://127.0.0.1:{port}/explore?model={name}&seed=1") as page:
                    found[name] = await _drag_pad(page)
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "plain.py"
            script.write_text(_PLAIN.format(name=names[0]))
            port = free_port()
            options = ("--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1")
            with _serving("-m", "streamlit", "run", str(script), *options, port=port):
                async with open_page(browser, f"http://127.0.0.1:{port}/") as page:
                    found["slider"] = await _drag_slider(page)
    return found


@contextlib.asynccontextmanager
async def open_browser() -> "AsyncIterator[Browser]":
    """Yield a headless Chromium; raises UserError without one."""
    try:
        from playwright.async_api import async_playwright
    except ModuleNotFoundError:
        remedy = "Install it: pip install playwright (no browser download is needed)."
        raise UserError("no-playwright", "This measurement needs playwright.", remedy) from None
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), ignore_default_args=["--headless"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def open_page(browser: "Browser", address: str) -> "AsyncIterator[Page]":
    """Yield a page of its own window."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(TIMEOUT * 1000)
    try:
        page = await context.new_page()
        await page.goto(address)
        yield page
    finally:
        await context.close()


@contextlib.contextmanager
def _serving(*command: str, port: int) -> Iterator[None]:
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            wait_for_port(process, port)
            yield
        except (RuntimeError, TimeoutError) as error:
            log.seek(0)
            last = (log.read().strip().splitlines() or ["it printed nothing"])[-1]
            problem = f"The app did not come up ({error}; {last})."
            raise UserError("no-start", problem, "Run 'latent-explorer run' to see why.") from error
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _drag_pad(page: "Page") -> dict[str, Any]:
    await page.locator(".latent-pad[data-state=live] .film.drawn").wait_for()
    return (await follow(page, page.locator(_TRACK).first, ["samples"]))["samples"]


async def follow(page: "Page", track: "Locator", names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Drag several times; return how closely pictures followed.

    Args:
        page: Its pictures are live.
        track: What is dragged along.
        names: Of the lists on `window.latentExplorer` in which the page records them.

    Returns:
        Of each list, updates a second and milliseconds from pointer to paint.

    Raises:
        UserError: No picture came.
    """
    clear = f"for (const name of {json.dumps(names)}) window.latentExplorer[name] = []"
    read = f"{json.dumps(names)}.map(name => window.latentExplorer[name])"
    await asyncio.sleep(_SETTLE)
    await page.evaluate(clear)
    # Once over the track without counting: the first drag makes the browser compile the page's code.
    await _drag(page, track, seconds=SECONDS / 2)
    await asyncio.sleep(_SETTLE)
    delays: dict[str, list[float]] = {name: [] for name in names}
    for number in range(DRAGS):
        await page.evaluate(clear)
        await _drag(page, track, wait=number / DRAGS / RATE)
        for name, samples in zip(names, await page.evaluate(read), strict=True):
            delays[name] += [painted - stamp for stamp, painted in samples]
    return {name: _figures(each) for name, each in delays.items()}


def _figures(delays: Sequence[float]) -> dict[str, Any]:
    if len(delays) < 2:
        raise UserError("no-pictures", "No picture came during the drag.", "Run the measurement again.")
    percentiles = quantiles(delays, n=100, method="inclusive")
    return {
        "updates_per_s": round(len(delays) / SECONDS / DRAGS, 1),
        "pointer_to_paint_ms": {"p50": round(percentiles[49], 1), "p95": round(percentiles[94], 1)},
    }


async def _drag_slider(page: "Page") -> dict[str, Any]:
    thumb = page.locator(_THUMB)
    await thumb.wait_for()
    await page.locator("[data-testid=stImage] img").wait_for()
    await asyncio.sleep(_SETTLE)
    await page.evaluate(_COUNT)
    during = await _drag(page, page.locator("[data-testid=stSlider]"), grip=thumb, count="window.__pictures")
    await page.wait_for_function("() => window.__pictures > 0")  # the drag did move it
    return {"updates_per_s": round(during / SECONDS, 1)}


async def _drag(
    page: "Page",
    track: "Locator",
    *,
    seconds: float = SECONDS,
    grip: "Locator | None" = None,
    count: str = "0",
    wait: float = 0.0,
) -> float:
    """Drag along a track there and back; returns what `count` evaluates to just before the release.

    The first input comes `wait` seconds after the begin of a frame.
    """
    box = await track.bounding_box()
    held = await (grip or track).bounding_box()
    assert box and held
    middle, half = box["x"] + box["width"] / 2, 0.4 * box["width"]
    y = held["y"] + held["height"] / 2
    await page.mouse.move(held["x"] + held["width"] / 2, y)
    await page.mouse.down()
    await page.evaluate(_FRAME)
    await asyncio.sleep(wait)
    started, total = time.perf_counter(), round(seconds * RATE)
    sent: list[asyncio.Task[None]] = []
    for number in range(total):
        x = middle + half * math.sin(2 * math.pi * _SWEEPS * number / total)
        sent.append(asyncio.create_task(page.mouse.move(x, y)))
        await asyncio.sleep(max(0, started + (number + 1) / RATE - time.perf_counter()))
    await asyncio.gather(*sent)
    await asyncio.sleep(_LAST)
    found = float(await page.evaluate(count))
    await page.mouse.up()
    return found


def _decode_times(info: catalog.ModelInfo) -> dict[str, float]:
    """Return the median milliseconds that a batch takes, on one thread, as the live route decodes."""
    import numpy as np
    import torch

    from models.render import decoder

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        decode = decoder(info.digest)
        times: dict[str, float] = {}
        for batch in BATCHES:
            z = np.random.default_rng(0).standard_normal((batch, decode.latent_dim), dtype=np.float32)
            labels = np.zeros(batch, np.int64) if decode.classes else None
            decode(z, labels)
            turns: list[float] = []
            ends = time.perf_counter() + 1.0
            while time.perf_counter() < ends or len(turns) < 5:
                started = time.perf_counter()
                decode(z, labels)
                turns.append(1000 * (time.perf_counter() - started))
            times[str(batch)] = round(median(turns), 2)
        return times
    finally:
        torch.set_num_threads(threads)
