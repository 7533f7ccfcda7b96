"""A blind test without the page: what each round shows, and what a person's answers come to. Torch-free.

    game = Game(setup=Setup(...), sides=(2,))
    game.current -> Round;   game.answered({0, 3}).next(3) -> Game;   game.tallies() -> origin -> Tally

Everything follows from the setup and from the sizes that were chosen, so that a class can take the same test.
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from models.errors import UserError
from models.metrics.intervals import wilson
from models.values import Value

REAL = ""  # the origin of a held-out image; others are the ids of models
SIDES = (2, 3, 4)
MAX_NUMBER = 100_000
_MOST_EXCESS = 2  # pictures of all rounds that are what is looked for, less those that are not, at most
_FIRST = 500_000_000  # seed: other pages show small ones, which a person may know
_STRIDE = 10_000  # seeds that a quiz has for each model, so that the next one shows others


class Setup(Value):
    """What a quiz is about.

    Args:
        number: Of the quiz: the same number gives the same rounds.
        models: Ids of the models.
        real: Held-out images there are; 0: only models are told apart.
        labels: The class of each held-out image, or none: conditional models draw theirs from them.
        classes: Labels that each model is conditioned on, 0 for one that is not.
        weights: Digests of the models' weights: what was judged of others is another game.
    """

    number: int = Field(default=1, ge=1, le=MAX_NUMBER)
    models: tuple[str, ...] = Field(min_length=1)
    real: int = Field(default=0, ge=0)
    labels: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    weights: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if len(set(self.models)) < len(self.models) or REAL in self.models:
            raise ValueError("each model needs a name of its own")
        if not self.real and len(self.models) < 2:
            raise ValueError("one model alone cannot be told apart from anything")
        if self.classes and len(self.classes) != len(self.models):
            raise ValueError("the classes of each model are needed")
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        """What a person is asked to find, two rounds each: real images, or without them each model's samples."""
        return (REAL,) if self.real else self.models

    @property
    def origins(self) -> tuple[str, ...]:
        """Where pictures come from."""
        return (REAL, *self.models) if self.real else self.models


@dataclass(frozen=True)
class Picture:
    """One picture of a round.

    Args:
        origin: `REAL`, or the id of a model.
        number: Which of the held-out images, or the seed of the sample.
        label: The class that a conditional model is asked for.
    """

    origin: str
    number: int
    label: int | None = None


