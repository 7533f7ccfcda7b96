"""How closely two linked pictures follow one pointer: python tests/benchmarks/linked_drags.py [MODEL,MODEL ...]

Compare is opened on each group of models, and its first slider dragged as `latent-explorer bench decode` drags the
latent pad's, 60 inputs a second, five times two seconds. Prints, for each model, the animation frames a second that
show a new picture of it, and the milliseconds from the pointer's event to that frame. To pass, each canvas of two
models of 32 x 32 pixels must show at least 30 a second.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from explorer.bench.decode import follow, open_browser, open_page
from explorer.bench.serving import serving

GROUPS = ("fashion-vae,fashion-gan",)
LEAST = 30  # updates a second


async def measure(groups: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the figures of each model, by group."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server:
        async with open_browser() as browser:
            for group in groups:
                names = group.split(",")
                address = f"{server.address}/compare?model={names[0]}&models={group}&seed=1"
                async with open_page(browser, address) as page:
                    await page.locator(f".rival[data-state=live] >> nth={len(names) - 1}").wait_for()
                    lists = [f"samples {number}" for number in range(len(names))]
                    figures = await follow(page, page.locator(".linked .dial .track").first, lists)
                found[group] = dict(zip(names, figures.values(), strict=True))
    return found


def main() -> int:
    """Print the figures; return 1 if a canvas is too slow."""
    found = asyncio.run(measure(tuple(sys.argv[1:]) or GROUPS))
    print(json.dumps(found, indent=2))
    return int(any(one["updates_per_s"] < LEAST for group in found.values() for one in group.values()))


if __name__ == "__main__":
    raise SystemExit(main())
