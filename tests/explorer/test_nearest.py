"""The nearest real images on Explore: which, by what, and what is said where there are none."""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from models import catalog, datasets
from models.datasets import DATASETS
from models.render import render
from models.requests import Decode, Nearest, Point, RenderRequest


def opened(open_app, model: str) -> AppTest:
    app = open_app("explore", model=model, seed=3)
    app.session_state["nearest"] = True
    return until_there(app.run())


def until_there(app: AppTest) -> AppTest:
    deadline = time.monotonic() + 60
    while "work-nearest" in app.session_state and app.session_state["work-nearest"].running:
        assert time.monotonic() < deadline
        app.run()
    return app


def row(app: AppTest) -> str:
    return next(h.proto.body for h in app.get("html") if "This picture" in h.proto.body)


def test_the_nearest_training_images_are_shown_with_class_and_distance(open_app) -> None:
    app = opened(open_app, "tiny-vae")
    point = Point(seed=3, axes="raw")
    for space in ("features", "pixels", "latent"):
        app.segmented_control(key="nearest-space").set_value(space).run()
        until_there(app)
        op = Nearest(of=Decode(points=(point,)), k=8, space=space)
        result = render(RenderRequest(model=catalog.find("tiny-vae").digest, op=op))
        labels = datasets.load("digits", "train").labels
        assert labels is not None
        for index, distance in zip(result.values["indices"][0], result.values["distances"][0], strict=True):
            name = DATASETS["digits"].classes[int(labels[int(index)])]
            assert f">{name} · {distance:.3g}</figcaption>" in row(app)
        assert row(app).count("<img") == 9 and not app.error


def test_another_point_has_other_neighbours(open_app) -> None:
    app = opened(open_app, "tiny-vae")
    before = row(app)
    app.number_input(key="seed").set_value(4).run()
    until_there(app)
    assert row(app) != before


def test_without_a_classifier_pixels_are_compared_and_it_is_said(open_app, monkeypatch) -> None:
    monkeypatch.setattr(catalog, "classifier_for", lambda dataset, shape: None)
    app = opened(open_app, "tiny-vae")
    assert app.session_state["work-nearest"].shown.values["space"][0] == 1
    assert any("no classifier of these data" in text.value for text in app.caption)
    app.segmented_control(key="nearest-space").set_value("pixels").run()
    until_there(app)
    assert not any("no classifier of these data" in text.value for text in app.caption)


def test_a_model_without_encoder_offers_no_latent_space(open_app) -> None:
    app = opened(open_app, "tiny-vae")
    app.segmented_control(key="nearest-space").set_value("latent").run()
    app.selectbox(key="pick-model").set_value("tiny-gan").run()
    until_there(app)
    assert app.segmented_control(key="nearest-space").options == ["Features", "Pixels"]
    assert row(app).count("<img") == 9 and not app.error


def test_data_that_are_not_at_hand_are_named_quietly(open_app, monkeypatch) -> None:
    monkeypatch.setattr(datasets, "available", lambda name: False)
    monkeypatch.setattr("models.datasets.standard.where_to_put", lambda name: f"Fetch {name}.")
    app = opened(open_app, "tiny-vae")
    said = " ".join(text.value for text in app.caption)
    assert "'digits', are not on this machine. Fetch digits." in said
    assert not app.error and not app.exception


def test_nothing_is_compared_with_data_that_nobody_knows(
    open_app, zoo: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    for name in ("tiny-vae", "tiny-gan"):
        shutil.copytree(zoo / name, tmp_path / "models" / name)
    file = tmp_path / "models" / "tiny-vae" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "dataset": ""}))

    def offered(page: str, model: str) -> set[str]:
        app = open_app(page, model=model)
        return {box.label for box in [*app.expander, *app.toggle]}

    assert "Nearest real images" in offered("explore", "tiny-gan") & offered("interpolate", "tiny-gan")
    for page in ("explore", "interpolate", "plane"):
        assert not {"Nearest real images", "Encoded images"} & offered(page, "tiny-vae")


def test_the_first_time_shows_how_far_it_is_and_closing_ends_it(open_app, monkeypatch) -> None:
    from models.results import RenderResult

    seen, cancelled = threading.Event(), threading.Event()

    def stream(request: RenderRequest, cancel: Any) -> Any:
        while not cancel():
            yield RenderResult(np.empty((0, 16, 16, 1), np.uint8), np.empty((0, 6), np.float32), done=0.25)
            seen.set()
            time.sleep(0.01)
        cancelled.set()

    monkeypatch.setattr("models.render.stream", stream)
    app = open_app("explore", model="tiny-vae", seed=3)
    app.session_state["nearest"] = True
    app.run()
    assert seen.wait(10)
    bars = [bar.proto for bar in app.get("progress")]
    assert [bar.value for bar in bars] == [25] and "25%" in bars[0].text
    app.session_state["nearest"] = False
    app.run()
    assert cancelled.wait(10) and not app.get("progress")
