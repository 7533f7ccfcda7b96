"""Decoders out to ONNX files and in from them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models import catalog, checkpoints, exporting, render
from models.catalog import Card, CheckpointConfig
from models.core import LatentModel
from models.datasets import load
from models.directions import DIRECTIONS
from models.errors import UserError
from models.exporting import export_onnx
from models.foreign import onnx_files
from models.foreign.configs import OnnxConfig
from models.foreign.importing import bring_in, recognise
from models.foreign.onnx_decoder import OnnxDecoder
from models.latent import prior
from models.metrics.evaluation import evaluate
from models.requests import Directions, Invert, Point, RenderRequest, Sample, Traverse

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT, INT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
DIM, SIDE = 6, 8
Shape = Sequence[int | str]


def weights(*shape: int) -> NDArray[np.float32]:
    return (0.3 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def model_of(
    nodes: Sequence[Any],
    constants: dict[str, NDArray[Any]],
    inputs: dict[str, tuple[int, Shape]],
    shape: Shape = ("batch", 1, SIDE, SIDE),
    domains: Sequence[str] = (),
) -> Any:
    """Return an ONNX model whose output is `image`."""
    graph = helper.make_graph(
        list(nodes),
        "decoder",
        [helper.make_tensor_value_info(name, kind, list(size)) for name, (kind, size) in inputs.items()],
        [helper.make_tensor_value_info("image", FLOAT, list(shape))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def dense(last: str = "Tanh", shape: Shape = (-1, 1, SIDE, SIDE), batch: int | str = "batch") -> Any:
    """Return a decoder of one dense layer: z -> last(A z + b) as pictures."""
    length = abs(int(np.prod([int(size) for size in shape[1:]])))
    constants = {"A": weights(DIM, length), "b": weights(length), "to": np.array(shape, np.int64)}
    nodes = [
        helper.make_node("Gemm", ["z", "A", "b"], ["h"]),
        helper.make_node(last, ["h"], ["values"]),
        helper.make_node("Reshape", ["values", "to"], ["image"]),
    ]
    return model_of(nodes, constants, {"z": (FLOAT, (batch, DIM))}, (batch, *shape[1:]))


def looked_at(where: Path) -> OnnxConfig:
    """Return how a decoder will be called."""
    found = recognise(where).config
    assert isinstance(found, OnnxConfig)
    return found


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a model, and perhaps its description, into a folder."""

    def write(model: Any, description: object = None, name: str = "decoder.onnx") -> Path:
        folder = tmp_path / "brought"
        folder.mkdir(exist_ok=True)
        onnx.save(model, folder / name)
        if description is not None:
            text = description if isinstance(description, str) else json.dumps(description)
            (folder / "model.json").write_text(text)
        return folder

    return write


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def test_a_decoder_that_was_brought_in_is_a_model_like_others(put: Callable[..., Path]) -> None:
    folder = bring_in(
        recognise(put(dense(), {"title": "Mine", "licence": "CC0", "dataset": "digits"})), "mine"
    )
    info = catalog.find("mine")
    assert info.path == folder and info.title == "Mine" and info.card.licence == "CC0" and not info.shipped
    assert info.can("decode") and not info.can("invert") and not info.can("encode")
    assert info.sheet and info.summary()["sample_shape"] == [1, SIDE, SIDE]
    shown = render.render(RenderRequest(model=info.digest, op=Sample(seed=3, count=4)))
    z = prior(range(3, 7), DIM).numpy()
    expected = np.tanh(z @ weights(DIM, SIDE**2) + weights(SIDE**2)).reshape(4, SIDE, SIDE, 1)
    assert np.abs(shown.images / 127.5 - 1 - expected).max() < 0.005
    for axes in ("raw", "pca", "sefa"):
        found = render.render(RenderRequest(model=info.digest, op=Directions(axes=axes))).values["vectors"]
        assert found.shape[1] == DIM and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    walk = Traverse(point=Point(seed=1), directions=(0, 1), steps=5)
    assert len(render.render(RenderRequest(model=info.digest, op=walk)).images) == 10


