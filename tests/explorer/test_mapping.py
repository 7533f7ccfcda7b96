"""How a map is made from its page: found, asked for, waited for, failed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer import jobs, maps
from explorer.components.map.scene import Shown
from models import catalog, checkpoints, paths
from models.embedding import compute, files, library, weights
from models.embedding.gather import gather
from models.embedding.maps import MapSpec, Source
from models.errors import UserError
from models.jobs import Job, JobSpec
from models.metrics.fidelity import support

Open = Callable[..., AppTest]
MODEL = "tiny-vae"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No map in memory or in the cache, and none drawn: it needs a browser."""
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(maps, "_there", type(maps._there)())
    monkeypatch.setattr("explorer.components.map.latent_map", lambda scene, **options: None)


class Queue:
    """A queue in which one job is as far as a test says."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.cancelled: list[str] = []

    def submit(self, spec: MapSpec, title: str) -> Job:
        self.job = self.at("running", spec=JobSpec(kind="embed", arguments=spec.model_dump(), title=title))
        return self.job

    def at(self, state: Any, **changes: Any) -> Job:
        known: dict[str, Any] = {
            "id": "map-1", "spec": JobSpec(kind="embed", arguments={}), "state": state, "share": 0.5, "code": "",
            "problem": "", "remedy": "", "created": 0.0, "queued": 0.0, "started": 0.0, "ended": None, "outcome": {},
            "log": (), "ahead": 0,
        }  # fmt: skip
        return Job(**{**known, **changes})

    def get(self, name: str) -> Job:
        if self.job is None or name != self.job.id:
            raise UserError("no-job", "There is no such job.", "Look at those that there are.")
        return self.job

    def cancel(self, name: str) -> None:
        self.cancelled.append(name)
        self.job = self.at("cancelled")

    def remove(self, name: str) -> None:
        assert self.get(name).over
        self.job = None

    def all(self, owner: str | None = None) -> list[Job]:
        return [] if self.job is None else [self.job]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    one = Queue()
    monkeypatch.setattr(jobs, "queue", lambda: one)
    monkeypatch.setattr(jobs, "embed", one.submit)
    return one


def spec_of(info: catalog.ModelInfo, **options: Any) -> MapSpec:
    standard = {"model": info.digest, "dataset": "digits", "count": 60, "method": "pca"}
    return MapSpec.model_validate({**standard, **options})


def made(info: catalog.ModelInfo, spec: MapSpec) -> None:
    """Compute a map and put it in the cache."""
    name = library.key(spec, info)
    files.write(library.path_of(name), compute.make(spec, info), name)


def pixels_of(info: catalog.ModelInfo, spec: MapSpec) -> np.ndarray:
    """What is mapped where images are near if their pixels are; the real ones come first."""
    return gather(info, spec).vectors


def texts(app: AppTest) -> str:
    return " ".join(str(one.value) for one in (*app.caption, *app.markdown, *app.error)).replace("\\", "")


def test_a_map_is_ready_once_it_was_computed(zoo: Path) -> None:
    info = catalog.find(MODEL)
    spec = spec_of(info)
    assert maps.ready(info, spec) is None
    made(info, spec)
    found = maps.ready(info, spec)
    assert found is not None and found.spec == spec and maps.ready(info, spec) is found


def test_samples_over_images_say_how_much_they_cover(zoo: Path) -> None:
    info = catalog.find("tiny-gan")
    spec = spec_of(info, of="pixels", generated=30)
    made(info, spec)
    found = maps.ready(info, spec)
    assert found is not None and (found.sources != Source.GENERATED).sum() == 30
    real, fake = (torch.from_numpy(rows) for rows in np.split(pixels_of(info, spec), 2))
    assert found.quality["coverage"] == pytest.approx(support(real, fake).coverage)


def test_a_first_map_is_asked_for_waited_for_and_shown(open_app: Open, queue: Queue) -> None:
    app = open_app("map", model=MODEL)
    assert "PCA of" in texts(app)
    app.button(key="map-first").click().run()
    assert queue.job is not None and queue.job.spec.arguments["method"] == "umap"
    assert [one.key for one in app.button if one.key == "map-cancel"] and "PCA of" in texts(app)
    info = catalog.find(MODEL)
    spec = library.default_spec(info)
    name = library.key(spec, info)
    shown = compute.make(spec_of(info), info)
    files.write(library.path_of(name), shown.__class__(**{**vars(shown), "spec": spec}), name)
    queue.job = queue.at("done")
    app.run()
    assert not app.exception and queue.job is None and "UMAP of 60 points" in texts(app)
    assert not [one.key for one in app.button if one.key in ("map-cancel", "map-first")]


def test_what_failed_is_said_and_the_map_before_stays(open_app: Open, queue: Queue) -> None:
    app = open_app("map", model=MODEL)
    app.button(key="map-first").click().run()
    queue.job = queue.at("failed", problem="There is too little memory.", remedy="Take fewer points.")
    app.run()
    assert "There is too little memory." in texts(app) and "PCA of" in texts(app)
    app.button(key="map-first").click().run()
    assert "There is too little memory." not in texts(app)


def test_a_map_that_is_being_made_can_be_cancelled(open_app: Open, queue: Queue) -> None:
    app = open_app("map", model=MODEL)
    app.button(key="map-first").click().run()
    app.button(key="map-cancel").click().run()
    app.run()
    assert queue.cancelled == ["map-1"] and queue.job is None
    assert not app.exception and [one.key for one in app.button if one.key == "map-first"]


@pytest.fixture
def run(zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a training publishes its model."""
    monkeypatch.setenv("EXPLORER_RUNS_DIR", str(tmp_path / "runs"))
    return Path(shutil.copytree(zoo / MODEL, paths.runs() / "train-1" / "live"))


