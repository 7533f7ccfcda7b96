"""Components of the page that Streamlit has not: plain HTML, CSS and JavaScript, no build step."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def script(*names: str) -> str:
    """Return some script files as one module: inline scripts cannot import from each other.

    Args:
        names: Paths below this folder, in the order in which they need each other; only the last one exports.
    """
    return "\n".join((_FOLDER / name).read_text() for name in names)
