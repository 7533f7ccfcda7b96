"""What is found where a decoder may be, before anything of it is kept; and what its owner says of it.

What a file does not say of itself stands in a few lines of JSON beside it, `model.json`:

    {"latent_dim": 64, "prior": "normal", "range": [-1, 1], "labels": ["cat", "dog"], "title": "My decoder"}

Everything in it may be left out: the rest is read from the file, and from what the decoder makes of a few latents.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from models.catalog import Card
from models.core import LatentModel
from models.errors import UserError
from models.foreign.configs import ForeignConfig
from models.values import Value, parse

DESCRIPTION = "model.json"


class Description(Value):
    """What a person says of a decoder."""

    latent_dim: int | None = Field(default=None, ge=1, le=1024)
    prior: Literal["normal", "uniform", "sphere"] = "normal"
    range: tuple[float, float] | None = None
    size: int | None = Field(default=None, ge=4, le=512)
    labels: Annotated[int, Field(ge=0, le=1000)] | Annotated[tuple[str, ...], Field(max_length=1000)] = 0
    dataset: str = Field(default="", max_length=100)
    title: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=2000)
    licence: str = Field(default="unknown", max_length=200)
    origin: str = Field(default="", max_length=500)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its classes."""
        return tuple(map(str, range(self.labels))) if isinstance(self.labels, int) else self.labels


@dataclass(frozen=True)
class Candidate:
    """A decoder that can be brought in.

    Args:
        name: The id that it has if nobody gives another.
        config: What it is.
        card: What people should know of it.
        findings: What was recognised, a sentence each.
        content: Its file, with its weights.
        model: The decoder itself.
        dataset: That it was trained on; may be unknown here, or empty.
    """

    name: str
    config: ForeignConfig
    card: Card
    findings: tuple[str, ...]
    content: bytes
    model: LatentModel
    dataset: str


def read_json(file: Path, what: str, code: str) -> Any:
    """Return what a JSON file holds; raises UserError if it cannot be read."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(code, f"{what} cannot be read ({error}).", "Correct it, or copy it again.") from error


def read_description(folder: Path, own: str = "{}") -> Description:
    """Read the description in a folder.

    Args:
        folder: Where `model.json` may be.
        own: What a file says of itself, as JSON, for where there is none.

    Raises:
        UserError: It is no JSON, or has fields or values that are not known.
    """
    file = folder / DESCRIPTION
    what = f"The description in {DESCRIPTION}"
    try:
        data = read_json(file, what, "bad-description") if file.is_file() else json.loads(own)
    except (ValueError, RecursionError) as error:
        raise UserError("bad-description", f"{what} cannot be read ({error}).", "Correct it.") from error
    return parse(Description, data, what=what, code="bad-description")


def check_latent_dim(name: str, found: int, said: Description) -> None:
    """Raise UserError if a description gives another number of latent dimensions than a decoder has."""
    if said.latent_dim not in (None, found):
        problem = f"{name} takes {found} latent dimensions, {DESCRIPTION} says {said.latent_dim}."
        raise UserError("bad-description", problem, f"Correct {DESCRIPTION}.")


def check_size(name: str, found: int, said: Description) -> None:
    """Raise UserError if a description gives another side of the pictures than they have."""
    if said.size not in (None, found):
        problem = f"{name} makes pictures of {found}x{found} pixels, {DESCRIPTION} says {said.size}."
        raise UserError("bad-description", problem, f"Leave 'size' out of {DESCRIPTION}.")


def refuse_labels(name: str, said: Description) -> None:
    """Raise UserError if a description gives labels to a decoder that takes none."""
    if said.names:
        raise UserError("bad-description", f"{name} takes no labels.", f"Leave them out of {DESCRIPTION}.")


def told(config: ForeignConfig) -> tuple[str, str]:
    """Say what latents a decoder takes, and what pictures it makes."""
    return (
        f"A decoder of {config.latent_dim} latent dimensions, prior: {config.prior}.",
        f"Its pictures have {config.size}x{config.size} pixels in {'colour' if config.channels == 3 else 'grey'}.",
    )


def card(name: str, said: Description, parameters: dict[str, int], file: str = "") -> Card:
    """Return the card of a decoder.

    Args:
        name: For people, where the description gives no title.
        said: Its description.
        parameters: Numbers in each network, by its role.
        file: That it was imported from; empty: `name`.
    """
    return Card(
        title=said.title or name,
        description=said.description,
        licence=said.licence,
        origin=said.origin or f"Imported from {file or name}",
        parameters=parameters,
    )
