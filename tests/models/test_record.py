"""The reader of a run's folder keeps up with the writer."""

import json
import os
from pathlib import Path

import numpy as np

from models.config import Budget
from models.training import session
from models.training.record import Record
from models.training.runs import Run


def make(folder: Path) -> tuple[Run, Record]:
    config = session.configure("digits", "vae", budget=Budget(steps=4))
    return Run.create(folder / "run", config), Record(folder / "run")


def event(step: int, **values: float) -> dict[str, object]:
    return {"kind": "train", "step": step, "seconds": step / 10, **values}


def test_what_is_appended_is_seen_at_the_next_look(tmp_path: Path) -> None:
    run, record = make(tmp_path)
    assert record.events() == [] and record.last() == {}
    run.append(event(1, loss=3.0))
    assert record.last() == event(1, loss=3.0)
    run.append({"kind": "validation", "step": 2, "seconds": 0.2, "psnr_db": 9.0})
    run.append(event(3, loss=1.0))
    assert record.curve("loss") == ([0.1, 0.3], [3.0, 1.0])
    assert record.curve("psnr_db", "validation") == ([0.2], [9.0])
    assert record.names() == {"kind", "step", "seconds", "loss"}


def test_a_half_written_line_waits(tmp_path: Path) -> None:
    run, record = make(tmp_path)
    run.append(event(1))
    with (run.folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(event(2))[:9])
        file.flush()
        assert len(record.events()) == 1
        file.write(json.dumps(event(2))[9:] + "\n")
    assert [one["step"] for one in record.events()] == [1, 2]


def test_a_resumed_run_is_read_anew(tmp_path: Path) -> None:
    run, record = make(tmp_path)
    for step in (1, 2, 3):
        run.append(event(step, loss=float(step)))
    assert len(record.events()) == 3
    run.forget_events_after(1)
    run.append(event(2, loss=7.0))
    assert record.curve("loss")[1] == [1.0, 7.0]


def test_pictures_come_in_order_and_nothing_else(tmp_path: Path) -> None:
    run, record = make(tmp_path)
    for step in (20, 3):
        run.snapshot(np.zeros((4, 4, 3), np.uint8), step, "samples")
    (run.samples / "notes.png").write_bytes(b"")
    first, second = record.snapshots()
    assert (first.step, second.step) == (3, 20) and first.size() == (4, 4)
    os.utime(first.path, ns=(0, first.version + 1))  # as if a resumed run wrote it again
    assert [shot.version for shot in record.snapshots()] == [first.version + 1, second.version]
    assert record.snapshots("reconstructions") == []
    assert record.config() == run.config()


def test_a_folder_that_is_gone_is_an_empty_record(tmp_path: Path) -> None:
    record = Record(tmp_path / "gone")
    assert (record.config(), record.events(), record.snapshots()) == (None, [], [])
