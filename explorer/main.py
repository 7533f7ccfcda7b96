"""The page script: page config, the shared model picker, the pages."""

from pathlib import Path

import streamlit as st

from explorer import cache, link
from explorer.components.revive import revive
from explorer.panels import picker
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
st.html(_HERE / "style.css")
if logo := _picture("logo.svg"):
    st.logo(logo, size="large", icon_image=_picture("favicon.svg"))

pages = {
    link.GALLERY: st.Page(
        _HERE / "views/gallery.py",
        title=_("Gallery"),
        icon=":material/grid_view:",
        default=True,
        help=_("Samples of a model, without end"),
    ),
    link.EXPLORE: st.Page(
        _HERE / "views/explore.py",
        title=_("Explore"),
        icon=":material/explore:",
        help=_("Move one point of the latent space and see its picture change"),
    ),
    link.INTERPOLATE: st.Page(
        _HERE / "views/interpolate.py",
        title=_("Interpolate"),
        icon=":material/animation:",
        help=_("Travel from picture to picture through the latent space"),
    ),
    link.PLANE: st.Page(
        _HERE / "views/plane.py",
        title=_("Plane"),
        icon=":material/grid_on:",
        help=_("See two directions of the latent space at once, as a map of pictures"),
    ),
    link.TRAIN: st.Page(
        _HERE / "views/train.py",
        title=_("Train"),
        icon=":material/model_training:",
        help=_("Watch a model of your own learn"),
    ),
    link.LIBRARY: st.Page(
        _HERE / "views/library.py",
        title=_("Models"),
        icon=":material/shelves:",
        url_path="models",
        help=_("All models that are here, and a way to add more"),
    ),
}
page = st.navigation(list(pages.values()))
st.set_page_config(page_title=f"{page.title} · Latent Explorer")
name = next(name for name, entry in pages.items() if entry == page)
link.restore(name, cache.models()[0])
picker.show()
revive()
page.run()
link.publish(name)
