"""The app in a process of its own, for measurements and tests: started as a person starts it, and ended."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from explorer.bench.startup import free_port
from models.errors import UserError

_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True)
class Server:
    """A running app.

    Args:
        port: On which it listens, at 127.0.0.1.
        process: What runs it.
    """

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def address(self) -> str:
        """Where a browser finds it: also the Origin of its pages."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serving(home: Path, environment: Mapping[str, str] | None = None, port: int = 0) -> Iterator[Server]:
    """Run the app until the block ends.

    Args:
        home: Its EXPLORER_HOME.
        environment: Further variables, besides those of this process.
        port: Where it listens; 0: on a port that is free.

    Yields:
        The server, which answers.

    Raises:
        UserError: The app does not come up; the message ends with what it printed last.
    """
    port = port or free_port()
    variables = {**os.environ, "EXPLORER_HOME": str(home), **(environment or {})}
    command = [sys.executable, "-m", "explorer", "run", "--no-browser", "--port", str(port)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        server = Server(port, process)
        try:
            if not _answers(server):
                log.seek(0)
                last = (log.read().strip().splitlines() or ["it printed nothing"])[-1]
                problem = f"The app did not come up ({last})."
                raise UserError("no-start", problem, "Run 'latent-explorer run' to see why.")
            yield server
        finally:
            end(process)


def _answers(server: Server) -> bool:
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), urlopen(f"{server.address}/api/health", timeout=5) as answer:
            return answer.status == 200
        time.sleep(0.05)
    return False


def end(process: "subprocess.Popen[bytes]", patience: float = 15.0) -> None:
    """End a process: politely, and after `patience` seconds by force."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
