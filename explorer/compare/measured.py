"""What was measured of some models, as a table for people: what a row says, which model is better, what is left out.

`table` holds exactly what the part Numbers of Compare shows; `as_json` all that is known. Torch-free.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from explorer.compare import rivals
from explorer.text import N_, _, duration
from models import datasets
from models.catalog import ModelInfo
from models.metrics import METRICS, NEEDS, Goal, Need, goal_of, of_key
from models.metrics.comparison import difference
from models.metrics.figures import Figures
from models.metrics.intervals import Interval, welch

_SECTIONS: Mapping[str, tuple[str, ...]] = {
    N_("Sharpness"): ("sharpness",),
    N_("Fidelity and diversity"): ("fid", "fd", "kd", "prdc", "diversity", "classes", "factors", "modes"),
    N_("Reconstruction"): ("reconstruction", "inversion"),
    N_("Latent space"): ("latent", "path_length", "separability", "mig", "dci"),
    N_("Likelihood"): ("likelihood",),
    N_("Memorisation"): ("memorisation",),
}
_TITLES = {
    "sharpness_ratio": N_("Sharpness, × real"),
    "sharpness_ratio_q10": N_("Of the softest tenth, × real"),
    "sharpness_ratio_q50": N_("Of the median, × real"),
    "sharpness_ratio_q90": N_("Of the sharpest tenth, × real"),
    "high_frequency_ratio": N_("High frequencies, × real"),
    "fid": N_("FID"),
    "kid": N_("KID"),
    "precision": N_("Precision"),
    "recall": N_("Recall"),
    "density": N_("Density"),
    "coverage": N_("Coverage"),
    "pairwise_distance_ratio": N_("Distance in pixels, × real"),
    "feature_distance_ratio": N_("Distance in features, × real"),
    "classes_covered": N_("Classes covered"),
    "smallest_class_share": N_("Share of the rarest class"),
    "mean_confidence": N_("Confidence of the classifier"),
    "label_agreement": N_("Label as asked for"),
    "factor_values_missing": N_("Attribute values missing"),
    "modes_covered": N_("Modes covered"),
    "modes": N_("Modes"),
    "high_quality_share": N_("High quality"),
    "modes_kl_nats": N_("KL of the modes, nats"),
    "energy_distance": N_("Energy distance"),
    "psnr_db": N_("PSNR by encoding, dB"),
    "ssim": N_("SSIM by encoding"),
    "reconstruction_sharpness_ratio": N_("Sharpness by encoding, × image"),
    "inversion_psnr_db": N_("PSNR by inversion, dB"),
    "inversion_ssim": N_("SSIM by inversion"),
    "encoding_psnr_db": N_("PSNR by encoding, the same images, dB"),
    "encoding_ssim": N_("SSIM by encoding, the same images"),
    "kl_nats": N_("KL, nats"),
    "active_units": N_("Active units"),
    "separability": N_("Linear separability"),
    "mig": N_("MIG"),
    "dci_disentanglement": N_("DCI disentanglement"),
    "dci_completeness": N_("DCI completeness"),
    "dci_informativeness": N_("DCI informativeness"),
    "nll_nats": N_("NLL, nats"),
    "negative_elbo_nats": N_("Negative ELBO, nats"),
    "nearest_ratio": N_("Nearest training image, × held-out"),
    "copies_share": N_("Near copies"),
}
_NETWORKS = {"fd_": "FD", "kd_": "KD", "ppl_": N_("Path length")}  # figures that bear the name of a network
_OF_THE_DATA = (
    "classes",
    "factors",
    "known",
    "categories",
    "modes",
)  # needs that no choice of models would meet
_REAL = "_real"  # ends the keys of figures of real images


@dataclass(frozen=True)
class Cell:
    """What a row says of one model.

    Args:
        value: The figure, of several seeds their mean; None if it does not apply.
        interval: Its 95 % interval; None if it has none.
        better: Whether it is better than that of every other model, by more than seeds or images move it.
        text: The value, for people; empty where there is none.
        between: The interval, for people.
    """

    value: float | None
    interval: Interval | None
    better: bool
    text: str
    between: str


@dataclass(frozen=True)
class Row:
    """One figure of all models.

    Args:
        key: Of the figure, see `models.metrics.METRICS`.
        title: For people, with its unit.
        cells: One for each model.
        real: What training images reach in place of samples, or else held-out ones; None if neither is known.
        real_text: The same for people.
        count: How many samples, or images, it is of; of the models the most.
        goal: Which values are better; None if none are.
        what: A sentence: what it is.
        misleads: Sentences: what its metric measures, when it misleads, and what is real where that is unusual.
    """

    key: str
    title: str
    cells: tuple[Cell, ...]
    real: float | None
    real_text: str
    count: int
    goal: Goal | None
    what: str
    misleads: str


@dataclass(frozen=True)
class Section:
    """Rows that belong together."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class MeasuredTable:
    """All that is shown as a table.

    Args:
        models: What the models are called, one for each column, see `rivals.names`.
        sections: The rows.
        left_out: Sentences: which metrics do not apply to which model, and why.
        protocol: One line: how it was measured.
    """

    models: tuple[str, ...]
    sections: tuple[Section, ...]
    left_out: tuple[str, ...]
    protocol: str

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows."""
        return tuple(row for section in self.sections for row in section.rows)


def together(parts: Sequence[Figures]) -> Figures:
    """Return several measurements of one model as one: of what was asked for first, with all figures."""
    first, *others = parts
    changes: dict[str, Any] = {}
    for name in ("values", "floors", "intervals", "series", "counts", "lacking"):
        changes[name] = {key: one for part in reversed(parts) for key, one in getattr(part, name).items()}
    changes["seconds"] = first.seconds + sum(other.seconds for other in others)
    return first.model_copy(update=changes)


def table(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> MeasuredTable:
    """Return what some models were measured at, side by side.

    Args:
        models: Of one data set, see `models.metrics.comparison.shared_dataset`.
        measured: Figures of each, measured in the same way.
    """
    sections = [Section(_(title), _rows(names, models, measured)) for title, names in _SECTIONS.items()]
    return MeasuredTable(
        tuple(rivals.names(models).values()),
        tuple(section for section in sections if section.rows),
        _left_out(models, measured),
        protocol(measured),
    )


def as_json(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> dict[str, Any]:
    """Return all that was measured as plain values of JSON, with the curves as lists, by model."""
    return {
        "models": {
            info.id: {
                **one.model_dump(mode="json", exclude={"series"}),
                "series": {key: one.curve(key).tolist() for key in one.series},
            }
            for info, one in zip(models, measured, strict=True)
        }
    }


# Rows --------------------------------------------------------------------------------------------------------


def _rows(names: Sequence[str], models: Sequence[ModelInfo], measured: Sequence[Figures]) -> tuple[Row, ...]:
    return tuple(_row(key, models, measured) for name in names for key in _keys(name, measured))


def _keys(name: str, measured: Sequence[Figures]) -> list[str]:
    """Return the figures of a metric that have a row: not those of real images, and not those of single attributes."""
    metric = METRICS[name]
    plain = [key for key in metric.values if "<name>" not in key]
    if not plain:
        found = dict.fromkeys(key for one in measured for key in one.values)
        return [key for key in found if (known := of_key(key)) and known[0] is metric]
    return [key for key in plain if key not in metric.real and any(key in one.values for one in measured)]


def _row(key: str, models: Sequence[ModelInfo], measured: Sequence[Figures]) -> Row:
    metric, what = of_key(key) or (None, "")
    unlike = _unlike(key, models, measured)
    best = None if unlike else better(key, measured)
    real = next((found for one in measured if (found := _real(key, one)) is not None), None)
    return Row(
        key,
        title_of(key),
        tuple(_cell(key, one, number == best) for number, one in enumerate(measured)),
        real,
        "" if real is None else number_text(real),
        max(one.counts.get(key, 0) for one in measured),
        goal_of(key),
        _(what),
        " ".join(
            filter(None, (_(metric.description) if metric else "", _of_held_out(key, measured), unlike))
        ),
    )


def _cell(key: str, one: Figures, best: bool) -> Cell:
    value, interval = one.values.get(key), one.intervals.get(key)
    if value is None:
        return Cell(None, None, False, "", "")
    return Cell(value, interval, best, number_text(value), between(interval) if interval else "")


def _real(key: str, one: Figures) -> float | None:
    return one.floors.get(key, one.values.get(key + _REAL))


def _of_held_out(key: str, measured: Sequence[Figures]) -> str:
    """Say if what stands under “Real” is not of training images, as of most figures; empty if it is."""
    if any(key in one.floors for one in measured) or all(key + _REAL not in one.values for one in measured):
        return ""
    return _("Here “Real” is of held-out images in place of samples, not of training images.")


def _unlike(key: str, models: Sequence[ModelInfo], measured: Sequence[Figures]) -> str:
    """Say if a likelihood is a probability of some models and a density of others; empty elsewhere."""
    if key not in METRICS["likelihood"].values:
        return ""
    there = (info for info, one in zip(models, measured, strict=True) if key in one.values)
    if len({getattr(info.model, "likelihood", "") == "bernoulli" for info in there}) < 2:
        return ""
    return _(
        "Here it is a probability of some models and a density of others: they cannot be compared by it."
    )


def title_of(key: str) -> str:
    """Return what a figure is called in the table, in the reader's language."""
    for start, word in _NETWORKS.items():
        if key.startswith(start):
            return f"{_(word)}-{key.removeprefix(start)}" if len(word) == 2 else _(word)
    return _(_TITLES[key]) if key in _TITLES else key


