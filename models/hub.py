"""Checkpoint folders on the Hugging Face Hub, as they are on disk: nothing is converted. Torch-free.

    hf://owner/name                the newest state
    hf://owner/name@revision       a branch, a tag or a commit

What was fetched is kept in the cache folder and used where there is no network. Only the files of a checkpoint are
fetched, and weights load from safetensors (or ONNX) only, so nothing that somebody put there is run. A revision that
was named stands for what it was when it was first fetched: if its weights change, that is an error and no surprise.

HF_ENDPOINT names another hub; a token is taken from where `hf auth login` keeps it, or from HF_TOKEN.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from models import disk, paths
from models.errors import UserError, write_error

PREFIX = "hf://"
FILES = (
    "config.json",
    "card.json",
    "model.safetensors",
    "model.onnx",
    "sheet.png",
    "directions.npz",
    "README.md",
)
_NAME = re.compile(r"hf://(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})(?:@(?P<revision>[\w./-]{1,200}))?")
_PATIENCE = 10.0  # seconds to wait for an answer

# Those that the Hub knows by the same name; it refuses a page with another one.
_LICENCES = frozenset(
    {"mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0"}
)

_TRANSPORTS = ("httpx", "httpx2", "requests")  # packages that huggingface_hub talks with

T = TypeVar("T")


@dataclass(frozen=True)
class Address:
    """A repository of the Hub.

    Args:
        repository: `owner/name`.
        revision: A branch, a tag or a commit; empty: the newest state.
    """

    repository: str
    revision: str = ""

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")


def address(text: str) -> Address:
    """Read `hf://owner/name[@revision]`; raises UserError."""
    match = _NAME.fullmatch(text)
    if not match or ".." in text:
        problem = f"'{text}' is no name of a model on the Hub."
        raise UserError("bad-hub-name", problem, "Write hf://owner/name, or hf://owner/name@revision.")
    return Address(match["repo"], match["revision"] or "")


def fetch(where: Address) -> Path:
    """Return the folder of a checkpoint, fetched if it is not here or newer there.

    Raises:
        UserError: There is no such repository, revision or checkpoint in it, it is closed to you, there is no network
            and it was never fetched, or a revision that was named is not what it was.
    """
    try:
        folder = _snapshot(where, offline=False)
    except ConnectionError:
        try:
            folder = _snapshot(where, offline=True)
        except ConnectionError as error:
            problem = f"{where} is not on this machine, and the Hub cannot be reached."
            raise UserError("no-network", problem, "Try again with a network connection.") from error
    if not (folder / "config.json").is_file():
        problem = f"{where} is no checkpoint of Latent Explorer: it has no config.json."
        raise UserError("no-checkpoint", problem, "Check its name on the Hub.")
    _compare(where, folder)
    return folder


def pinned(where: Address, folder: Path) -> Address:
    """Return the name of what was fetched into a folder, by its commit, which stays what it is."""
    return Address(where.repository, folder.name)  # snapshots/<commit>


def save_pretrained(checkpoint: Path, folder: Path, where: str = f"{PREFIX}OWNER/NAME") -> Path:
    """Copy a checkpoint's files into a folder, with a `README.md` that the Hub shows; returns the folder.

    Args:
        checkpoint: Its folder.
        folder: Where to.
        where: What it will be called on the Hub, for the command in the `README.md`.

    Raises:
        UserError: There is no checkpoint, or the folder cannot be written.
    """
    config, card = _json(checkpoint / "config.json"), _json(checkpoint / "card.json")
    if not config.get("weights_sha256"):
        remedy = "Give a folder with config.json and its weights."
        raise UserError("no-checkpoint", f"There is no checkpoint in {checkpoint}.", remedy)
    title, description, licence = (str(card.get(name) or "") for name in ("title", "description", "licence"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if (checkpoint / name).is_file():
                shutil.copyfile(checkpoint / name, folder / name)
        text = _readme(title or str(config.get("id")), description, licence, where)
        (folder / "README.md").write_text(text)
    except OSError as error:
        raise write_error(folder, error) from error
    return folder


def knows_you() -> bool:
    """Tell whether there is a token, without which nothing can be pushed."""
    from huggingface_hub import get_token

    return bool(get_token())


def push_to_hub(checkpoint: Path, repository: str, *, private: bool = False, revision: str = "") -> Address:
    """Put a checkpoint on the Hub; its repository is made if there is none.

    Args:
        checkpoint: Its folder.
        repository: `owner/name`.
        private: Whether a repository that is made now is closed to others.
        revision: A branch that exists; empty: the main one.

    Returns:
        Where it is now, by its commit.

    Raises:
        UserError: It is not allowed, or there is no network.
    """
    where = address(f"{PREFIX}{repository}" + (f"@{revision}" if revision else ""))
    api = _api()
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(checkpoint, Path(folder), str(where))

        def push() -> Any:
            api.create_repo(where.repository, private=private, exist_ok=True)
            return api.upload_folder(
                repo_id=where.repository,
                folder_path=folder,
                revision=revision or None,
                commit_message="Add a checkpoint of Latent Explorer",
            )

        try:
            commit = _asked(where, push)
        except ConnectionError as error:
            raise UserError(
                "no-network", "The Hub cannot be reached.", "Try again with a network."
            ) from error
    return Address(where.repository, str(commit.oid))


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="latent-explorer")


def _folder() -> Path:
    return paths.cache() / "hub"


def _snapshot(where: Address, *, offline: bool) -> Path:
    """Fetch a snapshot, or find the one that was fetched; raises ConnectionError where neither can be done."""

    def fetch_it() -> str:
        return _api().snapshot_download(
            where.repository,
            revision=where.revision or None,
            cache_dir=_folder(),
            allow_patterns=list(FILES),
            etag_timeout=_PATIENCE,
            local_files_only=offline,
        )

    return Path(_asked(where, fetch_it))


def _asked(where: Address, ask: Callable[[], T]) -> T:
    """Ask the Hub; raises UserError for what it refuses, ConnectionError where it gives no answer."""
    from huggingface_hub import errors

    try:
        return ask()
    except errors.HFValidationError as error:
        problem = f"'{where}' is no name of a model on the Hub."
        raise UserError(
            "bad-hub-name", problem, "Write hf://owner/name, or hf://owner/name@revision."
        ) from error
    except errors.GatedRepoError as error:
        raise UserError(
            "closed", f"{where} asks for your consent first.", "Give it on the Hub's page."
        ) from error
    except errors.RevisionNotFoundError as error:
        problem = f"{where.repository} has no revision '{where.revision}'."
        raise UserError("no-revision", problem, "Look its revisions up on the Hub's page.") from error
    except errors.RepositoryNotFoundError as error:
        problem = f"There is no {where} on the Hub, or you may not see it."
        raise UserError("not-on-hub", problem, "Check the name, or log in: hf auth login.") from error
    except errors.LocalTokenNotFoundError as error:
        raise UserError("no-token", "The Hub does not know you.", "Log in: hf auth login.") from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        if status in (401, 403):
            problem = f"The Hub does not let you do this with {where} ({status})."
            raise UserError("not-allowed", problem, "Log in: hf auth login.") from error
        if 400 <= status < 500:
            raise UserError(
                "hub-refused", f"The Hub refused {where} ({status}).", "Check its name."
            ) from error
        raise ConnectionError from error
    except errors.LocalEntryNotFoundError as error:
        raise ConnectionError from error
    except OSError as error:
        if error.errno and not isinstance(error, ConnectionError):
            raise write_error(_folder(), error) from error
        raise ConnectionError from error
    except Exception as error:  # of the library that it talks with, which is not the same in all versions
        if type(error).__module__.partition(".")[0] not in _TRANSPORTS:
            raise
        raise ConnectionError from error


def _compare(where: Address, folder: Path) -> None:
    """Check that a revision that was named has the weights that it had before."""
    digest = _json(folder / "config.json").get("weights_sha256")
    if not where.revision or not digest:  # a checkpoint without one is refused when it is read
        return
    record = _folder() / "pins" / f"{hashlib.sha256(str(where).encode()).hexdigest()[:32]}.json"
    known = _recorded(record, where)
    if known is None:
        disk.write(record, json.dumps({"name": str(where), "weights_sha256": digest}, indent=2))
    elif known != digest:
        problem = f"{where} is not what it was when it was first fetched: its weights are others now."
        remedy = f"Name the commit that you mean, or accept the new one: delete {record}."
        raise UserError("revision-changed", problem, remedy)


def _recorded(record: Path, where: Address) -> str | None:
    """Return the digest of a revision's weights when it was first fetched; None if it was not."""
    try:
        return str(json.loads(record.read_text())["weights_sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        problem = (
            f"{record}, which says what {where} was when it was first fetched, cannot be read ({error})."
        )
        raise UserError("bad-record", problem, "Delete it to accept what the Hub has now.") from error


def _json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if there is none."""
    try:
        data: Any = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], data) if isinstance(data, dict) else {}


def _readme(title: str, description: str, licence: str, where: str) -> str:
    """Return what the Hub shows of a checkpoint: metadata, what it is, how to open it."""
    tag = re.sub(r"[^a-z0-9.-]+", "-", licence.lower())
    tag = tag if tag in _LICENCES else "other"
    return f"""---
license: {tag}
library_name: latent-explorer
tags: [latent-space, image-generation]
---

# {title}

{description}

    latent-explorer sample {where} -o samples.png
"""