def learn_on(run: Path, factor: float = 1.1) -> None:
    """Publish other weights."""
    info = catalog.read(run)
    model = checkpoints.load(info)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(factor)
    shutil.rmtree(run)
    checkpoints.save(run, model, info.config, info.card)


def test_a_map_of_a_run_is_of_its_weights_when_it_was_asked_for(
    open_app: Open, queue: Queue, run: Path
) -> None:
    asked = catalog.read(run).digest
    app = open_app("map", model="train-1")
    app.button(key="map-first").click().run()
    assert queue.job is not None and queue.job.spec.arguments["model"] == asked
    learn_on(run)
    assert catalog.read(run).digest != asked
    app.run()
    assert [one.key for one in app.button if one.key == "map-cancel"] and "PCA of" in texts(app)
    kept = weights.kept(asked)
    assert kept is not None
    spec = library.default_spec(kept)
    shown = compute.make(spec_of(kept), kept)
    name = library.key(spec, kept)
    files.write(library.path_of(name), shown.__class__(**{**vars(shown), "spec": spec}), name)
    queue.job = queue.at("done")
    app.run()
    assert not app.exception and "UMAP of 60 points" in texts(app) and "has learnt on since" in texts(app)
    app.button(key="map-newest").click().run()
    assert "PCA of" in texts(app) and "has learnt on since" not in texts(app)


def test_the_quick_map_of_a_run_follows_it_in_one_series(
    open_app: Open, queue: Queue, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Shown] = []
    monkeypatch.setattr("explorer.components.map.latent_map", lambda scene, **_: drawn.append(scene.shown))
    monkeypatch.setattr("explorer.panels.following.trains", lambda name: True)
    app = open_app("map", model="train-1")
    assert "follows its newest weights" in texts(app)
    first = drawn[-1]
    learn_on(run)
    app.run()
    assert drawn[-1].key != first.key and drawn[-1].model != first.model
    assert drawn[-1].identity == first.identity != first.key


def test_a_training_that_has_diverged_has_no_map_and_says_so(open_app: Open, queue: Queue, run: Path) -> None:
    learn_on(run, float("nan"))
    app = open_app("map", model="train-1")
    assert not app.exception and [one.value.count("have diverged") for one in app.error] == [1]


def test_another_map_is_chosen(open_app: Open, queue: Queue) -> None:
    app = open_app("map", model=MODEL)
    digest = catalog.find(MODEL).digest[:8]
    app.selectbox(key=f"map-points-{digest}").select(1000).run()
    app.selectbox(key=f"map-of-{digest}").select("pixels").run()
    app.button(key="map-make").click().run()
    assert queue.job is not None
    asked = queue.job.spec.arguments
    assert (asked["count"], asked["of"], asked["method"], asked["dataset"]) == (
        1000,
        "pixels",
        "pca",
        "digits",
    )


def test_a_map_is_not_asked_for_twice(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Queue()
    monkeypatch.setattr(jobs, "queue", lambda: one)
    monkeypatch.setattr(jobs, "me", lambda: "ada")
    spec = spec_of(catalog.find(MODEL))
    one.job = one.at("running", spec=JobSpec(kind="embed", arguments=spec.model_dump(mode="json")))
    assert jobs.embed(spec, "A map") is one.job
