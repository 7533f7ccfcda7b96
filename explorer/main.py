"""The page script: page config, the shared model picker, the pages."""

from pathlib import Path

import streamlit as st

from explorer import cache, link
from explorer.components.revive import revive
from explorer.panels import picker
from explorer.sitemap import PAGES
from explorer.text import _
from models import paths

_HERE = Path(__file__).resolve().parent


def _picture(file: str) -> str | None:
    path = paths.assets() / file
    return str(path) if path.is_file() else None


st.set_page_config(
    page_title="Latent Explorer",
    page_icon=_picture("favicon.svg"),
    layout="wide",
)
st.html(_HERE / "style.css")  # for the addresses that `first_paint` does not answer
if logo := _picture("logo.svg"):
    st.logo(logo, size="large", icon_image=_picture("favicon.svg"))

pages = {
    name: st.Page(
        _HERE / page.script,
        title=_(page.title),
        icon=f":material/{page.icon}:",
        url_path=page.path,
        default=not page.path,
        help=_(page.help),
    )
    for name, page in PAGES.items()
}
page = st.navigation(list(pages.values()))
st.set_page_config(page_title=f"{page.title} · Latent Explorer")
name = next(name for name, entry in pages.items() if entry == page)
link.restore(name, cache.known(st.query_params.get("model", "")))
picker.show()
revive()
page.run()
link.publish(name)
