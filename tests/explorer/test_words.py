"""The words of data sets: all of them can be translated, and are where they are shown."""

import pytest

from explorer import words
from explorer.words import WORDS, word
from models.datasets import DATASETS


@pytest.mark.parametrize("name", DATASETS)
def test_the_words_of_a_data_set_can_be_translated(name: str) -> None:
    data = DATASETS[name]
    shown = [*data.classes, *(text for factor in data.factors for text in (factor.name, *factor.values))]
    assert {text.replace("_", " ") for text in shown if not text.isdigit()} <= set(WORDS)


@pytest.fixture
def german(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"glasses": "Brille", "round": "rund", "Bag": "Tasche", "3": "drei"}
    monkeypatch.setattr(words, "_", lambda text: known.get(text, text))


@pytest.mark.usefixtures("german")
def test_attributes_are_translated_word_by_word() -> None:
    assert word("glasses: round") == "Brille: rund"
    assert word("hair_style") == "hair style" and word("Bag") == "Tasche"
    assert word("7") == "7"


@pytest.mark.usefixtures("german")
def test_the_page_shows_the_translation(open_app, pads) -> None:
    app = open_app("explore", model="tiny-cvae")
    assert app.selectbox(key="label").options[3] == "drei"
