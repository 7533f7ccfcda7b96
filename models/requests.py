"""Validated values: what is asked of a model. Torch-free, frozen and hashable.

So one request can be a cache key, a test case and (without private data) a link.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.values import MAX_SEED, Value

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Truncation = Annotated[float, Field(ge=0, le=2)]
Coordinate = Annotated[float, Field(ge=-100, le=100)]
Index = Annotated[int, Field(ge=0)]
MAX_DIM = 1024  # of a latent space
MAX_KEPT = 64  # directions that can be kept at once
MAX_NEIGHBOURS = 20_000  # real images in the answer to one request


def default_label(seed: int, classes: int) -> int:
    """Return the label that a seed gets where none is chosen: one class for each run of eight seeds.

    A sheet of eight columns that starts at seed 0 then shows one class a row.
    """
    return seed // 8 % classes


class Point(Value):
    """A place in latent space: what a seed draws from the prior, with some coordinates then set by hand.

    Args:
        seed: Draws z from the prior.
        latent: z itself, where no seed draws it: an encoded image, a sum of points; empty otherwise.
        truncation: psi, scales z towards the mean.
        axes: The directions along which `edits` are meant, a name in `models.directions.DIRECTIONS`.
        edits: (direction, coordinate) pairs; a coordinate is in prior standard deviations.
        keep: Directions whose meaning edits leave alone as far as they can, see `models.directions.Directions.moves`.
        label: Class, for conditional models.
    """

    seed: Seed = 0
    latent: tuple[Coordinate, ...] = Field(default=(), max_length=MAX_DIM)
    truncation: Truncation = 1.0
    axes: str = "raw"
    edits: tuple[tuple[Index, Coordinate], ...] = ()
    keep: tuple[Index, ...] = Field(default=(), max_length=MAX_KEPT)
    label: Index | None = None


class Sample(Value):
    """Samples of the prior: the points of `count` seeds from `seed` on."""

    op: Literal["sample"] = "sample"
    seed: Seed = 0
    count: int = Field(default=64, ge=1, le=100_000)
    truncation: Truncation = 1.0
    label: Index | None = None


class Decode(Value):
    """The pictures of some points; gives their coordinates along the axes too."""

    op: Literal["decode"] = "decode"
    points: tuple[Point, ...] = Field(min_length=1, max_length=4096)


class Traverse(Value):
    """Walks through a point along single directions: one row for each direction, `steps` pictures in each."""

    op: Literal["traverse"] = "traverse"
    point: Point
    directions: tuple[Index, ...] = Field(min_length=1, max_length=64)
    steps: int = Field(default=9, ge=2, le=64)
    span: float = Field(default=3.0, gt=0, le=10, description="Coordinates run from -span to span")


class Interpolate(Value):
    """A path through points, in `frames` pictures."""

    op: Literal["interpolate"] = "interpolate"
    points: tuple[Point, ...] = Field(min_length=2, max_length=64)
    frames: int = Field(default=60, ge=2, le=2000)
    method: str = Field(default="slerp", description="A name in `models.choices.ROUTES`")


class Grid(Value):
    """The plane of two directions through a point: `steps` x `steps` pictures, row by row, the top row first.

    Columns are coordinates of the first direction, growing to the right; rows are those of the second, growing
    upwards. Both run from -span to span: in equal steps, or in equal shares of the prior's probability.
    """

    op: Literal["grid"] = "grid"
    point: Point = Point()
    directions: tuple[Index, Index] = (0, 1)
    steps: int = Field(default=15, ge=2, le=64)
    span: float = Field(default=3.0, gt=0, le=10)
    spacing: Literal["linear", "quantile"] = "linear"

    @model_validator(mode="after")
    def _spans_a_plane(self) -> Self:
        if self.directions[0] == self.directions[1]:
            raise ValueError("a plane needs two different directions")
        return self


class Analogy(Value):
    """Arithmetic on points: a - b + c, approached from a; the picture has the class of a.

    `strength` is the share of the way from a to a - b + c: 0 stays at a, 1 is the sum, more goes beyond it.
    """

    op: Literal["analogy"] = "analogy"
    a: Point
    b: Point
    c: Point
    strength: float = Field(default=1.0, ge=-2, le=2)
    method: Literal["lerp", "slerp"] = "lerp"


class Directions(Value):
    """The directions of a model: unit vectors, what each accounts for and, of attributes, names and scores.

    With `keep` also along which vector each is edited where these are to be left alone, see `Point`.
    """

    op: Literal["directions"] = "directions"
    axes: str
    keep: tuple[Index, ...] = Field(default=(), max_length=MAX_KEPT)


BlobRef = Annotated[str, Field(pattern=r"^blob:[0-9a-f]{64}$")]  # see models.blobs; never part of a link
Label = Index


class Encode(Value):
    """What an encoder makes of an image: input, reconstruction, difference; the latent is the posterior mean."""

    op: Literal["encode"] = "encode"
    image: BlobRef
    label: Label | None = Field(default=None, description="None: the class that reconstructs it best")


class Invert(Value):
    """The latent whose picture comes nearest to an image, found by optimisation; pictures as for `Encode`."""

    op: Literal["invert"] = "invert"
    image: BlobRef
    steps: int = Field(default=150, ge=1, le=5000)
    restarts: int = Field(default=8, ge=1, le=64)
    seed: Seed = 0
    label: Label | None = Field(default=None, description="None: the class that comes nearest")


class Nearest(Value):
    """The k nearest training images of each picture of another operation."""

    op: Literal["nearest"] = "nearest"
    of: Annotated[Decode | Sample | Interpolate, Field(discriminator="op")]
    k: int = Field(default=1, ge=1, le=16)
    space: Literal["features", "pixels", "latent"] = "features"

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.pictures * self.k > MAX_NEIGHBOURS:
            raise ValueError(f"at most {MAX_NEIGHBOURS:,} neighbours can be asked for at once")
        return self

    @property
    def pictures(self) -> int:
        """Number of pictures whose neighbours are asked for."""
        match self.of:
            case Decode():
                return len(self.of.points)
            case Sample():
                return self.of.count
            case Interpolate():
                return self.of.frames


class Codes(Value):
    """Where the encoder puts some training images: their posterior means, with labels."""

    op: Literal["codes"] = "codes"
    count: int = Field(default=2000, ge=1, le=100_000)


Operation = Annotated[
    Sample
    | Decode
    | Traverse
    | Interpolate
    | Grid
    | Analogy
    | Directions
    | Encode
    | Invert
    | Nearest
    | Codes,
    Field(discriminator="op"),
]


class RenderRequest(Value):
    """What is asked of a model, named by the digest of its weights."""

    model: str = Field(pattern=r"^[0-9a-f]{64}$")
    op: Operation