def test_it_cannot_be_searched_and_says_so(put: Callable[..., Path]) -> None:
    bring_in(recognise(put(dense())), "mine")
    request = RenderRequest(model=catalog.find("mine").digest, op=Invert(image="blob:" + "0" * 64))
    with pytest.raises(UserError, match="no gradient"):
        render.render(request)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        ("chw", (-1, 3, 8, 8)),
        ("hwc", (-1, 8, 8, 3)),
        ("hw", (-1, 8, 8)),
        ("flat", (-1, 64)),
        ("flat", (-1, 192)),
    ],
)
def test_any_order_of_dimensions(layout: str, shape: tuple[int, ...], put: Callable[..., Path]) -> None:
    assert looked_at(put(dense(shape=shape))).layout == layout
    found = recognise(put(dense(shape=shape)))
    channels = 3 if np.prod(shape[1:]) == 192 else 1
    assert found.model.sample_shape == (channels, 8, 8)
    z = prior([5], DIM)
    flat = np.tanh(z.numpy() @ weights(DIM, 64 * channels) + weights(64 * channels))[0]
    expected = flat.reshape(8, 8, 3).transpose(2, 0, 1) if layout == "hwc" else flat.reshape(channels, 8, 8)
    np.testing.assert_allclose(found.model.decode(z)[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("last", "low", "high"), [("Tanh", -1, 1), ("Sigmoid", 0, 1)])
def test_the_range_of_values_is_read_from_samples(
    last: str, low: float, high: float, put: Callable[..., Path]
) -> None:
    found = recognise(put(dense(last)))
    assert (found.config.low, found.config.high) == (low, high)
    given = recognise(put(dense(last), {"range": [-2, 2]}))
    assert (given.config.low, given.config.high) == (-2, 2)
    assert isinstance(given.model, OnnxDecoder)
    raw = given.model.raw(prior([1], DIM))
    torch.testing.assert_close(given.model.decode(prior([1], DIM)), raw / 2)


@pytest.mark.parametrize("kind", ["uniform", "sphere"])
def test_other_priors_are_reached_from_the_normal_one(kind: str, put: Callable[..., Path]) -> None:
    found = recognise(put(dense(), {"prior": kind}))
    z = prior(range(4), DIM)
    mapped = (
        torch.special.ndtr(z) * 2 - 1 if kind == "uniform" else z / z.norm(dim=1, keepdim=True) * DIM**0.5
    )
    expected = np.tanh(mapped.numpy() @ weights(DIM, SIDE**2) + weights(SIDE**2)).reshape(4, 1, SIDE, SIDE)
    np.testing.assert_allclose(found.model.decode(z).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_filled_up(batch: int, put: Callable[..., Path]) -> None:
    fixed = recognise(put(dense(shape=(batch, 1, SIDE, SIDE), batch=batch)))
    assert looked_at(put(dense(shape=(batch, 1, SIDE, SIDE), batch=batch))).batch == batch
    free = recognise(put(dense()))
    z = prior(range(7), DIM)
    torch.testing.assert_close(fixed.model.decode(z), free.model.decode(z), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["index", "one-hot"])
def test_labels_are_taken_either_way(kind: str, put: Callable[..., Path]) -> None:
    inputs = {
        "z": (FLOAT, ("batch", DIM)),
        "y": (INT, ("batch",)) if kind == "index" else (FLOAT, ("batch", 3)),
    }
    constants = {"A": weights(DIM, 64), "E": weights(3, 64), "to": np.array([-1, 1, 8, 8])}
    embed = "Gather" if kind == "index" else "MatMul"
    nodes = [
        helper.make_node("MatMul", ["z", "A"], ["h"]),
        helper.make_node(embed, ["E", "y"] if kind == "index" else ["y", "E"], ["e"]),
        helper.make_node("Add", ["h", "e"], ["s"]),
        helper.make_node("Tanh", ["s"], ["t"]),
        helper.make_node("Reshape", ["t", "to"], ["image"]),
    ]
    folder = put(model_of(nodes, constants, inputs), {"labels": ["cat", "dog", "owl"]})
    found = recognise(folder)
    assert looked_at(folder).label == kind and found.config.labels == ("cat", "dog", "owl")
    z, y = prior(range(3), DIM), torch.arange(3)
    expected = np.tanh(z.numpy() @ weights(DIM, 64) + weights(3, 64)).reshape(3, 1, 8, 8)
    np.testing.assert_allclose(found.model.decode(z, y).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(found.model.first_layer().numpy(), weights(DIM, 64).T, atol=1e-6)
    with pytest.raises(ValueError, match="needs labels"):
        found.model.decode(z)


def test_a_latent_of_four_dimensions_and_its_first_layer(put: Callable[..., Path]) -> None:
    constants = {"W": weights(DIM, 1, 8, 8)}
    nodes = [
        helper.make_node("ConvTranspose", ["z", "W"], ["h"]),
        helper.make_node("Tanh", ["h"], ["image"]),
    ]
    found = recognise(put(model_of(nodes, constants, {"z": (FLOAT, ("batch", DIM, 1, 1))})))
    assert found.config.latent_rank == 4
    np.testing.assert_allclose(found.model.first_layer().numpy(), weights(DIM, 64).T)


def test_without_an_affine_first_layer_the_jacobian_is_taken(put: Callable[..., Path]) -> None:
    constants = {"A": weights(DIM, 64), "to": np.array([-1, 1, 8, 8])}
    nodes = [
        helper.make_node("Tanh", ["z"], ["t"]),
        helper.make_node("MatMul", ["t", "A"], ["h"]),
        helper.make_node("Reshape", ["h", "to"], ["image"]),
    ]
    found = recognise(put(model_of(nodes, constants, {"z": (FLOAT, ("batch", DIM))}), {"range": [-1, 1]}))
    expected = weights(DIM, 64).T * np.tanh(0.1) / 0.1
    np.testing.assert_allclose(found.model.first_layer().numpy(), expected, atol=1e-4)
    assert len(DIRECTIONS["sefa"](found.model).vectors) == DIM


def test_weights_beside_the_file_are_taken_in(put: Callable[..., Path]) -> None:
    folder = put(dense())
    model = onnx.load(folder / "decoder.onnx")
    onnx.save(model, folder / "decoder.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (folder / "w.bin").is_file()
    made = bring_in(recognise(folder), "mine")
    assert sorted(path.name for path in made.iterdir()) == [
        "card.json",
        "config.json",
        "model.onnx",
        "sheet.png",
    ]
    (folder / "w.bin").unlink()
    assert isinstance(checkpoints.load(made), LatentModel)
    with pytest.raises(UserError, match=r"'w\.bin', which is not there"):
        recognise(folder)


def test_weights_outside_the_folder_are_refused(put: Callable[..., Path], tmp_path: Path) -> None:
    folder = put(dense())
    onnx.save(onnx.load(folder / "decoder.onnx"), folder / "decoder.onnx", save_as_external_data=True,
              location="w.bin", size_threshold=0)  # fmt: skip
    model = onnx.load(folder / "decoder.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret.bin"
    (tmp_path / "secret.bin").write_bytes((folder / "w.bin").read_bytes())
    (folder / "decoder.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="outside its folder"):
        recognise(folder)
    (folder / "w.bin").unlink()
    (folder / "w.bin").symlink_to(tmp_path / "secret.bin")
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "w.bin"
    (folder / "decoder.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="outside its folder"):
        recognise(folder)


def custom() -> Any:
    nodes = [helper.make_node("Magic", ["z"], ["image"], domain="evil.example")]
    return model_of(nodes, {}, {"z": (FLOAT, ("batch", DIM))}, domains=["evil.example"])


def three_inputs() -> Any:
    nodes = [helper.make_node("Sum", ["z", "a", "b"], ["image"])]
    return model_of(nodes, {}, {name: (FLOAT, ("batch", DIM)) for name in ("z", "a", "b")})


def no_picture() -> Any:
    return model_of(
        [helper.make_node("Tanh", ["z"], ["image"])], {}, {"z": (FLOAT, ("batch", 5))}, ("batch", 5)
    )


def unnamed_dim() -> Any:
    return model_of(
        [helper.make_node("Tanh", ["z"], ["image"])], {}, {"z": (FLOAT, ("batch", "dim"))}, ("b", "d")
    )


def not_a_number() -> Any:
    constants = {"A": np.full((DIM, 64), np.nan, np.float32), "to": np.array([-1, 1, 8, 8])}
    nodes = [
        helper.make_node("MatMul", ["z", "A"], ["h"]),
        helper.make_node("Reshape", ["h", "to"], ["image"]),
    ]
    return model_of(nodes, constants, {"z": (FLOAT, ("batch", DIM))})


@pytest.mark.parametrize(
    ("model", "description", "message"),
    [
        (custom, None, "not of the ONNX standard: evil.example.Magic"),
        (three_inputs, None, "A decoder takes latents"),
        (no_picture, None, "not square pictures"),
        (unnamed_dim, None, "how many dimensions"),
        (not_a_number, None, "no numbers"),
        (dense, {"latent_dim": 7}, "says 7"),
        (dense, {"labels": 3}, "has one input only"),
        (dense, {"latnt_dim": 6}, "Did you mean 'latent_dim'"),
        (dense, {"prior": "cauchy"}, "not valid in 'prior'"),
        (dense, {"range": [1, 0]}, "must be below"),
        (dense, "{", "cannot be read"),
        (dense, "[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_decoder_is_explained(
    model: Callable[[], Any], description: object, message: str, put: Callable[..., Path]
) -> None:
    with pytest.raises(UserError, match=message):
        recognise(put(model(), description))


@pytest.mark.parametrize("content", [b"", b"not an onnx file at all", b"\x08\x08\x12\x02hi"])
def test_what_is_no_onnx_file_is_explained(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(UserError, match="not an ONNX file, or damaged"):
        recognise(tmp_path / "x.onnx")


def test_folders_without_a_file_or_with_two(tmp_path: Path, put: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="nothing at"):
        recognise(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no ONNX file and no state dict"):
        recognise(tmp_path / "empty")
    put(dense(), name="a.onnx")
    with pytest.raises(UserError, match="2 decoders"):
        recognise(put(dense(), name="b.onnx"))


def test_two_gigabytes_are_too_much(tmp_path: Path) -> None:
    with (tmp_path / "x.onnx").open("wb") as file:
        file.truncate(2 * 2**30)
    with pytest.raises(UserError, match="2,048 MB"):
        recognise(tmp_path / "x.onnx")


def test_a_name_that_is_taken_or_impossible(put: Callable[..., Path]) -> None:
    found = recognise(put(dense()))
    bring_in(found, "mine")
    for name in ("mine", "fashion-gan"):
        with pytest.raises(UserError, match="already"):
            bring_in(found, name)
    with pytest.raises(UserError, match="cannot be the name of a model"):
        bring_in(found, "../mine")


def test_a_file_that_was_changed_is_refused(put: Callable[..., Path]) -> None:
    folder = bring_in(recognise(put(dense())), "mine")
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(UserError, match="changed or replaced"):
        checkpoints.load(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(UserError, match=r"no model\.onnx"):
        checkpoints.load(folder)


def test_what_cannot_be_exported(
    put: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_in(recognise(put(dense())), "mine")
    with pytest.raises(UserError, match="imported from an ONNX file"):
        export_onnx(catalog.find("mine"), tmp_path / "x.onnx")
    with pytest.raises(UserError, match="makes no images"):
        export_onnx(catalog.find("fashion-classifier"), tmp_path / "x.onnx")
    monkeypatch.setattr(exporting, "_exported", lambda model, info: dense().SerializeToString())
    monkeypatch.setattr(exporting, "_difference", lambda model, content: 0.1)
    with pytest.raises(UserError, match=r"differ from the model's by 0\.1"):
        export_onnx(catalog.find("digits-vae"), tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_an_ending_in_capitals(put: Callable[..., Path]) -> None:
    folder = put(dense(), name="DECODER.ONNX")
    assert recognise(folder).findings == recognise(folder / "DECODER.ONNX").findings


def test_without_the_packages(monkeypatch: pytest.MonkeyPatch, put: Callable[..., Path]) -> None:
    folder = put(dense())
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(UserError, match=r"pip install 'latent-explorer\[export\]'"):
        recognise(folder)


def test_the_digest_of_an_imported_model_lasts() -> None:
    record = CheckpointConfig(id="mine", model={}, dataset="", weights_sha256="0" * 64)
    model = OnnxConfig(size=16, channels=3, latent_dim=8, low=0.0, batch=0)
    # Of 64 zeros, a space and {"size":16,"channels":3,"latent_dim":8,"low":0.0}: no field that may come or go.
    digest = "2135063a1fa114d103c47f3e43c324299da257a010e51d7ae21ad661397e326d"
    assert catalog.ModelInfo(Path(), record, model, Card()).digest == digest


def test_what_is_said_of_a_decoder_is_part_of_its_digest(put: Callable[..., Path]) -> None:
    bring_in(recognise(put(dense())), "one")
    bring_in(recognise(put(dense(), {"range": [-2, 2]})), "other")
    one, other = catalog.find("one"), catalog.find("other")
    assert one.config.weights_sha256 == other.config.weights_sha256 and one.digest != other.digest
    shown = [
        render.render(RenderRequest(model=info.digest, op=Sample(count=2))).images for info in (one, other)
    ]
    assert (shown[0] != shown[1]).any()


def test_an_imported_decoder_is_evaluated(put: Callable[..., Path]) -> None:
    found = recognise(put(dense(shape=(-1, 1, 16, 16))))
    measured = evaluate(found.model, load("digits", "test"), metrics=["sharpness"], n=50)
    assert measured["sharpness_ratio"] > 0


def test_a_checkpoint_whose_file_wants_others_is_refused(put: Callable[..., Path]) -> None:
    folder = put(dense())
    onnx.save(onnx.load(folder / "decoder.onnx"), folder / "decoder.onnx", save_as_external_data=True,
              location="w.bin", size_threshold=0)  # fmt: skip
    with pytest.raises(UserError, match="from other files"):
        onnx_files.parse("x", (folder / "decoder.onnx").read_bytes())


def test_many_labels_and_large_batches_are_refused(put: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="labels"):
        recognise(put(dense(), {"labels": 10**12}))
    with pytest.raises(UserError, match="2,000,000 pictures at once"):
        recognise(put(dense(batch=2_000_000, shape=(2_000_000, 1, SIDE, SIDE)), {}))
