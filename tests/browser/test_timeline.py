"""The timeline of a training in a real browser: it follows, scrubs and plays."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.config import Budget
from models.jobs import locks, records, training
from models.training import session
from models.training.runs import SNAPSHOTS, Run

Open = Callable[..., Any]
ID = "train-by-hand"


def add(run: Run, *steps: int) -> None:
    """Write the pictures of some steps, as grey as the step says; reconstructions are half as high."""
    for step in steps:
        for kind in SNAPSHOTS:
            height = 64 if kind == "samples" else 32
            run.snapshot(np.full((height, 64, 3), step, np.uint8), step, kind)


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    """A training that goes on, as its page sees it: it belongs to somebody else, and this process holds its lock."""
    root, away = home / "runs", home / "runs" / f".{ID}"
    away.mkdir(parents=True)
    now = time.time()
    config = session.configure("digits", "vae", budget=Budget(seconds=600), where="cpu")
    spec = training(config, owner="somebody else", title="Digits by hand")
    records.write_order(away, records.Order(spec=spec, created=now, queued=now))
    records.write_status(away, records.Status(state="running", started=now))
    with locks.locked(away / records.LOCK):
        found = Run(away.rename(root / ID))
        found.prepare(config)
        add(found, 0, 20, 40, 60, 80, 100)
        yield found
        shutil.rmtree(found.folder.rename(away))  # hidden first: the app goes on writing to what it sees


class Timeline:
    """The timeline of a page, as a person meets it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.root = page.locator(".timeline[data-step]")
        self.track = self.root.get_by_role("slider", name="Step")
        self.newest = self.root.get_by_role("button", name="Newest")
        self.root.wait_for()

    def wait_shows(self, step: int) -> None:
        """Wait for the picture of a step: its caption, and its pixels."""
        self.page.locator(f'.timeline[data-step="{step}"]').wait_for()
        grey = self.root.locator("canvas").evaluate(
            "c => c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[0]"
        )
        assert grey == step
        assert self.root.locator(".caption strong").inner_text() == f"Step {step}"

    @property
    def follows(self) -> bool:
        return self.newest.get_attribute("aria-pressed") == "true"

    def wait_known(self, count: int) -> None:
        """Wait until the browser has heard of so many pictures."""
        self.root.locator(f'[role=slider][aria-valuemax="{count - 1}"]').wait_for()


@pytest.fixture
def timeline(open_page: Open, run: Run) -> Timeline:
    return Timeline(open_page("/train"))


def test_keys_lead_from_picture_to_picture(timeline: Timeline) -> None:
    timeline.wait_shows(100)
    timeline.track.press("ArrowLeft")
    timeline.wait_shows(80)
    assert timeline.track.get_attribute("aria-valuetext") == "step 80" and not timeline.follows
    timeline.track.press("PageDown")
    timeline.wait_shows(0)
    timeline.track.press("ArrowRight")
    timeline.wait_shows(20)
    timeline.track.press("End")
    timeline.wait_shows(100)
    assert timeline.follows


def test_it_follows_new_pictures_until_a_person_goes_to_another(timeline: Timeline, run: Run) -> None:
    timeline.wait_shows(100)
    add(run, 120)
    timeline.wait_shows(120)
    assert timeline.follows
    timeline.track.press("Home")
    timeline.track.press("ArrowRight")
    timeline.wait_shows(20)
    add(run, 140)
    timeline.wait_known(8)
    timeline.wait_shows(20)
    assert not timeline.follows
    timeline.newest.click()
    timeline.wait_shows(140)
    add(run, 160)
    timeline.wait_shows(160)
    assert timeline.follows


def test_a_picture_that_is_written_again_is_fetched_again(timeline: Timeline, run: Run) -> None:
    timeline.track.press("ArrowLeft")
    timeline.wait_shows(80)
    run.snapshot(np.full((64, 64, 3), 7, np.uint8), 80, "samples")
    timeline.page.wait_for_function(
        """root => {
          const c = root.querySelector("canvas")
          return c.getContext("2d").getImageData(0, 0, 1, 1).data[0] === 7
        }""",
        arg=timeline.root.element_handle(),
    )
    assert timeline.root.get_attribute("data-step") == "80" and not timeline.follows


def test_it_plays_from_the_first_picture_to_the_newest(timeline: Timeline, run: Run) -> None:
    timeline.wait_shows(100)
    timeline.root.evaluate(
        """root => {
          window.seen = []
          new MutationObserver(() => window.seen.push(root.dataset.step)).observe(root, { attributes: true })
        }"""
    )
    timeline.root.get_by_role("button", name="Play").click()
    timeline.root.get_by_role("button", name="Pause").wait_for()
    timeline.root.get_by_role("button", name="Play").wait_for()
    timeline.wait_shows(100)
    steps = [int(step) for step in timeline.page.evaluate("window.seen")]
    assert steps == [0, 20, 40, 60, 80, 100] and timeline.follows
    add(run, 120)
    timeline.wait_shows(120)


def test_the_switch_keeps_the_step(timeline: Timeline) -> None:
    timeline.track.press("Home")
    timeline.track.press("ArrowRight")
    timeline.wait_shows(20)
    before = timeline.root.locator("canvas").bounding_box()
    timeline.root.get_by_role("radio", name="Samples").press("ArrowRight")
    timeline.root.get_by_role("radio", name="Reconstructions", checked=True).wait_for()
    timeline.page.wait_for_function(
        "root => root.querySelector('canvas').height * 2 === root.querySelector('canvas').width",
        arg=timeline.root.element_handle(),
    )
    timeline.wait_shows(20)
    after = timeline.root.locator("canvas").bounding_box()
    assert after["width"] == before["width"] and after["height"] == pytest.approx(before["height"] / 2, abs=1)


def test_the_timeline_is_accessible_in_both_schemes(
    timeline: Timeline, flaws: Callable[[Any, str], list[str]]
) -> None:
    for scheme in ("light", "dark"):
        timeline.page.emulate_media(color_scheme=scheme)
        timeline.page.wait_for_timeout(500)  # colours change gradually
        assert flaws(timeline.page, "[class*=st-key-timeline]") == []
