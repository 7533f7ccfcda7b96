"""The start leaves work out, and nothing is missing afterwards."""

import subprocess
import sys


def run(code: str) -> list[str]:
    """Return the lines that a fresh interpreter prints."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()


THEME = (
    "import plotly.io as io; print(io.templates.default, io.templates['streamlit'].to_plotly_json() != {})"
)


def test_streamlit_is_imported_without_plotly_and_charts_look_the_same() -> None:
    quick = f"""
import sys
from explorer import starting
starting.import_streamlit()
print("streamlit" in sys.modules, any(name.partition(".")[0] == "plotly" for name in sys.modules))
starting.theme_charts()
{THEME}
"""
    loaded, *theme = run(quick)
    assert loaded == "True False"
    assert theme == run(f"import streamlit\n{THEME}") == ["streamlit True"]


def test_plotly_is_left_alone_where_it_is_loaded() -> None:
    code = "import plotly, sys; from explorer import starting; starting.import_streamlit()"
    assert run(f"{code}; print(sys.modules['plotly'] is plotly, 'streamlit' in sys.modules)") == [
        "True False"
    ]


def test_the_search_for_manifests_is_still_where_it_was() -> None:
    manager = "from streamlit.components.v2.component_manager import BidiComponentManager as manager"
    assert run(f"{manager}; print(manager.discover_and_register_components.__name__)") == [
        "discover_and_register_components"
    ]


def test_the_first_page_finds_its_imports_done() -> None:
    code = """
import sys
from explorer import starting
starting.prepare()
print(sorted({"numpy", "PIL.Image", "explorer.panels.grid", "models.catalog"} - set(sys.modules)))
print("torch" in sys.modules)
"""
    assert run(code) == ["[]", "False"]
