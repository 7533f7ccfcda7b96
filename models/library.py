"""The user's own checkpoints as things to keep: rename, delete, pack up, take in. Shipped ones stay as they are.

Torch-free. A checkpoint comes in as a folder on this machine, from the Hub, or as a zip of its files.
"""

import hashlib
import io
import itertools
import lzma
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from models import catalog, hub, paths
from models.catalog import CONFIG, ModelInfo
from models.disk import replacing
from models.errors import UserError, reason, write_error
from models.foreign import folders

LARGEST = 512 * 2**20  # bytes of an unpacked checkpoint
_FILES = frozenset(hub.FILES)
_MOST = 64  # entries of a zip
# What zipfile raises for a file that is damaged; RuntimeError: it has a password, or is packed in an unknown way.
_DAMAGED = (zipfile.BadZipFile, RuntimeError, EOFError, zlib.error, lzma.LZMAError)


def rename(info: ModelInfo, name: str) -> ModelInfo:
    """Give one of the user's models another id; returns it under the new one.

    Raises:
        UserError: It is shipped, or the id is taken or not possible.
    """
    _own(info)
    target = free(name)
    try:
        with replacing(info.path / CONFIG) as temporary:
            temporary.write_text(_config(info, name))
        info.path.rename(target)
    except OSError as error:
        raise write_error(target, error) from error
    return catalog.find(name)


def free(name: str) -> Path:
    """Return where a new model of the user's goes; raises UserError if its id is taken or not possible."""
    if not re.fullmatch(catalog.ID, name) or len(name) > 100:
        problem = f"'{name}' cannot be the name of a model."
        raise UserError("bad-name", problem, "Use letters, digits, dots, dashes and underscores.")
    root = paths.user_models()
    if any((folder / name).exists() for folder in (paths.shipped_checkpoints(), root)):
        raise UserError("id-in-use", f"There is a model '{name}' already.", "Choose another name.")
    return root / name


def unused(name: str) -> str:
    """Return a name, or the first of name-2, name-3 and so on that no model has."""
    taken = {info.id for info in catalog.models()}
    return next(
        n for n in itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2))) if n not in taken
    )


def delete(info: ModelInfo) -> None:
    """Delete one of the user's models for good; raises UserError if it is shipped or cannot be deleted."""
    _own(info)
    try:
        # Moved away first: a reader sees the whole of it or nothing.
        with tempfile.TemporaryDirectory(prefix=".deleted-", dir=info.path.parent) as folder:
            info.path.rename(Path(folder) / info.path.name)
    except OSError as error:
        raise write_error(info.path, error) from error


def pack(info: ModelInfo) -> bytes:
    """Return a checkpoint as a zip with one folder, which `unpack` takes in again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # weights hardly become smaller
        for path in sorted(info.path.iterdir()):
            if path.name in _FILES - {CONFIG} and path.is_file():
                archive.write(path, f"{info.id}/{path.name}")
        archive.writestr(f"{info.id}/{CONFIG}", _config(info, info.id))
    return buffer.getvalue()


def take_in(where: str, name: str = "") -> ModelInfo:
    """Copy a checkpoint into the user's models.

    Args:
        where: A folder, a zip as `pack` makes it, or `hf://owner/name[@revision]`.
        name: Its id; empty: the one that it has.

    Raises:
        UserError: There is no checkpoint, or its id is taken or not possible.
    """
    path = local(where)
    if path is None or not path.exists():
        info = catalog.find(where)
    elif is_zip(path):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _unreadable(where, error) from error
        return unpack(content, name)
    else:
        info = catalog.find(str(path))
    return _keep(info.path, name or info.id)


def local(where: str) -> Path | None:
    """Return the path that a person named, made absolute; None for a name on the Hub.

    Raises:
        UserError: One cannot look whether anything is there.
    """
    if where.startswith(hub.PREFIX):
        return None
    try:
        path = Path(where).expanduser().resolve()
        path.exists()
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no such user
        raise _unreadable(where, error) from error
    return path


def is_zip(path: Path) -> bool:
    """Tell whether a file is a zip, by its ending."""
    return path.suffix.lower() == ".zip"


def is_foreign(where: str) -> bool:
    """Tell whether something on this machine is no checkpoint, but may be a decoder that was made elsewhere."""
    path = local(where) if where else None
    if path is None or not path.exists() or is_zip(path):
        return False
    try:
        return path.is_file() or bool(folders.maker(path)) or not (path / CONFIG).is_file()
    except OSError as error:
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: Exception) -> UserError:
    return UserError("no-file", f"{where} cannot be read ({reason(error)}).", "Give another path.")


def unpack(content: bytes, name: str = "") -> ModelInfo:
    """Take a checkpoint in from a zip of its files, which may lie in one folder.

    Raises:
        UserError: It is no zip, a bomb, has files that belong elsewhere (`../`, links) or no checkpoint; or its id is
            taken or not possible.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _DAMAGED as error:
        raise UserError(
            "bad-zip", "This is no zip file, or a damaged one.", "Download or pack it again."
        ) from error
    with archive, tempfile.TemporaryDirectory() as folder:
        for entry in _wanted(archive):
            _extract(archive, entry, Path(folder) / PurePosixPath(entry.filename).name)
        if not (Path(folder) / CONFIG).is_file():
            problem = f"There is no checkpoint in this zip: it has no {CONFIG}."
            raise UserError("no-checkpoint", problem, "Pack the checkpoint's folder.")
        return _keep(Path(folder), name or catalog.read(Path(folder)).id)


