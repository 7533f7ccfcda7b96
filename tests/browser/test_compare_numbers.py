"""Numbers of Compare in a real browser: models are measured for real, and a measurement is cancelled midway."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.metrics import library

Open = Callable[..., Any]
LINK = "/compare?model=digits-vae&models=digits-vae,digits-gan&part=numbers"
LONG = 240_000  # ms that a measurement may take on a busy machine


@pytest.fixture
def numbers(
    running: Callable[..., Any], open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Open Numbers of digits in an app of its own, where nothing is measured."""
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "cache"))
    with running(tmp_path) as address:
        page = open_page(LINK, at=address)
        page.get_by_role("button", name="Measure").wait_for()
        yield page


def measure(page: Any) -> None:
    page.get_by_role("button", name="Measure").click()
    page.get_by_role("button", name="Cancel").wait_for()


def test_models_are_measured_and_shown(numbers: Any, flaws: Callable[[Any, str], list[str]]) -> None:
    page = numbers
    page.get_by_text("359 held-out images").wait_for()
    assert page.locator(".measured").count() == 0
    measure(page)
    page.locator(".measured").wait_for(timeout=LONG)
    assert page.get_by_role("button", name="Measure").count() == 0
    claim = page.get_by_text(
        re.compile(r"Digits (GAN|VAE) is sharper: [\d.]+ × real \([\d.]+ to [\d.]+\) against")
    )
    claim.wait_for()
    row = page.locator(".measured tr", has_text=re.compile("^Sharpness, × real"))
    assert row.locator(".mark").count() == 1 and row.locator(".between").count() == 2
    assert "2,000" in row.inner_text()
    for name in ("numbers-spectra", "numbers-sharpness"):
        chart = page.locator(f".st-key-{name} .js-plotly-plot")
        chart.wait_for()
        assert chart.locator(".scatterlayer .trace").count() == 3
    row.locator("summary").click()
    assert row.get_by_text("near 1 is best").is_visible()
    assert flaws(page, ".stMain") == []


def test_a_measurement_is_cancelled_in_the_middle(numbers: Any, tmp_path: Path) -> None:
    page = numbers
    page.get_by_role("radio", name=re.compile("Full")).click()
    page.get_by_text("Full").wait_for()
    measure(page)
    words = re.compile("Measuring .* · .* left$")  # it works: it knows how long it will take
    page.get_by_text(words).wait_for(timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Measure").wait_for()
    assert page.locator(".measured").count() == 0
    assert not list(tmp_path.rglob(f"{library.folder().name}/*.json"))  # nothing of half a measurement
