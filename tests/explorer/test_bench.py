"""The benchmarks: that they compare like with like, and say what they lack."""

import itertools
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from explorer.bench import decode, plain, startup, train
from models import catalog
from models.datasets import load
from models.errors import UserError


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure on digits, whatever else is on this machine."""
    monkeypatch.setattr(train, "available", lambda name: False)


@pytest.mark.usefixtures("few")
def test_both_loops_start_from_the_same_weights(tmp_path: Path) -> None:
    data, _ = train._images()
    for family in ("vae", "gan"):
        trainer = train._trainer(family, data, "cpu", tmp_path / family)
        step: Any = train._plain(family, trainer, data, torch.device("cpu"))
        variables: dict[str, Any] = dict(zip(step.__code__.co_freevars, step.__closure__ or (), strict=True))
        twin: Any = variables["vae" if family == "vae" else "generator"].cell_contents
        model: Any = trainer.recipe.modules["model"]
        mine = model if family == "vae" else model.generator
        pairs = list(zip(twin.parameters(), mine.parameters(), strict=True))
        assert pairs and all(torch.equal(a, b) and a is not b for a, b in pairs)
        assert all(parameter.is_contiguous() for parameter in twin.parameters())


@pytest.mark.usefixtures("few")
def test_the_plain_loops_learn(tmp_path: Path) -> None:
    data, _ = train._images()
    trainer = train._trainer("vae", data, "cpu", tmp_path / "vae")
    step = train._plain("vae", trainer, data, torch.device("cpu"))
    losses = [cast(float, step()) for _ in range(20)]
    assert losses[-1] < 0.8 * losses[0]


def test_plain_batches_are_in_colour_where_the_images_are() -> None:
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    batch = next(plain.batches(images, 8, torch.device("cpu")))
    found, expected = (x.flatten(1).sum(1).sort().values for x in (batch, images / 127.5 - 1))
    assert batch.shape == images.shape and torch.allclose(found, expected, atol=1e-2)


def test_plain_batches_are_the_images() -> None:
    images = load("digits", "train").images[:32]
    x = next(plain.batches(images, 32, torch.device("cpu")))
    assert x.shape == (32, 1, 16, 16) and x.dtype == torch.float32
    expected = images.float() / 127.5 - 1
    assert float(x.sum()) == pytest.approx(float(expected.sum()), rel=1e-4)
    assert list(itertools.islice(plain.batches(images, 20, torch.device("cpu")), 3))[2].shape[0] == 20


@pytest.mark.usefixtures("few")
def test_the_result_has_the_keys_of_the_contract() -> None:
    result = train.measure("cpu", seconds=0.01, rounds=1)
    assert result["device"] == "cpu" and result["dataset"] == "digits, enlarged to 32x32"
    for family in ("vae", "gan"):
        row = result[family]
        assert set(row) == {"images_per_s", "plain_images_per_s", "ratio"}
        assert row["ratio"] == pytest.approx(row["images_per_s"] / row["plain_images_per_s"], rel=0.02)


def test_a_missing_chromium_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("EXPLORER_CHROMIUM", raising=False)
    with pytest.raises(UserError, match="EXPLORER_CHROMIUM") as caught:
        startup.chromium()
    assert caught.value.code == "no-chromium"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.usefixtures("zoo")
def test_the_startup_is_measured() -> None:
    try:
        startup.chromium()
    except UserError as error:
        if os.environ.get("EXPLORER_REQUIRE_BROWSER"):
            raise
        pytest.skip(str(error))
    # In a thread of its own: the other browser tests hold playwright's loop in this one.
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(startup.measure, 1).result()
    moments = [result[f"{name}_s"] for name in ("answer", "title", "page", "first_grid")]
    assert 0 < moments[0] < moments[1] < moments[2] <= moments[3] < startup.TIMEOUT


@pytest.mark.usefixtures("zoo")
def test_decoding_is_timed_for_each_batch() -> None:
    times = decode._decode_times(catalog.find("tiny-cgan"))
    assert list(times) == ["1", "16", "64"] and min(times.values()) > 0


@pytest.mark.usefixtures("zoo")
def test_a_measurement_without_models_says_what_to_do() -> None:
    with pytest.raises(UserError, match="--model") as caught:
        decode.measure()  # none of the zoo is shipped
    assert caught.value.code == "no-models"


def test_only_models_of_the_app_that_make_pictures_are_dragged(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "_drags", lambda names: pytest.fail("it waits for pictures"))
    shutil.copytree(zoo / "tiny-gan", tmp_path / "elsewhere")
    for name in ("tiny-gam", str(tmp_path / "elsewhere"), "hf://owner/name"):
        with pytest.raises(UserError, match="The app has no model") as caught:
            decode.measure([name])
        assert name in caught.value.problem and "Models" in caught.value.remedy
    with pytest.raises(UserError, match="no pictures"):
        decode.measure(["tiny-gan", "tiny-classifier"])


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.usefixtures("zoo")
def test_the_drag_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "DRAGS", 2)
    monkeypatch.setattr(decode, "_SETTLE", 0.5)
    try:
        startup.chromium()
    except UserError as error:
        if os.environ.get("EXPLORER_REQUIRE_BROWSER"):
            raise
        pytest.skip(str(error))
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(decode.measure, ["tiny-gan"]).result()
    row = result["checkpoints"]["tiny-gan"]
    assert set(row) == {"updates_per_s", "pointer_to_paint_ms", "decode_ms"}
    assert row["updates_per_s"] > 15
    assert 0 < row["pointer_to_paint_ms"]["p50"] <= row["pointer_to_paint_ms"]["p95"]
    assert result["slider"] == {"updates_per_s": 0.0}
