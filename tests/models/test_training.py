"""Training: it learns, it is repeatable, it survives being killed, it says what is wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from models import checkpoints
from models.config import Budget, RunConfig
from models.datasets import DATASETS, ImageData, load
from models.errors import UserError
from models.families import FAMILIES
from models.gan import GanRecipe
from models.training import loop, session
from models.training.runs import Run
from models.vae import Autoencoder

TINY = {"width": "4", "batch_size": "16"}


def tiny(family: str, steps: int = 12, seed: int = 0, name: str = "", **options: str) -> RunConfig:
    return session.configure(
        "digits",
        family,
        budget=Budget(steps=steps),
        options={**TINY, **options},
        seed=seed,
        where="cpu",
        name=name,
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoints.load(folder).state_dict()


@pytest.fixture(scope="module")
def digits() -> tuple[ImageData, ImageData]:
    return load("digits", "train"), load("digits", "test")


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_run_leaves_a_usable_checkpoint(
    family: str, tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    run = session.new_run(tiny(family, name=f"my-{family}"), tmp_path / "run")
    outcome = session.train(run, data=digits)
    assert outcome.steps == 12 and outcome.images == 12 * 16
    assert all(torch.isfinite(torch.tensor(v)) for v in outcome.metrics.values())
    events = list(run.events())
    assert events[-1]["kind"] == "validation" and events[-1]["step"] == 12
    assert any(e["kind"] == "train" and e["images_per_s"] > 0 for e in events)
    card = checkpoints.read(outcome.checkpoint).card
    assert card.images == 192 and "--budget 12-steps" in card.command
    assert sum(card.parameters.values()) == sum(
        p.numel() for n, p in checkpoints.load(outcome.checkpoint).named_parameters() if n != "log_sigma"
    )
    makes_images = "decode" in FAMILIES[family].capabilities
    assert (outcome.checkpoint / "sheet.png").is_file() == makes_images
    assert bool(list(run.samples.glob("*.png"))) == makes_images


@pytest.mark.parametrize("family", ["vae", "cgan", "classifier"])
def test_the_same_seed_gives_the_same_weights(
    family: str, tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    folders = [tmp_path / name for name in ("one", "two", "other")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        session.train(session.new_run(tiny(family, seed=seed), folder), data=digits)
    one, two, other = (weights(folder / "checkpoint") for folder in folders)
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)


def test_the_recorded_command_describes_the_run() -> None:
    config = tiny("gan", name="mine", latent_dim="7", augment="color,translation")
    words = session.command(config).split()
    assert "--name" in words and "latent_dim=7" in words and "width=4" in words
    assert "augment=color,translation" in words
    assert "learning_rate" not in " ".join(words)


def test_stopping_early_and_going_on_ends_with_the_same_weights(
    tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    whole = session.new_run(tiny("gan", 20), tmp_path / "whole")
    session.train(whole, data=digits)
    parts = session.new_run(tiny("gan", 20), tmp_path / "parts")
    asked = iter([False] * 7 + [True])
    assert session.train(parts, data=digits, stop=lambda: next(asked)).steps == 7
    assert session.train(Run(tmp_path / "parts"), data=digits).steps == 20
    one, two = weights(whole.checkpoint), weights(parts.checkpoint)
    assert all(torch.equal(one[k], two[k]) for k in one)
    steps = [e["step"] for e in parts.events()]
    assert steps == sorted(steps)


@pytest.mark.parametrize("family", ["ae", "vae", "cvae", "cgan", "vaegan", "classifier"])
def test_a_training_shows_what_it_has_come_to_and_that_changes_nothing(
    family: str, tmp_path: Path, digits: tuple[ImageData, ImageData], monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = session.train(session.new_run(tiny(family), tmp_path / "quiet"), data=digits)
    monkeypatch.setattr("models.training.loop.PUBLISH_SECONDS", 0.0)
    monkeypatch.setattr("models.training.loop._PUBLISH_SHARE", 1e9)  # after every step
    run = session.new_run(tiny(family), tmp_path / "run")
    found: list[tuple[int, str]] = []

    def look() -> bool:
        if (run.live / "config.json").is_file():
            info = checkpoints.read(run.live)
            assert checkpoints.load(info).config == info.model and info.sheet is None
            found.append((info.card.steps, info.digest))
        return False

    outcome = session.train(run, data=digits, stop=look)
    steps = [step for step, _digest in found]
    assert steps == list(range(1, 12)) and len(set(found)) == 11 and not run.live.exists()
    one, two = weights(quiet.checkpoint), weights(outcome.checkpoint)
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_a_training_goes_on_where_it_cannot_be_shown(
    tmp_path: Path, digits: tuple[ImageData, ImageData], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.loop.PUBLISH_SECONDS", 0.0)
    run = session.new_run(tiny("vae"), tmp_path / "run")
    run.live.write_text("no folder")
    assert session.train(run, data=digits).steps == 12
    assert (run.checkpoint / "sheet.png").is_file()


# Imports torch once; then, for each line that it reads, a child of its own trains and can be killed.
NURSERY = """
import os, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from models.datasets import load
from models.training import loop, session
from models.training.runs import Run
from models.vae import Autoencoder
loop.SAVE_SECONDS = 0.05
data = load("digits", "train"), load("digits", "test")
for line in sys.stdin:
    child = os.fork()
    if not child:
        session.train(Run(Path(line.strip())), data=data)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


