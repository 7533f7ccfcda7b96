"""What a report of a comparison holds: one function a section, given the models. One more is one more line."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from explorer import cache, controls
from explorer.compare import charts, claims, evidence, measured, protocols, reasons, remade, sweep
from explorer.compare.quiz import REAL, Game, Tally
from explorer.compare.report import (
    Block,
    Cell,
    Chart,
    Estimate,
    Formula,
    Picture,
    Report,
    Section,
    Table,
    Text,
)
from explorer.text import N_, _, percent
from models import datasets, media
from models.catalog import ModelInfo
from models.errors import UserError
from models.families import kind_of
from models.metrics.figures import Figures
from models.requests import Sample
from models.tables import Table as Options

if TYPE_CHECKING:
    from models.images import Pixels

Maker = Callable[[Sequence[ModelInfo]], Section]
SAMPLES = 32  # of each model
_COLUMNS = 16
_IMAGES = 16  # that are reconstructed
_WIDTH = 960  # CSS pixels of a picture
_SHEET = 480  # of a small one
_SOUGHT = 2  # images that all models are to make: a search takes seconds
_WAYS = {"encode": N_("Encoded"), "search": N_("Searched for")}
_LIKENESS = {"psnr_db": N_("PSNR, dB"), "ssim": N_("SSIM"), "sharpness_ratio": N_("Sharpness, × image")}

MAKERS = Options[Maker](
    "section",
    {
        "models": "explorer.compare.sections:models",
        "samples": "explorer.compare.sections:samples",
        "reconstructions": "explorer.compare.sections:reconstructions",
        "images": "explorer.compare.sections:images",
        "numbers": "explorer.compare.sections:numbers",
        "cards": "explorer.compare.sections:cards",
        "why": "explorer.compare.sections:why",
    },
)
# Sections that there may be nothing to say in -> whether there is
_NEEDS: Mapping[str, Callable[[Sequence[ModelInfo]], bool]] = {
    "reconstructions": lambda models: any(info.can("encode") for info in models),
    "images": lambda models: any(remade.ways(info) for info in models),
    "numbers": lambda models: len(_measured(models)) == len(models),
    "cards": lambda models: any(info.card.metrics for info in models),
}
TITLES: Mapping[str, str] = {
    "models": N_("The models, and the commands that train them again"),
    "samples": N_("Samples at the same seeds"),
    "reconstructions": N_("Reconstructions of the same images"),
    "images": N_("Two images, as each model makes them again by its usual way"),
    "numbers": N_("What was measured, with intervals and curves"),
    "cards": N_("Figures of the models' cards"),
    "why": N_("Why VAEs blur and GANs do not"),
}


def made(models: Sequence[ModelInfo], more: Sequence[Section] = ()) -> Report:
    """Make the report of some models.

    Args:
        models: Of one data set.
        more: Sections besides those of `MAKERS`: what belongs to one session.
    """
    sections = [_made(name, models) for name in _there(models)]
    title = _("{names}: a comparison").format(names=_listed([info.title for info in models]))
    about = {
        "dataset": models[0].dataset,
        "models": [{"id": info.id, "digest": info.digest} for info in models],
    }
    return Report(title, (*sections, *more), about)


def titles(models: Sequence[ModelInfo]) -> list[str]:
    """Return the titles of the sections that a report of some models has, without making them."""
    return [_(TITLES[name]) for name in _there(models)]


def _there(models: Sequence[ModelInfo]) -> list[str]:
    """Return which sections there is something to say in."""
    return [name for name in MAKERS if name not in _NEEDS or _NEEDS[name](models)]


def _made(name: str, models: Sequence[ModelInfo]) -> Section:
    """Make a section; where it cannot be made, it says why, and the others go on."""
    try:
        return MAKERS[name](models)
    except UserError as error:
        return Section(_(TITLES[name]), (Text(f"{error.problem} {error.remedy}"),))


def _listed(names: Sequence[str]) -> str:
    return _("{first} and {last}").format(first=", ".join(names[:-1]), last=names[-1])


def models(models: Sequence[ModelInfo]) -> Section:
    """Say what each model is."""
    head = [_("Model"), _("Family"), _("Data set"), _("Latent dimensions"), _("Parameters"), _("Images seen")]
    rows = [
        (
            info.title,
            kind_of(info.family).title,
            datasets.title(info.dataset),
            info.latent_dim,
            info.parameters,
            info.card.images,
        )
        for info in models
    ]
    origin = [
        (info.title, info.id, info.digest, info.card.command or _("not known"), info.card.licence)
        for info in models
    ]
    more = [_("Model"), _("Id"), _("SHA-256 of the weights"), _("Trained by"), _("Licence")]
    return Section(_("Models"), (Table(head, rows), Table(more, origin)))


def samples(models: Sequence[ModelInfo]) -> Section:
    """Show samples of each model at the same seeds."""
    blocks: list[Block] = [
        Text(
            _(
                "The same seeds in each model; in another model a seed is another picture. Nothing is truncated."
            )
        )
    ]
    for info in models:
        found = cache.render(controls.ask(info, Sample(count=SAMPLES)))
        words = _("{title}, seeds 0 to {last}").format(title=info.title, last=SAMPLES - 1)
        about = {"model": info.id, "digest": info.digest, "seeds": list(range(SAMPLES))}
        blocks.append(_sheet(found.images, words, about))
    return Section(_(TITLES["samples"]), blocks)


def _sheet(images: "Pixels", words: str, about: Mapping[str, object]) -> Picture:
    return Picture(media.png(media.contact_sheet(images, _COLUMNS)), words, _WIDTH, about)


def reconstructions(models: Sequence[ModelInfo]) -> Section:
    """Show the same images as each model that encodes makes them again."""
    able = [info for info in models if info.can("encode")]
    images = cache.held_out(able[0].dataset, able[0].sample_shape).images[:_IMAGES]
    count = {"dataset": able[0].dataset, "split": "test", "images": len(images)}
    blocks: list[Block] = [_sheet(images, _("Held-out images"), count)]
    for info in able:
        pictures, psnr = evidence.reconstructed(info, images)
        mean = float(psnr.mean())
        words = _("{title}: PSNR {mean:.1f} dB, mean of these {n}").format(
            title=info.title, mean=mean, n=len(psnr)
        )
        about = {
            **count,
            "model": info.id,
            "digest": info.digest,
            "psnr_db": [float(value) for value in psnr],
        }
        blocks.append(_sheet(pictures, words, about))
    return Section(_(TITLES["reconstructions"]), blocks)


def images(models: Sequence[ModelInfo]) -> Section:
    """Show held-out images beside what each model makes of them, by its usual way."""
    able = [info for info in models if remade.ways(info)]
    blocks: list[Block] = []
    for number in range(_SOUGHT):
        image = remade.held_out(able[0], number)
        found = [remade.compared(info, image) for info in able]
        white = remade.worst(found)
        pictures = [image, *(one.made for one in found)]
        pictures += [np.zeros_like(image), *(remade.difference(one, white) for one in found)]
        names = [_("image {number}").format(number=number), *(one.info.title for one in found)]
        words = _("From left to right: {names}. Below, the differences; white is {white}.")
        about = {"dataset": able[0].dataset, "split": "test", "image": number}
        sheet = media.png(media.contact_sheet(np.stack(pictures), len(names)))
        blocks.append(
            Picture(sheet, words.format(names=", ".join(names), white=percent(white)), _SHEET, about)
        )
        rows = [
            (one.info.title, _(_WAYS[one.way]), *(getattr(one.figures, name) for name in _LIKENESS))
            for one in found
        ]
        blocks.append(Table([_("Model"), _("Way"), *(_(title) for title in _LIKENESS.values())], rows))
    return Section(_(TITLES["images"]), blocks)


def _measured(models: Sequence[ModelInfo]) -> list[Figures]:
    return protocols.measured(models, protocols.default(models))


def numbers(models: Sequence[ModelInfo]) -> Section:
    """Tell what was measured of the models, as the page does."""
    found = _measured(models)
    shown = measured.table(models, found)
    blocks: list[Block] = [Text(sentence) for sentence in claims.claims(models, found)]
    head = [_("Figure"), *(info.title for info in models), _("Real"), _("N")]
    for part in shown.sections:
        rows = [
            (row.title, *(_estimate(cell) for cell in row.cells), row.real, row.count) for row in part.rows
        ]
        blocks += [Text(part.title, strong=True), Table(head, rows)]
    blocks += [Text(sentence, small=True) for sentence in (*shown.left_out, shown.protocol)]
    blocks += [Chart(one.figure, f"{one.title}. {one.caption}") for one in charts.charts(models, found)]
    return Section(_(TITLES["numbers"]), blocks)


def _estimate(cell: measured.Cell) -> Cell:
    if cell.value is None or cell.interval is None:
        return cell.value
    return Estimate(cell.value, cell.interval.low, cell.interval.high)


def cards(models: Sequence[ModelInfo]) -> Section:
    """List what the models' cards say, with the protocol."""
    from models.metrics import METRICS

    real = {key for metric in METRICS.values() for key in metric.real}  # which samples are measured against
    there = {name for info in models for name in info.card.metrics} - real
    names = [key for metric in METRICS.values() for key in metric.values if key in there]
    names += sorted(there - set(names))
    rows = []
    for name in names:
        found = [info.card.metrics.get(name) for info in models]
        rows.append((measured.title_of(name), *(metric.value if metric else None for metric in found)))
    protocols = sorted(
        {metric.protocol for info in models for metric in info.card.metrics.values() if metric.protocol}
    )
    words = _("One measurement each, without intervals. {protocols}").format(protocols="; ".join(protocols))
    return Section(_(TITLES["cards"]), (Table([_("Figure"), *(info.title for info in models)], rows, words),))


