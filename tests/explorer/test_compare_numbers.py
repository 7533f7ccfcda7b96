"""The part Numbers of Compare: rows, verdicts, sentences, and the way to figures that are not there yet."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer.compare import charts, claims, measured, protocols, rivals, tables
from models import catalog
from models.catalog import ModelInfo
from models.metrics.comparison import difference
from models.metrics.figures import Figures, Network, packed
from models.metrics.intervals import Interval, over_images, over_seeds, welch
from models.metrics.spec import Measurement

Open = Callable[..., AppTest]


def around(mean: float, half: float = 0.01) -> Interval:
    return over_seeds([mean - half, mean - half / 2, mean, mean + half / 2, mean + half])


def one(values: dict[str, float], **options: Any) -> Figures:
    """Return figures with narrow intervals, but for those that are named in `wide`."""
    wide = options.pop("wide", ())
    spec = Measurement(model="", dataset="digits", n=2000, seeds=5)
    return Figures(
        spec=spec,
        values=values,
        intervals={key: around(value, 1.0 if key in wide else 0.01) for key, value in values.items()},
        counts=dict.fromkeys(values, 2000),
        classifier=Network(id="judge", digest="abcdef0123"),
        device="cpu",
        versions={"torch": "2.0"},
        **options,
    )


@pytest.fixture
def pair(judged: Path) -> tuple[ModelInfo, ModelInfo]:
    """A VAE and a GAN."""
    return catalog.find("tiny-vae"), catalog.find("tiny-gan")


VAE = {
    "sharpness_ratio": 0.2,
    "recall": 0.6,
    "precision": 0.5,
    "psnr_db": 20.0,
    "sharpness_real": 0.1,
    "kl_nats": 9.0,
}
GAN = {"sharpness_ratio": 0.9, "recall": 0.3, "precision": 0.7, "sharpness_real": 0.1}


# Rows --------------------------------------------------------------------------------------------------------


def test_the_table_groups_figures_and_marks_the_better_one(pair: tuple[ModelInfo, ...]) -> None:
    shown = measured.table(pair, [one(VAE, floors={"sharpness_ratio": 0.98}), one(GAN)])
    assert shown.models == ("Tiny vae", "Tiny gan")
    titles = [section.title for section in shown.sections]
    assert titles == ["Sharpness", "Fidelity and diversity", "Reconstruction", "Latent space"]
    rows = {row.key: row for row in shown.rows}
    assert {key: [cell.better for cell in row.cells] for key, row in rows.items()} == {
        "sharpness_ratio": [False, True], "precision": [False, True], "recall": [True, False],
        "psnr_db": [False, False], "kl_nats": [False, False],
    }  # fmt: skip
    assert rows["sharpness_ratio"].real == 0.98 and rows["sharpness_ratio"].real_text == "0.980"
    assert rows["psnr_db"].cells[1].text == "" and rows["psnr_db"].cells[0].text == "20"
    assert rows["recall"].cells[0].between == "0.590 to 0.610" and rows["recall"].count == 2000
    assert "single outliers" in rows["recall"].misleads and "neighbourhood" in rows["recall"].what


def test_what_real_images_reach_is_the_floor_where_samples_have_none(pair: tuple[ModelInfo, ...]) -> None:
    values = {"nearest_ratio": 1.0, "nearest_ratio_real": 0.97}
    shown = measured.table(pair, [one(values), one(values)])
    assert [(row.key, row.real) for row in shown.rows] == [("nearest_ratio", 0.97)]
    assert "held-out images in place of samples, not of training images" in shown.rows[0].misleads
    floors = measured.table(pair, [one(GAN, floors={"recall": 0.9}), one(GAN)])
    assert not any("not of training images" in row.misleads for row in floors.rows)


def test_a_network_is_in_the_name_of_its_figures_and_in_the_protocol(pair: tuple[ModelInfo, ...]) -> None:
    shown = measured.table(pair, [one({"fd_judge": 4.0}), one({"fd_judge": 30.0})])
    assert [row.title for row in shown.rows] == ["FD-judge"] and shown.rows[0].cells[0].better
    for part in (
        "2,000 samples",
        "seeds 0 to 4",
        "359 held-out images",
        "judge@abcdef01",
        "cpu",
        "torch 2.0",
    ):
        assert part in shown.protocol


def test_held_out_images_are_counted_only_where_their_number_is_known() -> None:
    found = one(GAN)
    gone = found.model_copy(
        update={"spec": found.spec.model_copy(update={"dataset": "folder:/nowhere/to/be/found"})}
    )
    assert "359 held-out images of" in measured.protocol([found])
    assert "2,000 samples" in measured.protocol([gone]) and "held-out" not in measured.protocol([gone])


@pytest.mark.parametrize(
    ("means", "key", "best"),
    [
        ((1.0, 2.0), "nll_nats", 0),
        ((1.0, 2.0), "recall", 1),
        ((0.8, 1.1), "sharpness_ratio", 1),
        ((1.3, 0.8), "sharpness_ratio", 1),
        ((1.0, 1.001), "nll_nats", None),
        ((1.0, 2.0), "kl_nats", None),  # which is neither better nor worse
        ((1.0, 1.001, 3.0), "nll_nats", None),  # better than the last is not better than all
        ((1.0, 2.0, 3.0), "nll_nats", 0),
    ],
)
def test_the_better_one_is_marked_where_chance_does_not_explain_it(
    means: Sequence[float], key: str, best: int | None
) -> None:
    assert measured.better(key, [one({key: mean}) for mean in means]) == best


def test_a_figure_without_an_interval_is_not_better() -> None:
    low, high, nothing = one({"nll_nats": 1.0}), one({"nll_nats": 3.0}), one({})
    assert measured.better("nll_nats", [low, nothing]) is None
    assert measured.better("nll_nats", [low, nothing, high]) == 0


def test_a_probability_is_not_better_than_a_density(judged: Path) -> None:
    bernoulli = catalog.find("tiny-vae")
    gaussian = replace(bernoulli, model=bernoulli.model.model_copy(update={"likelihood": "gaussian"}))
    found = [one({"nll_nats": 80.0}), one({"nll_nats": -900.0})]
    (alike,) = measured.table([gaussian, gaussian], found).rows
    (unlike,) = measured.table([bernoulli, gaussian], found).rows
    assert [cell.better for cell in alike.cells] == [
        False,
        True,
    ] and "a density of others" not in alike.misleads
    assert not any(cell.better for cell in unlike.cells) and "a density of others" in unlike.misleads


def over(values: np.ndarray, **spec: Any) -> Figures:
    """Return the PSNR of some images, as it is kept."""
    kept = one({"psnr_db": float(values.mean())}, series={"psnr_db": packed(values)})
    changes = {"intervals": {"psnr_db": over_images(values)}, "spec": kept.spec.model_copy(update=spec)}
    return kept.model_copy(update=changes)


def test_the_same_images_are_compared_as_pairs() -> None:
    hard = np.random.default_rng(0).normal(20, 3, 64)
    wins = hard + np.linspace(0.1, 0.3, 64)
    assert measured.better("psnr_db", [over(hard), over(wins)]) == 1
    others = over(wins, seed=1)
    assert measured.better("psnr_db", [over(hard), others]) is None, "other images are no pairs"
    quantiles = over(hard).model_copy(update={"series": {"psnr_db": packed(np.sort(hard)[:32])}})
    assert quantiles.of_images("psnr_db") is None
    assert measured.better("psnr_db", [quantiles, over(wins)]) is None, "which is of which image is not kept"


def test_shipped_inversions_are_compared_image_by_image() -> None:
    info = [catalog.find(name) for name in ("avatars-vae", "avatars-gan")]
    found = protocols.measured(info, "quick")
    gap = difference("inversion_psnr_db", *found)
    values = [one.of_images("inversion_psnr_db") for one in found]
    assert gap is not None and gap.count == 64 and all(each is not None for each in values)
    one, other = (each.intervals["inversion_psnr_db"] for each in found)
    apart = welch(one, other)
    assert gap.mean == pytest.approx(apart.mean, abs=1e-4) and gap.high - gap.low < apart.high - apart.low


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, "0.123"), (12345.6, "12,346"), (23.456, "23.5"), (0.0, "0.00"), (10.0, "10"), (-2.0, "−2"),
        (-0.0123, "−0.0123"), (1e-9, "0.00000"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert measured.number_text(value) == text


def test_metrics_that_do_not_apply_are_named_with_what_they_need(pair: tuple[ModelInfo, ...]) -> None:
    few = {"fd": "covariance", "mig": "known"}
    shown = measured.table(
        pair, [one(VAE, lacking=few), one(GAN, lacking={**few, "reconstruction": "encode"})]
    )
    assert len(shown.left_out) == 2  # that digits have no factors is no news
    assert "fd (needs more images than the classifier has features" in shown.left_out[0]
    assert "Tiny gan: reconstruction (needs a model that encodes images)" in shown.left_out[1]


def test_all_figures_go_to_json(pair: tuple[ModelInfo, ...]) -> None:
    curve = packed([1.0, 2.0])
    found = measured.as_json(pair, [one(VAE, series={"spectrum": curve}), one(GAN)])["models"]
    assert found["tiny-vae"]["values"] == VAE and found["tiny-vae"]["series"] == {"spectrum": [1.0, 2.0]}
    assert found["tiny-gan"]["intervals"]["recall"]["over"] == "seeds"


def test_measurements_of_one_model_are_put_together() -> None:
    found = measured.together([one(VAE), one({"inversion_psnr_db": 17.0, "recall": 0.0})])
    assert found.values == {**VAE, "inversion_psnr_db": 17.0}


def test_the_html_is_one_table_with_headers_and_escapes(pair: tuple[ModelInfo, ...]) -> None:
    shown = measured.table(pair, [one(VAE), one(GAN)])
    html = tables.table_html(
        measured.MeasuredTable(("<b>", "b"), shown.sections, shown.left_out, shown.protocol)
    )
    assert html.count("<table>") == 1 and "&lt;b&gt;" in html and "<b>" not in html
    assert html.count('scope="row"') == len(shown.rows) and html.count('class="mark"') == 3


# Sentences ---------------------------------------------------------------------------------------------------


def said(pair: Sequence[ModelInfo], *values: dict[str, float], **options: Any) -> str:
    return " ".join(claims.claims(pair, [one(each, **options) for each in values]))


def test_the_claim_is_stated_with_its_figure_and_interval(pair: tuple[ModelInfo, ...]) -> None:
    found = claims.claims(pair, [one(VAE), one(GAN)])
    assert found[0] == (
        "Tiny gan is sharper: 0.900 × real (0.890 to 0.910) against 0.200 × real (0.190 to 0.210) of Tiny vae. "
        "So “VAEs blur, GANs are sharper” holds here."
    )
    assert "Tiny vae is better at recall (0.600 against 0.300)." in found
    assert "Tiny gan is better at precision (0.700 against 0.500)." in found
    assert found[-1].startswith("Only Tiny vae reconstructs images by an encoder (20 dB)")


def test_units_follow_the_figures_of_a_sentence(pair: tuple[ModelInfo, ...]) -> None:
    near, far = ({**VAE, "inversion_psnr_db": psnr} for psnr in (24.2, 21.3))
    assert "Tiny gan is better at PSNR by inversion (24.2 against 21.3 dB)." in said(pair, far, near)


def test_where_the_claim_does_not_hold_it_is_said(pair: tuple[ModelInfo, ...]) -> None:
    assert "Tiny vae is sharper" in said(pair, GAN, VAE) and "does not hold here" in said(pair, GAN, VAE)
    same = said(pair, VAE, {**VAE, "sharpness_ratio": 0.201})
    assert "Neither is sharper beyond chance" in same and "is not shown here" in same
    noisy = said(pair, VAE, {**GAN, "sharpness_ratio": 1.3})
    assert "Tiny gan has more fine detail than real images (1.30 × real" in noisy and "not quality" in noisy
    assert "not quality" not in said(pair, VAE, GAN)
    high = said(pair, {**VAE, "high_frequency_ratio": 0.9}, {**GAN, "high_frequency_ratio": 0.4})
    assert "Not by “High frequencies, × real”: Tiny vae 0.900" in high


def test_nothing_is_claimed_of_textbooks_without_a_gan(judged: Path) -> None:
    two = catalog.find("tiny-vae"), catalog.find("tiny-cvae")
    found = claims.claims(two, [one(VAE), one({**VAE, "sharpness_ratio": 0.5})])
    assert "Tiny cvae is sharper" in found[0] and "VAEs blur" not in found[0]


def test_three_models_are_ranked(judged: Path) -> None:
    three = [catalog.find(name) for name in ("tiny-vae", "tiny-gan", "tiny-cgan")]
    found = claims.claims(three, [one(VAE), one(GAN), one({**GAN, "sharpness_ratio": 0.5})])
    assert found[0].startswith("Tiny gan is the sharpest: 0.900") and "of Tiny cgan and 0.200" in found[0]
    assert "holds here" in found[0]


@pytest.fixture
def namesakes(pair: tuple[ModelInfo, ...]) -> tuple[ModelInfo, ...]:
    """A VAE and a GAN of one title, as one's own run and a shipped model may be."""
    return tuple(replace(info, card=info.card.model_copy(update={"title": "Twin"})) for info in pair)


