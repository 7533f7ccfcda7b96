"""What is kept between reruns and shared by all sessions: answers, and the only `st.cache_*` functions.

Everything is keyed by values (requests, digests, modification times); no argument is left out of a key.
torch is imported when the first picture is asked for, not before.
"""

import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer import access
from explorer.components.tiles import COLUMNS
from explorer.held_out import HeldOut, read
from explorer.settings import settings
from explorer.text import _
from models import catalog, paths
from models.catalog import CARD, CONFIG, ModelInfo
from models.datasets import presence, state as state_of
from models.errors import UserError
from models.metrics import library
from models.metrics.figures import SUFFIX, Figures
from models.metrics.spec import Measurement
from models.requests import Directions, RenderRequest, Sample
from models.shared import Progress, Shared, unheard
from models.training.record import Record

if TYPE_CHECKING:  # importing it for more than annotations would import torch
    from models.render import RenderResult

_BROWSERS = 1000  # whose things are remembered
_remembered: dict[tuple[str, str], Mapping[Any, Any]] = {}
_lock = threading.Lock()
_ATTEMPTS = 3  # to read a checkpoint that is being replaced
_WARM_UP_DELAY = 1.5  # seconds that the browser needs for itself first
_answers: "Shared[RenderResult]" = Shared(keep=64)  # a film: 3 MB


def _key(request: RenderRequest) -> str:
    return request.model_dump_json()


def _answer(request: RenderRequest, progress: Progress) -> "RenderResult":
    from models.render import render as answer

    return answer(request, progress)


def render(request: RenderRequest, *, private: bool = False) -> "RenderResult":
    """Answer a request; raises UserError. The result is shared: do not write into its arrays.

    Args:
        request: What is asked.
        private: Whether it stems from a person's own image: nothing of it is kept then.
    """
    if private:
        return _answer(request, unheard)
    return _answers.begin(_key(request), partial(_answer, request)).value()


def stream(request: RenderRequest) -> "Iterator[RenderResult]":
    """Answer a request as `render` does; until the answer is there, yield empty ones that tell how far it is."""
    import numpy as np

    from models.results import RenderResult

    working = _answers.wait(_key(request), partial(_answer, request))
    nothing = RenderResult(np.empty((0, 1, 1, 1), np.uint8), np.empty((0, 1), np.float32))
    while True:
        try:
            share = next(working)
        except StopIteration as stop:
            yield stop.value
            return
        yield replace(nothing, done=share, waiting=share < 1)


def there(request: RenderRequest) -> "RenderResult | None":
    """Return the answer to a request if it is kept already."""
    return _answers.there(_key(request))


def keep(request: RenderRequest, result: "RenderResult") -> None:
    """Keep the answer to a request that was found elsewhere, for all sessions."""
    _answers.begin(_key(request), lambda _progress: result)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={RenderRequest: _key})
def answers(requests: tuple[RenderRequest, ...]) -> "tuple[RenderResult, ...]":
    """Return the answers to quick requests that belong together: they are kept as one, and push nothing else out."""
    return tuple(_answer(request, unheard) for request in requests)


def forget_answers() -> None:
    """Answer all requests anew from now on."""
    _answers.clear()
    answers.clear()


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs={RenderRequest: _key})
def sheet(requests: tuple[RenderRequest, ...], columns: int = COLUMNS) -> bytes:
    """Return the pictures of some requests as one PNG, `columns` a row."""
    import numpy as np

    from models import media

    images = np.concatenate([render(request).images for request in requests])
    return media.png(media.contact_sheet(images, columns))


def remembered(owner: str, what: str) -> Mapping[Any, Any]:
    """Return what was kept for a browser with `remember`, empty if nothing was; not to be changed."""
    with _lock:
        return _remembered.get((owner, what), {})


def remember(owner: str, what: str, value: Mapping[Any, Any]) -> None:
    """Keep something for a browser until the server ends, for all of its tabs and after a reload.

    Args:
        owner: Whose it is, see `explorer.identity`; for somebody who is not known nothing can be kept.
        what: A name for it.
        value: It, in place of what was kept before. Of many browsers those are kept that said something last.
    """
    with _lock:
        _remembered.pop((owner, what), None)
        _remembered[owner, what] = value
        for old in list(_remembered)[:-_BROWSERS]:
            del _remembered[old]


@st.cache_data(show_spinner=False)
def axes() -> tuple[str, ...]:
    """Return the names of the ways to find directions."""
    from models.directions import DIRECTIONS

    return tuple(DIRECTIONS)


@st.cache_resource(max_entries=2, show_spinner=False)
def _scan(state: tuple[tuple[str, int], ...]) -> tuple[list[ModelInfo], list[UserError]]:
    del state
    return catalog.scan()


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def all_models() -> tuple[list[ModelInfo], list[UserError]]:
    """Return all models, also those that make no pictures, and why others cannot be opened; new files are noticed."""
    return _scan(_models_state())


def _models_state() -> tuple[tuple[str, int], ...]:
    """Return what changes with the models that there are."""
    roots = (paths.shipped_checkpoints(), paths.user_models())
    folders = [folder for root in roots if root.is_dir() for folder in sorted(root.iterdir())]
    return tuple((str(f / name), _stamp(f / name)) for f in folders for name in (CONFIG, CARD))


def figures(info: ModelInfo, spec: Measurement) -> Figures | None:
    """Return what was measured of a model, as `models.metrics.library.find`; new files are noticed."""
    folders = (paths.shipped_metrics(), library.folder())
    files = [(str(path), _stamp(path)) for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))]
    # In one number: a look at hundreds of names for each figure of a page is slow.
    return _figures(info, spec, hash((_models_state(), tuple(files), state_of(spec.dataset))))


