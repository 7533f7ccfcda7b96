"""Data sets that are named by where they are: `folder:<path>` and `own:<name>`, with `?size=32` for other images.

Torch-free; nothing is read.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from models import paths
from models.errors import UserError

SIZES = (16, 32, 64)
OWN = "own:"
SIZE = r"\?size=(\w*)\Z"  # at the end of a name that says how large the images are to be
HOW = "Give a folder of images: folder:<path>, or folder:<path>?size=32."
IMAGES = "images"  # in the folder of a set of one's own, beside what is known of it
_SLUG = r"[a-z0-9]+(-[a-z0-9]+)*"


@dataclass(frozen=True)
class Place:
    """What the name of such a data set says.

    Args:
        root: The folder of its images, absolute.
        size: Height and width that the images are made to have.
        own: Name of a set of the person's own, which `models.datasets.uploads` took in; empty: any folder.
    """

    root: Path
    size: Literal[16, 32, 64]
    own: str = ""

    @property
    def name(self) -> str:
        """The name that says it from any working directory."""
        where = f"{OWN}{self.own}" if self.own else f"folder:{self.root}"
        return where + (f"?size={self.size}" if self.size != 64 else "")


def place(name: str, size: int | str | None = None) -> Place:
    """Read the name of such a data set.

    Args:
        name: `folder:<path>` or `own:<name>`, with `?size=<pixels>` or without.
        size: Of the images, where the name gives none.

    Raises:
        UserError: It names no folder and no set, or a size that there is not.
    """
    given = re.search(SIZE, name)
    wanted = given[1] if given else str(size or 64)
    kind, _, where = re.sub(SIZE, "", name).partition(":")
    own = where if f"{kind}:" == OWN else ""
    root = own_folder(own) / IMAGES if own else _folder(name, kind, where)
    if wanted not in map(str, SIZES):
        problem = f"Images cannot be made '{wanted}' pixels wide and high."
        raise UserError("bad-size", problem, f"Choose one of: {', '.join(map(str, SIZES))}.")
    return Place(root, cast(Literal[16, 32, 64], int(wanted)), own)


def own_folder(name: str) -> Path:
    """Return where a set of one's own is, or would be; raises UserError for what cannot be a name of one."""
    if not re.fullmatch(_SLUG, name):
        problem = f"'{OWN}{shown(name)}' cannot be the name of a data set."
        raise UserError("bad-own", problem, "'latent-explorer datasets' lists the names that there are.")
    return paths.own_data() / name


def _folder(name: str, kind: str, where: str) -> Path:
    if kind != "folder" or not where:
        raise UserError("bad-folder", f"'{shown(name)}' names no folder.", HOW)
    try:
        root = Path(where).expanduser().resolve()
        str(root).encode()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError("bad-folder", f"'{shown(where)}' cannot be a folder ({error}).", HOW) from error
    return root


def shown(name: str) -> str:
    """Return a file's name that can be printed, whatever bytes it is made of."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