def better(key: str, measured: Sequence[Figures]) -> int | None:
    """Return which of some models is better than every other; None if chance alone could explain it, or none can be.

    By the interval of the difference, see `models.metrics.comparison.difference`.

    Args:
        key: Of the figure.
        measured: Figures of each model.
    """
    goal = goal_of(key)
    known = {
        number: _loss(one.intervals[key].mean, goal)
        for number, one in enumerate(measured)
        if goal and key in one.intervals
    }
    if len(known) < 2:
        return None
    first = min(known, key=lambda number: known[number])
    others = (number for number in known if number != first)
    return first if all(_is_better(key, measured[first], measured[other]) for other in others) else None


def _loss(value: float, goal: Goal | None) -> float:
    """Return a figure as one of which less is better."""
    return abs(value - 1) if goal == "one" else -value if goal == "higher" else value


def _is_better(key: str, one: Figures, other: Figures) -> bool:
    """Tell whether a figure of one model is better than that of another, by more than chance explains.

    Where it is best to be near 1, the distances from 1 are compared, with the widths of their figures: a value that
    straddles 1 is then held for less sure than it is.
    """
    goal = goal_of(key)
    if goal == "one":
        return welch(_from_one(one.intervals[key]), _from_one(other.intervals[key])).high < 0
    gap = difference(key, one, other)
    return gap is not None and (gap.high < 0 if goal == "lower" else gap.low > 0)


