"""The Models page in a real browser: look, filter, download, add, rename, delete."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models import catalog, library

Open = Callable[..., Any]


@pytest.fixture
def own(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of the user's own models; what a test leaves in it is deleted."""
    folder = home / "models"
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(folder))
    before = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    yield folder
    for info in catalog.models():
        if not info.shipped and info.id not in before:
            library.delete(info)


def card(page: Any, name: str) -> Any:
    found = page.locator(f".st-key-card-{name}")
    found.wait_for()
    return found


def only(page: Any, words: str, *, without: str) -> None:
    """Filter the cards; another one disappears."""
    page.get_by_label("Filter").fill(words)
    page.get_by_label("Filter").press("Enter")
    page.locator(f".st-key-card-{without}").wait_for(state="detached")


def test_models_are_found_and_opened(open_page: Open) -> None:
    page = open_page("/models")
    shipped = [info.id for info in catalog.models() if info.shipped]
    for name in shipped:  # they come one after the other
        card(page, name)
    assert len(shipped) >= 20
    only(page, "digits vae", without="fashion-gan")
    card(page, "digits-vae").get_by_role("button", name="Explore").click()
    page.wait_for_url("**/explore?model=digits-vae*")


def test_a_checkpoint_goes_out_and_comes_in_as_a_zip(open_page: Open, own: Path) -> None:
    page = open_page("/models")
    only(page, "digits vae", without="fashion-gan")  # what opens beside a card stays where the page ends
    card(page, "digits-vae").get_by_role("button", name="More").click()
    page.get_by_text("Trained by").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as a zip").click()
    content = Path(download.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "digits-vae/model.safetensors" in archive.namelist()
    page.keyboard.press("Escape")
    page.get_by_text("Add a model").click()
    page.locator("[class*=st-key-adding-file-] input[type=file]").set_input_files(
        {"name": "mine.zip", "mimeType": "application/zip", "buffer": content}
    )
    name = page.locator(".st-key-adding-zip-name input")
    name.fill("from-a-zip")
    name.press("Enter")
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Unpack").click()
    card(page, "from-a-zip").get_by_role("button", name="More").click()
    name = page.locator(".st-key-name-from-a-zip input")
    name.fill("renamed")
    name.press("Enter")
    card(page, "renamed")
    assert (own / "renamed" / "config.json").is_file() and not (own / "from-a-zip").exists()
    card(page, "renamed").get_by_role("button", name="More").click()
    page.get_by_text("I want to delete it for good").click()
    page.locator(".st-key-delete-renamed button:enabled").click()
    page.locator(".st-key-card-renamed").wait_for(state="detached")
    assert not (own / "renamed").exists()


def test_a_decoder_is_looked_at_before_it_is_imported(open_page: Open, own: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from models.exporting import export_onnx

    export_onnx(catalog.find("digits-vae"), tmp_path / "other.onnx")
    page = open_page("/models")
    page.get_by_text("Add a model").click()
    upload = page.locator("[class*=st-key-adding-file-] input[type=file]")
    upload.set_input_files({"name": "bad.onnx", "mimeType": "application/octet-stream", "buffer": b"no onnx"})
    page.get_by_text("not an ONNX file, or damaged").wait_for()
    upload.set_input_files(tmp_path / "other.onnx")
    page.get_by_text("16x16 pixels in grey").wait_for()
    assert not (own / "other").exists()
    page.get_by_role("button", name="Import").click()
    assert "ONNX decoder" in card(page, "other").inner_text()
    assert (own / "other" / "model.onnx").is_file()


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1440, 900), ("dark", 1024, 768)])
def test_the_page_fits_and_nothing_of_ours_is_inaccessible(
    open_page: Open, flaws: Callable[[Any, str], list[str]], scheme: str, width: int, height: int
) -> None:
    page = open_page("/models", scheme=scheme, width=width, height=height)
    card(page, "mnist-vae-2d")
    page.wait_for_timeout(1000)
    assert flaws(page, ".stMain") == []
