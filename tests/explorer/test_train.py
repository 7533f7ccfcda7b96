"""The Train page under AppTest: from Start to a model among one's own."""

import io
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer import cache, identity, jobs, state
from explorer.components import timeline as component
from explorer.panels import following, head, setup, watch
from models import catalog, media, paths
from models.config import Budget, RunConfig
from models.datasets import uploads
from models.jobs import Job, Jobs, training
from models.training import session
from models.training.runs import Run

Open = Callable[..., AppTest]
ME = "me"


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """A queue of the test's own, which starts nothing by itself."""
    for name in ("RUNS", "MODELS", "DATA", "STATE"):
        monkeypatch.setenv(f"EXPLORER_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("EXPLORER_MANAGE", "on")
    found = Jobs(paths.runs())
    monkeypatch.setattr(jobs, "queue", lambda: found)
    monkeypatch.setattr(found, "prepare", lambda kind, device: None)
    monkeypatch.setattr(identity, "owner", lambda cookies: ME)  # cookies are not there under AppTest
    return found


def submit(queue: Jobs, steps: int = 6, owner: str = ME, title: str = "Tiny") -> Job:
    config = session.configure("digits", "vae", budget=Budget(steps=steps), options={"width": 4}, where="cpu")
    return queue.submit(training(config, owner=owner, title=title))


def finish(queue: Jobs, name: str, seconds: float = 90.0) -> Job:
    """Let a job run to its end."""
    ends = time.monotonic() + seconds
    while not queue.get(name).over and time.monotonic() < ends:
        queue.tick()
        time.sleep(0.1)
    return queue.get(name)


def words(app: AppTest) -> str:
    return " ".join(str(part.value) for part in [*app.markdown, *app.caption, *app.error])


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def test_start_puts_what_was_chosen_into_the_queue(open_app: Open, queue: Jobs) -> None:
    app = open_app("train")
    app.selectbox(key="training-data").set_value("digits").run()
    app.selectbox(key="training-family").set_value("gan").run()
    app.number_input(key="training-seconds").set_value(7)
    app.number_input(key="training-digits-gan-quick-latent_dim").set_value(12)
    press(app, "training-start")
    (job,) = queue.all()
    config = job.spec.arguments
    assert (config["dataset"], config["model"]["family"], config["model"]["latent_dim"]) == (
        "digits",
        "gan",
        12,
    )
    assert config["budget"]["seconds"] == 7
    assert job.spec.title == "GAN on Digits"
    assert "Waiting for its turn" in words(app)


def test_what_was_chosen_is_there_again_after_another_page(open_app: Open, queue: Jobs) -> None:
    app = open_app("train")
    app.selectbox(key="training-data").set_value("digits").run()
    app.selectbox(key="training-family").set_value("gan").run()
    app.number_input(key="training-seconds").set_value(7)
    app.number_input(key="training-digits-gan-quick-latent_dim").set_value(12).run()
    app.switch_page("views/library.py").run()
    assert not app.exception and not app.number_input
    app.switch_page("views/train.py").run()
    press(app, "training-start")
    config = queue.all()[0].spec.arguments
    assert (config["dataset"], config["model"]["family"], config["budget"]["seconds"]) == ("digits", "gan", 7)
    assert config["model"]["latent_dim"] == 12


def test_options_go_back_to_what_they_are_by_default(open_app: Open, queue: Jobs) -> None:
    app = open_app("train")
    app.selectbox(key="training-data").set_value("digits").run()
    app.selectbox(key="training-family").set_value("gan").run()
    keys = [f"training-digits-gan-quick-{name}" for name in ("latent_dim", "augment", "gamma")]
    dim, augment, gamma = (
        app.number_input(key=keys[0]),
        app.multiselect(key=keys[1]),
        app.number_input(key=keys[2]),
    )
    before = (dim.value, augment.value, gamma.value)
    dim.set_value(12)
    augment.set_value(["color"])
    gamma.set_value(2.5).run()
    assert "Latent dim 12, Augment Colour, Gamma 2.5" in words(app)
    press(app, "training-default")
    keys = [key.replace("quick", "quick-1") for key in keys]
    after = (app.number_input(key=keys[0]).value, app.multiselect(key=keys[1]).value)
    assert (*after, app.number_input(key=keys[2]).value) == before and "Changed" not in words(app)


def test_a_worker_is_made_ready_for_the_device_that_is_chosen(
    open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(queue, "prepare", lambda kind, device: asked.append((kind, device)))
    app = open_app("train")
    assert asked == [("train", app.selectbox(key="training-device").value)]
    monkeypatch.setenv("EXPLORER_TRAIN", "off")
    app = open_app("train")
    assert len(asked) == 1, "nothing can be trained here"


def test_pressing_start_twice_is_starting_once(queue: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    config = session.configure("digits", "vae", budget=Budget(steps=6), where="cpu")
    monkeypatch.setattr(jobs, "me", lambda: ME)
    first, second = jobs.train(config, "One"), jobs.train(config, "One")
    assert first.id == second.id and len(queue.all()) == 1
    monkeypatch.setattr(jobs, "_TWICE", 0.0)
    assert jobs.train(config, "One").id != first.id
    assert jobs.train(config, "Two").id not in (first.id, second.id)


def test_runs_of_the_same_words_are_told_apart_and_shown_together(
    open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [submit(queue) for _ in range(3)]
    monkeypatch.setattr(watch.time, "strftime", lambda *_: "12:00:00")
    app = open_app("train")
    choice = app.multiselect(key="training-picked")
    assert sorted(choice.options) == ["Tiny · 12:00:00", "Tiny · 12:00:00 (2)", "Tiny · 12:00:00 (3)"]
    choice.set_value([job.id for job in runs]).run()
    assert not app.exception
    assert words(app).count("Waiting for its turn") == 3


def test_a_run_that_goes_on_stays_beside_a_new_one(open_app: Open, queue: Jobs) -> None:
    over, going = finish(queue, submit(queue, title="Over").id), submit(queue, title="Going")
    app = open_app("train")
    app.multiselect(key="training-picked").set_value([over.id, going.id]).run()
    app.selectbox(key="training-data").set_value("digits").run()
    press(app, "training-start")
    new = next(job.id for job in queue.all() if job.id not in {over.id, going.id})
    assert app.multiselect(key="training-picked").value == [going.id, new]


def test_the_run_that_was_looked_at_is_shown_again(open_app: Open, queue: Jobs) -> None:
    older, newer = submit(queue, title="Older"), submit(queue, title="Newer")
    app = open_app("train")
    assert app.multiselect(key="training-picked").value == [newer.id]
    app.multiselect(key="training-picked").set_value([older.id]).run()
    app.switch_page("views/gallery.py").run()
    app.switch_page("views/train.py").run()
    assert app.multiselect(key="training-picked").value == [older.id]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training-seconds", 0, "Choose from 5 to 3600"),
        ("training-seconds", 999_999, "Choose from 5 to 3600"),
        ("training-digits-gan-quick-latent_dim", 0, "greater than or equal to 1"),
        ("training-digits-gan-quick-learning_rate", -1.0, "greater than 0"),
        ("training-digits-gan-quick-mapping", 9, "less than or equal to 8"),
    ],
)
def test_what_cannot_be_trained_is_said_and_not_begun(
    open_app: Open, queue: Jobs, key: str, value: float, message: str
) -> None:
    app = open_app("train")
    app.selectbox(key="training-data").set_value("digits").run()
    app.selectbox(key="training-family").set_value("gan").run()
    app.number_input(key=key).set_value(value)
    press(app, "training-start")
    assert message in words(app) and queue.all() == []


def test_a_preset_of_a_lesson_is_named(open_app: Open, queue: Jobs) -> None:
    app = open_app("train")
    app.selectbox(key="training-data").set_value("toy:grid25").run()
    app.selectbox(key="training-family").set_value("gan").run()
    app.selectbox(key="training-preset-gan").set_value("collapse").run()
    press(app, "training-start")
    assert [job.spec.title for job in queue.all()] == ["GAN on Grid, Collapse"]


def test_a_waiting_run_can_be_cancelled_and_removed(open_app: Open, queue: Jobs) -> None:
    job = submit(queue)
    app = press(open_app("train"), f"cancel-{job.id}")
    assert queue.get(job.id).state == "cancelled"
    assert "Cancelled" in words(app)
    assert not [one for one in app.button if one.key == f"remove-{job.id}"], "it is asked for twice"
    press(app, f"delete-{job.id}")
    assert queue.all() == []


def test_a_run_that_is_done_is_shown_and_kept_among_the_models(open_app: Open, queue: Jobs) -> None:
    job = finish(queue, submit(queue).id)
    assert job.state == "done", job.problem
    app = open_app("train")
    assert "Done" in words(app) and "Active units" in words(app)
    app.text_input(key=f"keep-name-{job.id}").set_value("My digits, 1st").run()
    press(app, f"keep-go-{job.id}")
    kept = catalog.find("my-digits-1st")
    assert kept.sample_shape == (1, 16, 16) and kept.title == "My digits, 1st"


def test_a_run_is_opened_in_explore_and_followed(
    open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finish(queue, submit(queue).id)
    opened: list[str] = []
    monkeypatch.setattr(head.st, "switch_page", opened.append)
    app = press(open_app("train"), f"explore-{job.id}")
    assert opened == ["views/explore.py"]
    app.switch_page("views/explore.py").run()
    assert not app.exception and app.selectbox(key="pick-model").value == job.id
    assert "From the runs on the page Train" in words(app) and "The training has ended" in words(app)
    shutil.rmtree(queue.folder(job.id) / "checkpoint")
    app.run()
    assert not app.exception and "There is no model to show" in words(app)
    assert cache.newest(job.id) is None


def test_what_is_pressed_is_not_part_of_what_draws_itself_again(
    open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, order = submit(queue), list[str]()

    def noted(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: (order.append(name), act(*arguments), order.append(f"end of {name}"))

    def fragment(draw: Callable[..., Any], run_every: float | None) -> Callable[..., Any]:
        return noted(f"fragment every {run_every} s", draw)

    monkeypatch.setattr(watch.st, "fragment", fragment)
    monkeypatch.setattr(head.Head, "draw", noted("buttons", head.Head.draw))
    app = open_app("train")
    assert not app.exception and app.button(key=f"stop-{job.id}").label == "Stop"
    assert order[:3] == ["buttons", "end of buttons", "fragment every 0.4 s"]
    assert order[3:] == ["end of fragment every 0.4 s"]


def test_a_model_that_learns_is_drawn_anew(
    open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finish(queue, submit(queue).id)
    monkeypatch.setattr(following, "trains", lambda run: True)
    app = open_app("explore", model=job.id)
    assert not app.exception and "It still learns" in words(app)
    before = catalog.of_run(job.id)
    again = finish(queue, submit(queue, steps=8).id)
    shutil.rmtree(queue.folder(job.id) / "checkpoint")
    shutil.copytree(queue.folder(again.id) / "checkpoint", queue.folder(job.id) / "checkpoint")
    after = catalog.of_run(job.id)
    assert before and after and after.digest != before.digest
    app.toggle(key="follow-training").set_value(False).run()
    assert not app.exception and "It still learns" not in words(app)
    assert cache.newest(job.id) == after


def test_the_timeline_gets_all_pictures_and_where_they_are(
    open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(component, "_component", lambda: lambda *, data, key: shown.update({key: data[0]}))
    monkeypatch.setattr(watch.sitemap, "base", lambda: "/class/latent")
    first, second = (submit(queue, title=title) for title in ("One", "Two"))
    run = Run(queue.folder(first.id))
    run.prepare(RunConfig(**first.spec.arguments))
    app = open_app("train")
    assert not shown, "there is nothing to see yet"
    for step in (1, 20):
        run.snapshot(np.zeros((16, 8, 3), np.uint8), step, "samples")
    run.snapshot(np.zeros((4, 8, 3), np.uint8), 20, "reconstructions")
    app.multiselect(key="training-picked").set_value([first.id, second.id]).run()
    (data,) = shown.values()
    assert list(shown) == [f"timeline-{first.id}"]
    assert data["pictures"] == f"/class/latent/api/runs/{first.id}"
    samples, reconstructions = data["kinds"]
    assert (samples["name"], samples["size"]) == ("samples", [8, 16])
    assert (reconstructions["title"], reconstructions["size"]) == ("Reconstructions", [8, 4])
    assert [step for step, _version in samples["shots"]] == [1, 20]
    os.utime(run.picture("samples", 20), ns=(0, 0x123456789ABCDEF))
    app.run()
    before, after = samples["shots"], shown[f"timeline-{first.id}"]["kinds"][0]["shots"]
    assert after == [before[0], [20, "123456789abcdef"]] and before != after


def test_of_points_the_timeline_says_what_the_colours_are(
    open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(component, "_component", lambda: lambda *, data, key: shown.extend(data))
    config = session.configure("toy:moons", "vae", budget=Budget(steps=6), where="cpu")
    run = Run(queue.folder(queue.submit(training(config, owner=ME)).id))
    run.prepare(config)
    run.snapshot(np.zeros((8, 8, 3), np.uint8), 1, "samples")
    open_app("train")
    (kind,) = shown[-1]["kinds"]
    assert kind["name"] == "samples" and "data in grey" in kind["about"]


def test_options_that_do_not_go_together_are_explained(open_app: Open, queue: Jobs) -> None:
    app = open_app("train")
    app.selectbox(key="training-data").set_value("digits").run()
    app.selectbox(key="training-family").set_value("vae").run()
    app.number_input(key="training-digits-vae-quick-palette").set_value(4)
    app.selectbox(key="training-digits-vae-quick-network").set_value("mlp")
    press(app, "training-start")
    assert "depth and palette go with network=conv" in words(app)
    assert queue.all() == []


def test_one_browser_cannot_fill_the_queue(
    open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLORER_JOBS_EACH", "1")
    submit(queue)
    app = open_app("train")
    app.selectbox(key="training-data").set_value("digits").run()
    press(app, "training-start")
    assert "1 of your jobs run or wait" in words(app)
    assert len(queue.all()) == 1


def test_others_see_only_their_own_runs(open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MANAGE", "off")
    submit(queue, owner="somebody else")
    assert "Tiny" not in words(open_app("train"))
    submit(queue)
    assert "Tiny" in words(open_app("train"))


def test_training_can_be_switched_off(open_app: Open, queue: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_TRAIN", "off")
    app = open_app("train")
    assert "switched off" in words(app)
    assert not [button for button in app.button if button.key == "training-start"]


def test_images_of_ones_own_are_among_the_data_sets(open_app: Open, queue: Jobs) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(20):
            image = np.full((20, 20, 3), 10 * number, np.uint8)
            archive.writestr(f"dots/{number}.png", media.png(image))
    taken = uploads.take_in(buffer, "dots.zip")
    app = open_app("train")
    app.selectbox(key="training-data").set_value(taken.id).run()
    assert not app.exception
    assert "Conditional VAE" not in app.selectbox(key="training-family").options
    app.number_input(key="training-seconds").set_value(5)
    press(app, "training-start")
    assert queue.all()[0].spec.arguments["dataset"] == taken.id


@pytest.mark.parametrize(
    "name", ["queued", "running", "stopping", "done", "stopped", "cancelled", "failed", "died"]
)
def test_each_state_has_words(name: str) -> None:
    assert all(head._STATES[name]())  # pyright: ignore[reportPrivateUsage]


def test_data_sets_are_described_in_a_few_words() -> None:
    from models import datasets

    assert setup.facts(datasets.info("digits")) == ["1.4 k images", "16 × 16 pixels, in grey", "10 classes"]
    assert setup.facts(datasets.info("toy:moons"))[1] == "points in the plane"


def test_what_the_page_that_was_left_still_says_does_not_take_the_model_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state.st, "session_state", {})
    state.choose_model("before")
    state.open_model("learning")
    state.pick_model("before")
    assert state.view().model == "learning", "an echo"
    state.pick_model("another")
    assert state.view().model == "another", "nobody was there before"
    state.open_model("learning")
    monkeypatch.setattr(state, "_ECHO", 0.0)
    state.pick_model("another")
    assert state.view().model == "another", "a person's choice"
