"""Adding a model: a checkpoint from a folder, the Hub or a zip; a decoder from elsewhere, after a look at it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from explorer import navigation
from explorer.access import may_change
from explorer.panels import picker, pictures, problem
from explorer.panels.fold import fold
from explorer.text import _
from models import hub, library
from models.errors import UserError

if TYPE_CHECKING:
    from models.foreign.importing import Candidate

_DECODERS = ["onnx", "safetensors", "pt", "pth", "bin", "ckpt"]
_ROUND = "adding-round"  # how often something was added: the uploader is another one then, and empty
_FOUND = ("adding-folder", "adding-decoder")


def show() -> None:
    """Draw the panel; where the person may not change the models, nothing."""
    if not may_change():
        return
    place = fold(_("Add a model"), key="adding", icon=":material/add:")
    if place is None:
        for key in _FOUND:
            _forget(key)
        return
    with place:
        left, right = st.columns(2, gap="large")
        for column, draw in ((left, _from_somewhere), (right, _from_file)):
            with column:
                try:
                    draw()
                except UserError as error:
                    problem.show(error)


def _name(key: str) -> str:
    return st.text_input(
        _("Name"), key=key, max_chars=100, placeholder=_("The one that it has"), help=_("Of the model here.")
    ).strip()


def _from_somewhere() -> None:
    where = st.text_input(
        _("Folder on this machine, or name on the Hugging Face Hub"),
        key="adding-where",
        placeholder="hf://owner/name",
        help=_("Of a checkpoint; or a folder that pythae or diffusers saved, or the file of a decoder."),
    ).strip()
    if library.is_foreign(where) and (path := library.local(where)):
        _look(path, f"{path} {_newest(path)}", key="adding-folder")
        return
    _forget("adding-folder")
    name = _name("adding-name")
    if st.button(_("Add"), key="adding-go", icon=":material/add:", disabled=not where):
        with st.spinner(_("Fetching it") if where.startswith(hub.PREFIX) else _("Copying it")):
            _added(library.take_in(where, name).id)


def _from_file() -> None:
    file = st.file_uploader(
        _("A zip of a checkpoint, or the decoder of another program"),
        type=["zip", *_DECODERS],
        key=f"adding-file-{st.session_state.get(_ROUND, 0)}",
    )
    if file is None:
        _forget("adding-decoder")
        st.caption(
            _(
                "ONNX files of decoders of square pictures, and the weights of DCGAN's and mimicry's generators. No "
                "code of their authors is run."
            )
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(file.name).name
        if path.suffix.lower() == ".zip":
            name = _name("adding-zip-name")
            if st.button(_("Unpack"), key="adding-unpack", icon=":material/unarchive:"):
                _added(library.unpack(file.getvalue(), name).id)
            return
        path.write_bytes(file.getvalue())
        _look(path, file.file_id, key="adding-decoder")


def _newest(path: Path) -> int:
    """Return when a file, or one in a folder, was changed last; -1 while that cannot be known."""
    try:
        return max(one.lstat().st_mtime_ns for one in (path, *path.glob("*")))
    except OSError:
        return -1


def _look(path: Path, identity: str, key: str) -> None:
    """Show what was recognised before anything is kept.

    Args:
        path: Of a file or a folder.
        identity: Of what is there; while it is the same, nothing is looked at again.
        key: Of its widgets, and of what was found.
    """
    from models.foreign.importing import bring_in

    if st.session_state.get(f"{key}-of") != identity:
        _forget(key)
        with st.spinner(_("Looking at it")):
            st.session_state[f"{key}-found"] = _recognised(path)
        st.session_state[f"{key}-of"] = identity
    found, samples = st.session_state[f"{key}-found"]
    st.markdown("  \n".join(problem.literal(finding) for finding in found.findings))
    pictures.wide(samples, _("Samples of the decoder"))
    name = _name(f"{key}-name")
    if st.button(_("Import"), key=f"{key}-import", icon=":material/input:", type="primary"):
        with st.spinner(_("Importing it")):
            folder = bring_in(found, name)
        _forget(key)
        _added(folder.name)


def _recognised(path: Path) -> "tuple[Candidate, bytes]":
    """Return a decoder and a picture of its samples."""
    from models.foreign.importing import recognise, sheet
    from models.media import png

    found = recognise(path)
    return found, png(sheet(found, 16))


def _forget(key: str) -> None:
    """Let go of a decoder that was looked at: it may be large."""
    for part in ("of", "found"):
        st.session_state.pop(f"{key}-{part}", None)


def _added(name: str) -> None:
    st.session_state[picker.ADDED] = name
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.session_state.pop("adding-where", None)
    navigation.redraw()
