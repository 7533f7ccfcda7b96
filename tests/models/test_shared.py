"""Shared computations: once for all, visible while they run, tried again after an error."""

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from models.disk import from_disk
from models.errors import UserError
from models.shared import Progress, Shared


def finished(work: Generator[float, None, int]) -> tuple[list[float], int]:
    shares: list[float] = []
    try:
        while True:
            shares.append(next(work))
    except StopIteration as stop:
        return shares, stop.value


def test_those_who_ask_at_once_share_one_computation() -> None:
    shared: Shared[int] = Shared(2)
    runs, go = [], threading.Event()

    def compute(progress: Progress) -> int:
        runs.append(1)
        progress(0.5)
        go.wait(10)
        return 7

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(finished, shared.wait("a", compute)) for _ in range(4)]
        threading.Timer(0.3, go.set).start()
        answers = [one.result(10) for one in asked]
    assert [value for _, value in answers] == [7] * 4
    assert len(runs) == 1
    assert all(shares[-2:] == [0.5, 1.0] for shares, _ in answers)  # 1: now it is their own turn to work
    assert finished(shared.wait("a", compute)) == ([], 7)


def test_who_leaves_does_not_stop_it() -> None:
    shared: Shared[int] = Shared(2)
    go = threading.Event()
    leaving = shared.wait("a", lambda progress: int(go.wait(10)))
    assert next(leaving) == 0
    leaving.close()
    go.set()
    assert finished(shared.wait("a", lambda progress: 99))[1] == 1


def test_an_error_reaches_who_asked_and_is_not_kept() -> None:
    shared: Shared[int] = Shared(2)

    def fail(progress: Progress) -> int:
        raise UserError("no-data", "It is not there.", "Fetch it.")

    with pytest.raises(UserError, match="not there"):
        finished(shared.wait("a", fail))
    assert finished(shared.wait("a", lambda progress: 3))[1] == 3


def test_the_least_recently_used_value_goes_first() -> None:
    shared: Shared[int] = Shared(2)
    runs: list[str] = []

    def ask(key: str) -> None:
        finished(shared.wait(key, lambda progress: len(runs.append(key) or runs)))

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert runs == ["a", "b", "c", "b"]


def test_files_are_read_back_and_damaged_ones_made_again(tmp_path: Path) -> None:
    path, runs = tmp_path / "new" / "it.safetensors", []

    def compute() -> dict[str, torch.Tensor]:
        runs.append(1)
        return {"x": torch.arange(5).half()}

    for _ in range(2):
        assert torch.equal(from_disk(path, compute)["x"], torch.arange(5).half())
    assert len(runs) == 1
    assert [p.name for p in path.parent.iterdir()] == ["it.safetensors"]
    path.write_bytes(b"not safetensors")
    assert torch.equal(from_disk(path, compute)["x"], torch.arange(5).half())
    assert len(runs) == 2
    from_disk(path, compute)
    assert len(runs) == 2


def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    found = from_disk(tmp_path / "file" / "it.safetensors", lambda: {"x": torch.ones(2)})
    assert torch.equal(found["x"], torch.ones(2))
    assert "Not kept for next time" in capsys.readouterr().err
