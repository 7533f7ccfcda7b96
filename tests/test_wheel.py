"""The wheel, installed outside the checkout, works like the checkout."""

import json
import os
import shutil
import signal
import site
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installed:
    """An environment in which the wheel is installed."""

    command: Path
    folder: Path
    environment: Mapping[str, str]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.command), *words],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def _build(uv: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Build the wheel, with hatchling from uv's cache or else from the package index."""
    words = [uv, "build", "--wheel", "--quiet", "-o", str(folder), str(ROOT)]
    for more in (["--offline"], []):
        result = subprocess.run(
            [*words, *more], env=dict(environment), capture_output=True, text=True, check=False
        )
        if result.returncode == 0:
            return
    if "CI" not in os.environ and "hatchling" in result.stderr:
        pytest.skip("hatchling is not in uv's cache, and the package index cannot be reached")
    raise AssertionError(result.stderr)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, zoo_folder: Path) -> Installed:
    """Build the wheel and install it, without its dependencies, which are those of this environment."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("EXPLORER_", "PYTHON", "COV_"))}
    environment |= {
        "EXPLORER_HOME": str(folder / "home"),
        "EXPLORER_MODELS_DIR": str(zoo_folder),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("VIRTUAL_ENV", None)
    _build(uv, folder, environment)
    (wheel,) = folder.glob("*.whl")
    venv = folder / "venv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], env=environment, check=True)
    python = venv / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel]
    subprocess.run(install, env=environment, check=True)
    # The packages of this environment, but not what its .pth files add: that is the checkout.
    (target,) = (venv / "lib").glob("python*/site-packages")
    others = next(path for path in map(Path, site.getsitepackages()) if (path / "torch").is_dir())
    (target / "dependencies.pth").write_text(f"{others}\n")
    return Installed(venv / "bin" / "latent-explorer", folder, environment)


def test_it_is_the_wheel_that_runs(installed: Installed) -> None:
    python = installed.command.with_name("python")
    code = "import explorer, models; print(explorer.__file__, models.__file__)"
    words = subprocess.run(
        [python, "-c", code],
        cwd=installed.folder,
        env=dict(installed.environment),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert all(Path(word).is_relative_to(installed.folder) for word in words)


def test_it_carries_what_the_code_reads(installed: Installed) -> None:
    (packages,) = (installed.folder / "venv" / "lib").glob("python*/site-packages")
    assert (packages / "explorer" / "_streamlit" / "config.toml").is_file()
    shipped = sorted(path.name for path in (ROOT / "assets" / "checkpoints").iterdir() if path.is_dir())
    bundled = packages / "models" / "_assets" / "checkpoints"
    assert sorted(path.name for path in bundled.iterdir()) == shipped if shipped else not bundled.exists()
    maps = sorted(path.name for path in (ROOT / "assets" / "maps").glob("*.safetensors"))
    assert sorted(path.name for path in (bundled.parent / "maps").glob("*")) == maps
    missing = [
        str(path)
        for path in (*ROOT.glob("explorer/**/*.css"), *ROOT.glob("explorer/**/*.js"))
        if not (packages / path.relative_to(ROOT)).is_file()
    ]
    assert missing == []


def test_models_and_sample(installed: Installed) -> None:
    result = installed("models", "--json")
    assert result.returncode == 0, result.stderr
    ids = {row["id"] for row in json.loads(result.stdout)["models"]}
    assert "tiny-vae" in ids
    assert {path.name for path in (ROOT / "assets" / "checkpoints").iterdir() if path.is_dir()} <= ids
    result = installed("sample", "tiny-vae", "-n", "8", "-o", "out.png")
    assert result.returncode == 0, result.stderr
    assert (installed.folder / "out.png").read_bytes().startswith(b"\x89PNG")


def test_run_answers_and_ends(installed: Installed) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(installed.folder / "log", "w+") as log:
        process = subprocess.Popen(
            [installed.command, "run", "--no-browser", "--port", str(port)],
            cwd=installed.folder,
            env=dict(installed.environment),
            stdout=log,
            stderr=log,
        )
        try:
            status = _status(process, f"http://127.0.0.1:{port}/")
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(20)
        log.seek(0)
        text = log.read()
    assert status == 200, text
    assert code in (0, 130, -signal.SIGINT), text
    assert "Traceback" not in text


def _status(process: "subprocess.Popen[bytes]", url: str) -> int:
    """Return the HTTP status as soon as there is one, 0 after a minute or when the process has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            time.sleep(0.1)
    return 0