@dataclass(frozen=True)
class Round:
    """Pictures to judge, in the order in which they are shown, and the origin that a person is to find."""

    target: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Tally:
    """How often something happened.

    Args:
        hits: How often.
        count: Of how many.
    """

    hits: int = 0
    count: int = 0

    @property
    def share(self) -> float | None:
        """The share of hits; None of nothing."""
        return self.hits / self.count if self.count else None

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the share, see `models.metrics.intervals.wilson`."""
        return wilson(self.hits, self.count)


class Game(Value):
    """A quiz as far as one person has come.

    Args:
        setup: What it is about.
        sides: Pictures a row and a column of each round so far, the present one included.
        answers: Places of the pictures that were chosen in each round; None where it was left unanswered. One fewer
            than rounds while the present one is open.
    """

    setup: Setup
    sides: tuple[Annotated[int, Field(ge=min(SIDES), le=max(SIDES))], ...] = Field(default=(3,), min_length=1)
    answers: tuple[tuple[int, ...] | None, ...] = ()

    @property
    def open(self) -> bool:
        """Whether the present round waits for an answer."""
        return len(self.answers) < len(self.sides)

    @property
    def done(self) -> int:
        """Number of rounds that were answered."""
        return sum(answer is not None for answer in self.answers)

    @property
    def current(self) -> Round:
        """The present round; raises UserError where the held-out images are used up."""
        return self.rounds()[-1]

    def rounds(self) -> list[Round]:
        """Return all rounds up to the present one."""
        return _deal(self.setup, self.sides)

    def answered(self, chosen: Collection[int]) -> "Game":
        """Answer the present round; nothing changes if it was answered.

        Args:
            chosen: Places of the pictures that the person believes to be what is looked for.
        """
        if not self.open:
            return self
        places = tuple(sorted({place for place in chosen if 0 <= place < self.sides[-1] ** 2}))
        return self.model_copy(update={"answers": (*self.answers, places)})

    def next(self, side: int) -> "Game":
        """Go on to another round; the present one does not count if it is still open."""
        passed = (None,) if self.open else ()
        return Game(setup=self.setup, sides=(*self.sides, side), answers=(*self.answers, *passed))

    def tallies(self) -> Mapping[str, Tally]:
        """Count by origin, over all answered rounds.

        Returns:
            Where real images are shown: how often a picture was taken for real. Elsewhere: how often it was judged
            rightly, as one of the model that was asked for or as none.
        """
        hits, counts = Counter[str](), Counter[str]()
        for shown, answer in zip(self.rounds(), self.answers, strict=False):
            if answer is None:
                continue
            for place, picture in enumerate(shown.pictures):
                chosen = place in answer
                counts[picture.origin] += 1
                hits[picture.origin] += (
                    chosen if self.setup.real else chosen == (picture.origin == shown.target)
                )
        return {origin: Tally(hits[origin], counts[origin]) for origin in self.setup.origins}


def _deal(setup: Setup, sides: Collection[int]) -> list[Round]:
    """Deal the pictures of some rounds.

    About half of a round is what is looked for; by how many it is more is drawn by lot, see `_excess`. The others share
    the rest evenly.
    """
    rng = random.Random(f"{setup.number} {setup.models}")
    supply = _Supply(setup)
    rounds: list[Round] = []
    totals = Counter[str]()
    for index, side in enumerate(sides):
        count = side * side
        target = setup.targets[index // 2 % len(setup.targets)]
        excess = _excess(count, totals[target], rng)
        totals[target] += excess
        found = (count + excess) // 2
        others = [origin for origin in setup.models if origin != target]
        origins = [target] * found + supply.least(target, others, count - found, rng)
        rng.shuffle(origins)
        rounds.append(Round(target, tuple(map(supply.take, origins))))
    return rounds


def _excess(count: int, total: int, rng: random.Random) -> int:
    """Draw how many more pictures of a round are what is looked for than are not.

    Whatever the rounds before had, at least two numbers are possible, so that counting does not give a round away; yet
    what is looked for is never more than one picture away from half of all rounds together.

    Args:
        count: Pictures of the round.
        total: The excess of all rounds before, in [-2, 2].
        rng: Draws the lot.
    """
    possible = [excess for excess in range(-_MOST_EXCESS - 1, _MOST_EXCESS + 2) if (count + excess) % 2 == 0]
    return rng.choice([excess for excess in possible if abs(total + excess) <= _MOST_EXCESS])


class _Supply:
    """Pictures that were not shown yet, by origin."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._used = Counter[str]()  # pictures that were taken, by origin
        self._beside = Counter[tuple[str, str]]()  # pictures of an origin, by what was looked for
        self._classes = dict(zip(setup.models, setup.classes, strict=False))
        self._order = list(range(setup.real))
        random.Random(0).shuffle(self._order)  # not the quiz's: the next one goes on where this one may end

    def least(self, target: str, others: Collection[str], count: int, rng: random.Random) -> list[str]:
        """Choose what stands beside a target, each as often as the others; by lot where that leaves a choice."""
        chosen: list[str] = []
        for _ in range(count):
            fewest = min(self._beside[target, origin] for origin in others)
            chosen.append(rng.choice([origin for origin in others if self._beside[target, origin] == fewest]))
            self._beside[target, chosen[-1]] += 1
        return chosen

    def take(self, origin: str) -> Picture:
        """Return the next picture of an origin."""
        index = self._used[origin]
        self._used[origin] += 1
        if origin == REAL:
            return Picture(REAL, self._real(index))
        if index >= _STRIDE:
            raise _used_up()
        seed = _FIRST + self._setup.number * _STRIDE + index
        return Picture(origin, seed, self._label(origin, seed))

    def _real(self, index: int) -> int:
        if index >= len(self._order):
            raise _used_up()
        return self._order[
            ((self._setup.number - 1) * (len(self._order) // 5 + 1) + index) % len(self._order)
        ]

    def _label(self, origin: str, seed: int) -> int | None:
        """Draw a class as often as the data have it."""
        classes = self._classes.get(origin, 0)
        if not classes:
            return None
        rng = random.Random(f"{self._setup.number} {origin} {seed}")
        known = [label for label in self._setup.labels if label < classes]
        return rng.choice(known) if known else rng.randrange(classes)


def _used_up() -> UserError:
    return UserError("quiz-used-up", "All pictures of this quiz have been shown.", "Start anew.")
