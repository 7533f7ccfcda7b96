"""The blind test without the page: balanced, without repeats, the same for the same number, honest intervals."""

import re
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, chain

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError
from streamlit.testing.v1 import AppTest

from explorer import cache, jobs
from explorer.compare.quiz import REAL, Game, Picture, Setup, Tally
from explorer.panels.compare import quiz
from models.errors import UserError

PAIR = Setup(models=("vae", "gan"), real=500)
FOUR = Setup(models=("a", "b", "c", "d"), real=500)
MODELS_ONLY = Setup(models=("vae", "gan", "other"))
SIDES = st.lists(st.sampled_from([2, 3, 4]), min_size=1, max_size=12)


def shown(setup: Setup, *sides: int) -> list[Picture]:
    return list(chain.from_iterable(one.pictures for one in Game(setup=setup, sides=sides).rounds()))


@pytest.mark.parametrize("setup", [PAIR, FOUR])
@pytest.mark.parametrize("side", [2, 3, 4])
def test_half_is_real_and_each_model_is_shown_equally_often(setup: Setup, side: int) -> None:
    counts = Counter(picture.origin for picture in shown(setup, *[side] * 8))
    assert abs(counts[REAL] - 4 * side * side) <= 1
    models = [counts[name] for name in setup.models]
    assert counts.total() == 8 * side * side and max(models) - min(models) <= 1


def reals(setup: Setup, *sides: int) -> list[int]:
    rounds = Game(setup=setup, sides=sides).rounds()
    return [sum(picture.origin == REAL for picture in one.pictures) for one in rounds]


@pytest.mark.parametrize(("side", "first"), [(2, {1, 2, 3}), (3, {4, 5}), (4, {7, 8, 9})])
def test_how_many_are_real_cannot_be_counted_on(side: int, first: set[int]) -> None:
    seconds: dict[int, set[int]] = {}
    for number in range(1, 150):
        one, two = reals(PAIR.model_copy(update={"number": number}), side, side)
        seconds.setdefault(one, set()).add(two)
    assert seconds.keys() == first
    assert all(len(possible) > 1 for possible in seconds.values())


@settings(max_examples=40, deadline=None)
@given(sides=SIDES, number=st.integers(1, 1000))
def test_all_rounds_together_are_balanced(sides: list[int], number: int) -> None:
    found = reals(PAIR.model_copy(update={"number": number}), *sides)
    excess = list(accumulate(2 * real - side * side for real, side in zip(found, sides, strict=True)))
    assert max(map(abs, excess)) <= 2


def test_places_say_nothing() -> None:
    rounds = Game(setup=PAIR, sides=(2,) * 200).rounds()
    at = Counter(place for one in rounds for place, p in enumerate(one.pictures) if p.origin == REAL)
    assert all(70 <= at[place] <= 130 for place in range(4))  # 100 each, 4 standard deviations


@settings(max_examples=40, deadline=None)
@given(sides=SIDES, number=st.integers(1, 1000), setup=st.sampled_from([PAIR, FOUR, MODELS_ONLY]))
def test_no_picture_comes_twice_whatever_the_sizes(sides: list[int], number: int, setup: Setup) -> None:
    pictures = shown(setup.model_copy(update={"number": number}), *sides)
    assert (
        len({(p.origin, p.number) for p in pictures}) == len(pictures) == sum(side * side for side in sides)
    )


def test_of_nothing_there_is_no_share() -> None:
    assert Tally().share is None and Tally().interval() == (0.0, 1.0)
    assert Tally(81, 263).share == 81 / 263 and Tally(81, 263).interval() == pytest.approx(
        (0.2553, 0.3662), abs=5e-5
    )


def test_the_number_decides() -> None:
    other = PAIR.model_copy(update={"number": 2})
    assert shown(PAIR, 3, 4, 2) == shown(PAIR, 3, 4, 2)
    assert not {(p.origin, p.number) for p in shown(PAIR, 4, 4)} & {
        (p.origin, p.number) for p in shown(other, 4, 4)
    }


def test_going_on_leaves_the_rounds_before_as_they_were() -> None:
    game = Game(setup=FOUR, sides=(3,))
    assert game.answered({0}).next(4).rounds()[0] == game.current


def test_conditional_models_draw_the_classes_of_the_data() -> None:
    setup = Setup(models=("cvae", "gan"), classes=(10, 0), real=400, labels=(3,) * 300 + (7,) * 100)
    labels = Counter((p.origin, p.label) for p in shown(setup, *[4] * 24) if p.origin != REAL)
    assert {key for key in labels} == {("cvae", 3), ("cvae", 7), ("gan", None)}
    assert 0.6 < labels["cvae", 3] / (labels["cvae", 3] + labels["cvae", 7]) < 0.9


def test_scores_are_of_all_answered_rounds() -> None:
    game = Game(setup=PAIR, sides=(3,))
    assert game.open and game.done == 0 and game.tallies()[REAL] == Tally(0, 0)
    reals = [i for i, p in enumerate(game.current.pictures) if p.origin == REAL]
    vaes = [i for i, p in enumerate(game.current.pictures) if p.origin == "vae"]
    game = game.answered({*reals, vaes[0], 99, -1})
    assert not game.open and game.answered(set()) == game  # once checked, nothing changes it
    assert game.tallies()[REAL] == Tally(len(reals), len(reals))
    assert game.tallies()["vae"] == Tally(1, len(vaes))
    passed = game.next(4).next(2)  # the round of 4 x 4 was left unanswered
    assert passed.answers[1] is None and passed.done == 1 and passed.tallies() == game.tallies()
    both = passed.answered(set()).tallies()
    assert sum(tally.count for tally in both.values()) == 9 + 4
    assert both[REAL].hits == len(reals) and both[REAL].count > len(reals)


