"""The user's own checkpoints as things to keep: rename, delete, pack up, take in. Shipped ones stay as they are.

Torch-free. A checkpoint comes in as a folder on this machine, from the Hub, or as a zip of its files.
"""

import hashlib
import io
import itertools
import re
import shutil
import tempfile
import zipfile
from pathlib import Path

from models import archives, catalog, disk, hub, paths
from models.catalog import CARD, CONFIG, ModelInfo
from models.disk import discard, making, replacing
from models.errors import UserError, reason, write_error
from models.foreign import folders

LARGEST = 512 * 2**20  # bytes of an unpacked checkpoint
_FILES = frozenset(hub.FILES)
_MOST = 64  # files of a zip


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


def titled(info: ModelInfo, title: str) -> ModelInfo:
    """Give one of the user's models another title, which people see; raises UserError if that cannot be written."""
    _own(info)
    card = info.card.model_copy(update={"title": title})
    disk.write(info.path / CARD, card.model_dump_json(indent=2) + "\n")
    return catalog.find(info.id)


def delete(info: ModelInfo) -> None:
    """Delete one of the user's models for good; raises UserError if it is shipped or cannot be deleted."""
    _own(info)
    try:
        discard(info.path)
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
    with archives.opened(content) as archive, tempfile.TemporaryDirectory() as folder:
        for entry in _wanted(archive):
            _extract(archive, entry, Path(folder) / archives.place(entry)[-1])
        if not (Path(folder) / CONFIG).is_file():
            problem = f"There is no checkpoint in this zip: it has no {CONFIG}."
            raise UserError("no-checkpoint", problem, "Pack the checkpoint's folder.")
        return _keep(Path(folder), name or catalog.read(Path(folder)).id)


def _wanted(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archives.files(archive)
    archives.limit(entries, _MOST, LARGEST, "Pack one checkpoint and nothing else.")
    named = [(archives.place(entry), entry) for entry in entries]
    found = {path[:-1] for path, _ in named if path[-1] == CONFIG}
    if len(found) > 1:
        raise UserError(
            "several", f"There are {len(found)} checkpoints in this zip.", "Pack them one by one."
        )
    where = next(iter(found), ())
    return [entry for path, entry in named if path[:-1] == where and path[-1] in _FILES]


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Unpack a file, of which no more comes out than the zip says that there is."""
    try:
        with archives.reading(archive, entry) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
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
        with making(target) as made:
            for path in folder.iterdir():
                if path.name in _FILES and path.is_file():
                    shutil.copyfile(path, made / path.name)
            (made / CONFIG).write_text(_config(info, name))
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
