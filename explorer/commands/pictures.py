"""`sample` and `interpolate`: pictures of a model in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from explorer.commands.console import Model, note, only_results
from models import catalog
from models.catalog import ModelInfo
from models.config import parse
from models.errors import UserError
from models.requests import Interpolate, Operation, Point, RenderRequest, Sample
from models.tables import nearest
from models.values import MAX_SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Label = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL", help="Name or index of a label, for conditional models.", show_default=False
    ),
]


def sample(
    model: Model,
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="A contact sheet, of points a scatter plot (.png), or arrays (.npz).",
            show_default=False,
        ),
    ],
    count: Annotated[
        int, typer.Option("-n", min=1, max=100_000, metavar="INTEGER", help="Number of samples.")
    ] = 64,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, metavar="INTEGER", help="Sample i is that of seed + i.")
    ] = 0,
    truncation: Annotated[
        float,
        typer.Option(
            min=0, max=2, metavar="NUMBER", help="psi: below 1, samples are more typical and vary less."
        ),
    ] = 1.0,
    label: Label = None,
    scale: Annotated[
        int, typer.Option(min=1, max=32, metavar="INTEGER", help="Screen pixels for each pixel of a sheet.")
    ] = 1,
) -> None:
    """Draw samples of a model into a file."""
    from models import media  # with numpy and Pillow: not for `--help`

    kind = media.kind(out, (".png", ".npz"))
    info = _generator(model)
    chosen = _label(info, label)
    fields = {"seed": seed, "count": count, "truncation": truncation, "label": chosen}
    request = parse(Sample, fields, what="The request for samples", code="bad-request")
    if info.can("picture"):
        images, latents = _render(info, request)
        arrays, sheet = {"images": images}, media.contact_sheet(images, min(8, count))
    else:
        points, latents = _points(info, request)
        arrays, sheet = {"points": points}, media.scatter(points)
    if kind == ".png":
        media.save_png(media.enlarged(sheet, scale), out)
    else:
        seeds, labels = _seeds_and_labels(info, request)
        media.save_npz(out, **arrays, latents=latents, seeds=seeds, labels=labels)
    note(f"{count} samples of {info.id}: {out}")


def interpolate(
    model: Model,
    seeds: Annotated[
        str, typer.Option(metavar="LIST", help="Seeds to pass through, e.g. 1,2,3.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FILE", help="An animation: .gif or .mp4.", show_default=False),
    ],
    frames: Annotated[int, typer.Option(min=2, max=2000, metavar="INTEGER", help="Number of pictures.")] = 60,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="slerp (great circle), lerp (straight line) or data (through the data)."
        ),
    ] = "slerp",
    fps: Annotated[float, typer.Option(min=1, max=60, metavar="NUMBER", help="Pictures a second.")] = 20.0,
    label: Label = None,
) -> None:
    """Animate a path through the latents of some seeds."""
    from models import media

    media.kind(out, (".gif", ".mp4"))
    info = _generator(model)
    if not info.can("picture"):
        problem = f"'{info.id}' makes points, not pictures."
        raise UserError("no-pictures", problem, "Draw them with 'latent-explorer sample'.")
    chosen = _label(info, label)
    try:
        points = [{"seed": int(word), "label": chosen} for word in seeds.split(",")]
    except ValueError:
        raise UserError(
            "bad-seeds", f"'{seeds}' is no list of seeds.", "Give whole numbers, e.g. 1,2,3."
        ) from None
    if len(points) < 2:
        raise UserError(
            "bad-seeds", "An interpolation needs two seeds at least.", "Give some, e.g. --seeds 1,2,3."
        )
    points = [parse(Point, point, what="A seed", code="bad-seeds") for point in points]
    fields = {"points": points, "frames": frames, "method": method}
    request = parse(Interpolate, fields, what="The interpolation", code="bad-request")
    images, _ = _render(info, request)
    media.save_animation(images, out, fps)
    note(f"{frames} pictures of {info.id}: {out}")


def _seeds_and_labels(info: ModelInfo, request: Sample) -> tuple["NDArray[np.int64]", "NDArray[np.int64]"]:
    """Return the seed of each sample, and its label, -1 for a model that takes none."""
    import numpy as np

    seeds = np.arange(request.seed, request.seed + request.count, dtype=np.int64)
    if request.label is not None:
        return seeds, np.full_like(seeds, request.label)
    if not info.labels:
        return seeds, np.full_like(seeds, -1)

    from models.latent import default_labels

    return seeds, default_labels(seeds.tolist(), len(info.labels)).numpy()


def _generator(name: str) -> ModelInfo:
    info = catalog.find(name)
    if not info.can("decode"):
        known = ", ".join(m.id for m in catalog.models() if m.can("decode"))
        problem = f"'{info.id}' makes no images: it is a {info.family}."
        raise UserError(
            "cannot-decode", problem, f"Choose one of: {known}." if known else "Choose a VAE or a GAN."
        )
    return info


def _label(info: ModelInfo, text: str | None) -> int | None:
    """Return the index of a label given by name or index; raises UserError."""
    if text is None:
        return None
    if not info.labels:
        raise UserError(
            "no-labels", f"'{info.id}' takes no label.", "Leave --label out, or choose a conditional model."
        )
    if text.isdecimal() and len(text) <= 9 and int(text) < len(info.labels):
        return int(text)
    names = {name.casefold(): index for index, name in enumerate(info.labels)}
    if text.casefold() in names:
        return names[text.casefold()]
    raise UserError("bad-label", f"'{info.id}' has no label '{text}'.", nearest(text, info.labels))


def _points(info: ModelInfo, request: Sample) -> tuple["NDArray[np.float32]", "NDArray[np.float32]"]:
    """Return points as the model makes them, in [-1, 1], and their latents."""
    with only_results():
        from models import render

        return render.points(render.admit(info), request)


def _render(info: ModelInfo, operation: Operation) -> tuple["NDArray[np.uint8]", "NDArray[np.float32]"]:
    with only_results():
        from models import render

        result = render.render(RenderRequest(model=render.admit(info), op=operation))
    return result.images, result.latents
