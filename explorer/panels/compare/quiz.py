"""A blind test: which of these pictures are real?

Before an answer nothing in the page tells where a picture comes from: all of a round are one PNG, and have numbers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from explorer import cache, controls, jobs, link, state
from explorer.compare import rivals
from explorer.compare.quiz import MAX_NUMBER, REAL, SIDES, Game, Picture, Round, Setup, Tally
from explorer.components.tiles import Verdict, choose
from explorer.panels import problem
from explorer.text import _, ngettext
from explorer.words import word
from models.catalog import ModelInfo
from models.errors import UserError
from models.requests import RenderRequest, Sample

if TYPE_CHECKING:
    from models.images import Pixels

Progress = tuple[tuple[int, ...], tuple[tuple[int, ...] | None, ...]]  # sides and answers of a game
_GAMES = "quiz-games"
_MOST = 50  # games that are kept
_SIZE = 3  # pictures a row, at first
_WIDTH = 396  # CSS pixels of a round, at most


def show(models: Sequence[ModelInfo]) -> None:
    """Draw the part for models of one data set."""
    _quiz(list(models))


def game_of(models: Sequence[ModelInfo]) -> Game | None:
    """Return how far a person has come with the quiz about some models; None where nothing was answered."""
    if not _games():
        return None  # without a look at the images
    game = _game(_setup(models)[0])
    return game if game.done else None


@st.fragment
def _quiz(models: Sequence[ModelInfo]) -> None:
    setup, missing = _setup(models)
    game = _game(setup)
    titles = {REAL: _("Real images"), **rivals.names(models)}
    left, right = st.columns([1.15, 1], gap="large")
    with right:
        _options(game)  # first, so that there is a way on when all pictures have been shown
        if missing is not None:
            why = _("{problem} So you tell the models apart. {remedy}")
            st.caption(problem.literal(why.format(problem=missing.problem, remedy=missing.remedy)))
    with problem.explained():
        with left:
            _round(models, game, titles)
        with right:
            _score(game, titles)
    link.publish(link.COMPARE)


# The game ----------------------------------------------------------------------------------------------------


def _games() -> dict[str, Progress]:
    """Return how far this browser has come with quizzes, which outlives a reload; without a cookie, this session.

    It is not in the link: who gets that is to answer by themselves.
    """
    who = jobs.me()
    return dict(st.session_state.get(_GAMES, {}) if who == jobs.NOBODY else cache.remembered(who, _GAMES))


def _name(setup: Setup) -> str:
    return hashlib.sha256(setup.model_dump_json().encode()).hexdigest()


def _game(setup: Setup) -> Game:
    sides, answers = _games().get(_name(setup), ((_SIZE,), ()))
    return Game(setup=setup, sides=sides, answers=answers)


def _keep(game: Game, before: Game) -> None:
    """Keep how far a game has come, and of many games the latest; not where another tab has gone on since.

    Args:
        game: As it is now.
        before: As the page showed it.
    """
    if _game(before.setup) != before:
        return  # the page is drawn anew, and shows where it is
    name = _name(game.setup)
    others = {other: progress for other, progress in _games().items() if other != name}
    games = dict([*others.items(), (name, (game.sides, game.answers))][-_MOST:])
    who = jobs.me()
    if who == jobs.NOBODY:
        st.session_state[_GAMES] = games
    else:
        cache.remember(who, _GAMES, games)


def _setup(models: Sequence[ModelInfo]) -> tuple[Setup, UserError | None]:
    """Return what the quiz is about, and why it shows no real images if it does not."""
    number, names = state.view().quiz, tuple(info.id for info in models)
    classes, weights = tuple(len(info.labels) for info in models), tuple(info.digest for info in models)
    try:
        pool = cache.held_out(models[0].dataset, models[0].sample_shape)
    except UserError as error:
        return Setup(number=number, models=names, classes=classes, weights=weights), error
    labels = pool.labels if any(classes) else ()
    setup = Setup(
        number=number, models=names, real=len(pool), labels=labels, classes=classes, weights=weights
    )
    return setup, None


def _check(game: Game, key: str) -> None:
    told = getattr(st.session_state.get(key), "chosen", None)
    _keep(game.answered([index for index in told or () if isinstance(index, int)]), game)


def _resize(game: Game, side: int) -> None:
    if side != game.sides[-1]:
        _keep(game.next(side) if game.open else game.model_copy(update={"sides": (*game.sides, side)}), game)


def _begin(number: int) -> None:
    state.update(quiz=min(max(1, number), MAX_NUMBER))


# A round -----------------------------------------------------------------------------------------------------


def _round(models: Sequence[ModelInfo], game: Game, titles: Mapping[str, str]) -> None:
    shown, side, number = game.current, game.sides[-1], len(game.sides)
    key = f"quiz-{game.setup.number}-{number}-{'-'.join(game.setup.models)}"
    answer = None if game.open else game.answers[-1] or ()
    _task(game, key, shown, answer, titles)
    _channels, height, width = models[0].sample_shape
    choose(
        _sheet(models, shown, side),
        key=key,
        size=(width, height),
        names=_names(shown, answer, titles),
        label=_("Pictures of round {number}").format(number=number),
        columns=side,
        largest=_WIDTH // side,
        chosen=answer,
        notes=[] if answer is None else _notes(models, shown, answer, titles),
        verdicts=[] if answer is None else _verdicts(shown, answer),
    )


def _task(
    game: Game, key: str, shown: Round, answer: Sequence[int] | None, titles: Mapping[str, str]
) -> None:
    """Draw what is asked, and the button that leads on: above the pictures, where every screen shows it."""
    real = bool(game.setup.real)
    question = _("Which of these are real?")
    if not real:
        question = _("Which of these did “{title}” make?").format(title=problem.literal(titles[shown.target]))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(question, anchor=False, width="content")
        if answer is None:
            st.button(
                _("Check"),
                key="quiz-check",
                type="primary",
                icon=":material/check:",
                on_click=_check,
                args=(game, key),
            )
        else:
            st.button(
                _("Next round"),
                key="quiz-next",
                type="primary",
                icon=":material/arrow_forward:",
                on_click=lambda: _keep(game.next(game.sides[-1]), game),
            )
    if answer is None:
        words = _("Click those that you believe to be real; none is an answer, too.")
        st.caption(words if real else _("Click those that you believe to be its; none is an answer, too."))
        return
    right = _verdicts(shown, answer).count("right")
    st.markdown(
        f"**{_('{right} of {count} right').format(right=right, count=len(shown.pictures))}**",
        help=_("A picture is judged rightly if it was clicked and is what was asked for, or neither."),
    )


def _verdicts(shown: Round, answer: Sequence[int]) -> list[Verdict]:
    return [
        "right" if (place in answer) == (picture.origin == shown.target) else "wrong"
        for place, picture in enumerate(shown.pictures)
    ]


def _names(shown: Round, answer: Sequence[int] | None, titles: Mapping[str, str]) -> list[str]:
    """Return what a screen reader says of each picture: before the answer, no more than its place."""
    plain = [_("Picture {n}").format(n=place + 1) for place in range(len(shown.pictures))]
    if answer is None:
        return plain
    judged = {"right": _("rightly judged"), "wrong": _("wrongly judged")}
    return [
        f"{name}: {_origin(picture, titles)}, {judged[verdict]}"
        for name, picture, verdict in zip(plain, shown.pictures, _verdicts(shown, answer), strict=True)
    ]


def _origin(picture: Picture, titles: Mapping[str, str]) -> str:
    return _("real") if picture.origin == REAL else titles[picture.origin]


def _notes(
    models: Sequence[ModelInfo], shown: Round, answer: Sequence[int], titles: Mapping[str, str]
) -> list[str]:
    labels = {info.id: info.labels for info in models}
    marks = {"right": "✓", "wrong": "✗"}
    notes = []
    for picture, verdict in zip(shown.pictures, _verdicts(shown, answer), strict=True):
        kind = "" if picture.label is None else f" ({word(labels[picture.origin][picture.label])})"
        notes.append(f"{marks[verdict]} {_origin(picture, titles)}{kind}")
    return notes


def _sheet(models: Sequence[ModelInfo], shown: Round, side: int) -> bytes:
    """Return the pictures of a round as one PNG: real ones and samples are encoded alike."""
    import numpy as np

    from models import media

    by_id = {info.id: info for info in models}
    drawn = [picture for picture in shown.pictures if picture.origin != REAL]
    made = dict(zip(drawn, cache.answers(tuple(_request(by_id, picture) for picture in drawn)), strict=True))
    pixels = [
        made[picture].images[0] if picture in made else _real(models[0], picture.number)
        for picture in shown.pictures
    ]
    return media.png(media.contact_sheet(np.stack(pixels), side))


def _real(info: ModelInfo, number: int) -> "Pixels":
    return cache.held_out(info.dataset, info.sample_shape).images[number]


def _request(models: Mapping[str, ModelInfo], picture: Picture) -> RenderRequest:
    return controls.ask(models[picture.origin], Sample(seed=picture.number, count=1, label=picture.label))


# Options and score -------------------------------------------------------------------------------------------


def _options(game: Game) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            _("Size"),
            SIDES,
            format_func=lambda side: f"{side} × {side}",
            required=True,
            help=_("Another size begins another round; one that is open does not count then."),
            **state.controlled("quiz-size", game.sides[-1], lambda side: _resize(game, side)),
        )
        st.number_input(
            _("Quiz number"),
            1,
            MAX_NUMBER,
            step=1,
            width=140,
            help=_(
                "The same number gives the same pictures in the same places, so that a class can take the same quiz. "
                "The link holds it."
            ),
            **state.controlled("quiz-number", game.setup.number, _begin),
        )
        st.button(
            _("Start anew"),
            key="quiz-anew",
            icon=":material/replay:",
            help=_("Go to the next number: with other pictures, and a new score"),
            on_click=_begin,
            args=(game.setup.number % MAX_NUMBER + 1,),
        )


def _score(game: Game, titles: Mapping[str, str]) -> None:
    real = bool(game.setup.real)
    tallies = game.tallies()
    judged = sum(tally.count for tally in tallies.values())
    rounds = ngettext("{n} round", "{n} rounds", game.done).format(n=game.done)
    st.markdown(
        f"**{_('Taken for real') if real else _('Judged rightly')}** · "
        + _("{rounds}, {n} pictures judged").format(rounds=rounds, n=judged),
        help=_meaning(real),
    )
    rows = "".join(_row(titles[origin], tally) for origin, tally in tallies.items())
    st.html(f'<div class="tallies">{rows}</div>')
    st.caption(
        _("Bars: share of the pictures that you have judged. Lines: its 95 % interval (Wilson, 1927).")
        + ("" if real else " " + _("Who guesses is right in half of all cases."))
    )


def _meaning(real: bool) -> str:
    interval = _(
        "The interval is Wilson's score interval (Journal of the American Statistical Association 22, 1927): it takes "
        "the judgements as independent of each other. The more you judge, the narrower it is."
    )
    if real:
        meaning = _(
            "Of a model: how often its samples were taken for real, the fooling rate. Of real images: how often they "
            "were recognised, the hit rate. A model whose rate is as high as that of real images cannot be told from "
            "them by you. Samples are drawn without truncation; those of conditional models have the data's classes."
        )
    else:
        meaning = _(
            "How often a picture of a model was rightly said to be of the model that was asked for, or not to be."
        )
    return f"{meaning} {interval}"


def _row(title: str, tally: Tally) -> str:
    name = f"<span>{escape(title)}</span>"
    if tally.share is None:
        return f'<div>{name}<i class="bar"></i><span class="figure">{escape(_("none yet"))}</span></div>'
    low, high = (100 * end for end in tally.interval())
    percent = 100 * tally.share
    words = _("{share:.0f} % ({low:.0f}–{high:.0f} %), {hits} of {count}").format(
        share=percent, low=low, high=high, hits=tally.hits, count=tally.count
    )
    bar = (
        f'<i class="bar"><i class="share" style="width:{percent:.1f}%"></i>'
        f'<i class="interval" style="left:{low:.1f}%;width:{high - low:.1f}%"></i></i>'
    )
    return f'<div>{name}{bar}<span class="figure">{escape(words)}</span></div>'
