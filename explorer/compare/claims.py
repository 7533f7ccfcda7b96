"""What figures say in a sentence: which model is sharper, where the textbook holds, what the other one does better.

Every sentence is computed, with its figures and intervals; what chance could explain is said to be open. Torch-free.
"""

from collections.abc import Mapping, Sequence

from explorer.compare.measured import MeasuredTable, Row, between, number_text, table, title_of
from explorer.compare.rivals import is_adversarial
from explorer.text import _
from models.catalog import ModelInfo
from models.metrics.figures import Figures
from models.metrics.intervals import Interval, difference

SHARPNESS = "sharpness_ratio"
_ALSO = ("sharpness_ratio_q10", "sharpness_ratio_q90", "high_frequency_ratio")  # other figures of sharpness
# Figures besides sharpness that a sentence is worth, of samples first; those that end in _ bear a network's name.
_HEADLINES = ("fd_", "precision", "recall", "coverage", "inversion_psnr_db", "psnr_db", "nll_nats")


def claims(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> tuple[str, ...]:
    """Say what figures of some models come to, the question of the page first: plain sentences.

    Args:
        models: The models.
        measured: Figures of each, measured in the same way.
    """
    shown = table(models, measured)
    found = [_sharper(models, measured), *_too_sharp(models, measured), *_otherwise(models, measured)]
    return tuple(
        sentence for sentence in (*found, *_strengths(shown), _only_encodes(models, shown)) if sentence
    )


# Sharpness ---------------------------------------------------------------------------------------------------


def _sharper(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> str:
    """Say which model is the sharpest, and whether that is what textbooks say of VAEs and GANs."""
    known = _intervals(models, measured, SHARPNESS)
    if len(known) < 2:
        return _("Which model is sharper was not measured.")
    ranked = sorted(known, key=lambda title: -known[title].mean)
    first, second = ranked[:2]
    against = _(" and ").join(
        _("{ratio} of {model}").format(ratio=_ratio(known[title]), model=title) for title in ranked[1:]
    )
    if _above(known[first], known[second]):
        form = _("{model} is sharper: {ratio} against {others}.")
        if len(ranked) > 2:
            form = _("{model} is the sharpest: {ratio} against {others}.")
    else:
        form = _("Neither of the first two is sharper beyond chance: {model} {ratio} against {others}.")
        if len(ranked) == 2:
            form = _("Neither is sharper beyond chance: {model} {ratio} against {others}.")
    said = form.format(model=first, ratio=_ratio(known[first]), others=against)
    return f"{said} {_textbook(models, known)}".rstrip()


def _textbook(models: Sequence[ModelInfo], known: Mapping[str, Interval]) -> str:
    """Say whether every GAN is sharper than every VAE; nothing where there are not both."""
    pairs = [
        (known[one.title], known[other.title])
        for one in models
        for other in models
        if is_adversarial(one) and not is_adversarial(other) and {one.title, other.title} <= known.keys()
    ]
    if not pairs:
        return ""
    if all(_above(gan, vae) for gan, vae in pairs):
        return _("So “VAEs blur, GANs are sharper” holds here.")
    if any(_above(vae, gan) for gan, vae in pairs):
        return _("So “VAEs blur, GANs are sharper” does not hold here.")
    return _("So “VAEs blur, GANs are sharper” is not shown here.")


def _too_sharp(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> list[str]:
    """Say of which models samples have more detail than real images."""
    known = _intervals(models, measured, SHARPNESS)
    form = _(
        "{model} has more fine detail than real images ({ratio}): that is noise or checkerboard, not quality."
    )
    return [
        form.format(model=title, ratio=_ratio(interval))
        for title, interval in known.items()
        if interval.low > _most_of_real(measured)
    ]


def _most_of_real(measured: Sequence[Figures]) -> float:
    """Return how sharp training images are, × held-out ones, or 1 where it is less: real images may be as sharp."""
    return max(1.0, *(one.floors.get(SHARPNESS, 1.0) for one in measured))


def _otherwise(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> list[str]:
    """Say which other figures of sharpness contradict the mean."""
    known = _intervals(models, measured, SHARPNESS)
    if len(known) < 2:
        return []
    first = max(known, key=lambda title: known[title].mean)
    found: list[str] = []
    for key in _ALSO:
        also = _intervals(models, measured, key)
        top = max(also, key=lambda title: also[title].mean, default=first)
        if top != first and first in also and _above(also[top], also[first]):
            form = _("Not by “{figure}”: {one} {ratio} against {other} of {first}.")
            words = {"one": top, "ratio": _plain(also[top]), "other": _plain(also[first]), "first": first}
            found.append(form.format(figure=title_of(key), **words))
    return found


def _intervals(models: Sequence[ModelInfo], measured: Sequence[Figures], key: str) -> dict[str, Interval]:
    """Return the intervals of a figure, by the titles of those models that have one."""
    pairs = ((info.title, one.intervals.get(key)) for info, one in zip(models, measured, strict=True))
    return {title: interval for title, interval in pairs if interval is not None}


def _above(one: Interval, other: Interval) -> bool:
    return difference(one, other).low > 0


def _ratio(interval: Interval) -> str:
    return _("{value} × real ({between})").format(value=number_text(interval.mean), between=between(interval))


def _plain(interval: Interval) -> str:
    return f"{number_text(interval.mean)} ({between(interval)})"


# Everything else ---------------------------------------------------------------------------------------------


def _strengths(shown: MeasuredTable) -> list[str]:
    """Say of each model what it is better at than every other."""
    rows = [row for start in _HEADLINES for row in shown.rows if _named(row.key, start)]
    found: list[str] = []
    for number, title in enumerate(shown.models):
        best = [_strength(row, number) for row in rows if row.cells[number].better]
        if best:
            form = _("{model} is better at {figures}.")
            found.append(form.format(model=title, figures=", ".join(best)))
    return found


def _named(key: str, start: str) -> bool:
    return key.startswith(start) if start.endswith("_") else key == start


def _strength(row: Row, number: int) -> str:
    others = [cell.text for index, cell in enumerate(row.cells) if index != number and cell.text]
    figure, _comma, unit = row.title.partition(", ")
    form = (
        _("{figure} ({value} against {others} {unit})") if unit else _("{figure} ({value} against {others})")
    )
    words = {"value": row.cells[number].text, "others": _(" and ").join(others), "unit": unit}
    return form.format(figure=_lower(figure), **words)


def _lower(title: str) -> str:
    """Begin a title in lower case where it begins with a word, and not with an abbreviation."""
    return title[0].lower() + title[1:] if title[1:2].islower() else title


def _only_encodes(models: Sequence[ModelInfo], shown: MeasuredTable) -> str:
    """Say if one model alone reconstructs images, so that nothing stands against its figure."""
    row = next((row for row in shown.rows if row.key == "psnr_db"), None)
    there = [number for number, cell in enumerate(row.cells) if cell.text] if row else []
    if row is None or len(there) != 1 or any(row.key == "inversion_psnr_db" for row in shown.rows):
        return ""
    form = _(
        "Only {model} reconstructs images by an encoder ({psnr} dB); how near the others come shows their inversion."
    )
    return form.format(model=models[there[0]].title, psnr=row.cells[there[0]].text)
