"""The widgets for a training's options follow the config; the curves follow what a run writes."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer import figures
from explorer.panels.options import value_title
from models.choices import OPTIONS
from models.families import FAMILIES, options
from models.training.record import Record


def page(family: str) -> None:
    """Draw all options of a family; runs inside AppTest."""
    import streamlit as st

    from explorer.panels import options
    from models.training.session import configure

    config = configure("digits", family)
    defaults = {**config.model, **config.training}
    changed = options.knobs(family, defaults, "k") | options.rest(family, defaults, "k")
    st.session_state["changed"] = changed


def opened(family: str) -> AppTest:
    app = AppTest.from_function(page, args=(family,), default_timeout=30).run()
    assert not app.exception
    return app


@pytest.mark.parametrize("family", list(FAMILIES))
def test_each_option_has_a_widget_and_nothing_is_changed_by_looking(family: str) -> None:
    app = opened(family)
    drawn = [*app.selectbox, *app.number_input, *app.toggle, *app.multiselect]
    every = set(options(family)) - {"anchor"}  # which means the start of a training, and the page offers none
    assert {str(widget.key).removeprefix("k-") for widget in drawn} == every
    assert all(widget.help for widget in drawn)
    assert app.session_state["changed"] == {}


def test_values_are_worded_as_papers_write_them() -> None:
    app = opened("vae")
    assert app.selectbox(key="k-objective").options[:2] == ["ELBO", "β-VAE"]
    assert "Free bits" in app.selectbox(key="k-objective").options
    assert app.selectbox(key="k-network").options == ["MLP", "Convolutional"]
    values = ["r1r2", "least-squares", 1e-4, 16, None, True, ["color", "cutout"], []]
    worded = ["R1 + R2", "Least squares", "0.0001", "16", "automatic", "on", "Colour, Cutout", "none"]
    assert [value_title(value) for value in values] == worded


@pytest.mark.parametrize("names", OPTIONS.values(), ids=list(OPTIONS))
def test_no_two_values_of_an_option_are_called_the_same(names: Sequence[str]) -> None:
    worded = {value_title(name) for name in names}
    assert len(worded) == len(list(names)) and not worded & set(names), "each has words of its own"


def test_what_is_changed_is_what_the_training_gets() -> None:
    app = opened("gan")
    app.number_input(key="k-learning_rate").set_value(1e-4)
    app.selectbox(key="k-loss").set_value("minmax")
    app.number_input(key="k-gamma").set_value(2.5)
    app.multiselect(key="k-augment").set_value(["color", "cutout"])
    app.run()
    assert app.session_state["changed"] == {
        "learning_rate": 1e-4,
        "loss": "minmax",
        "gamma": 2.5,
        "augment": ["color", "cutout"],
    }


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """The record of a GAN's run."""
    events = [
        {"kind": "train", "seconds": 1, "generator_loss": 2.0, "margin": 0.5, "images_per_s": 9},
        {"kind": "train", "seconds": 2, "generator_loss": 4.0, "margin": 0.7, "images_per_s": 9},
        {"kind": "validation", "seconds": 2, "sharpness_ratio": 0.8},
    ]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return Record(tmp_path)


def test_there_is_a_chart_for_all_that_a_run_tells_of(record: Record) -> None:
    assert figures.groups([record]) == {
        "Loss": ["generator_loss"],
        "Discriminator's margin": ["margin"],
        "Diversity and sharpness (× real)": ["sharpness_ratio"],
    }


def test_curves_are_smoothed_without_bias_and_held_out_figures_are_not(record: Record) -> None:
    assert figures.smoothed([3.0, 3.0, 3.0]) == pytest.approx([3.0, 3.0, 3.0])
    chart = figures.curves([record], ["a"], ["generator_loss"], log=True, smooth=True)
    assert chart.layout.yaxis.type == "log"  # pyright: ignore
    assert list(chart.data[0].y) == pytest.approx(figures.smoothed([2.0, 4.0]))  # pyright: ignore
    both = figures.curves([record, record], ["a", "b"], ["sharpness_ratio"], log=False, smooth=True)
    assert [line.name for line in both.data] == ["a: Sharpness, held-out", "b: Sharpness, held-out"]  # pyright: ignore
