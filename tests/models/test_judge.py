"""Who judges generated pictures: a data set's classifier, or a quick one from its labels."""

from pathlib import Path

import pytest
import torch

from models import catalog, checkpoints
from models.core import to_unit
from models.datasets import load
from models.errors import UserError
from models.judge import judge_of
from models.latent import generator


def test_the_classifier_of_the_data_set_judges(zoo: Path) -> None:
    found = judge_of("digits", (1, 16, 16))
    info = catalog.find("tiny-classifier")
    assert found.key == info.digest
    x = torch.rand(3, 1, 16, 16, generator=generator(0)) * 2 - 1
    classifier = checkpoints.load(info)
    expected = classifier.classify(x)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    assert torch.equal(found.open()(x)["digit"], expected["digit"])


def test_labels_and_pixels_judge_where_there_is_no_classifier(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("EXPLORER_ASSETS_DIR", str(tmp_path))
    found = judge_of("digits", (1, 16, 16))
    data = load("digits", "test")
    probabilities = found.open()(to_unit(data.images))["label"]
    assert data.labels is not None
    assert float((probabilities.argmax(1) == data.labels).float().mean()) > 0.9
    assert torch.allclose(probabilities.sum(1), torch.ones(len(data)), atol=1e-5)
    assert found.heads[0].values == tuple("0123456789")


@pytest.mark.parametrize(
    ("dataset", "shape", "remedy"),
    [
        ("avatars", (3, 64, 64), "train --dataset avatars --model classifier"),
        ("digits", (1, 32, 32), "train --dataset digits"),
        ("folder:pictures", (1, 16, 16), "another kind of directions"),
    ],
)
def test_nobody_to_judge_is_an_error_that_says_what_to_do(
    dataset: str, shape: tuple[int, int, int], remedy: str, zoo: Path
) -> None:
    with pytest.raises(UserError, match=remedy) as error:
        judge_of(dataset, shape)
    assert error.value.code == "no-classifier"