def test_models_of_one_title_stay_apart(namesakes: tuple[ModelInfo, ...]) -> None:
    vae, gan = names = list(rivals.names(namesakes).values())
    assert names == ["Twin (tiny-vae)", "Twin (tiny-gan)"]
    lacking = one(GAN, lacking={"reconstruction": "encode"})
    found = claims.claims(namesakes, [one(VAE), lacking])
    assert found[0].startswith(f"{gan} is sharper: 0.900 × real") and f"of {vae}. So" in found[0]
    assert f"{vae} is better at recall (0.600 against 0.300)." in found
    shown = measured.table(namesakes, [one(VAE), lacking])
    assert shown.models == (vae, gan) and f"of {gan}: reconstruction" in shown.left_out[0]


def test_models_of_one_title_have_a_curve_each(namesakes: tuple[ModelInfo, ...]) -> None:
    curve = packed(np.linspace(0.1, 1, 9))
    series = dict.fromkeys(("spectrum", "spectrum_real", "spectrum_frequency"), curve)
    figure: Any = charts.charts(namesakes, [one(VAE, series=series), one(GAN, series=series)])[0].figure
    assert [trace.name for trace in figure.data] == ["Twin (tiny-vae)", "Twin (tiny-gan)", "Real"]


def test_the_claim_is_of_variational_models_only(pair: tuple[ModelInfo, ...]) -> None:
    vae, gan = pair
    autoencoder = replace(vae, model=vae.model.model_copy(update={"family": "ae"}))
    assert autoencoder.family == "ae"
    assert "VAEs blur" in said((vae, gan), VAE, GAN) and "VAEs blur" not in said((autoencoder, gan), VAE, GAN)


