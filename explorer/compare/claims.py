"""What figures say in a sentence: which model is sharper, where the textbook holds, what the other one does better.

Every sentence is computed, with its figures and intervals; what chance could explain is said to be open. Torch-free.
"""

from collections.abc import Sequence

from explorer.compare.measured import MeasuredTable, Row, between, number_text, table, title_of
from explorer.compare.rivals import is_adversarial, is_variational, names
from explorer.text import _
from models.catalog import ModelInfo
from models.metrics.figures import Figures
from models.metrics.intervals import Interval, welch

SHARPNESS = "sharpness_ratio"
_ALSO = ("sharpness_ratio_q10", "sharpness_ratio_q90", "high_frequency_ratio")  # other figures of sharpness
_MARGIN = (
    1.05  # what training images reach is one draw: samples must pass it by so much to be called too sharp
)
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
    return tuple(sentence for sentence in (*found, *_strengths(shown), _only_encodes(shown)) if sentence)


# Sharpness ---------------------------------------------------------------------------------------------------


def _sharper(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> str:
    """Say which model is the sharpest, and whether that is what textbooks say of VAEs and GANs."""
    known = _intervals(measured, SHARPNESS)
    if len(known) < 2:
        return _("Which model is sharper was not measured.")
    called = _called(models)
    ranked = sorted(known, key=lambda number: -known[number].mean)
    first, second = ranked[:2]
    against = _(" and ").join(
        _("{ratio} of {model}").format(ratio=_ratio(known[number]), model=called[number])
        for number in ranked[1:]
    )
    if _above(known[first], known[second]):
        form = _("{model} is sharper: {ratio} against {others}.")
        if len(ranked) > 2:
            form = _("{model} is the sharpest: {ratio} against {others}.")
    else:
        form = _("Neither of the first two is sharper beyond chance: {model} {ratio} against {others}.")
        if len(ranked) == 2:
            form = _("Neither is sharper beyond chance: {model} {ratio} against {others}.")
    said = form.format(model=called[first], ratio=_ratio(known[first]), others=against)
    return f"{said} {_textbook(models, measured)}".rstrip()


def _textbook(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> str:
    """Say whether every VAE blurs and every GAN is sharper; nothing where there are not both."""
    known = _intervals(measured, SHARPNESS)
    gans = [number for number in known if is_adversarial(models[number])]
    vaes = [number for number in known if is_variational(models[number])]
    pairs = [(known[gan], known[vae]) for gan in gans for vae in vaes]
    if not pairs:
        return ""
    if any(_above(vae, gan) for gan, vae in pairs):
        return _("So “VAEs blur, GANs are sharper” does not hold here.")
    why = [
        *([] if all(_above(gan, vae) for gan, vae in pairs) else [_("chance may explain the difference")]),
        *_each(_("{model} does not blur"), models, [one for one in vaes if known[one].high >= 1]),
        *_each(
            _("the detail of {model} is more than real"),
            models,
            [one for one in _beyond_real(measured) if one in gans],
        ),
    ]
    if not why:
        return _("So “VAEs blur, GANs are sharper” holds here.")
    form = _("So “VAEs blur, GANs are sharper” is not shown here: {why}.")
    return form.format(why=_(" and ").join(why))


def _each(form: str, models: Sequence[ModelInfo], numbers: Sequence[int]) -> list[str]:
    """Return a form, filled in with each of some models."""
    called = _called(models)
    return [form.format(model=called[number]) for number in numbers]


def _too_sharp(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> list[str]:
    """Say of which models samples have more detail than real images."""
    known, called = _intervals(measured, SHARPNESS), _called(models)
    form = _(
        "{model} has more fine detail than real images ({ratio}): that may be noise or checkerboard, not quality."
    )
    return [
        form.format(model=called[number], ratio=_ratio(known[number])) for number in _beyond_real(measured)
    ]


def _beyond_real(measured: Sequence[Figures]) -> list[int]:
    """Return which models have more detail than real images, by more than one draw of those may be off."""
    most = _MARGIN * max(1.0, *(one.floors.get(SHARPNESS, 1.0) for one in measured))
    return [number for number, one in _intervals(measured, SHARPNESS).items() if one.low > most]


def _otherwise(models: Sequence[ModelInfo], measured: Sequence[Figures]) -> list[str]:
    """Say which other figures of sharpness contradict the mean."""
    known, called = _intervals(measured, SHARPNESS), _called(models)
    if len(known) < 2:
        return []
    first = max(known, key=lambda number: known[number].mean)
    found: list[str] = []
    for key in _ALSO:
        also = _intervals(measured, key)
        top = max(also, key=lambda number: also[number].mean, default=first)
        if top != first and first in also and _above(also[top], also[first]):
            form = _("Not by “{figure}”: {one} {ratio} against {other} of {first}.")
            words = {"one": called[top], "ratio": _plain(also[top]), "other": _plain(also[first])}
            found.append(form.format(figure=title_of(key), first=called[first], **words))
    return found


def _called(models: Sequence[ModelInfo]) -> list[str]:
    return list(names(models).values())


def _intervals(measured: Sequence[Figures], key: str) -> dict[int, Interval]:
    """Return the intervals of a figure, by the numbers of those models that have one."""
    pairs = ((number, one.intervals.get(key)) for number, one in enumerate(measured))
    return {number: interval for number, interval in pairs if interval is not None}


def _above(one: Interval, other: Interval) -> bool:
    return welch(one, other).low > 0


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


def _only_encodes(shown: MeasuredTable) -> str:
    """Say if one model alone reconstructs images, so that nothing stands against its figure."""
    row = next((row for row in shown.rows if row.key == "psnr_db"), None)
    there = [number for number, cell in enumerate(row.cells) if cell.text] if row else []
    if row is None or len(there) != 1 or any(row.key == "inversion_psnr_db" for row in shown.rows):
        return ""
    form = _(
        "Only {model} reconstructs images by an encoder ({psnr} dB); how near the others come shows their inversion."
    )
    return form.format(model=shown.models[there[0]], psnr=row.cells[there[0]].text)