def _wanted(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > _MOST or sum(entry.file_size for entry in entries) > LARGEST:
        problem = f"This zip holds more than {_MOST} files, or {LARGEST // 2**20} MB unpacked."
        raise UserError("too-large", problem, "Pack one checkpoint and nothing else.")
    for entry in entries:
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        linked = stat.S_ISLNK(entry.external_attr >> 16)
        if place.is_absolute() or ".." in place.parts or ":" in entry.filename or linked:
            problem = f"This zip wants to write outside its folder: '{entry.filename}'."
            raise UserError("outside-folder", problem, "Do not use it, unless you know who made it.")
    folders = {
        PurePosixPath(entry.filename).parent
        for entry in entries
        if PurePosixPath(entry.filename).name == CONFIG
    }
    if len(folders) > 1:
        raise UserError(
            "several", f"There are {len(folders)} checkpoints in this zip.", "Pack them one by one."
        )
    place = next(iter(folders), PurePosixPath())
    named = [(PurePosixPath(entry.filename), entry) for entry in entries]
    return [entry for path, entry in named if path.parent == place and path.name in _FILES]


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Unpack a file, of which no more comes out than the zip says that there is."""
    try:
        with archive.open(entry) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    except _DAMAGED as error:
        problem = f"'{entry.filename}' in this zip is damaged or locked."
        raise UserError("bad-zip", problem, "Pack the checkpoint again, without a password.") from error
    except OSError as error:
        raise write_error(target, error) from error


def _keep(folder: Path, name: str) -> ModelInfo:
    """Copy a checkpoint's files among the user's models, under a hidden name first."""
    info = catalog.read(folder)
    if not info.weights.is_file():
        raise UserError(
            "no-weights", f"'{info.id}' has no {info.weights.name}.", "Copy the whole checkpoint folder."
        )
    with info.weights.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != info.config.weights_sha256:
            problem = f"The weights of '{info.id}' are not the ones its config names."
            raise UserError("digest-mismatch", problem, "Copy the checkpoint again from where it came from.")
    target = free(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as temporary:
            made = Path(temporary) / name
            made.mkdir()
            for path in folder.iterdir():
                if path.name in _FILES and path.is_file():
                    shutil.copyfile(path, made / path.name)
            (made / CONFIG).write_text(_config(info, name))
            made.rename(target)
    except OSError as error:
        raise write_error(target, error) from error
    return catalog.find(name)


def _config(info: ModelInfo, name: str) -> str:
    """Return the text of a checkpoint's config with an id, which goes with it wherever it is copied."""
    return info.config.model_copy(update={"id": name}).model_dump_json(indent=2) + "\n"


def _own(info: ModelInfo) -> None:
    """Raise UserError for a model that is not in the folder of the user's models."""
    if info.shipped or info.path.parent.resolve() != paths.user_models().resolve():
        problem = f"'{info.id}' is not one of your own models."
        raise UserError("not-yours", problem, "Only models in your own folder can be changed.")
