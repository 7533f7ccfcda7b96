"""The route to the pictures of runs: who may see which."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer import identity, jobs, run_pictures
from models import media, paths
from models.config import Budget
from models.jobs import Jobs, training
from models.training import session
from models.training.runs import Run

HERE = {"host": "127.0.0.1:8501", "referer": "http://127.0.0.1:8501/train"}
SHEET = np.full((4, 4, 3), 7, np.uint8)


@pytest.fixture
def cookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The cookie of somebody."""
    for name in ("RUNS", "STATE"):
        monkeypatch.setenv(f"EXPLORER_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("EXPLORER_MANAGE", "auto")
    return {identity.COOKIE: identity.new_cookie()}


@pytest.fixture
def picture(cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a picture of their run, at step 20."""
    queue = Jobs(paths.runs(), limits={"cpu": 1})
    monkeypatch.setattr(jobs, "queue", lambda: queue)
    config = session.configure("digits", "vae", budget=Budget(steps=6), where="cpu")
    spec = training(config, owner=identity.owner(cookies) or "", title="Tiny")
    job = queue.submit(spec)
    run = Run(queue.folder(job.id))
    run.prepare(config)
    run.snapshot(SHEET, 20, "samples")
    return f"{run_pictures.address('/apps/latent', job.id)}/samples/20.png"


def browser(address: str = "192.0.2.7", cookies: dict[str, str] | None = None) -> TestClient:
    """Return a browser at an address."""
    return TestClient(
        Starlette(routes=[run_pictures.route("/apps/latent")]), cookies=cookies, client=(address, 50000)
    )


def test_the_owner_sees_the_picture_and_keeps_it(picture: str, cookies: dict[str, str]) -> None:
    answer = browser(cookies=cookies).get(picture, params={"v": "1a2b"})
    assert answer.status_code == 200
    assert (np.asarray(Image.open(io.BytesIO(answer.content))) == SHEET).all()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_a_stranger_learns_no_more_than_of_a_run_that_is_not_there(picture: str) -> None:
    other = browser(cookies={identity.COOKIE: identity.new_cookie()})
    answer, missing = other.get(picture), other.get("/apps/latent/api/runs/none/samples/20.png")
    assert answer.status_code == missing.status_code == 404 and answer.content == missing.content
    assert answer.headers["cache-control"] == "no-store"
    assert browser().get(picture).status_code == 404
    forged = {identity.COOKIE: identity.new_cookie()[:-1] + "!"}
    assert browser(cookies=forged).get(picture).status_code == 404


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_is_on_this_machine_sees_the_runs_of_all(picture: str, address: str) -> None:
    assert browser(address).get(picture, headers=HERE).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1:8501"},  # whatever page it stands in keeps that to itself
        {**HERE, "referer": "https://evil.example/"},
        {**HERE, "origin": "https://evil.example"},
        {**HERE, "host": "models.example.org"},
        {**HERE, "x-forwarded-for": "192.0.2.7"},
        {**HERE, "via": "1.1 proxy"},
    ],
)
def test_neither_a_proxy_nor_a_page_from_elsewhere_makes_anybody_local(
    picture: str, headers: dict[str, str]
) -> None:
    assert browser("127.0.0.1").get(picture, headers=headers).status_code == 404


def test_who_says_to_be_local_and_is_not_sees_nothing(picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert browser("192.0.2.7").get(picture, headers=HERE).status_code == 404
    monkeypatch.setenv("EXPLORER_MANAGE", "off")
    assert browser("127.0.0.1").get(picture, headers=HERE).status_code == 404
    monkeypatch.setenv("EXPLORER_MANAGE", "on")
    assert browser("192.0.2.7").get(picture).status_code == 200


@pytest.mark.parametrize(
    "part",
    [
        "samples/21.png",
        "samples/-20.png",
        "samples/20",
        f"samples/{'9' * 5000}.png",
        "samples/\u0662\u0660.png",
        "samples/..%2F20.png",
        "reconstructions/20.png",
        "state/20.png",
        "..%2F..%2Fsecret/20.png",
        "%2E%2E/20.png",
    ],
)
def test_what_is_no_picture_of_the_run_is_not_found(picture: str, cookies: dict[str, str], part: str) -> None:
    base = picture.removesuffix("samples/20.png")
    assert browser(cookies=cookies).get(base + part).status_code == 404


@pytest.mark.parametrize("id", ["..", ".", "%2E%2E", ".places", "a%2F..", "..%5Cruns", "a%00b", "x" * 300])
def test_ids_lead_nowhere_else(picture: str, id: str) -> None:
    secret = paths.runs().parent / "samples"
    secret.mkdir()
    media.save_png(SHEET, secret / "00000020.png")
    address = f"{run_pictures.address('/apps/latent', id)}/samples/20.png"
    assert browser("127.0.0.1").get(address, headers=HERE).status_code == 404


def test_a_run_that_was_removed_is_gone(picture: str, cookies: dict[str, str]) -> None:
    (job,) = jobs.queue().all()
    jobs.queue().remove(job.id)
    assert browser(cookies=cookies).get(picture).status_code == 404