@pytest.mark.parametrize(
    ("vae", "gan", "why"),
    [
        (0.2, 0.9, "holds here."),
        (1.0, 1.03, "is not shown here: Tiny vae does not blur."),
        (0.2, 1.3, "is not shown here: the detail of Tiny gan is more than real."),
        (0.2, 0.201, "is not shown here: chance may explain the difference."),
        (0.9, 0.2, "does not hold here."),
    ],
)
def test_the_claim_holds_only_where_the_vae_blurs_and_the_gan_makes_no_noise(
    pair: tuple[ModelInfo, ...], vae: float, gan: float, why: str
) -> None:
    values = ({**VAE, "sharpness_ratio": vae}, {**GAN, "sharpness_ratio": gan})
    assert f"“VAEs blur, GANs are sharper” {why}" in said(pair, *values)


@pytest.mark.parametrize(("gan", "floor", "told"), [(1.04, 1.0, False), (1.1, 1.0, True), (1.1, 1.06, False)])
def test_too_sharp_is_clearly_more_than_training_images(
    pair: tuple[ModelInfo, ...], gan: float, floor: float, told: bool
) -> None:
    floors = {"sharpness_ratio": floor}
    found = said(pair, VAE, {**GAN, "sharpness_ratio": gan}, floors=floors)
    assert ("that may be noise or checkerboard" in found) == told


