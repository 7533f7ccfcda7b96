"""The page's title comes with the HTML, and leaves when the page is there."""

import re
from pathlib import Path

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.file_util import get_static_dir

from explorer import app, first_paint
from explorer.sitemap import PAGES
from models import paths


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("base", ["", "/apps/latent"])
def test_every_page_is_answered_with_its_title(name: str, base: str) -> None:
    client = TestClient(Starlette(routes=first_paint.routes(base)))
    answer = client.get(f"{base}/{PAGES[name].path}", params={"model": "some"})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    title = PAGES[name].title
    assert f"<h1>{title}</h1>" in answer.text and f"<title>{title} · Latent Explorer</title>" in answer.text


def test_streamlits_page_is_all_there() -> None:
    own = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")
    served = first_paint.document("gallery")
    links = re.compile(r'(?:src|href)="([^"]+)"')
    assert set(links.findall(own)) - set(links.findall(served)) == {"./favicon.png"}
    assert '<div id="root"></div>' in served and "Streamlit</title>" not in served
    for address in re.findall(r'(?:url\(|preload" href=")\./(static[^")]+)', served):
        assert (Path(get_static_dir()) / address).is_file()


def test_it_has_the_colours_of_the_theme() -> None:
    served = first_paint.document("train")
    options = ("backgroundColor", "textColor", "sidebar.backgroundColor", "sidebar.borderColor")
    for option in (f"{scheme}.{option}" for scheme in ("light", "dark") for option in options):
        colour = st.get_option(f"theme.{option}")
        assert colour.startswith("#") and re.search(f": {colour}[ ;]", served)
    assert not re.search(
        r"\$[a-z]|None", served[served.index("</style>") : served.index("You need to enable")]
    )


def test_where_the_theme_is_unknown_it_has_the_apps_own(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = st.get_option("theme.dark.backgroundColor")
    monkeypatch.setattr(st, "get_option", lambda name: None)
    first_paint.document.cache_clear()
    try:
        assert colour in first_paint.document("gallery")
    finally:
        first_paint.document.cache_clear()


def test_the_app_answers_with_them() -> None:
    served = {route.path for route in app.routes}
    assert {f"/{page.path}" for page in PAGES.values()} <= served


def test_without_assets_there_is_still_a_title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "assets", lambda: tmp_path)
    first_paint.document.cache_clear()
    try:
        assert "<h1>Gallery</h1>" in first_paint.document("gallery")
    finally:
        first_paint.document.cache_clear()


def test_pages_are_called_what_their_headings_say() -> None:
    for page in PAGES.values():
        script = (Path(first_paint.__file__).parent / page.script).read_text(encoding="utf-8")
        assert f'st.title(_("{page.title}")' in script
