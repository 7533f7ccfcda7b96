"""Components of the page that Streamlit has not: plain HTML, CSS and JavaScript, no build step."""

from functools import cache
from pathlib import Path
from typing import Any

from streamlit.components.v2 import component

_FOLDER = Path(__file__).parent


def script(*names: str) -> str:
    """Return some script files as one module: inline scripts cannot import from each other.

    Args:
        names: Paths below this folder, in the order in which they need each other; only the last one exports.
    """
    return "\n".join((_FOLDER / name).read_text() for name in names)


@cache
def define(name: str, html: str, *, css: tuple[str, ...] = (), js: tuple[str, ...]) -> Any:
    """Return a component of Streamlit's, which is told of it once.

    Args:
        name: Of the component, without the app's.
        html: What it begins with.
        css: Paths below this folder.
        js: The same, see `script`.
    """
    return component(f"latent_explorer_{name}", html=html, css=script(*css) or None, js=script(*js))
