"""All that the browser has to know of maps and of what lies over them, but for the points themselves."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from explorer.look import Look

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.images import Pixels

MARKS = ("square", "diamond", "triangle")  # of further points; as in overlay.js


@dataclass(frozen=True)
class Colouring:
    """What points can be coloured by.

    Args:
        name: Its own.
        title: The same for people.
        column: Where the numbers are, see `explorer.map_data`; `sources` come with the points.
        n: The number of its column there.
        names: Of its codes; None for values.
        low: Value of the lowest colour.
        high: Value of the highest colour.
        colours: What the names look like where they are names of colours, sRGB in [0, 255]; else empty.
    """

    name: str
    title: str
    column: Literal["sources", "categories", "values"]
    n: int = 0
    names: tuple[str, ...] | None = None
    low: float = 0.0
    high: float = 1.0
    colours: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class Shown:
    """A map as the browser has to know it.

    Args:
        key: What `explorer.map_data.publish` returned.
        address: Where the map is on this server.
        name: What it is, for screen readers.
        model: Digest of the model that decodes its latents.
        count: Points.
        dim: Of their latents.
        shape: Height, width, channels of a picture.
        pictures: What the sheets of pictures show: the data set's images, or only what the model decodes.
        conditional: Whether the model is asked for the class of a point.
        label: Name of the colouring that says what a point is; empty if none does.
        colourings: What the points can be coloured by.
        colouring: Name of that which they begin with.
        caption: What the map is, in a line above it; empty: none.
        series: Maps with the same one, of a model that still trains, have the same points, and are looked at from the
            same place; empty: none.
    """

    key: str
    address: str
    name: str
    model: str
    count: int
    dim: int
    shape: tuple[int, int, int]
    pictures: Literal["images", "decoded"]
    conditional: bool
    label: str
    colourings: Sequence[Colouring]
    colouring: str
    caption: str = ""
    series: str = ""

    @property
    def identity(self) -> str:
        """What a selection or a search belongs to: maps of a series have the same points."""
        return self.series or self.key


@dataclass(frozen=True, eq=False)
class Selection:
    """Points that were selected.

    Args:
        identity: Of the map on which they were, see `Shown`.
        rows: Their indices there, ascending.
    """

    identity: str
    rows: "NDArray[np.int64]"


@dataclass(frozen=True)
class Extra:
    """Further points over those of a map, samples of a model: a map of their own, at places of this one.

    Args:
        key: What `explorer.map_data.publish` returned of them.
        address: Where they are on this server.
        name: For the legend.
        count: Points.
        dim: Of their latents.
        shape: Height, width, channels of a picture.
        mark: How they are drawn, one of `MARKS`.
    """

    key: str
    address: str
    name: str
    count: int
    dim: int
    shape: tuple[int, int, int]
    mark: str


@dataclass(frozen=True, eq=False)
class OwnImage:
    """A person's own image on a map; it goes to that person's browser and nowhere else.

    Args:
        place: Where it is.
        picture: As the model sees it, uint8, shape (H, W, C).
        rebuilt: What the model makes of it, the same shape.
    """

    place: tuple[float, float]
    picture: "Pixels"
    rebuilt: "Pixels"


@dataclass(frozen=True, eq=False)
class Scene:
    """What is to be seen.

    Args:
        shown: The map.
        beside: Maps that stand beside it; it is the first, by which all are coloured and filtered.
        look: What they are coloured by, and which of their points are shown.
        path: Places of a line over the points of the first map.
        extras: Further points there.
        own: The person's own image there.
        here: Where the point of Explore is there, as far as that is known.
        found: Indices of its points to ring.
        focus: Index of a point to go to, and what names the wish: it is fulfilled once.
        selections: That the page still shows, by letter: others lose the line around them.
        letter: Of the next selection.
    """

    shown: Shown
    beside: Sequence[Shown] = ()
    look: Look = field(default_factory=Look)
    path: Sequence[tuple[float, float]] = ()
    extras: Sequence[Extra] = ()
    own: OwnImage | None = None
    here: tuple[float, float] | None = None
    found: Sequence[int] = ()
    focus: tuple[int, str] | None = None
    selections: Mapping[str, Selection] = field(default_factory=dict[str, Selection])
    letter: str = "A"


def _encoded(array: "NDArray[Any]") -> str:
    return base64.b64encode(array.tobytes()).decode()


def _bits(rows: "NDArray[np.int64]", count: int) -> str:
    """Write indices below `count` as `selection` reads them."""
    import numpy as np

    flags = np.zeros(-(-count // 8) * 8, np.uint8)
    flags[rows] = 1
    return _encoded(np.packbits(flags, bitorder="little"))


def _address(image: "Pixels") -> str:
    """Return an image as a data URL."""
    from models.media import png

    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"


def payload(scene: Scene, url: str, texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that the browser needs but the points; each payload stands for itself, because it may be the first.

    Args:
        scene: What is to be seen.
        url: Of the live socket, a path of this server.
        texts: For people.
    """
    import numpy as np

    shown, own, focus = scene.shown, scene.own, scene.focus
    there = {one.identity: one for one in (shown, *scene.beside)}
    return {
        **asdict(shown),
        "beside": [asdict(one) for one in scene.beside],
        "look": _look(scene.look),
        "url": url,
        "path": [list(place) for place in scene.path],
        "extras": [asdict(one) for one in scene.extras],
        "own": own and {"place": list(own.place), "pictures": [_address(own.picture), _address(own.rebuilt)]},
        "here": scene.here and list(scene.here),
        "found": _encoded(np.asarray(scene.found, "<i4")),
        "focus": focus and {"index": focus[0], "serial": focus[1]},
        "selections": {
            name: {"on": there[one.identity].key, "bits": _bits(one.rows, there[one.identity].count)}
            for name, one in scene.selections.items()
            if one.identity in there
        },
        "letter": scene.letter,
        "texts": texts,
    }


def _look(look: Look) -> dict[str, Any]:
    """Return a look as legend.js knows it."""
    return {
        "colour": look.colour,
        "classes": [[one.by, list(one.codes)] for one in look.classes],
        "ranges": [[one.by, one.low, one.high] for one in look.ranges],
    }
