"""The Hub, played by a local server over a folder: no network."""

import base64
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import pytest

from models import catalog, checkpoints, hub, render
from models.errors import UserError
from models.requests import RenderRequest, Sample
from models.training import session


class FolderHub(BaseHTTPRequestHandler):
    """As much of the Hub's protocol as fetching and pushing need: a folder for each commit of each repository."""

    root: ClassVar[Path]
    refuse: ClassVar[int] = 0

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _send(self, status: int, body: bytes = b"", *, head: bool = False, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def _error(self, code: str, status: int = 404) -> None:
        self._send(status, X_Error_Code=code, head=self.command == "HEAD")

    def _commit(self, repository: Path, revision: str) -> Path | None:
        """Return the folder of a revision: a commit's name, or a file with one."""
        named = repository / "refs" / revision
        commit = named.read_text() if named.is_file() else revision
        folder = repository / "commits" / commit
        return folder if folder.is_dir() else None

    def _answer(self, head: bool) -> None:
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = path[:2] == ["api", "models"]
        owner, name = path[2:4] if api else path[:2]
        repository = self.root / owner / name
        if self.refuse:
            return self._error("", self.refuse)
        if not repository.is_dir():
            return self._error("RepoNotFound", 401)
        revision = (path[5] if len(path) > 5 else "main") if api else path[3]
        folder = self._commit(repository, revision)
        if folder is None:
            return self._error("RevisionNotFound")
        files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        if api and path[4:5] == ["tree"]:
            listing = [self._entry(folder, file) for file in files]
            return self._send(200, json.dumps(listing).encode(), Content_Type="application/json")
        if api:
            said = {
                "id": f"{owner}/{name}",
                "sha": folder.name,
                "siblings": [{"rfilename": f} for f in files],
            }
            return self._send(200, json.dumps(said).encode(), Content_Type="application/json")
        file = "/".join(path[4:])
        if file not in files:
            return self._error("EntryNotFound")
        body = (folder / file).read_bytes()
        return self._send(
            200, body, head=head, ETag=f'"{hashlib.sha1(body).hexdigest()}"', X_Repo_Commit=folder.name
        )

    def _entry(self, folder: Path, file: str) -> dict[str, Any]:
        body = (folder / file).read_bytes()
        return {"type": "file", "path": file, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlsplit(self.path).path.strip("/").split("/")
        if self.refuse:
            return self._error("", self.refuse)
        if path == ["api", "repos", "create"]:
            asked = json.loads(body)
            owner = asked.get("organization") or "someone"
            (self.root / owner / asked["name"] / "refs").mkdir(parents=True, exist_ok=True)
            return self._json({"url": f"http://{self.headers['Host']}/{owner}/{asked['name']}"})
        if path == ["api", "validate-yaml"]:
            return self._json({"errors": [], "warnings": []})
        repository = self.root / path[2] / path[3]
        if path[4] == "preupload":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self._json({"files": files})
        assert path[4] == "commit"
        commit = hashlib.sha1(body).hexdigest()
        folder = repository / "commits" / commit
        for line in body.decode().splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                target = folder / entry["value"]["path"]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(base64.b64decode(entry["value"]["content"]))
        (repository / "refs" / path[5]).write_text(commit)
        return self._json(
            {
                "commitUrl": f"http://{self.headers['Host']}/{path[2]}/{path[3]}/commit/{commit}",
                "commitOid": commit,
                "pullRequestUrl": None,
            }
        )

    def _json(self, data: object) -> None:
        self._send(200, json.dumps(data).encode(), Content_Type="application/json")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FolderHub]]:
    """A hub over an empty folder, which the functions talk to; a cache of the test's own."""
    handler = type("Hub", (FolderHub,), {"root": tmp_path / "hub", "refuse": 0})
    (tmp_path / "hub").mkdir()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{listening.server_port}")
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    monkeypatch.setenv("EXPLORER_CACHE_DIR", str(tmp_path / "cache"))
    yield handler
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function after which nobody answers any more."""
    return lambda: monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def shipped(name: str) -> Path:
    return catalog.find(name).path


def test_there_and_back_again(server: type[FolderHub]) -> None:
    pushed = hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    assert pushed.repository == "someone/digits" and len(pushed.revision) == 40
    info = catalog.find("hf://someone/digits")
    original = catalog.find("digits-vae")
    assert info.digest == original.digest and info.card == original.card
    mine, theirs = checkpoints.from_pretrained("hf://someone/digits"), checkpoints.load(original)
    assert all((value == theirs.state_dict()[key]).all() for key, value in mine.state_dict().items())
    found = render.render(RenderRequest(model=render.admit(info), op=Sample(seed=1, count=3)))
    same = render.render(RenderRequest(model=original.digest, op=Sample(seed=1, count=3)))
    assert (found.images == same.images).all()
    text = (info.path / "README.md").read_text()
    assert "library_name: latent-explorer" in text and original.title in text
    assert "latent-explorer sample hf://someone/digits -o" in text


def test_only_the_files_of_a_checkpoint_are_fetched(server: type[FolderHub]) -> None:
    pushed = hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    extra = server.root / "someone" / "digits" / "commits" / pushed.revision / "evil.py"
    extra.write_text("raise SystemExit")
    folder = hub.fetch(hub.address("hf://someone/digits"))
    assert (folder / "config.json").is_file() and not (folder / "evil.py").exists()


def test_without_a_network_what_was_fetched_is_used(server: type[FolderHub], gone: Any) -> None:
    pushed = hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    for name in ("hf://someone/digits", f"hf://someone/digits@{pushed.revision}"):
        before = catalog.find(name).digest
        assert before == catalog.find("digits-vae").digest
    gone()
    assert catalog.find("hf://someone/digits").digest == catalog.find("digits-vae").digest
    assert catalog.find(f"hf://someone/digits@{pushed.revision}").digest == catalog.find("digits-vae").digest
    with pytest.raises(UserError, match="not on this machine, and the Hub cannot be reached"):
        catalog.find("hf://someone/other")
    with pytest.raises(UserError, match="Hub cannot be reached"):
        hub.push_to_hub(shipped("digits-vae"), "someone/digits")


def test_a_branch_moves_on_and_a_commit_does_not(server: type[FolderHub]) -> None:
    first = hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    assert catalog.find("hf://someone/digits").family == "vae"
    hub.push_to_hub(shipped("digits-gan"), "someone/digits")
    assert catalog.find("hf://someone/digits").family == "gan"
    assert catalog.find(f"hf://someone/digits@{first.revision}").family == "vae"


def pins(folder: Path) -> list[Path]:
    """Return the files that say what revisions were when they were first fetched."""
    return list((folder / "cache" / "hub" / "pins").iterdir())


def test_each_revision_has_a_record_of_its_own(server: type[FolderHub], tmp_path: Path) -> None:
    pushed = hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    catalog.find("hf://someone/digits")
    for revision in ("main", pushed.revision, "main"):
        catalog.find(f"hf://someone/digits@{revision}")
    assert len(pins(tmp_path)) == 2


def test_a_revision_that_changed_is_an_error(server: type[FolderHub], tmp_path: Path) -> None:
    hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    refs = server.root / "someone" / "digits" / "refs"
    (refs / "v1").write_text((refs / "main").read_text())
    assert catalog.find("hf://someone/digits@v1").family == "vae"
    hub.push_to_hub(shipped("digits-gan"), "someone/digits")
    (refs / "v1").write_text((refs / "main").read_text())
    with pytest.raises(UserError, match="not what it was when it was first fetched") as caught:
        catalog.find("hf://someone/digits@v1")
    (record,) = pins(tmp_path)
    assert str(record) in caught.value.remedy
    record.unlink()
    assert catalog.find("hf://someone/digits@v1").family == "gan", "accepted by deleting the file"


@pytest.mark.parametrize("content", [b"", b'{"weights_sha256": "ab",}', b"[]", b"\xff"])
def test_a_damaged_record_forgets_nothing(content: bytes, server: type[FolderHub], tmp_path: Path) -> None:
    pushed = hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    name = f"hf://someone/digits@{pushed.revision}"
    catalog.find(name)
    (record,) = pins(tmp_path)
    record.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read") as caught:
        catalog.find(name)
    assert str(record) in str(caught.value) and record.read_bytes() == content


def test_a_training_that_starts_from_the_hub_names_the_commit(
    server: type[FolderHub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    asked: list[hub.Address] = []
    plain = hub.fetch
    monkeypatch.setattr(hub, "fetch", lambda where: (asked.append(where), plain(where))[1])
    config = session.configure("digits", "vae", where="cpu", start="hf://someone/digits")
    assert asked == [hub.Address("someone/digits")]
    assert config.start and config.start.model == str(pushed) == f"hf://someone/digits@{pushed.revision}"
    assert "--start hf://someone/digits@" in session.command(config)
    hub.push_to_hub(shipped("digits-gan"), "someone/digits")
    session.begin(session.recipe_for(config), config)
    assert asked[1:] == [pushed], "the commit, whatever has come since"


def test_what_is_not_there(server: type[FolderHub]) -> None:
    with pytest.raises(UserError, match="no hf://someone/nothing on the Hub"):
        catalog.find("hf://someone/nothing")
    hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    with pytest.raises(UserError, match="no revision 'v9'"):
        catalog.find("hf://someone/digits@v9")
    bare = server.root / "someone" / "bare"
    (bare / "refs").mkdir(parents=True)
    (bare / "refs" / "main").write_text("c0")
    (bare / "commits" / "c0").mkdir(parents=True)
    (bare / "commits" / "c0" / "README.md").write_text("Nothing here")
    with pytest.raises(UserError, match="no checkpoint of Latent Explorer"):
        catalog.find("hf://someone/bare")


@pytest.mark.parametrize(
    "name", ["hf://", "hf://one", "hf://a/b/c", "hf://../x", "hf://a/..", "hf://a b/c", "hf://a/b@"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UserError, match="no name of a model on the Hub"):
        catalog.find(name)


@pytest.mark.parametrize(("status", "message"), [(403, "does not let you"), (500, "cannot be reached")])
def test_a_hub_that_refuses_or_fails(status: int, message: str, server: type[FolderHub]) -> None:
    server.refuse = status
    with pytest.raises(UserError, match=message):
        hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    with pytest.raises(UserError):
        catalog.find("hf://someone/digits")


def test_a_truncated_download_is_noticed(server: type[FolderHub]) -> None:
    pushed = hub.push_to_hub(shipped("digits-vae"), "someone/digits")
    weights = server.root / "someone" / "digits" / "commits" / pushed.revision / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"cannot be read|changed or replaced"):
        checkpoints.from_pretrained("hf://someone/digits")


def test_a_folder_like_the_hubs(tmp_path: Path) -> None:
    folder = hub.save_pretrained(shipped("digits-vae"), tmp_path / "mine")
    assert catalog.find(str(folder)).digest == catalog.find("digits-vae").digest
    with pytest.raises(UserError, match="no checkpoint in"):
        hub.save_pretrained(tmp_path / "nothing", tmp_path / "mine")
    shutil.rmtree(folder)
    folder.write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        hub.save_pretrained(shipped("digits-vae"), folder)
