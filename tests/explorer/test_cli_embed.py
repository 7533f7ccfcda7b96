"""`latent-explorer embed` and `bench embed`."""

import json
from pathlib import Path

import numpy as np
import pytest

from explorer.cli import main
from models.embedding import files

pytestmark = pytest.mark.usefixtures("zoo")
QUICK = ["--method", "pca", "--n", "80"]


def test_embed_prints_one_object_and_writes_arrays_without_pickles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map.npz"
    assert main(["embed", "tiny-vae", *QUICK, "--generated", "30", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["dataset"], told["of"], told["n"]) == ("tiny-vae", "digits", "latents", 80)
    assert told["generated"] == 30 and set(told["quality"]) >= {"trustworthiness", "knn_map"}
    arrays = np.load(out, allow_pickle=False)
    assert arrays["positions"].shape == (80, 2) and arrays["latents"].shape == (80, 6)
    assert (arrays["sources"] == 2).sum() == 30
    assert arrays["names_label"][arrays["category_label"][0]] in tuple("0123456789")
    assert json.loads(str(arrays["spec"]))["method"] == "pca"


def test_embed_writes_a_map_and_takes_it_from_the_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["embed", "tiny-gan", *QUICK, "-o", str(tmp_path / "map.safetensors")]
    assert main(words) == 0
    assert "80 points" in capsys.readouterr().out
    found = files.read(tmp_path / "map.safetensors")
    assert (found.spec.of, found.spec.dataset, len(found)) == ("features", "", 80)
    assert main(words) == 0
    assert "not computed again" in capsys.readouterr().err


def test_half_of_the_points_of_a_gan_on_real_images_are_samples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "tiny-gan", *QUICK, "--dataset", "digits", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["generated"]) == (80, 40)
    assert main(["embed", "tiny-vae", *QUICK, "--dataset", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["generated"] == 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tiny-classifier"], "makes no images"),
        (["tiny-vae", "-o", "map.txt"], ".npz"),
        (["tiny-vae", "--dataset", "digitz"], "Did you mean 'digits'"),
        (["tiny-gan", "--dataset", "digits", "--of", "latents"], "no encoder"),
    ],
)
def test_what_cannot_be_embedded_is_said_in_a_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["embed", *words]) == 1
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error


def test_bench_embed_prints_what_the_contract_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from explorer.bench import embed

    vectors = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    monkeypatch.setattr(embed, "MODEL", "tiny-vae")
    monkeypatch.setattr(embed, "_latents", lambda n: vectors)
    monkeypatch.setattr(embed, "_umap_learn", lambda z: z[:, :2])
    assert main(["bench", "embed", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {
        "n", "seconds", "umap_learn_seconds", "ratio", "trustworthiness", "umap_learn_trustworthiness",
        "cached_seconds", "peak_mb",
    }  # fmt: skip
    assert told["n"] == 200 and told["cached_seconds"] < 2 and 0 < told["trustworthiness"] <= 1
