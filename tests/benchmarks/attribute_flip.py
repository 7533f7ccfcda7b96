"""Move random points along an attribute, and count how often it flips and what else changes.

    uv run python tests/benchmarks/attribute_flip.py [--models avatars-vae,avatars-gan] [--attribute glasses]
        [--keep skin,background] [--points 200] [--first-seed 0]

Each point is a seed of the prior. The data set's classifier says whether its picture has the attribute: a
categorical one whose first value is `none` (any other value has it), or one value of one ("Sneaker", "hat: cap").
Points without it move towards it, points with it away from it, in steps of 0.05 prior standard deviations (one
notch of the sliders) along a unit direction, until the verdict differs from that at the start, at most 3
standard deviations. A point *flips* if it does so on the way. The attributes to keep are judged where it flips, or
at 3 standard deviations where it does not: a categorical one *stays* if its most probable value is the same, a
continuous one if its estimate changes by at most a tenth of its range (for the background of avatars half the way
from one of its six colours to the next).

Four directions are compared: the attribute's normal as it is, that normal made orthogonal to those of what is to be
kept (`models.latent.projected`), that normal bent away from whatever changes what is to be kept
(`models.directions.Directions.moves`), and what Explore's switch makes of it, which keeps the sliders that are at
hand. The last but one has to flip at least 80 %, with all that is to be kept staying on at least 80 % of
all points; exit code 1 if it does not for one of the models.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models import catalog, checkpoints
from models.config import Head
from models.core import LatentModel
from models.directions import DIRECTIONS, Directions, Origin
from models.judge import Classify, judge_of
from models.latent import default_labels, prior, projected

STEP, REACH = 0.05, 3.0  # prior standard deviations
TOLERANCE = 0.1  # of the range of a continuous attribute
LEAST = 0.8
SLIDERS = 8


@dataclass(frozen=True)
class Outcome:
    """What became of the points, each of shape (N,)."""

    had: Tensor
    flipped: Tensor
    distance: Tensor
    stayed: dict[str, Tensor]

    @property
    def all_stayed(self) -> Tensor:
        """Where everything that was to be kept did stay."""
        return torch.stack(list(self.stayed.values())).all(0)


@dataclass(frozen=True)
class Court:
    """A model, what judges its pictures, and the attribute in question."""

    model: LatentModel
    classify: Classify
    head: Head
    value: str
    kept: tuple[Head, ...]

    def verdicts(self, z: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Judge the pictures of latents."""
        return self.classify(self.model.decode(z, labels))

    def has(self, verdicts: dict[str, Tensor]) -> Tensor:
        """Tell which pictures have the attribute."""
        verdict = verdicts[self.head.name].argmax(1)
        return verdict == self.head.values.index(self.value) if self.value else verdict > 0

    def same(self, head: Head, before: Tensor, after: Tensor) -> Tensor:
        """Tell where an attribute stays."""
        if head.values:
            return before.argmax(1) == after.argmax(1)
        return (before - after).abs() <= TOLERANCE * (head.high - head.low)

    @torch.inference_mode()
    def walk(self, z: Tensor, labels: Tensor | None, direction: Tensor) -> Outcome:
        """Move points along a unit direction until they flip."""
        start = self.verdicts(z, labels)
        had = self.has(start)
        sign = torch.where(had, -1.0, 1.0)[:, None]
        flipped = torch.zeros(len(z), dtype=torch.bool)
        distance = torch.full((len(z),), REACH)
        end = {name: out.clone() for name, out in start.items()}
        for step in range(1, round(REACH / STEP) + 1):
            open_ = (~flipped).nonzero()[:, 0]
            if not len(open_):
                break
            moved = z[open_] + step * STEP * sign[open_] * direction
            now = self.verdicts(moved, None if labels is None else labels[open_])
            for name, out in now.items():
                end[name][open_] = out
            turned = open_[self.has(now) != had[open_]]
            flipped[turned] = True
            distance[turned] = step * STEP
        stayed = {head.name: self.same(head, start[head.name], end[head.name]) for head in self.kept}
        return Outcome(had, flipped, distance, stayed)


