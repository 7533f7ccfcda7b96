"""The pages of the app: what they are called and where they lie. Cheap to import: the first answer waits for it."""

from typing import NamedTuple

import streamlit as st

from explorer.text import N_

GALLERY, EXPLORE, INTERPOLATE, PLANE, MAP = "gallery", "explore", "interpolate", "plane", "map"
COMPARE, TRAIN, LIBRARY = "compare", "train", "models"


class Page(NamedTuple):
    """One page; texts are to be translated where they are shown.

    Attributes:
        script: Beside this file.
        title: In the navigation, and the page's own heading.
        icon: A name of Material Symbols.
        help: One sentence that says what it is for.
        path: The last part of its address; empty for the first page.
    """

    script: str
    title: str
    icon: str
    help: str
    path: str


PAGES = {
    GALLERY: Page(
        "views/gallery.py", N_("Gallery"), "grid_view", N_("Samples of a model, without end"), path=""
    ),
    EXPLORE: Page(
        "views/explore.py",
        N_("Explore"),
        "explore",
        N_("Move one point of the latent space and see its picture change"),
        path=EXPLORE,
    ),
    INTERPOLATE: Page(
        "views/interpolate.py",
        N_("Interpolate"),
        "animation",
        N_("Travel from picture to picture through the latent space"),
        path=INTERPOLATE,
    ),
    PLANE: Page(
        "views/plane.py",
        N_("Plane"),
        "grid_on",
        N_("See two directions of the latent space at once, as a map of pictures"),
        path=PLANE,
    ),
    MAP: Page(
        "views/map.py",
        N_("Map"),
        "scatter_plot",
        N_("See everything that a model knows as a landscape of pictures"),
        path=MAP,
    ),
    COMPARE: Page(
        "views/compare.py",
        N_("Compare"),
        "compare",
        N_("Hold models of one data set against each other, by eye and by number"),
        path=COMPARE,
    ),
    TRAIN: Page(
        "views/train.py", N_("Train"), "model_training", N_("Watch a model of your own learn"), path=TRAIN
    ),
    LIBRARY: Page(
        "views/library.py",
        N_("Models"),
        "shelves",
        N_("All models that are here, and a way to add more"),
        path=LIBRARY,
    ),
}


def base() -> str:
    """Return what stands in front of all addresses of the app, as `/apps/latent`; or nothing."""
    return f"/{st.get_option('server.baseUrlPath').strip('/')}".rstrip("/")