@st.cache_resource(
    max_entries=256,
    show_spinner=False,
    hash_funcs={ModelInfo: lambda info: info.digest, Measurement: lambda spec: spec.model_dump_json()},
)
def _figures(info: ModelInfo, spec: Measurement, state: int) -> Figures | None:
    del state
    return library.find(spec, info)


def models() -> tuple[list[ModelInfo], list[UserError]]:
    """Return the models that make pictures, and why others cannot be opened; new files are noticed."""
    found, errors = all_models()
    return [info for info in found if info.can("picture")], errors


def known(name: str) -> list[ModelInfo]:
    """Return the models that make pictures; where the name is that of a run, also what that has come to.

    Args:
        name: Of the model that is asked for.
    """
    found = models()[0]
    run = None if any(info.id == name for info in found) else newest(name)
    return [*found, run] if run and run.can("picture") else found


def newest(run: str) -> ModelInfo | None:
    """Return what a training has come to, loaded, so that it is still there when it is replaced; None if nothing yet.

    Args:
        run: Name of its folder.
    """
    for _attempt in range(_ATTEMPTS):
        try:
            info = catalog.of_run(run)
            if info is not None:
                from models.render import admit

                admit(info)
            return info
        except UserError:
            continue  # it was replaced just now
    return None


def makes_no_pictures(name: str) -> bool:
    """Tell whether there is a model of this id that cannot be shown, such as a classifier or one of points."""
    return any(info.id == name and not info.can("picture") for info in all_models()[0])


@st.cache_data(max_entries=64, show_spinner=False)
def _read(path: str, stamp: int, shape: tuple[int, ...], rows: int) -> bytes | None:
    del stamp
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    if len(shape) != 3:
        return data
    whole = range(rows * shape[-2], COLUMNS * shape[-2] + 1, shape[-2])
    return data if width == COLUMNS * shape[-1] and height in whole else None


def card_sheet(info: ModelInfo, rows: int = COLUMNS) -> bytes | None:
    """Return the PNG of samples, eight a row, that a model brings along, where that is sound: no torch is needed.

    Args:
        info: The model.
        rows: That it has at least; eight, but fewer where drawing them takes long.
    """
    return _read(str(info.sheet), _stamp(info.sheet), info.sample_shape, rows) if info.sheet else None


@st.cache_data(max_entries=64, show_spinner=False)
def _part(sheet: bytes, columns: int, rows: int) -> bytes:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(sheet)) as image:
        side = image.width // COLUMNS
        part = image.crop((0, 0, columns * side, min(rows * side, image.height)))
        times = max(1, 512 // part.width)
        part = part.resize((times * part.width, times * part.height), Image.Resampling.NEAREST)
        buffer = io.BytesIO()
        part.save(buffer, "PNG")
    return buffer.getvalue()


def card_samples(info: ModelInfo, columns: int, rows: int) -> bytes | None:
    """Return the first samples of `card_sheet` as a PNG, enlarged, or all of a scatter plot; None without a sheet."""
    sheet = card_sheet(info, 1)
    return _part(sheet, columns, rows) if sheet and info.can("picture") else sheet


@st.cache_resource(max_entries=256, show_spinner=False)
def record(folder: Path) -> Record:
    """Return the reader of a run, which all sessions share."""
    return Record(folder)


@st.cache_data(max_entries=64, show_spinner=False)
def preview(dataset: str) -> bytes | None:
    """Return a PNG of the first images of a data set, in a row or two."""
    from models import media
    from models.datasets.previews import preview as sheet_of

    return media.png(sheet_of(dataset, count=32, columns=16))


def held_out(dataset: str, shape: tuple[int, ...]) -> HeldOut:
    """Return the held-out images of a data set for models of a shape; nothing is downloaded.

    Raises:
        UserError: It is not known, not on this machine, or of another shape.
    """
    try:
        presence.check(dataset, shape)
    except UserError as error:
        if error.code != "no-data" or access.may_change():
            raise
        remedy = _("Whoever runs this app can put them there.")  # where, is nobody else's business
        raise UserError(error.code, error.problem, remedy) from None
    return _held_out(dataset, state_of(dataset))


@st.cache_resource(max_entries=4, show_spinner=False)
def _held_out(dataset: str, state: str | None) -> HeldOut:
    del state  # where its files are, and which: tests, and people, move them
    return read(dataset)


@st.cache_data(show_spinner=False)
def devices() -> dict[str, str]:
    """Return where models can be trained, the best first, and how it is called."""
    from models.training.session import devices as there

    return there()


@st.cache_data(max_entries=256, show_spinner=False)
def training_defaults(dataset: str, family: str, preset: str) -> dict[str, Any]:
    """Return what each option of a training is if nobody changes it; raises UserError."""
    from models.training.session import configure

    config = configure(dataset, family, preset_name=preset)
    return {**config.model, **config.training}


@st.cache_resource(show_spinner=False)
def _warm(digest: str, axes_name: str) -> threading.Timer:
    def load() -> None:
        try:
            from models.render import render as answer

            answer(RenderRequest(model=digest, op=Sample(count=1)))
            answer(RenderRequest(model=digest, op=Directions(axes=axes_name)))
        except UserError:
            pass  # it is shown when the model is asked for

    timer = threading.Timer(_WARM_UP_DELAY, load)
    timer.daemon = True
    timer.start()
    return timer


def warm_up(info: ModelInfo, axes_name: str) -> None:
    """Load torch and a model in the background, so that the first click need not wait for them."""
    if settings().warm_up and not info.run:
        _warm(info.digest, axes_name)
