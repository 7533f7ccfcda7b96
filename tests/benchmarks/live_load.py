"""Let many people drag at once: latency and memory of the live route under load, over loopback.

    uv run python tests/benchmarks/live_load.py [--model fashion-vae] [--clients 30] [--rate 20] [--seconds 60]

Starts the app in a process of its own, lets each client, with a cookie of its own, send new latents at a steady
rate, and ends it. Latency is from sending a request to its reply; a request that a newer one replaced gets none and
is counted apart. Memory is the server's resident set. Prints a table; exit code 1 if there was an error, p95 is
above --p95 or the memory grew by more than --growth between a quarter of the time and its end.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from explorer import live
from explorer.bench.serving import Server, serving
from explorer.live_protocol import DONE, HEADER, Decode, pack_request
from models import catalog
from models.errors import UserError


@dataclass
class Tally:
    """What all clients saw."""

    latencies: list[float] = field(default_factory=list[float])
    decoding: list[float] = field(default_factory=list[float])
    sent: int = 0
    errors: list[str] = field(default_factory=list[str])


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


async def drag(server: Server, model: catalog.ModelInfo, rate: float, until: float, tally: Tally) -> None:
    """Be one client: a page, a socket, a stream, and latents that wander."""
    try:
        page = await asyncio.to_thread(urlopen, server.address, timeout=30)
        cookie = page.headers["set-cookie"].partition(";")[0]
        headers = {"Cookie": cookie, "Origin": server.address}
        where = f"ws://127.0.0.1:{server.port}{live.PATH}"
        async with connect(where, additional_headers=headers, proxy=None, compression=None) as socket:
            await socket.recv()
            await socket.send(json.dumps({"open": 1, "model": model.digest, "priority": 0}))
            opened = json.loads(await socket.recv())
            if "opened" not in opened:
                raise RuntimeError(str(opened))
            await asyncio.sleep(random.uniform(0, 1 / rate))  # people do not move in step
            sending: dict[int, float] = {}
            reader = asyncio.create_task(read(socket, sending, tally))
            rng = np.random.default_rng()
            z = rng.standard_normal((1, opened["dim"]), np.float32)
            sequence, due = 0, time.perf_counter()
            while time.perf_counter() < until and not reader.done():
                z = (0.98 * z + 0.2 * rng.standard_normal(z.shape)).astype(np.float32)
                sending[sequence] = time.perf_counter()
                await socket.send(pack_request(Decode(1, sequence, -1, 1.0, z)))
                sequence, tally.sent, due = sequence + 1, tally.sent + 1, due + 1 / rate
                await asyncio.sleep(max(0, due - time.perf_counter()))
            await asyncio.sleep(0.5)
            if reader.done():
                reader.result()
            reader.cancel()
    except Exception as error:
        tally.errors.append(f"{type(error).__name__}: {error}")


async def read(socket: ClientConnection, sending: dict[int, float], tally: Tally) -> None:
    """Note when replies come."""
    async for reply in socket:
        assert isinstance(reply, bytes)
        _, _, _, sequence, _, _, _, status, milliseconds = HEADER.unpack_from(reply)
        if status != DONE:
            raise RuntimeError(f"status {status}")
        tally.latencies.append(1000 * (time.perf_counter() - sending[sequence]))
        tally.decoding.append(milliseconds)
        for old in [number for number in sending if number <= sequence]:
            del sending[old]


async def run(
    server: Server, model: catalog.ModelInfo, options: argparse.Namespace
) -> tuple[Tally, list[float]]:
    """Let all clients drag; returns what they saw, and the server's memory at a quarter of the time and its end."""
    tally = Tally()
    until = time.perf_counter() + options.seconds
    clients = [
        asyncio.create_task(drag(server, model, options.rate, until, tally)) for _ in range(options.clients)
    ]
    memory: list[float] = []
    for moment in (options.seconds / 4, options.seconds):
        await asyncio.sleep(max(0, until - options.seconds + moment - time.perf_counter()))
        memory.append(resident_mb(server.process.pid))
    await asyncio.gather(*clients)
    return tally, memory


def main() -> int:
    """Run once and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="fashion-vae")
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--rate", type=float, default=20, help="requests a second of each")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=0, help="threads that decode; 0: the app's default")
    parser.add_argument("--p95", type=float, default=100, help="milliseconds")
    parser.add_argument("--growth", type=float, default=0.05, help="share of the memory")
    options = parser.parse_args()
    environment = {"EXPLORER_LIVE_WORKERS": str(options.workers)} if options.workers else {}
    try:
        model = catalog.find(options.model)
        with tempfile.TemporaryDirectory() as home, serving(Path(home), environment) as server:
            tally, memory = asyncio.run(run(server, model, options))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    for error in tally.errors[:5]:
        print(f"error: {error}")
    if not tally.latencies:
        return 1
    p50, p95, p99 = np.percentile(tally.latencies, (50, 95, 99))
    growth = memory[1] / memory[0] - 1
    print(f"{model.id}: {options.clients} clients, {options.rate:g} requests/s each, {options.seconds:g} s")
    print(f"latency ms      p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f}  max {max(tally.latencies):.1f}")
    print(f"decoding ms     p50 {np.median(tally.decoding):.1f} of a batch")
    print(
        f"updates/s       {len(tally.latencies) / options.seconds:.0f} of {tally.sent / options.seconds:.0f}"
    )
    print(f"errors          {len(tally.errors)}")
    print(f"server memory   {memory[0]:.0f} MB, then {memory[1]:.0f} MB ({growth:+.1%})")
    return int(bool(tally.errors) or p95 > options.p95 or growth > options.growth)


if __name__ == "__main__":
    sys.exit(main())