def test_a_run_survives_sigkill_ten_times(tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    config = tiny("vae", 700)
    run, whole = (session.new_run(config, tmp_path / name) for name in ("killed", "whole"))
    random = torch.Generator().manual_seed(0)
    state = run.folder / "state" / "state.safetensors"
    saved = 0
    command = [sys.executable, "-c", NURSERY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nursery:
        assert nursery.stdin and nursery.stdout

        def start(folder: Path) -> int:
            assert nursery.stdin and nursery.stdout
            print(folder, file=nursery.stdin, flush=True)
            return int(nursery.stdout.readline())

        for _ in range(10):
            before = state.stat().st_mtime_ns if state.exists() else 0
            child = start(run.folder)
            deadline = time.monotonic() + 60
            while not (state.exists() and state.stat().st_mtime_ns != before) and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(0.06 * float(torch.rand((), generator=random)))
            os.kill(child, signal.SIGKILL)
            nursery.stdout.readline()
            found = run.load_state()
            assert found is not None
            assert found[1] >= saved, "a resumed run went back behind what was saved"
            saved = found[1]
        assert 0 < saved < 700
        for folder in (run.folder, whole.folder):
            start(folder)
            nursery.stdout.readline()
        nursery.stdin.close()
    one, two = weights(whole.checkpoint), weights(run.checkpoint)
    assert all(torch.equal(one[k], two[k]) for k in one)
    steps = [event["step"] for event in run.events() if event["kind"] == "validation"]
    assert steps == sorted(set(steps)) and steps[-1] == 700


def test_progress_drives_schedules_and_survives_a_resume(
    tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    run = session.new_run(tiny("vae", 10), tmp_path / "run")
    recipe = session.recipe_for(run.config())
    trainer = loop.Trainer(recipe, *digits, run, Budget(steps=10))
    trainer.advance(5)
    assert trainer.share == 0.5
    halfway = recipe.optimizers["model"].param_groups[0]["lr"]
    trainer.save()
    again = loop.Trainer(session.recipe_for(run.config()), *digits, run, Budget(steps=10))
    again.load()
    assert again.step == 5 and again.seconds == trainer.seconds
    again.advance(99)
    assert again.step == 10
    assert again.recipe.optimizers["model"].param_groups[0]["lr"] < halfway


def test_the_penalty_fades_geometrically() -> None:
    recipe = session.recipe_for(tiny("gan", final_gamma="0.01"))
    assert isinstance(recipe, GanRecipe)
    start = 16 * 16 / 1024
    assert [recipe.gamma_at(share) for share in (0, 0.5, 1)] == pytest.approx(
        [start, 0.1 * start, 0.01 * start]
    )


def test_an_option_can_be_changed_while_it_trains(
    tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    run = session.new_run(tiny("vae", 10), tmp_path / "run")
    trainer = loop.Trainer(session.recipe_for(run.config()), *digits, run, Budget(steps=10))
    trainer.set("learning_rate", "0.5")
    trainer.advance(1)
    assert trainer.recipe.optimizers["model"].param_groups[0]["lr"] == 0.5
    with pytest.raises(UserError, match="learning_rate"):
        trainer.set("learning_rat", 1)
    with pytest.raises(UserError, match="fixed once"):
        trainer.set("batch_size", 8)
    assert run.config().training["learning_rate"] == 0.5


def test_beta_alone_means_the_beta_objective() -> None:
    assert tiny("vae", beta="8").training["objective"] == "beta"
    assert tiny("vae", beta="8", objective="elbo").training["objective"] == "elbo"
    assert tiny("vae").training["objective"] == "elbo"


def test_divergence_is_said_and_not_saved(tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    run = session.new_run(tiny("gan", 50), tmp_path / "run")
    recipe = session.recipe_for(run.config())
    trainer = loop.Trainer(recipe, *digits, run, Budget(steps=50))
    with torch.no_grad():
        next(recipe.modules["model"].parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="diverged") as caught:
        trainer.fit()
    assert "learning_rate" in caught.value.remedy and "no longer a number" in caught.value.problem
    with pytest.raises(UserError, match="beyond all bounds"):
        trainer._read({"discriminator_loss": torch.tensor(-1e13)})
    assert run.load_state() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "fashion"}, "no data set 'fashion'"),
        ({"family": "vea"}, "Did you mean 'vae'"),
        ({"preset_name": "fast"}, "no preset 'fast'"),
        ({"options": {"latnt_dim": "3"}}, "Did you mean 'latent_dim'"),
        ({"options": {"latent_dim": "0"}}, "greater than or equal to 1"),
        ({"options": {"latent_dim": "100000"}}, "less than or equal to 1024"),
        ({"options": {"objective": "elbow"}}, "Did you mean 'elbo'"),
        ({"options": {"likelihood": "gauss"}}, "Did you mean 'gaussian'"),
        ({"family": "gan", "options": {"penalty": "r3"}}, "no gradient penalty 'r3'"),
        ({"family": "cgan", "dataset": "avatars"}, "has none"),
    ],
)
def test_impossible_configurations_are_explained(arguments: dict[str, object], message: str) -> None:
    given = {"dataset": "digits", "family": "vae", **arguments}
    with pytest.raises(UserError, match=message):
        session.recipe_for(session.configure(**given))  # pyright: ignore


def test_a_state_of_another_model_is_named(tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    run = session.new_run(tiny("vae"), tmp_path / "run")
    session.train(run, data=digits)
    run.write_config(tiny("vae", 20, latent_dim="3"))
    with pytest.raises(UserError, match="does not fit"):
        session.train(run, data=digits)
    run.write_config(tiny("vae").model_copy(update={"model": {}}))
    with pytest.raises(UserError, match="names no family"):
        run.config()


@pytest.mark.parametrize(
    "text", ["9" * 400 + "s", "0s", "0-steps", "-5s", "90", "ten", "", "5 s", "1e9s", "nans"]
)
def test_bad_budgets(text: str) -> None:
    with pytest.raises(UserError, match="not a training budget"):
        Budget.parse(text)


def test_budgets() -> None:
    assert Budget.parse("90s").seconds == 90 and Budget.parse("2h").seconds == 7200
    assert Budget.parse("20k-steps").steps == 20_000 and str(Budget.parse("1.5k-steps")) == "1500-steps"
    assert Budget.parse("100-steps").progress(25, 1e9) == 0.25
    assert Budget.parse("100s").progress(10**9, 150) == 1


def test_a_folder_in_use_and_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UserError, match="--resume"):
        session.new_run(tiny("vae"), tmp_path / "full")
    with pytest.raises(UserError, match="--out"):
        session.new_run(tiny("vae"), tmp_path / "full" / "file" / "run")
    with pytest.raises(UserError, match="no training run"):
        Run(tmp_path / "full").config()


def test_a_damaged_state_is_named(tmp_path: Path, digits: tuple[ImageData, ImageData]) -> None:
    run = session.new_run(tiny("vae"), tmp_path / "run")
    session.train(run, data=digits)
    state = run.folder / "state" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read"):
        session.train(run, data=digits)


def test_a_full_disk_leaves_the_last_state(
    tmp_path: Path, digits: tuple[ImageData, ImageData], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = session.new_run(tiny("vae"), tmp_path / "run")
    trainer = loop.Trainer(session.recipe_for(run.config()), *digits, run, Budget(steps=12))
    trainer.advance(3)
    trainer.save()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    trainer.advance(3)
    with pytest.raises(UserError, match="disk is full"):
        trainer.save()
    found = run.load_state()
    assert found is not None and found[1] == 3
    assert [p.name for p in (run.folder / "state").iterdir()] == ["state.safetensors"]


def test_random_states_elsewhere_are_left_alone() -> None:
    before = torch.get_rng_state()
    session.recipe_for(tiny("vae"))
    assert torch.equal(before, torch.get_rng_state())


def test_presets_of_every_family_are_valid() -> None:
    for family, entry in FAMILIES.items():
        for name in entry.presets:
            dataset = "digits" if entry.conditional else "avatars"
            config = session.configure(dataset, family, preset_name=name)
            assert config.model["size"] == DATASETS[dataset].size


def test_a_conditional_vae_has_a_prior_for_each_class(
    tmp_path: Path, digits: tuple[ImageData, ImageData]
) -> None:
    train, test = digits
    config = tiny("cvae", steps=60, latent_dim="3", likelihood="bernoulli")
    model = checkpoints.load(session.train(session.new_run(config, tmp_path / "run"), data=digits).checkpoint)
    assert isinstance(model, Autoencoder) and model.latent_mean.shape == (10, 3)
    x, labels = train.floats(slice(0, None)), train.labels_at(slice(0, None), "cpu")
    codes, q = model.posterior(x, labels), model.encode(x, labels)
    torch.testing.assert_close(model.codes(q.mean, labels), codes.mean, atol=1e-3, rtol=1e-3)
    for kind in range(10):
        mean, variance = q.mean[labels == kind], q.logvar[labels == kind].exp()
        assert mean.mean(0).abs().max() < 0.1, "latents of a class are centred"
        spread = mean.var(0) + variance.mean(0)
        assert spread.min() > 0.8 and spread.max() < 1.2, "and spread as the prior is"
    z = torch.zeros(2, 3)
    apart = model.decode(z, torch.tensor([0, 1]))
    assert (apart[0] - apart[1]).abs().mean() > 0.01
    with pytest.raises(ValueError, match="labels"):
        model.encode(test.floats(slice(0, 2)))
