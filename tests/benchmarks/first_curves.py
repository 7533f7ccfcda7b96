"""How soon a training is to be seen: python tests/benchmarks/first_curves.py [DATASET:FAMILY ...] [--starts 3]

Opens Train in a new app with an empty cache, in a new browser, chooses data set and family, and presses Start, as a
person does: with a few seconds between. Prints the seconds from that click until a curve with two points and the
first samples are drawn, and until both have changed for the first time, for each start and their medians. To pass,
the medians of what *moves* must be at most 5 s; 10 s for avatars, which are drawn meanwhile.
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from explorer.bench.decode import open_browser, open_page
from explorer.bench.serving import serving

CASES = ("Fashion-MNIST:VAE", "Fashion-MNIST:GAN")
PATIENCE = 60.0  # seconds for curves to move
LEAST_S, AVATARS_S = 5.0, 10.0

# Looks at every animation frame at the curves' paths and at the step that the timeline shows, from the click on.
WATCH = """() => {
  const seen = (window.__seen = {})
  const all = (root, selector) => {
    const found = [...root.querySelectorAll(selector)]
    for (const node of root.querySelectorAll("*")) if (node.shadowRoot) found.push(...all(node.shadowRoot, selector))
    return found
  }
  const curves = () => all(document, ".scatterlayer path.js-line").map(path => path.getAttribute("d")).filter(Boolean)
  const samples = () => all(document, ".timeline .caption strong").map(step => step.textContent).filter(Boolean)
  const before = {}
  const note = (name, now) => {
    const state = now().join("|")
    if (!state || state === before[name]) return
    const moves = name in before ? `${name}_move_s` : `${name}_shown_s`
    before[name] = state
    if (!(moves in seen)) requestAnimationFrame(() => (seen[moves] = (performance.now() - window.__click) / 1000))
  }
  addEventListener("click", event => {
    const button = event.composedPath().find(node => node.tagName === "BUTTON")
    if (window.__click || !button?.innerText.trim().endsWith("Start")) return
    window.__click = performance.now()
    const look = () => {
      note("curves", curves)
      note("samples", samples)
      if (Object.keys(seen).length < 4) requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  }, { capture: true })
}"""


async def start(dataset: str, family: str, seconds: int = 60) -> dict[str, float]:
    """Start one training from the page and return its figures, in seconds."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home), {"EXPLORER_CACHE_DIR": home}) as server:
        async with open_browser() as browser, open_page(browser, f"{server.address}/train") as page:
            for label, option in (("Data set", dataset), ("Family", family)):
                await page.get_by_role("combobox", name=label).first.click()
                await page.get_by_role("option", name=option, exact=True).click()
                await page.get_by_role("option").first.wait_for(state="detached")
                await page.wait_for_timeout(1000)
            field = page.get_by_role("spinbutton", name="Seconds")
            await field.fill(str(seconds))
            await field.press("Enter")
            await page.wait_for_timeout(2000)
            await page.evaluate(WATCH)
            await page.get_by_role("button", name="Start", exact=True).click()
            done = "() => Object.keys(window.__seen).length === 4 && window.__seen"
            found = await (await page.wait_for_function(done, timeout=PATIENCE * 1000)).json_value()
            await page.get_by_role("button", name="Cancel", exact=True).first.click()
            await page.get_by_text("Cancelled").first.wait_for()
    return {name: round(value, 2) for name, value in sorted(found.items())}


async def measure(cases: list[str], starts: int) -> dict[str, dict[str, Any]]:
    """Return the medians and all starts of each case."""
    found: dict[str, dict[str, Any]] = {}
    for case in cases:
        dataset, family = case.split(":", 1)
        runs = [await start(dataset, family) for _ in range(starts)]
        found[case] = {name: median(run[name] for run in runs) for name in runs[0]} | {"starts": runs}
    return found


def main() -> int:
    """Print the figures; return 1 if something moves too late."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--starts", type=int, default=3)
    given = parser.parse_args()
    found = asyncio.run(measure(given.cases, given.starts))
    print(json.dumps(found, indent=2))
    limits = {case: AVATARS_S if case.startswith("Avatars") else LEAST_S for case in found}
    late = [
        case for case, one in found.items() if max(one["curves_move_s"], one["samples_move_s"]) > limits[case]
    ]
    return int(bool(late))


if __name__ == "__main__":
    raise SystemExit(main())
