"""Data sets that are read from files: CIFAR-10's binary version, and MNIST stacked."""

import dataclasses
import gzip
import http.client
import io
import pickle
import ssl
import struct
import sys
import tarfile
import types
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch

from models import datasets
from models.datasets import DATASETS, Split, cifar
from models.errors import UserError

SMALL = dataclasses.replace(DATASETS["cifar10"], train=50, test=10)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where data sets are looked for; empty."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("EXPLORER_DATA_DIR", str(folder))
    monkeypatch.setattr("models.paths._DEBIAN_DATASETS", tmp_path / "none")
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)


def batch(number: int) -> bytes:
    """Return ten records: label i, and pixels that say which file and which record they are in."""
    records = np.zeros((10, 3073), np.uint8)
    records[:, 0] = np.arange(10)
    records[:, 1] = number
    records[:, 1 + 1024 + 33] = 7  # green, second row, second column
    return records.tobytes()


NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def write_plain(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES, 1):
        (folder / name).write_bytes(batch(number))


def write_archive(path: Path, **replaced: bytes) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for number, name in enumerate(NAMES, 1):
            content = replaced.get(name.partition(".")[0], batch(number))
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)


def check(split: Split) -> None:
    images, labels, factors = cifar.cifar10(SMALL, split)
    count = 50 if split == "train" else 10
    assert images.shape == (count, 3, 32, 32) and images.dtype == torch.uint8 and factors is None
    assert labels.tolist() == [*range(10)] * (count // 10)
    assert (images[:, 1, 1, 1] == 7).all() and images[:, 0, 0, 0].tolist()[::10] == (
        [1, 2, 3, 4, 5] if split == "train" else [6]
    )


@pytest.mark.parametrize("folder", DATASETS["cifar10"].folders)
def test_cifar_is_read_from_its_folder(data: Path, folder: str) -> None:
    assert not datasets.available("cifar10")
    write_plain(data / folder)
    assert datasets.available("cifar10")
    check("train")
    check("test")


def test_cifar_is_read_out_of_its_archive_and_nothing_is_written(data: Path) -> None:
    write_archive(data / "cifar-10-binary.tar.gz")
    assert datasets.available("cifar10")
    check("train")
    check("test")
    assert [path.name for path in data.iterdir()] == ["cifar-10-binary.tar.gz"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda root: (root / "test_batch.bin").write_bytes(batch(6)[:-1]),
        lambda root: (root / "test_batch.bin").write_bytes(batch(6)[:3073]),
        lambda root: (root / "test_batch.bin").write_bytes(b"\x0b" + batch(6)[1:]),
        lambda root: (root / "test_batch.bin").write_bytes(bytes(31_000_000)),
        lambda root: (root / "test_batch.bin").write_bytes(b""),
    ],
)
def test_damaged_files_are_named(data: Path, damage) -> None:
    root = data / "cifar-10-batches-bin"
    write_plain(root)
    damage(root)
    with pytest.raises(UserError, match="cannot be read") as caught:
        cifar.cifar10(SMALL, "test")
    assert caught.value.code == "bad-data" and "Delete them" in caught.value.remedy


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no archive")],
    ids=["empty", "no archive", "no tar inside"],
)
def test_a_damaged_archive_is_named(data: Path, content: bytes) -> None:
    (data / "cifar-10-binary.tar.gz").write_bytes(content)
    with pytest.raises(UserError, match="cannot be read"):
        cifar.cifar10(SMALL, "train")
    write_archive(data / "cifar-10-binary.tar.gz")
    whole = (data / "cifar-10-binary.tar.gz").read_bytes()
    (data / "cifar-10-binary.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot be read"):
        cifar.cifar10(SMALL, "train")


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/explorer-was-run"),))


@pytest.mark.usefixtures("offline")
def test_pickles_are_never_opened(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "cifar-10-batches-py").mkdir()
    (data / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps(Trap()))
    monkeypatch.setattr(pickle, "load", None)
    with pytest.raises(UserError) as caught:
        datasets.load("cifar10")
    assert caught.value.code == "no-data" and "holds pickles" in caught.value.remedy
    assert not Path("/tmp/explorer-was-run").exists()


