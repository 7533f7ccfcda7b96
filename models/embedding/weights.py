"""Weights of a model that still trains, kept for a map of them: the training replaces its own every few seconds.

Torch-free.
"""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from models import catalog
from models.catalog import CARD, CONFIG, ModelInfo
from models.disk import discard, making
from models.embedding import library
from models.errors import UserError, write_error

_MOST = 8  # kept; the oldest ones go


def folder() -> Path:
    """Return the folder of what is kept."""
    return library.folder() / "weights"


def keep(info: ModelInfo) -> None:
    """Keep the weights of a run as they are; nothing is done for a model that nothing replaces.

    Raises:
        UserError: They were replaced meanwhile ("stale-model"), or cannot be written.
    """
    if not info.run or kept(info.digest):
        return
    try:
        content = info.weights.read_bytes()
        parts = {
            name: (info.path / name).read_bytes() for name in (CONFIG, CARD) if (info.path / name).is_file()
        }
    except OSError:
        content, parts = b"", {}
    if hashlib.sha256(content).hexdigest() != info.config.weights_sha256:
        problem = "The training has replaced these weights already."
        raise UserError("stale-model", problem, "Ask again for the newest ones.")
    try:
        with making(folder() / info.digest) as made:
            for name, data in {**parts, info.weights.name: content}.items():
                (made / name).write_bytes(data)
    except OSError as error:
        if not kept(info.digest):  # by somebody else, just now
            raise write_error(folder(), error) from error
    _forget_oldest()


def kept(digest: str, name: str = "") -> ModelInfo | None:
    """Return a model as it was kept, None if it was not.

    Args:
        digest: Of its weights.
        name: The id that it is to have; empty: its own.
    """
    try:
        info = catalog.read(folder() / digest)
    except UserError:
        return None
    if info.digest != digest:
        return None
    config = info.config.model_copy(update={"id": name}) if name else info.config
    return replace(info, config=config, run=True)


def find(digest: str) -> ModelInfo:
    """Return the model of a digest, from the catalog or as it was kept; raises UserError if there is none."""
    return kept(digest) or catalog.find(digest)


def _forget_oldest() -> None:
    there = [path for path in folder().iterdir() if not path.name.startswith(".")]
    for path in sorted(there, key=lambda path: path.stat().st_mtime_ns)[:-_MOST]:
        try:
            discard(path)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
