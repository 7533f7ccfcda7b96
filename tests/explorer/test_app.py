"""The frame: options, port, error page, what the first page costs, strings."""

import ast
import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer import app, settings, text
from explorer.bench.startup import free_port, wait_for_port
from explorer.panels import problem
from models.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_page_does_not_load_torch(zoo: Path) -> None:
    code = (
        "import json, sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "app = AppTest.from_file('explorer/main.py', default_timeout=60)\n"
        "app.query_params['model'] = 'tiny-gan'\n"
        "app.run()\n"
        "assert not app.exception and app.title[0].value == 'Gallery', app\n"
        "print('\\n' + json.dumps(sorted({'torch', 'torchvision', 'umap', 'sklearn'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_every_option_is_one_that_streamlit_has() -> None:
    from streamlit import config

    options = settings.streamlit_options()
    assert options["browser.gatherUsageStats"] is False
    assert options["client.showErrorDetails"] == "none"
    assert options["server.address"] == "127.0.0.1"
    assert {name for name in options if name not in config._config_options_template} == set()
    assert not any("://" in str(value) for value in options.values())  # nothing from the internet


def test_a_port_in_use_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port} is in use") as error:
            app.serve("127.0.0.1", port, browser=False)
    assert f"--port {port + 1}" in error.value.remedy


def test_the_start_says_one_line(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "explorer", "run", "--no-browser", "--port", str(port)]
    variables = {**os.environ, "EXPLORER_HOME": str(tmp_path)}
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        wait_for_port(process, port)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=60) as answer:
            assert answer.status == 200
        process.terminate()
        said = process.communicate(timeout=60)[0].decode()
    assert said == f"Latent Explorer runs at http://127.0.0.1:{port} (Ctrl+C ends it).\n"


@pytest.mark.parametrize(
    ("host", "port", "code"), [("256.1.1.1", 8599, "bad-host"), ("127.0.0.1", 99999, "bad-port")]
)
def test_an_address_that_cannot_be_is_said(host: str, port: int, code: str) -> None:
    with pytest.raises(UserError) as error:
        app.serve(host, port, browser=False)
    assert error.value.code == code


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_PORT", "many")
    with pytest.raises(UserError, match="EXPLORER_PORT"):
        settings.settings()


def _broken() -> None:
    from explorer.panels import problem

    problem.on_script_error(ZeroDivisionError("secret detail"))


def test_an_unknown_error_gets_a_page_without_a_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
    page = AppTest.from_function(_broken).run()
    shown = " ".join([page.header[0].value, *(str(m.value) for m in page.markdown)])
    assert "Something went wrong" in shown
    assert "secret detail" not in shown and "ZeroDivisionError" not in shown
    assert page.button[0].label == "Start again"
    logged = capsys.readouterr().err
    number = logged.split("error ")[1].split(":")[0]
    assert number in shown and "secret detail" in logged
    page.button[0].click().run()
    assert not page.exception


def test_markdown_in_an_error_stays_text() -> None:
    assert problem.literal("[x](y) $a$ *b*") == r"\[x\](y) \$a\$ \*b\*"


def test_numbers_are_worded() -> None:
    assert [text.count(n) for n in (950, 1234, 56_000, 1_234_567)] == ["950", "1.2 k", "56 k", "1.2 M"]
    assert [text.percent(s) for s in (0.0001, 0.034, 0.5)] == ["< 0.1 %", "3.4 %", "50 %"]
    assert [text.duration(s) for s in (40, 600, 9000)] == ["40 s", "10 min", "2.5 h"]
    assert [text.signed(x) for x in (0.5, -1.25, -0.001)] == ["+0.50", "−1.25", "+0.00"]


_LABELLED = {
    "title", "header", "subheader", "markdown", "caption", "button", "slider", "selectbox", "number_input",
    "segmented_control", "expander", "popover", "download_button", "warning", "error", "spinner", "metric",
}  # fmt: skip
FILES = [*ROOT.glob("explorer/*.py"), *ROOT.glob("explorer/views/*.py"), *ROOT.glob("explorer/panels/*.py")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_string_that_a_person_reads_can_be_translated(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if (
            node.func.attr not in _LABELLED
            or not isinstance(node.func.value, ast.Name)
            or node.func.value.id != "st"
        ):
            continue
        texts = [
            *node.args[:1],
            *(k.value for k in node.keywords if k.arg in ("help", "label", "placeholder")),
        ]
        for argument in texts:
            assert not isinstance(argument, ast.Constant) or not isinstance(argument.value, str), (
                f"{path.name}:{node.lineno}: a bare string"
            )
