"""The parts of Compare: each a module with `show(models)`, which draws it for two to four models of one data set."""

from collections.abc import Callable, Sequence

from explorer.compare import rivals
from models.catalog import ModelInfo
from models.tables import Table

Part = Callable[[Sequence[ModelInfo]], None]

SHOW = Table[Part](
    "part",
    {
        rivals.PLACE: "explorer.panels.compare.place:show",
        rivals.IMAGE: "explorer.panels.compare.image:show",
        rivals.PATH: "explorer.panels.compare.path:show",
        rivals.NUMBERS: "explorer.panels.compare.numbers:show",
        rivals.QUIZ: "explorer.panels.compare.quiz:show",
        rivals.WHY: "explorer.panels.compare.why:show",
    },
)