def why(models: Sequence[ModelInfo]) -> Section:
    """Explain where the blur comes from, with the sweep of the weight beside it."""
    blocks: list[Block] = []
    for reason in reasons.REASONS:
        blocks += [
            Text(_(reason.title), strong=True),
            Text(_(reason.words)),
            Formula(reason.mathml, reason.latex),
        ]
    blocks.append(Text(_(reasons.SOURCES), small=True))
    found = sweep.find(cache.models()[0], models[0].dataset)
    if found is not None:
        words = _("VAEs of {dataset} that differ in the weight β of the KL term only; figures of their cards")
        blocks.append(Chart(sweep.chart(found), words.format(dataset=datasets.title(found.dataset))))
    return Section(_(TITLES["why"]), blocks)


def quiz(models: Sequence[ModelInfo], game: Game) -> Section:
    """Tell what a person has answered in the blind test."""
    real = bool(game.setup.real)
    titles = {REAL: _("Real images"), **{info.id: info.title for info in models}}
    words = _("Quiz {number}, {rounds} rounds; intervals of 95 % by Wilson (1927).").format(
        number=game.setup.number, rounds=game.done
    )
    share = _("Share taken for real") if real else _("Share judged rightly")
    rows = [
        (titles[origin], _share(tally), tally.hits, tally.count) for origin, tally in game.tallies().items()
    ]
    table = Table([_("Pictures of"), share, _("Of them"), _("Judged")], rows, words)
    return Section(_("Blind test"), (table,))


def _share(tally: Tally) -> Estimate | None:
    return None if tally.share is None else Estimate(tally.share, *tally.interval())