@pytest.mark.usefixtures("offline")
def test_without_a_network_it_says_what_to_do(data: Path) -> None:
    with pytest.raises(UserError, match="could not be downloaded") as caught:
        datasets.load("cifar10")
    assert "no route to host" in caught.value.problem
    assert "cifar-10-binary.tar.gz" in caught.value.remedy and str(data) in caught.value.remedy
    assert list(data.iterdir()) == []


class Response(io.BytesIO):
    headers: dict[str, str] = {}  # noqa: RUF012


def test_a_download_counts_only_with_its_checksum(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    write_archive(tmp_path / "sent")
    sent = (tmp_path / "sent").read_bytes()
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Response(sent))
    with pytest.raises(UserError, match="another checksum"):
        cifar.cifar10(SMALL, "train")
    assert list(data.iterdir()) == []
    monkeypatch.setattr(cifar, "_MD5", hashlib.md5(sent).hexdigest())
    check("train")
    assert [path.name for path in data.iterdir()] == ["cifar-10-binary.tar.gz"]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (http.client.IncompleteRead(b""), "IncompleteRead"),
        (ssl.SSLError(1, "record layer failure"), "record layer failure"),
        (TimeoutError(), "no answer"),
    ],
)
def test_a_connection_that_breaks_is_no_matter_of_the_disk(
    failure: Exception, reason: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Response):
        def read(self, size: int | None = -1) -> bytes:
            raise failure

    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Broken())
    with pytest.raises(UserError, match="could not be downloaded") as caught:
        cifar.cifar10(SMALL, "train")
    assert caught.value.code == "no-data" and reason in caught.value.problem
    assert list(data.iterdir()) == []


def test_a_connection_that_breaks_is_explained_for_mnist_as_well(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(root: str, download: bool) -> None:
        raise http.client.IncompleteRead(b"")

    fake = types.SimpleNamespace(datasets=types.SimpleNamespace(MNIST=broken))
    monkeypatch.setitem(sys.modules, "torchvision", fake)
    with pytest.raises(UserError, match="could not be downloaded"):
        datasets.load("mnist")


# Stacked MNIST ---------------------------------------------------------------------------------------------


def write_mnist(folder: Path, count: int = 30) -> None:
    folder.mkdir()
    for stem in ("train", "t10k"):
        pixels = np.zeros((count, 28, 28), np.uint8)
        pixels[:] = np.arange(count, dtype=np.uint8)[:, None, None] % 10 + 1
        header = struct.pack(">HBBIII", 0, 8, 3, count, 28, 28)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = bytes(i % 10 for i in range(count))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, count) + labels)


def test_stacked_digits_are_three_random_ones(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not datasets.available("stacked_mnist")
    write_mnist(data / "mnist")
    assert datasets.available("stacked_mnist")
    info = dataclasses.replace(DATASETS["stacked_mnist"], train=5000, test=500)
    monkeypatch.setitem(DATASETS._entries, "stacked_mnist", info)
    train, test = datasets.load("stacked_mnist"), datasets.load("stacked_mnist", "test")
    assert train.images.shape == (5000, 3, 32, 32) and len(test) == 500
    assert train.factors is not None and test.factors is not None
    assert torch.equal(train.images[:, :, 16, 16].float(), train.factors + 1), "the factors are what is shown"
    modes = (train.factors @ torch.tensor([100.0, 10, 1])).long()
    assert len(modes.unique()) > 950
    assert torch.equal(datasets.load("stacked_mnist").images, train.images)
    assert not torch.equal(train.factors[:500], test.factors)


def test_without_mnist_there_is_no_stack(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, torchvision_name: str) -> None:
        raise UserError("no-data", f"No '{name}'.", "Put it somewhere.")

    monkeypatch.setattr("models.datasets.standard._download", unreachable)
    with pytest.raises(UserError, match="No 'mnist'"):
        datasets.load("stacked_mnist")