# Curves ------------------------------------------------------------------------------------------------------


def f32(*values: float) -> charts.Values:
    return np.asarray(values, np.float32)


def test_spectra_are_drawn_over_one_another_with_real_in_grey() -> None:
    x = f32(*np.arange(9) / 16)
    power = f32(*(1 / (1 + x)))
    figure: Any = charts.spectra(x, {"A": power, "B": 2 * power}, 3 * power)
    assert [trace.name for trace in figure.data] == ["A", "B", "Real"]
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    assert len(figure.data[0].x) == 8  # frequency 0 has no logarithm
    assert figure.data[2].line.color == "#888888"


def test_histograms_hold_all_images() -> None:
    rng = np.random.default_rng(0)
    means = {"A": -3, "B": -1}
    values = {name: f32(*rng.lognormal(mean, 0.3, 900)) for name, mean in means.items()}
    figure: Any = charts.sharpness(values, f32(*rng.lognormal(-1, 0.3, 500)))
    peaks = {trace.name: float(trace.x[np.argmax(trace.y)]) for trace in figure.data}
    assert all(sum(trace.y) > 98 for trace in figure.data)
    for name, mean in means.items():
        assert peaks[name] == pytest.approx(np.exp(mean), rel=0.3)


def test_shares_of_classes_are_percent() -> None:
    figure: Any = charts.shares(["cat", "dog"], {"A": f32(0.25, 0.75)}, f32(0.5, 0.5))
    assert list(figure.data[0].y) == [25, 75] and list(figure.data[1].x) == ["cat", "dog"]


def test_charts_are_those_whose_curves_were_measured(pair: tuple[ModelInfo, ...]) -> None:
    curve = packed(np.linspace(0.1, 1, 9))
    sharp = dict.fromkeys(("spectrum", "spectrum_real", "spectrum_frequency"), curve)
    classes = dict.fromkeys(("class_shares", "class_shares_real"), packed([0.1] * 10))
    both = [one(VAE, series={**sharp, **classes}), one(GAN, series=sharp)]
    assert [chart.name for chart in charts.charts(pair, both)] == ["spectra"]
    assert charts.attributes(both) == [""]
    figure: Any = charts.seen(pair, both, "").figure
    assert [bar.name for bar in figure.data] == ["Tiny vae", "Real"] and len(figure.data[0].x) == 10
    assert charts.charts(pair, [one(VAE), one(GAN)]) == []