def head_of(heads: Sequence[Head], attribute: str) -> tuple[Head, str]:
    """Return the head of an attribute by the name of its direction, and which value; none means any but `none`."""
    for head in heads:
        word = head.name.replace("_", " ")
        if attribute == word and head.values[:1] == ("none",):
            return head, ""
        for value in head.values:
            if attribute in (f"{word}: {value}".replace("_", " "), value if head.name == "label" else ""):
                return head, value
    raise SystemExit(f"'{attribute}' is no categorical attribute of the classifier, nor a value of one.")


def at_hand(found: Directions) -> list[int]:
    """Return the directions whose sliders Explore has at hand: those of an attribute's presence first."""
    chances = [0.0] * len(found.names) if found.chances is None else found.chances.tolist()
    whole = [name == of for name, of in zip(found.names, found.attributes, strict=True)]
    return sorted(range(len(whole)), key=lambda i: not (whole[i] and chances[i] > 0))[:SLIDERS]


def directions_of(found: Directions, attribute: str, keep: Sequence[str]) -> dict[str, Tensor]:
    """Return the directions to compare, by what they are called."""
    if attribute not in found.names:
        raise SystemExit(f"The model has no direction '{attribute}', only: {', '.join(found.names)}.")
    index = found.names.index(attribute)
    kept = [i for i, name in enumerate(found.attributes) if name in keep]
    return {
        "as it is": found.vectors[index],
        "projected": projected(found.vectors[index], found.vectors[kept]),
        "keeping": found.moves([index], kept)[0],
        "the page": found.moves([index], at_hand(found))[0],
    }


def report(name: str, outcome: Outcome) -> bool:
    """Print a line; tell whether it meets the mark."""
    flips, stays = outcome.flipped.float().mean().item(), outcome.all_stayed.float().mean().item()
    on, off = (outcome.flipped[side].float().mean().item() for side in (~outcome.had, outcome.had))
    each = "".join(f"{kept.float().mean().item():>12.3f}" for kept in outcome.stayed.values())
    both = (outcome.flipped & outcome.all_stayed).float().mean().item()
    median = outcome.distance.median().item()
    print(
        f"  {name:<10}{flips:>8.3f}{on:>8.3f}{off:>8.3f}{each}{stays:>10.3f}{both:>10.3f}{median:>8.2f}",
        flush=True,
    )
    return flips >= LEAST and stays >= LEAST


def main() -> int:
    """Measure the models and print a table for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="avatars-vae,avatars-gan")
    parser.add_argument("--attribute", default="glasses")
    parser.add_argument("--keep", default="skin,background")
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    keep = [name for name in arguments.keep.split(",") if name]
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.points)
    failures = 0
    for name in arguments.models.split(","):
        info = catalog.find(name)
        model = checkpoints.load(info)
        if not isinstance(model, LatentModel):
            raise SystemExit(f"'{name}' makes no images.")
        judge = judge_of(info.dataset, info.sample_shape)
        head, value = head_of(judge.heads, arguments.attribute)
        kept = tuple(head for head in judge.heads if head.name in keep)
        if len(kept) < len(keep):
            raise SystemExit(f"The classifier knows only: {', '.join(head.name for head in judge.heads)}.")
        found = DIRECTIONS["attributes"](model, origin=Origin(info.dataset, info.digest, info.path))
        court = Court(model, judge.open(), head, value, kept)
        z = prior(seeds, model.latent_dim)
        labels = default_labels(seeds, model.classes) if model.classes else None
        index = found.names.index(arguments.attribute) if arguments.attribute in found.names else -1
        score = float(found.scores[index]) if found.scores is not None and index >= 0 else float("nan")
        print(f"{info.id}, {arguments.attribute}: held-out balanced accuracy {score:.3f}")
        titles = "".join(f"{head.name:>12}" for head in kept)
        print(
            f"  {'':<10}{'flips':>8}{'to it':>8}{'from it':>8}{titles}{'all stay':>10}{'and flips':>10}{'median':>8}"
        )
        met = [
            report(kind, court.walk(z, labels, direction))
            for kind, direction in directions_of(found, arguments.attribute, keep).items()
        ]
        failures += not met[-2]
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
