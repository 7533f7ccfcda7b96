"""The user's own checkpoints: renamed, deleted, packed up, taken in; and zips that mean no good."""

import io
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from models import catalog, library
from models.catalog import ModelInfo
from models.errors import UserError


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("EXPLORER_MODELS_DIR", str(folder))
    return folder


@pytest.fixture
def mine(own_models: Path) -> ModelInfo:
    shutil.copytree(catalog.find("digits-vae").path, own_models / "mine")
    return catalog.find("mine")


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def archive_list(content: bytes | bytearray) -> int:
    """Where the list of a zip's files begins."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.start_dir


def files_of(name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in catalog.find(name).path.iterdir()}


def test_a_model_gets_another_name(mine: ModelInfo) -> None:
    assert library.rename(mine, "yours").digest == mine.digest
    assert [info.id for info in catalog.models() if not info.shipped] == ["yours"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "digits-vae", ".hidden", "x" * 101])
def test_names_that_cannot_be(name: str, mine: ModelInfo) -> None:
    with pytest.raises(UserError, match=r"cannot be the name|already"):
        library.rename(mine, name)
    assert catalog.find("mine").path == mine.path


def test_a_model_is_deleted(mine: ModelInfo, own_models: Path) -> None:
    library.delete(mine)
    assert list(own_models.iterdir()) == []


def test_shipped_models_stay_as_they_are() -> None:
    shipped = catalog.find("digits-vae")
    with pytest.raises(UserError, match="not one of your own"):
        library.delete(shipped)
    with pytest.raises(UserError, match="not one of your own"):
        library.rename(shipped, "mine")
    assert catalog.find("digits-vae").path.is_dir()


def test_out_as_a_zip_and_in_again(own_models: Path) -> None:
    shipped = catalog.find("digits-vae")
    again = library.unpack(library.pack(shipped), "again")
    assert (
        again.digest == shipped.digest and again.card == shipped.card and again.path == own_models / "again"
    )
    assert {**files_of("again"), "config.json": b""} == {**files_of("digits-vae"), "config.json": b""}
    with pytest.raises(UserError, match="'again' already"):
        library.unpack(library.pack(shipped), "again")
    with pytest.raises(UserError, match="'digits-vae' already"):
        library.unpack(library.pack(shipped))


def test_a_name_survives_packing(mine: ModelInfo, own_models: Path) -> None:
    library.delete(library.unpack(library.pack(mine), "copied"))
    renamed = library.rename(mine, "yours")
    assert catalog.read(renamed.path).id == "yours"
    packed = library.pack(renamed)
    library.delete(renamed)
    assert library.unpack(packed).path == own_models / "yours"
    assert catalog.read(library.take_in("yours", "theirs").path).id == "theirs"


def test_a_folder_that_was_moved_by_hand_is_packed_under_its_name(mine: ModelInfo) -> None:
    assert catalog.read(mine.path).id == "digits-vae"
    packed = library.pack(mine)
    library.delete(mine)
    assert library.unpack(packed).id == "mine"


def test_files_may_lie_at_the_top_and_others_are_left_out(own_models: Path) -> None:
    made = library.unpack(zipped({**files_of("digits-vae"), "evil.py": b"x", "notes/x.txt": b"x"}), "flat")
    assert sorted(path.name for path in made.path.iterdir()) == sorted(files_of("digits-vae"))
    assert [path.name for path in own_models.iterdir()] == ["flat"]


def test_a_folder_is_taken_in(tmp_path: Path) -> None:
    shutil.copytree(catalog.find("digits-gan").path, tmp_path / "elsewhere")
    assert library.take_in(str(tmp_path / "elsewhere"), "taken").family == "gan"
    with pytest.raises(UserError, match="no checkpoint in"):
        library.take_in(str(tmp_path / "nowhere"))
    (tmp_path / "elsewhere" / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no model\.safetensors"):
        library.take_in(str(tmp_path / "elsewhere"), "half")


@pytest.mark.parametrize(
    "place", ["../x/config.json", "/etc/config.json", "a/../../config.json", "C:\\x\\config.json", "..\\x"]
)
def test_paths_out_of_the_folder_are_refused(place: str, own_models: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="outside its folder"):
        library.unpack(zipped({**files_of("digits-vae"), place: b"x"}), "mine")
    assert not own_models.exists() and not (tmp_path / "x").exists()


def test_links_are_refused(own_models: Path) -> None:
    buffer = io.BytesIO(zipped(files_of("digits-vae")))
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo("sheet-link.png")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(UserError, match="outside its folder"):
        library.unpack(buffer.getvalue(), "mine")
    assert not own_models.exists()


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "LARGEST", 10_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b"0" * 1_000_000)
    assert len(buffer.getvalue()) < 10_000
    with pytest.raises(UserError, match="unpacked"):
        library.unpack(buffer.getvalue())
    with pytest.raises(UserError, match="more than 64 files"):
        library.unpack(zipped({f"{number}.txt": b"" for number in range(65)}))


def test_a_zip_that_lies_about_its_size_is_refused() -> None:
    size = (50_000).to_bytes(4, "little")
    lying = zipped({"config.json": b"0" * 50_000}).replace(size, (50).to_bytes(4, "little"))
    with pytest.raises(UserError, match="damaged"):
        library.unpack(lying)


def test_a_damaged_compressed_zip_is_explained() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(range(256)) * 50)
    content = bytearray(buffer.getvalue())
    content[60:80] = b"\xff" * 20
    with pytest.raises(UserError, match="damaged"):
        library.unpack(bytes(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no zip file"),
        (b"PK\x03\x04 broken", "no zip file"),
        (zipped({"readme.txt": b"x"}), "no checkpoint in this zip"),
        (zipped({"a/config.json": b"{}", "b/config.json": b"{}"}), "2 checkpoints"),
        (zipped({"a/config.json": b"{"}), "cannot be read"),
        (
            zipped({"config.json": b'{"id": "x", "model": {"family": "vea"}, "dataset": ""}'}),
            "names no digest",
        ),
    ],
)
def test_what_is_no_checkpoint_is_explained(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        library.unpack(content)


def test_a_zip_that_is_packed_in_an_unknown_way_is_explained() -> None:
    content = zipped({"config.json": b"{}"}).replace(
        b"PK\x03\x04\x14\x00\x00\x00\x00\x00", b"PK\x03\x04\x14\x00\x00\x00\x62\x00"
    )
    content = content.replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x62\x00"
    )
    with pytest.raises(UserError, match="packed in an unknown way"):
        library.unpack(content)


def test_a_zip_with_a_password_is_explained() -> None:
    content = bytearray(zipped(files_of("digits-vae")))
    content[archive_list(content) + 8] |= 1  # the first entry is encrypted, says the list
    with pytest.raises(UserError, match="locked with a password") as caught:
        library.unpack(bytes(content), "mine")
    assert caught.value.code == "locked-zip" and "without one" in caught.value.remedy


def test_weights_that_are_not_those_of_the_config_are_noticed(tmp_path: Path) -> None:
    files = {**files_of("digits-vae"), "model.safetensors": files_of("digits-gan")["model.safetensors"]}
    with pytest.raises(UserError, match="not the ones its config names"):
        library.unpack(zipped(files), "mixed")


def test_damaged_weights_in_a_zip_are_noticed() -> None:
    content = bytearray(library.pack(catalog.find("digits-vae")))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(UserError, match="damaged"):
        library.unpack(bytes(content), "mine")