def test_without_real_images_each_model_is_looked_for_in_turn() -> None:
    game = Game(setup=MODELS_ONLY, sides=(4,) * 6)
    rounds = game.rounds()
    assert [one.target for one in rounds] == ["vae", "vae", "gan", "gan", "other", "other"]
    counts = Counter(picture.origin for picture in chain.from_iterable(one.pictures for one in rounds))
    assert REAL not in counts and max(counts.values()) - min(counts.values()) <= 3
    first = Game(setup=MODELS_ONLY, sides=(3,))
    right = {i for i, p in enumerate(first.current.pictures) if p.origin == "vae"}
    assert all(tally.hits == tally.count for tally in first.answered(right).tallies().values())
    wrong = set(range(9)) - right
    assert all(tally.hits == 0 for tally in first.answered(wrong).tallies().values())


def test_it_ends_when_the_images_are_used_up() -> None:
    small = Setup(models=("vae", "gan"), real=12)
    assert len(shown(small, 4)) == 16
    with pytest.raises(UserError, match="have been shown"):
        shown(small, 4, 4, 4)


def test_what_makes_no_quiz_is_refused() -> None:
    for options in (
        {"models": ("a", "a")},
        {"models": ("a",)},
        {"models": ()},
        {"models": ("a", "b"), "number": 0},
    ):
        with pytest.raises(ValidationError):
            Setup.model_validate(options)


# The page -----------------------------------------------------------------------------------------------------


@pytest.fixture
def page(open_app: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AppTest]:
    """Open the blind test in a new tab of somebody's browser."""
    monkeypatch.setattr("explorer.panels.compare.quiz.choose", lambda *_, **__: None)
    cache._remembered.clear()

    def opened(who: str) -> AppTest:
        monkeypatch.setattr(jobs, "me", lambda: who)
        return open_app("compare", model="tiny-vae", models="tiny-vae,tiny-gan", part="quiz")

    return opened


def judged(app: AppTest) -> int:
    """Return how many pictures the page says were judged."""
    found = (re.search(r"(\d+) pictures judged", str(one.value)) for one in app.markdown)
    return next(int(match[1]) for match in found if match)


def test_the_score_outlives_a_reload_and_is_nobody_elses(page: Callable[[str], AppTest]) -> None:
    app = page("ann")
    app.button(key="quiz-check").click().run()
    app.button(key="quiz-next").click().run()
    app.button(key="quiz-check").click().run()
    assert judged(app) == 18
    again = page("ann")
    assert judged(again) == 18 and any(one.key == "quiz-next" for one in again.button), (
        "it is checked already"
    )
    assert "quiz" in app.query_params and judged(page("bob")) == 0
    again.button(key="quiz-anew").click().run()
    assert judged(again) == 0 and judged(page("ann")) == 18


def test_who_has_no_cookie_shares_no_score(page: Callable[[str], AppTest]) -> None:
    app = page(jobs.NOBODY)
    app.button(key="quiz-check").click().run()
    assert judged(app) == 9 and judged(app.run()) == 9 and judged(page(jobs.NOBODY)) == 0


def test_a_tab_that_was_left_behind_does_not_take_the_score_back(page: Callable[[str], AppTest]) -> None:
    here, there = page("ann"), page("ann")
    there.button(key="quiz-check").click().run()
    there.button(key="quiz-next").click().run()
    here.button(key="quiz-check").click().run()  # of the first round, whose answers the other tab has shown
    assert judged(here) == judged(there) == 9
    here.button(key="quiz-check").click().run()  # of the round that it shows since
    assert judged(here) == judged(page("ann")) == 18


def test_what_was_judged_of_other_weights_is_another_game(
    page: Callable[[str], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    page("ann").button(key="quiz-check").click().run()
    assert judged(page("ann")) == 9
    monkeypatch.setattr(quiz, "_name", lambda setup, name=quiz._name: name(newer(setup)))
    assert judged(page("ann")) == 0


def newer(setup: Setup) -> Setup:
    """Return the same quiz about models that have learnt since."""
    return setup.model_copy(update={"weights": tuple(f"{digest} later" for digest in setup.weights)})


def test_looking_takes_no_room_among_what_is_remembered(page: Callable[[str], AppTest]) -> None:
    page("ann")
    assert not cache._remembered


def test_of_many_browsers_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_BROWSERS", 2)
    monkeypatch.setattr(cache, "_remembered", {})
    for who in ("ann", "bob", "ann", "eve"):
        cache.remember(who, "score", {"of": who})
    assert [cache.remembered(who, "score") for who in ("ann", "bob", "eve")] == [
        {"of": "ann"},
        {},
        {"of": "eve"},
    ]


def test_of_many_quizzes_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "me", lambda: "ann")
    monkeypatch.setattr(cache, "_remembered", {})
    monkeypatch.setattr(quiz, "_MOST", 3)
    setups = [Setup(number=n, models=("vae", "gan"), real=500) for n in range(1, 6)]
    for setup in (*setups, setups[2]):
        before = quiz._game(setup)
        quiz._keep(before.answered([]) if before.open else before.next(3), before)
    assert list(quiz._games()) == [quiz._name(setups[place]) for place in (3, 4, 2)]
