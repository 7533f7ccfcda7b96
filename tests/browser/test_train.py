"""A model is trained from the page: watched, left alone, opened while it learns, stopped, kept."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.jobs import Jobs

Open = Callable[..., Any]


def choose(page: Any, label: str, option: str) -> None:
    """Choose an option of a selectbox."""
    page.get_by_role("combobox", name=label).first.click()
    page.get_by_role("option", name=option, exact=True).click()
    page.get_by_role("option").first.wait_for(state="detached")


def unfold(page: Any) -> None:
    """Open what can be chosen: where there are runs it is folded."""
    folded = page.locator("summary", has_text="New training")
    folded.or_(page.get_by_role("combobox", name="Family")).first.wait_for()
    if folded.count():
        folded.click()
        # A list that is opened while its form still unfolds is closed again.
        folded.evaluate(
            "async (head) => { await new Promise(requestAnimationFrame);"
            " const moving = head.closest('details').getAnimations({ subtree: true });"
            " await Promise.allSettled(moving.map((one) => one.finished)); }"
        )


def start(page: Any, dataset: str, family: str, seconds: int) -> None:
    if dataset:
        choose(page, "Data set", dataset)
    choose(page, "Family", family)
    field = page.get_by_role("spinbutton", name="Seconds")
    field.fill(str(seconds))
    field.press("Enter")
    page.get_by_role("button", name="Start", exact=True).click()


def zip_of(count: int) -> bytes:
    """Return a zip of small pictures of two colours, a folder each."""
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(count):
            pixels = rng.integers(0, 99, (16, 16, 3), dtype=np.uint8)
            pixels[..., i % 2] = 200
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            archive.writestr(f"{'red' if i % 2 == 0 else 'green'}/{i}.png", picture.getvalue())
    return file.getvalue()


@pytest.fixture(autouse=True)
def no_training_left(home: Path) -> Iterator[None]:
    """End what a failed test left: the next one would wait for its turn."""
    yield
    jobs = Jobs(home / "runs")
    for job in jobs.all():
        jobs.cancel(job.id)


@pytest.mark.slow
def test_a_model_is_trained_watched_and_kept(open_page: Open, pad_of: Open, address: str) -> None:
    page = open_page("/train")
    unfold(page)
    start(page, "Digits", "GAN", 600)  # it is stopped long before
    page.get_by_text("images/s").first.wait_for()
    page.locator(".timeline").first.wait_for()
    context = page.context
    page.close()  # it goes on
    page = context.new_page()
    page.goto(address + "/train")
    page.wait_for_function(
        "() => document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow') > 0"
    )
    page.get_by_role("button", name="Explore this").click()
    page.get_by_text("It still learns").wait_for()
    pad = pad_of(page).wait_live()
    before = pad.pixels()
    assert (pad.wait_changed(before) != before).any()  # nobody moved it
    page.get_by_role("link", name="Train").click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped", exact=False).first.wait_for()
    page.get_by_role("button", name="Keep").first.click()
    name = page.get_by_role("textbox", name="Name")
    name.fill("Kept digits")
    name.press("Enter")
    page.get_by_role("button", name="Keep and explore").click()
    page.wait_for_url("**/explore?model=kept-digits*")
    page.get_by_text("Kept digits is among your models now.").wait_for()
    pad_of(page).wait_live()
    assert page.get_by_role("combobox", name="Model").first.input_value().startswith("Kept digits")


@pytest.mark.slow
def test_images_of_ones_own_are_learned(open_page: Open) -> None:
    page = open_page("/train")
    unfold(page)
    page.get_by_role("button", name="Images of your own").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "colours.zip", "mimeType": "application/zip", "buffer": zip_of(60)}
    )
    page.get_by_role("button", name="Take them in").click()
    page.get_by_text("colours is among the data sets now.").wait_for()
    start(page, "", "Conditional VAE", 5)
    page.get_by_text("images/s").first.wait_for()
    page.get_by_text("Done").first.wait_for()
    page.locator(".timeline").wait_for()
    delete = page.get_by_role("button", name="Delete the run")
    assert not delete.count()  # before it is asked for
    page.get_by_role("button", name="Remove", exact=True).click()
    delete.wait_for()
    page.keyboard.press("Escape")
    assert (
        page.locator("[role=progressbar]").count() == 0
        and not page.get_by_role("button", name="Stop").count()
    )
