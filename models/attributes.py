"""Directions along which a named attribute of the picture grows: glasses, a smile, a class of the data set.

Samples of the prior are decoded, and the data set's classifier says what they show (`models.judge`); a linear
model of z predicts each verdict, and its normal is the direction (InterFaceGAN's protocol). So a direction means
what a slider does: it moves samples of this model, whatever an encoder would say of real images.

A second, smaller set of latents is moved along every axis of z, to see which moves change an attribute at all.
These *effects* serve conditional manipulation (`Directions.keeping`): the normals know only what an attribute
does on average, but what is to stay must stay at each point.

References:
    Shen, Gu, Tang & Zhou (2020), arXiv:1907.10786, section 3.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from models import attribute_files
from models.catalog import DIRECTIONS
from models.config import Head
from models.core import LatentModel
from models.directions import Directions, Origin
from models.errors import UserError, write_error
from models.judge import Classify, Judge, Verdicts, judge_of
from models.latent import generator
from models.shared import COSTLY, Progress, unheard

VERSION = 2  # of what is computed here: a change makes everything that is cached void
TITLE = "Attributes of the pictures"
_CHUNK = 256  # latents that are decoded at once
_SAMPLES = 4000  # latents whose pictures are labelled
_HELD_OUT = 1000  # of them, to measure the directions on
_MOVES = 12_000  # further pictures that may be drawn to measure effects; with half as many, less stays
_STEP = 1.0  # of these moves, in prior standard deviations: about as far as a slider goes to change a verdict
_RARE = 0.02  # share of the samples below which a value is too rare to fit
_CONSTANT = 1e-3  # standard deviation of a continuous attribute, in its range, below which it is constant
_ACCURACY, _R2 = 0.05, 0.02  # by which a direction must beat chance to be one
_BEGUN = 0.005  # share that is told before a turn is waited for: who looks on then knows that it takes long
_RIDGE = 10.0  # strength of the prior on weights: for latents of variance 1 that of ten samples


@dataclass(frozen=True)
class Target:
    """What one direction is fitted to.

    Args:
        name: For people, in English.
        attribute: The head that it belongs to.
        values: Shape (N,), boolean for a value that a picture has or has not, else float.
    """

    name: str
    attribute: str
    values: Tensor

    @property
    def chance(self) -> float:
        """The score of a guess."""
        return 0.5 if self.values.dtype == torch.bool else 0.0

    @property
    def least(self) -> float:
        """How far above chance a score must be."""
        return _ACCURACY if self.values.dtype == torch.bool else _R2


@dataclass(frozen=True)
class _Fit:
    target: Target
    score: float
    normal: Tensor

    @property
    def skill(self) -> float:
        """How far the score is from chance (0) to perfect (1)."""
        return (self.score - self.target.chance) / (1 - self.target.chance)


def attributes(
    model: LatentModel, *, seed: int = 0, origin: Origin | None = None, progress: Progress = unheard
) -> Directions:
    """Return one direction for each attribute value that z determines; along it, there is more of that value.

    - A categorical attribute has a direction for each value, against all others. Where its first value is
      `none`, that is replaced by a direction of its own name, any value against none; of two values, which
      are each other's opposite, the second has the direction. They are normals of logistic regressions, and
      the score is balanced accuracy on held-out samples, for which chance is 0.5.
    - A continuous attribute has the direction of a ridge regression; the score is R^2 on held-out samples,
      for which chance is 0.
    - Values that fewer than 2 % or more than 98 % of the samples have, and directions that do not beat chance
      by 0.05 (accuracy) or 0.02 (R^2), are left out: they would be noise.
    - A conditional model draws every sample with a random label. What the label alone decides (its class)
      does not depend on z, and falls out with the rule above.

    Shares are what each score is above chance, relative to the best possible one, as parts of their sum: the
    best known direction comes first. The sign is that of the attribute, not that of the largest component.
    Results may lie in the model's checkpoint (see `ship`), and are else kept in `models.paths.cache()`.

    Args:
        model: The model.
        seed: Of the samples.
        origin: Which data set the model learnt, the digest of its weights, and its checkpoint.
        progress: Told the share of the pictures that are judged.

    Raises:
        UserError: There is no one to judge the pictures, or z determines none of the attributes.
    """
    if origin is None:
        problem = "It is not known what the model learnt from, so its pictures cannot be judged."
        raise UserError("no-classifier", problem, "Choose another kind of directions.")
    judge = judge_of(origin.dataset, model.sample_shape)
    found = _known(model, judge, seed, origin)
    if found is None:
        progress(_BEGUN)
        with COSTLY:
            found = find(model, judge, seed, progress)
        if origin.digest:
            with contextlib.suppress(OSError):  # then they are computed again the next time
                key = _key(judge, seed, origin)
                attribute_files.write(attribute_files.in_cache(key), key, found)
    if not found.names:
        raise UserError(
            "no-attributes",
            "The latent of this model decides none of the attributes that the classifier knows"
            + (": its label does." if model.classes else ", or its pictures are all alike."),
            "Choose another kind of directions.",
        )
    return found


def _key(judge: Judge, seed: int, origin: Origin) -> str:
    return hashlib.sha256(f"{VERSION} {origin.digest} {judge.key} {seed}".encode()).hexdigest()


def _known(model: LatentModel, judge: Judge, seed: int, origin: Origin) -> Directions | None:
    """Return what lies in the checkpoint, else in the cache."""
    key = _key(judge, seed, origin)
    places = [origin.folder / DIRECTIONS] if origin.folder else []
    places += [attribute_files.in_cache(key)] if origin.digest else []
    found = (attribute_files.read(place, key, model.latent_dim) for place in places)
    return next((directions for directions in found if directions is not None), None)


def ship(model: LatentModel, origin: Origin, progress: Progress = unheard) -> bool:
    """Write the directions into a model's checkpoint, so that nobody has to wait for them.

    The file counts as long as the weights, the judge and the way directions are found stay what they are.

    Args:
        model: The model.
        origin: Where it comes from, with its folder.
        progress: As for `attributes`.

    Returns:
        Whether they are there now: not where nobody can judge the pictures. What the folder held is then deleted.

    Raises:
        UserError: The folder cannot be written.
    """
    assert origin.folder
    path = origin.folder / DIRECTIONS
    try:
        judge = judge_of(origin.dataset, model.sample_shape)
    except UserError:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(path, error) from error
        return False
    found = _known(model, judge, 0, origin) or find(model, judge, progress=progress)
    try:
        attribute_files.write(path, _key(judge, 0, origin), found)
    except OSError as error:
        raise write_error(path, error) from error
    return True


@torch.no_grad()
def find(model: LatentModel, judge: Judge, seed: int = 0, progress: Progress = unheard) -> Directions:
    """Fit the directions, see `attributes`; there are none if none beats chance."""
    classify = _heard(judge, model.latent_dim, progress)
    z = torch.randn(_SAMPLES, model.latent_dim, generator=generator(seed, 2, 0))
    verdicts = _judged(model, classify, z, _labels(model, _SAMPLES, seed))
    fits: list[_Fit] = []
    for target in targets(judge.heads, verdicts):
        score = held_out_score(z, target.values)
        if score - target.chance >= target.least:
            fits.append(_Fit(target, score, F.normalize(linear(z, target.values)[0], dim=0)))
    # The sort is stable: directions that are known equally well keep the classifier's order.
    fits.sort(key=lambda fit: fit.skill, reverse=True)
    kept = {fit.target.attribute for fit in fits}
    skills = torch.tensor([fit.skill for fit in fits])
    return Directions(
        torch.stack([fit.normal for fit in fits]) if fits else torch.empty(0, model.latent_dim),
        skills / skills.sum().clamp_min(1e-12),
        TITLE,
        names=tuple(fit.target.name for fit in fits),
        attributes=tuple(fit.target.attribute for fit in fits),
        scores=torch.tensor([fit.score for fit in fits]),
        chances=torch.tensor([fit.target.chance for fit in fits]),
        # What else changes is only a question where there is something else.
        effects=_effects(model, [h for h in judge.heads if h.name in kept], classify, seed)
        if len(kept) > 1
        else {},
    )


def _heard(judge: Judge, dim: int, progress: Progress) -> Classify:
    """Open a judge who tells how many of the pictures have been seen."""
    classify, seen = judge.open(), 0
    total = _SAMPLES + (_moved(dim) * (dim + 1) if len(judge.heads) > 1 else 0)

    def judged(x: Tensor) -> Verdicts:
        nonlocal seen
        out = classify(x)
        seen += len(x)
        progress(min(1.0, seen / total))
        return out

    return judged


def _moved(dim: int) -> int:
    """Return at how many latents moves along all axes are tried."""
    return max(8, min(_SAMPLES, _MOVES // (dim + 1)))


def targets(heads: Sequence[Head], verdicts: Verdicts) -> Iterator[Target]:
    """Say which values of which attributes are worth a direction, by the verdicts on some pictures.

    Args:
        heads: The attributes.
        verdicts: By attribute, probabilities (N, values) or estimates (N,).
    """
    for head in heads:
        out = verdicts[head.name].float()
        word = head.name.replace("_", " ")
        if not head.values:
            if float(out.std()) > _CONSTANT * (head.high - head.low):
                yield Target(word, head.name, out)
            continue
        verdict = out.argmax(1)
        if head.values[0] == "none" and _common(verdict > 0):
            yield Target(word, head.name, verdict > 0)
        # The first of two values is the opposite of the second, and "none" of all the others.
        first = 2 if _is_switch(head) else int(head.values[0] == "none" or len(head.values) == 2)
        for index, value in enumerate(head.values[first:], start=first):
            if _common(verdict == index):
                # A data set's own classes ("Sneaker") need no word for what they are values of.
                name = value if head.name == "label" else f"{word}: {value}"
                yield Target(name.replace("_", " "), head.name, verdict == index)


def _is_switch(head: Head) -> bool:
    return len(head.values) == 2 and head.values[0] == "none"


def _common(has: Tensor) -> bool:
    return _RARE <= float(has.float().mean()) <= 1 - _RARE


def linear(z: Float[Tensor, "batch dim"], values: Tensor) -> tuple[Float[Tensor, " dim"], float]:
    """Fit a linear predictor of an attribute.

    Args:
        z: Latents, shape (N, D).
        values: Shape (N,): boolean with both values (logistic regression, classes weighted equally), or float
            (ridge regression).

    Returns:
        Weight w, shape (D,), and bias b: the estimate is w z + b, or for a boolean attribute its sign.
    """
    if values.dtype != torch.bool:
        centre, mean = z.mean(0), values.mean()
        x, y = (z - centre).double(), (values - mean).double()
        gram = x.T @ x + _RIDGE * torch.eye(x.shape[1], dtype=torch.float64)
        weight = cast(Tensor, torch.linalg.solve(gram, x.T @ y)).float()  # pyright: ignore[reportUnknownMemberType]
        return weight, float(mean - centre @ weight)
    from sklearn.linear_model import LogisticRegression  # pyright: ignore[reportMissingTypeStubs]

    fit: Any = LogisticRegression(C=1 / _RIDGE, class_weight="balanced", max_iter=1000)
    fit.fit(z.numpy(), values.numpy())
    return torch.as_tensor(fit.coef_[0], dtype=torch.float32), float(fit.intercept_[0])


def held_out_score(z: Float[Tensor, "batch dim"], values: Tensor, held_out: int = _HELD_OUT) -> float:
    """Fit to all but the last latents, and measure how well these are predicted.

    Args:
        z: Latents, shape (N, D), in random order.
        values: As for `linear`.
        held_out: Number of latents to measure on.

    Returns:
        Balanced accuracy for boolean values, in [0, 1]; R^2 for others, at most 1.
    """
    weight, bias = linear(z[:-held_out], values[:-held_out])
    estimate, truth = z[-held_out:] @ weight + bias, values[-held_out:]
    if truth.dtype == torch.bool:
        right = (estimate > 0) == truth
        # A side that no sample is on counts as guessed.
        sides = [float(right[side].float().mean()) if side.any() else 0.5 for side in (truth, ~truth)]
        return sum(sides) / 2
    residual = (estimate - truth).square().mean()
    return float(1 - residual / truth.var(correction=0).clamp_min(1e-12))


def _effects(
    model: LatentModel, heads: Sequence[Head], classify: Classify, seed: int
) -> dict[str, Float[Tensor, "rows dim"]]:
    """Measure how moves along the axes change each attribute; see `Directions.effects`.

    With J the changes of an attribute's probabilities (or estimate) at one point that a step along each axis
    makes, E[J^T J] says how much it changes along any direction. Finite steps and not gradients: what counts
    is the change over the way that a slider goes, and any judge will do.
    """
    dim = model.latent_dim
    count = _moved(dim)
    z = torch.randn(count, dim, generator=generator(seed, 3, 0))
    labels = _labels(model, count, seed + 1)
    scatter = {head.name: torch.zeros(dim, dim, dtype=torch.float64) for head in heads}
    at_once = max(1, _CHUNK // (dim + 1))
    steps = torch.cat([torch.zeros(1, dim), _STEP * torch.eye(dim)])  # the point itself comes first
    for start in range(0, count, at_once):
        points = z[start : start + at_once]
        moved = (points[:, None] + steps).flatten(0, 1)
        repeated = None if labels is None else labels[start : start + at_once].repeat_interleave(dim + 1)
        verdicts = _judged(model, classify, moved, repeated)
        for head in heads:
            out = verdicts[head.name].double().reshape(len(points), dim + 1, -1) / (
                1 if head.values else head.high - head.low
            )
            change = (out[:, 1:] - out[:, :1]).transpose(1, 2).flatten(0, 1)  # (points * outputs, D)
            scatter[head.name] += change.T @ change / count
    return {name: attribute_files.factored(matrix) for name, matrix in scatter.items()}


def _labels(model: LatentModel, count: int, seed: int) -> Tensor | None:
    """Draw labels uniformly for a conditional model, shape (count,); else None."""
    return torch.randint(model.classes, (count,), generator=generator(seed, 2, 1)) if model.classes else None


def _judged(model: LatentModel, classify: Classify, z: Tensor, labels: Tensor | None) -> Verdicts:
    """Decode latents in pieces, and return the verdicts on all of them; pictures are not kept."""
    where = model.first_layer().device
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, len(z), _CHUNK):
        part = slice(start, start + _CHUNK)
        x = model.decode(z[part].to(where), None if labels is None else labels[part].to(where))
        for name, out in classify(x.float().cpu()).items():
            parts.setdefault(name, []).append(out)
    return {name: torch.cat(outs) for name, outs in parts.items()}