def _from_one(interval: Interval) -> Interval:
    """Return the distance of a figure from 1, with the width of its interval."""
    half, mean = (interval.high - interval.low) / 2, abs(interval.mean - 1)
    return replace(interval, mean=mean, low=mean - half, high=mean + half)


# Words -------------------------------------------------------------------------------------------------------


def number_text(value: float, like: float | None = None) -> str:
    """Write a figure with three digits, or with as many places as another one of about its size; counts as they are."""
    if like is None and value and value == round(value):
        return f"{value:,.0f}".replace("-", "−")
    size = abs(value if like is None else like)
    places = 0 if size >= 100 else 2 if size == 0 else max(0, min(5, 2 - math.floor(math.log10(size))))
    text = f"{value:,.{places}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.replace("-", "")


def between(interval: Interval) -> str:
    """Write an interval with the places of its mean: 0.86 to 0.88."""
    if interval.low == interval.high:
        return _("in every draw")
    low, high = (number_text(end, interval.mean) for end in (interval.low, interval.high))
    return _("{low} to {high}").format(low=low, high=high)


def protocol(measured: Sequence[Figures]) -> str:
    """Say in one line how some models were measured."""
    first = measured[0]
    data = datasets.known(first.spec.dataset)
    seeds = first.spec.seeds
    parts = [
        _("{n} samples of each model in {seeds} independent draws (seeds {first} to {last})").format(
            n=f"{first.spec.n:,}", seeds=seeds, first=first.spec.seed, last=first.spec.seed + seeds - 1
        )
    ]
    if data:  # elsewhere it is not known how many held-out images there are
        form = _("{n} held-out images of {data}, as they are: no resizing")
        parts.append(form.format(n=f"{min(first.spec.n, data.test):,}", data=data.title))
    if first.classifier:
        parts.append(_("features and verdicts of {network}").format(network=first.classifier.name))
    parts.append(_joined(_("computed on {device}").format(device=one.device) for one in measured))
    versions = (f"{name} {number}" for one in measured for name, number in one.versions.items() if number)
    seconds = duration(sum(one.seconds for one in measured))
    return " · ".join([*parts, _joined(versions), _("took {time}").format(time=seconds)])


def _joined(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _left_out(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> tuple[str, ...]:
    """Say which metrics are missing for which models, one sentence for each reason."""
    called = rivals.names(models).values()
    reasons: dict[tuple[Need, tuple[str, ...]], list[str]] = {}
    for metric in dict.fromkeys(metric for one in measured for metric in one.lacking):
        needs: list[Need | None] = [one.lacking.get(metric) for one in measured]
        distinct: dict[Need | None, None] = dict.fromkeys(needs)
        if any(need in _OF_THE_DATA for need in distinct):
            continue
        for need in distinct:
            if need is None:
                continue
            who = tuple(name for name, lacks in zip(called, needs, strict=True) if lacks == need)
            reasons.setdefault((need, who), []).append(metric)
    return tuple(
        (
            _("Not measured: {metrics} ({need}).")
            if len(who) == len(models)
            else _("Not measured of {models}: {metrics} ({need}).")
        ).format(
            models=", ".join(who),
            metrics=", ".join(metrics),
            need=_("needs {what}").format(what=_(NEEDS[need])),
        )
        for (need, who), metrics in reasons.items()
    )
