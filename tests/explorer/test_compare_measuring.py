"""The part Numbers on its page: the way to figures that are not there yet."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer import cache, jobs
from explorer.compare import protocols
from explorer.panels.compare import numbers
from explorer.settings import settings
from models import catalog
from models.catalog import ModelInfo
from models.errors import UserError
from models.jobs import OVERHEAD, Job, Jobs, JobSpec
from models.metrics import library, measuring
from models.metrics.spec import SEEDS, Measurement

Open = Callable[..., AppTest]


class Queue:
    """A queue with one job, which is as far as a test says."""

    def __init__(self) -> None:
        self.job: Job | None = None

    def submit(self, specs: Sequence[Measurement], title: str) -> Job:
        self.specs = list(specs)
        self.job = self.at("running", title=title)
        return self.job

    def at(self, state: Any, title: str = "", **changes: Any) -> Job:
        known: dict[str, Any] = {
            "id": "figures-1", "spec": JobSpec(kind="evaluate", arguments={}, title=title), "state": state,
            "share": 0.5, "code": "", "problem": "", "remedy": "", "created": 0.0, "queued": 0.0, "started": 0.0,
            "ended": None, "outcome": {}, "log": (), "ahead": 0,
        }  # fmt: skip
        return Job(**{**known, **changes})

    def get(self, name: str) -> Job:
        if self.job is None:
            raise UserError("no-job", "There is no such job.", "Look at those that there are.")
        return self.job

    def cancel(self, name: str) -> None:
        self.job = self.at("cancelled")

    def remove(self, name: str) -> None:
        self.job = None

    def all(self, owner: str | None = None) -> list[Job]:
        return [] if self.job is None else [self.job]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    found = Queue()
    monkeypatch.setattr(jobs, "queue", lambda: found)
    monkeypatch.setattr(jobs, "measure", found.submit)
    monkeypatch.setattr(protocols, "PROTOCOLS", {"quick": 40, "full": 60})
    monkeypatch.setattr(protocols, "_SLOW_N", 20)
    return found


def opened(open_app: Open) -> AppTest:
    return open_app("compare", model="tiny-vae", part="numbers", models="tiny-vae,tiny-gan")


def texts(app: AppTest) -> str:
    return " ".join(str(box.value) for box in (*app.caption, *app.markdown, *app.error)).replace("\\", "")


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def keep(names: Sequence[str], n: int = 40) -> None:
    """Measure a little of some models, and keep it as if that were all."""
    for name in names:
        info = catalog.find(name)
        spec = library.spec_of(info, n=n, seeds=SEEDS)
        few = measuring.make(
            spec.model_copy(update={"metrics": ("prdc", "sharpness", "classes")}), info, device="cpu"
        )
        from models.metrics import figures

        key = library.key(spec, info)
        figures.write(library.path_of(key), few.model_copy(update={"spec": spec}), key)


def test_figures_are_asked_for_waited_for_and_shown(open_app: Open, judged: Path, queue: Queue) -> None:
    app = opened(open_app)
    assert "Not measured yet: Tiny vae, Tiny gan" in texts(app)
    app.button(key="numbers-measure").click().run()
    assert [(spec.n, spec.seeds) for spec in queue.specs] == [(40, SEEDS)] * 2
    assert "numbers-cancel" in keys(app) and "numbers-measure" not in keys(app)
    keep(["tiny-vae", "tiny-gan"])
    queue.job = queue.at("done")
    app.run()
    assert not app.exception and not {"numbers-cancel", "numbers-measure"} & keys(app)
    assert "sharper" in texts(app) and "40 samples of each model" in texts(app)
    assert any('<div class="measured"' in str(box.proto.body) for box in app.get("html"))


def test_only_what_is_missing_is_measured(open_app: Open, judged: Path, queue: Queue) -> None:
    keep(["tiny-vae"])
    app = opened(open_app)
    assert "Not measured yet: Tiny gan." in texts(app)
    app.button(key="numbers-measure").click().run()
    assert [spec.model for spec in queue.specs] == [catalog.find("tiny-gan").digest]


def test_what_takes_long_is_measured_where_it_is_chosen(open_app: Open, judged: Path, queue: Queue) -> None:
    keep(["tiny-vae", "tiny-gan"])
    app = opened(open_app)
    assert "numbers-measure" not in keys(app)
    pills = next(one for one in app.button_group if str(one.key).startswith("numbers-slow"))
    pills.set_value(["inversion", "likelihood"]).run()
    app.button(key="numbers-measure").click().run()
    asked = [(catalog.find(spec.model).id, *spec.metrics) for spec in queue.specs]
    assert asked == [("tiny-vae", "inversion"), ("tiny-gan", "inversion"), ("tiny-vae", "likelihood")]
    assert "sharper" in texts(app)  # what is there stays


def test_models_of_one_title_are_told_apart_in_what_is_missing(
    open_app: Open, judged: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog.ModelInfo, "title", "Twin")
    app = opened(open_app)
    assert "Not measured yet: Twin (tiny-vae), Twin (tiny-gan)." in texts(app)


def test_figures_are_read_once_until_files_change(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info, asked = catalog.find("tiny-vae"), list[Measurement]()
    spec, find = library.spec_of(info, n=37, seeds=SEEDS), library.find

    def found(spec: Measurement, info: catalog.ModelInfo) -> Any:
        asked.append(spec)
        return find(spec, info)

    monkeypatch.setattr(library, "find", found)
    assert cache.figures(info, spec) is cache.figures(info, spec) is None and len(asked) == 1
    keep(["tiny-vae"], n=37)
    kept = cache.figures(info, spec)
    assert kept is not None and cache.figures(info, spec) is kept and len(asked) == 2
    library.path_of(library.key(spec, info)).unlink()
    assert cache.figures(info, spec) is None, "what is gone is not shown"


def test_the_queue_of_the_app_takes_a_measurement(
    judged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = Jobs(tmp_path, longest=settings().train_seconds + OVERHEAD)
    monkeypatch.setattr(jobs, "queue", lambda: real)
    monkeypatch.setattr(jobs, "me", lambda: "ada")
    specs = [library.spec_of(catalog.find(name), n=40, seeds=2) for name in ("tiny-vae", "tiny-gan")]
    job = jobs.measure(specs, "Figures")
    assert (job.state, job.spec.kind, job.spec.owner) == ("queued", "evaluate", "ada")
    assert jobs.measure(specs, "Figures").id == job.id  # it is not asked for twice


def test_a_measurement_can_be_cancelled_and_what_failed_is_said(
    open_app: Open, judged: Path, queue: Queue
) -> None:
    app = opened(open_app)
    app.button(key="numbers-measure").click().run()
    app.button(key="numbers-cancel").click().run()
    app.run()
    assert not app.exception and queue.job is None and "numbers-measure" in keys(app)
    app.button(key="numbers-measure").click().run()
    queue.job = queue.at(
        "failed", problem="The model makes images that are not finite numbers.", remedy="Choose another."
    )
    app.run()
    assert "images that are not finite numbers" in texts(app) and "numbers-measure" in keys(app)


def test_what_is_measured_meanwhile_neither_hides_the_wait_nor_why_the_rest_failed(
    open_app: Open, judged: Path, queue: Queue
) -> None:
    app = opened(open_app)
    app.button(key="numbers-measure").click().run()
    keep(["tiny-vae"])
    app.run()
    assert "numbers-cancel" in keys(app) and "numbers-measure" not in keys(app)
    queue.job = queue.at("failed", problem="tiny-gan: its images are not finite.", remedy="Choose another.")
    app.run()
    assert "tiny-gan: its images are not finite." in texts(app) and "numbers-measure" in keys(app)


def test_the_largest_protocol_that_all_were_measured_by_is_shown_first(judged: Path, queue: Queue) -> None:
    pair = [catalog.find(name) for name in ("tiny-vae", "tiny-gan")]
    assert protocols.default(pair) == "quick"
    keep(["tiny-vae"], n=60)
    assert protocols.default(pair) == "quick" and len(protocols.measured(pair, "full")) == 1
    keep(["tiny-gan"], n=60)
    assert protocols.default(pair) == "full" and len(protocols.measured(pair, "full")) == 2


def test_models_of_different_data_are_refused_with_a_sentence(judged: Path) -> None:
    vae = catalog.find("tiny-vae")
    config = vae.config.model_copy(update={"dataset": "mnist"})
    with pytest.raises(UserError, match="figures of different data sets"):
        numbers.show([vae, ModelInfo(vae.path, config, vae.model, vae.card)])
