"""What metrics say of models and data that they cannot measure, or only in part."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models import catalog
from models.classifier import Classifier, heads_of
from models.config import AutoencoderConfig, ClassifierConfig, GanConfig
from models.core import LatentModel, to_pixels
from models.datasets import DATASETS, ImageData
from models.errors import UserError
from models.metrics import METRICS, inception
from models.metrics.comparison import shared_dataset
from models.metrics.evaluation import evaluate
from models.metrics.repeats import report
from models.vae import Autoencoder


class Constant(LatentModel):
    """Makes one picture only, or one that also holds a part of the latent."""

    def __init__(self, value: float, moved: float = 0.0) -> None:
        super().__init__(
            GanConfig.model_validate({"family": "gan", "size": 16, "channels": 1, "latent_dim": 8})
        )
        self.value, self.moved = value, moved

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return (self.value + self.moved * z.repeat(1, 32)).reshape(-1, 1, 16, 16)

    def first_layer(self) -> Tensor:
        return torch.eye(8)

    def hidden(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return z


def images(count: int, seed: int = 0) -> ImageData:
    x = torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)
    return ImageData(DATASETS["digits"], to_pixels(x), torch.arange(count) % 10)


def judge(feature_dim: int = 8) -> Classifier:
    torch.manual_seed(0)
    heads = heads_of(DATASETS["digits"])
    config = {"size": 16, "channels": 1, "width": 4, "feature_dim": feature_dim, "heads": heads}
    return Classifier(ClassifierConfig.model_validate(config)).eval().requires_grad_(False)


def refused(*parts: str, **options: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        evaluate(options.pop("model", Constant(0.0, 0.1)), options.pop("data", images(40)), **options)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    return caught.value


def test_images_with_nan_are_named_and_not_rounded_to_black() -> None:
    for value in (torch.nan, torch.inf):
        assert refused("not finite numbers", "diverged", model=Constant(value), n=10).code == "not-finite"


def test_latents_and_paths_with_nan_are_named_too() -> None:
    error = refused("makes images that are not finite", model=Constant(torch.nan), n=10, classifier=judge(),
                    metrics=["path_length"])  # fmt: skip
    assert error.code == "not-finite"
    config = {"family": "vae", "size": 16, "channels": 1, "width": 4, "latent_dim": 8}
    vae = Autoencoder(AutoencoderConfig.model_validate(config)).eval().requires_grad_(False)
    for parameter in vae.parameters():
        parameter.fill_(torch.nan)
    assert refused("gives latents that are not finite", model=vae, metrics=["latent"]).code == "not-finite"


def test_there_is_no_ratio_to_real_images_without_detail() -> None:
    data = images(40)
    data.images[:10] = 128  # more than a tenth of them
    found = evaluate(Constant(0.0, 0.1), data, metrics=["sharpness"], n=40)
    assert "sharpness_ratio_q10" not in found
    assert 0 < found["sharpness_ratio_q50"] < 1 and 0 < found["sharpness_ratio"] < 1


def test_a_data_set_of_one_image_again_and_again_is_refused() -> None:
    same = ImageData(DATASETS["digits"], images(1).images.repeat(30, 1, 1, 1), torch.arange(30) % 10)
    assert refused("are the same", data=same).code == "identical-images"


def test_fewer_images_than_dimensions_have_no_covariance_and_are_left_out_of_all() -> None:
    found = refused("There are 20", "more than 32", data=images(20), metrics=["fd"], classifier=judge(32))
    assert found.code == "metric-does-not-apply"
    few = evaluate(Constant(0.0, 0.1), images(20), classifier=judge(32), n=100)
    assert "fd_classifier" not in few and "kd_classifier" in few
    error = refused("There are 5", "more than 5", data=images(5), metrics=["prdc"], classifier=judge())
    assert error.code == "metric-does-not-apply"


def test_metrics_that_need_training_images_say_so() -> None:
    found = refused("'memorisation' needs the training images", metrics=["memorisation"])
    assert found.code == "metric-does-not-apply" and found.remedy


def test_more_samples_than_the_data_have_are_compared_one_to_one() -> None:
    model, data = Constant(0.0, 0.2), images(40)
    names = ["prdc", "fd", "kd"]
    many, as_many = (evaluate(model, data, n=n, metrics=names, classifier=judge()) for n in (400, 40))
    assert many.keys() == as_many.keys()
    assert METRICS["prdc"].count(400, replace(data.info, test=40)) == 40
    # The latents of the first 40 samples are others where more are drawn; the real images come in the same order.
    assert many["fd_classifier"] == pytest.approx(as_many["fd_classifier"], rel=0.5)


def test_a_collapsed_model_has_figures_that_say_so() -> None:
    found = report(Constant(0.2), images(60), n=60, classifier=judge(), train=images(80, 1))
    values = found.values
    assert values["pairwise_distance_ratio"] == values["sharpness_ratio"] == values["recall"] == 0
    assert values["coverage"] <= 0.1 and values["ppl_classifier"] == 0
    assert "separability" not in values  # one class only: nothing to part
    assert all(torch.isfinite(torch.tensor(value)) for value in values.values())
    assert values["fd_classifier"] > found.floors["fd_classifier"]


def test_samples_that_are_in_both_sets_are_no_copies() -> None:
    one = to_pixels(torch.zeros(1, 1, 16, 16))
    data, train = images(40), images(40, 1)
    both = [ImageData(d.info, torch.cat([d.images, one.expand(len(d), -1, -1, -1)])) for d in (data, train)]
    found = evaluate(Constant(0.0), both[0], train=both[1], n=40, metrics=["memorisation"])
    assert found["nearest_ratio"] == pytest.approx(1) and found["copies_share"] == 0


# Inception ------------------------------------------------------------------------------------------------------------


def test_without_the_weights_a_sentence_says_where_they_belong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(inception.importlib.util, "find_spec", lambda name: object())
    away = refused("Its weights are not on this machine", str(tmp_path), inception.WEIGHTS, metrics=["fid"])
    monkeypatch.setattr(inception.importlib.util, "find_spec", lambda name: None)
    absent = refused("torch-fidelity is not installed", metrics=["fid"])
    assert away.code == absent.code == "metric-does-not-apply" and str(away) != str(absent)


def test_inception_is_fed_rgb_bytes_and_measured_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []

    class Net(torch.nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor]:
            assert x.dtype == torch.uint8
            shapes.append(tuple(x.shape[1:]))
            return (x.float().flatten(1)[:, :6] / 255,)

    monkeypatch.setattr(inception, "missing", lambda: None)
    monkeypatch.setattr(inception, "_network", Net)
    found = report(Constant(0.0, 0.2), images(50), metrics=["fid"], n=50, train=images(50, 1))
    assert set(shapes) == {(3, 16, 16)}
    assert found.values["fid"] > found.floors["fid"] >= 0 and found.values["kid"] > found.floors["kid"]


def test_inception_is_only_measured_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "missing", lambda: None)
    assert "fid" not in evaluate(Constant(0.0, 0.2), images(20), n=10)
    assert METRICS["fid"].slow and METRICS["inversion"].slow


# Inversion ------------------------------------------------------------------------------------------------------------


def test_inversion_finds_images_that_the_model_can_make(linear: Any) -> None:
    model = linear()
    z = torch.randn(6, 6, generator=torch.Generator().manual_seed(1)).clamp(-2, 2)
    data = ImageData(DATASETS["digits"], to_pixels(model.decode(z)))
    found = report(model, data, metrics=["inversion"], n=6)
    assert found.values["inversion_psnr_db"] > 30 and found.values["inversion_ssim"] > 0.9
    assert len(found.series["inversion_psnr_db"]) == 6
    assert found.intervals["inversion_psnr_db"].over == "images"
    assert "encoding_psnr_db" not in found.values  # it has no encoder


class Opaque(Constant):
    """Decodes without a gradient, as what was imported as ONNX does."""

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().decode(z, labels).detach()


def test_a_model_without_a_gradient_is_not_searched() -> None:
    error = refused("needs a decoder with a gradient", model=Opaque(0.0, 0.1), metrics=["inversion"])
    assert error.code == "metric-does-not-apply"


# Comparisons ----------------------------------------------------------------------------------------------------------


def test_models_of_one_data_set_can_be_compared(zoo: Path) -> None:
    vae, gan, judge = (catalog.find(name) for name in ("tiny-vae", "tiny-gan", "tiny-classifier"))
    assert shared_dataset([vae, gan]) == "digits"
    other = replace(gan, config=gan.config.model_copy(update={"dataset": "mnist"}))
    nameless = replace(gan, config=gan.config.model_copy(update={"dataset": ""}))
    larger = replace(gan, model=gan.model.model_copy(update={"size": 32}))
    for infos, code, part in (
        ([vae], "too-few-models", "alone"),
        ([vae, judge], "cannot-decode", "generates nothing"),
        ([vae, nameless], "no-data", "not known"),
        ([vae, other], "different-data", "'digits' and 'tiny-gan' 'mnist'"),
        ([vae, larger], "different-sizes", "1x16x16 and 'tiny-gan' of 1x32x32"),
    ):
        with pytest.raises(UserError) as caught:
            shared_dataset(infos)
        assert caught.value.code == code and part in caught.value.problem
