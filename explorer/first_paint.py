"""What a browser shows before Streamlit's page has loaded itself: ground, logo and the page's title.

Streamlit answers with an empty page, whose scripts then fetch and run a megabyte, open a socket and wait for the
page script. Here each page of the app gets that same page with its title in it, where the heading will be and in
the colours that the browser will use (`first_paint.html`); it goes as soon as there is a heading of Streamlit's.

The app's own styles (`style.css`) come with it: as an element of the page script they would be there a second late,
and the page would jump. They stand in the body, behind the head that Streamlit's own rules are added to, and win.
"""

import base64
import html
import string
from functools import cache, partial
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from streamlit.file_util import get_static_dir

from explorer.settings import streamlit_options
from explorer.sitemap import PAGES
from explorer.text import _
from models import paths

_TEMPLATE = Path(__file__).with_suffix(".html")
_STYLE = Path(__file__).with_name("style.css")
_COLOURS = {
    "page": "backgroundColor",
    "side": "sidebar.backgroundColor",
    "line": "sidebar.borderColor",
    "text": "textColor",
}


def routes(base: str) -> list[Route]:
    """Return a route for each page of the app.

    Args:
        base: In front of all addresses, as `/apps/latent`; or empty.
    """
    return [Route(f"{base}/{page.path}", partial(_answer, name), name=name) for name, page in PAGES.items()]


async def _answer(name: str, request: Request) -> Response:
    del request
    return HTMLResponse(document(name), headers={"cache-control": "no-cache"})


@cache
def document(name: str) -> str:
    """Return the HTML of a page: Streamlit's own, with what is to be seen at once.

    Args:
        name: Of the page, a key of `PAGES`.
    """
    title = html.escape(_(PAGES[name].title))
    own = streamlit_options()  # where Streamlit was started elsewhere, it knows none of them
    options = {
        f"{scheme}_{part}": f"theme.{scheme}.{option}"
        for scheme in ("light", "dark")
        for part, option in _COLOURS.items()
    }
    colours = {part: st.get_option(option) or own[option] for part, option in options.items()}
    template = string.Template(_TEMPLATE.read_text(encoding="utf-8"))
    static = Path(get_static_dir())
    font = next(static.glob("static/media/SourceSerif*Roman*.woff2"), None)
    address = f"./static/media/{font.name}" if font else ""
    style = _STYLE.read_text(encoding="utf-8")
    wait = html.escape(_("The app is loading …"))
    shown = template.substitute(
        colours, title=title, wait=wait, logo=_asset("logo.svg"), font=address, style=style
    )
    page = (static / "index.html").read_text(encoding="utf-8")
    page = page.replace("<title>Streamlit</title>", f"<title>{title} · Latent Explorer</title>")
    if icon := _asset("favicon.svg"):
        data = base64.b64encode(icon.encode()).decode()
        page = page.replace("./favicon.png", f"data:image/svg+xml;base64,{data}")
    if address:
        preload = f'<link rel="preload" href="{address}" as="font" type="font/woff2" crossorigin />'
        page = page.replace("</head>", f"  {preload}\n  </head>", 1)
    return page.replace("<body>", f"<body>\n{shown}", 1)


def _asset(file: str) -> str:
    path = paths.assets() / file
    return path.read_text(encoding="utf-8") if path.is_file() else ""
