"""What makes the app start sooner: work of Streamlit's that it does not need, or not yet.

`latent-explorer bench startup` measures it. Nothing here changes what a page shows.
"""

import gc
import sys


def hold_garbage() -> None:
    """Collect no garbage until `prepare` is done: imports make many objects, and all of them stay."""
    gc.disable()


def import_streamlit() -> None:
    """Import streamlit without plotly, a third of its time.

    Streamlit gives plotly a template when it is imported itself, and leaves that out where plotly is missing.
    `theme_charts` makes up for it. Where either is loaded already (`streamlit run`), nothing happens.
    """
    if "streamlit" in sys.modules or "plotly" in sys.modules:
        return
    sys.modules["plotly"] = None  # pyright: ignore[reportArgumentType]  how Python spells a missing module
    try:
        import streamlit  # noqa: F401
    finally:
        del sys.modules["plotly"]


def theme_charts() -> None:
    """Give plotly Streamlit's template; call it before a chart is made."""
    import plotly.io
    from streamlit.elements.lib.streamlit_plotly_theme import configure_streamlit_plotly_theme

    if "streamlit" not in plotly.io.templates:
        configure_streamlit_plotly_theme()


def skip_manifests() -> None:
    """Keep Streamlit from searching all that is installed for manifests of components: ours are made in place."""
    from streamlit.components.v2.component_manager import BidiComponentManager

    BidiComponentManager.discover_and_register_components = lambda *_, **__: None


def prepare() -> None:
    """Do what the first page would wait for, while the browser is still busy with its own part."""
    import inspect

    try:
        import numpy  # noqa: F401
        import PIL.Image  # noqa: F401  Streamlit loads both for a page's icon

        from explorer import cache
        from explorer.panels import grid  # noqa: F401

        cache.models()
        inspect.stack()  # Streamlit's first element does; it looks at each module's file, once in a process
    finally:
        gc.freeze()  # what is here now stays: later collections need not look at it
        gc.enable()
    _go_on()


def _go_on() -> None:
    """Look after the jobs that another process of the app left, before anybody opens the page that shows them."""
    from models import paths

    if paths.runs().is_dir():
        from explorer import jobs

        jobs.queue()
