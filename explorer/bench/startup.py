"""How long the app takes from the command to its title, and to the first grid of samples, in a real browser.

A headless Chromium is open already, as a person's browser is. Each run starts the command as a process of its own,
opens the page as soon as the port answers, and ends the process. The first run warms up (byte code, the browser's
cache) and does not count.

A script in the page looks at every animation frame for the title, which comes with the HTML (`first_paint`), for the
heading that the page script made, and for tiles that hold pixels; the time counts after the frame that shows them was
presented, not when the element was made.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from models.errors import UserError

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

TIMEOUT = 60.0  # seconds
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_WATCH = """
(() => {
  const seen = (window.__painted = {})
  const canvases = root => {
    const found = [...root.querySelectorAll(".tile canvas")]
    for (const node of root.querySelectorAll("*")) if (node.shadowRoot) found.push(...canvases(node.shadowRoot))
    return found
  }
  const drawn = canvas => {
    const box = canvas.getBoundingClientRect()
    if (!canvas.width || !box.width) return false
    const middle = [canvas.width >> 1, canvas.height >> 1]
    return canvas.getContext("2d").getImageData(...middle, 1, 1).data[3] > 0
  }
  const headings = root =>
    [...root.querySelectorAll("h1")].filter(h => h.innerText.trim() && h.getClientRects().length)
  const checks = {
    title: () => headings(document).length > 0,
    page: () => headings(document.getElementById("root") ?? document.createElement("p")).length > 0,
    first_grid: () => { const all = canvases(document); return all.length >= 16 && all.every(drawn) },
  }
  const look = () => {
    for (const [name, check] of Object.entries(checks)) {
      if (name in seen || !check()) continue
      seen[name] = null
      // The next frame's callback runs once this one is on its way to the screen; the task after it, once it is there.
      requestAnimationFrame(() => setTimeout(() => (seen[name] = Date.now())))
    }
    if (Object.keys(seen).length < Object.keys(checks).length) requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
})()
"""


def measure(runs: int) -> dict[str, Any]:
    """Start the app some times and measure.

    Args:
        runs: Starts that count, after one that does not.

    Returns:
        `title_s`, `page_s` (the page script's first words) and `first_grid_s`, the medians in seconds, `answer_s`, when
        the port answers, and the figures of each run.

    Raises:
        UserError: There is no browser to measure with, or the app does not come up.
    """
    with _browser() as context:
        port = free_port()
        turns = [_run(context, port) for _ in range(runs + 1)][1:]
    result: dict[str, Any] = {
        f"{name}_s": round(median(turn[name] for turn in turns), 3) for name in turns[0]
    }
    return {**result, "runs": [{name: round(value, 3) for name, value in turn.items()} for turn in turns]}


def chromium() -> str:
    """Return the path of a Chromium; raises UserError."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("EXPLORER_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found or not Path(found).is_file():
        remedy = "Install one (Debian: apt-get install chromium), or set EXPLORER_CHROMIUM to its path."
        raise UserError("no-chromium", "There is no Chromium to measure with.", remedy)
    return found


@contextlib.contextmanager
def _browser() -> Iterator["BrowserContext"]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        remedy = "Install it: pip install playwright (no browser download is needed)."
        raise UserError("no-playwright", "This measurement needs playwright.", remedy) from None
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), ignore_default_args=["--headless"]
        )
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_init_script(_WATCH)
        try:
            yield context
        finally:
            browser.close()


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(context: "BrowserContext", port: int) -> dict[str, float]:
    page = context.new_page()
    with tempfile.TemporaryFile("w+") as log:
        started = time.time()
        command = [sys.executable, "-m", "explorer", "run", "--no-browser", "--port", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_for_port(process, port)
            answered = time.time()
            page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
            painted = {name: _wait_for(page, name) / 1000 for name in ("title", "page", "first_grid")}
        except Exception as error:
            log.seek(0)
            last = (log.read().strip().splitlines() or ["it printed nothing"])[-1]
            problem = f"The app did not come up within {TIMEOUT:.0f} s ({type(error).__name__}; {last})."
            raise UserError("no-start", problem, "Run 'latent-explorer run' to see why.") from error
        finally:
            page.close()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    return {name: moment - started for name, moment in {**painted, "answer": answered}.items()}


def _wait_for(page: Any, name: str) -> float:
    script = f"() => window.__painted && window.__painted.{name}"
    return float(page.wait_for_function(script, timeout=TIMEOUT * 1000, polling=20).json_value())


def wait_for_port(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Return once something listens there; raises RuntimeError or TimeoutError if it will not."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            raise RuntimeError(f"the command ended with code {process.returncode}")
        time.sleep(0.01)
    raise TimeoutError("the port does not answer")
