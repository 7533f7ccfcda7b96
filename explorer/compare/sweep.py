"""Models that differ in the weight of the KL term only: found in the catalog, drawn as a chart. Torch-free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.starting import theme_charts
from explorer.text import N_, _
from models.catalog import ModelInfo

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WEIGHT = "beta"  # of the KL term, as a training's config calls it
# What a card tells of each: name -> (title, unit, how it is written).
FIGURES: Mapping[str, tuple[str, str, str]] = {
    "sharpness_ratio": (N_("Sharpness"), N_("× real"), "{:.2f}"),
    "psnr_db": (N_("Reconstruction (PSNR)"), N_("dB"), "{:.1f}"),
    "kl_nats": (N_("KL"), N_("nats"), "{:.1f}"),
    "active_units": (N_("Active units"), "", "{:.0f}"),
}


@dataclass(frozen=True)
class Sweep:
    """Models of one data set and one architecture, trained alike but for the weight of the KL term.

    Args:
        models: By growing weight, two at least.
        weights: Of the KL term (beta; Higgins et al., 2017), one each.
    """

    models: tuple[ModelInfo, ...]
    weights: tuple[float, ...]

    @property
    def dataset(self) -> str:
        """What all of them were trained on."""
        return self.models[0].dataset

    def figure(self, index: int, name: str) -> float | None:
        """Return a figure of a model's card; None where it has none."""
        metric = self.models[index].card.metrics.get(name)
        return metric.value if metric else None


def find(known: Sequence[ModelInfo], dataset: str = "") -> Sweep | None:
    """Return the longest sweep there is, of a data set where there is one.

    Args:
        known: Models.
        dataset: Where there are several, those of this one come first.

    Returns:
        None if no two models that can encode differ in nothing but the weight.
    """
    groups: dict[str, dict[float, ModelInfo]] = {}
    for info in known:
        weight = info.config.training.get(WEIGHT)
        if isinstance(weight, int | float) and info.can("picture") and info.can("encode"):
            groups.setdefault(_rest(info), {}).setdefault(float(weight), info)
    sweeps = [_sorted(group) for group in groups.values() if len(group) > 1]
    return max(sweeps, key=lambda one: (one.dataset == dataset, len(one.models)), default=None)


def _rest(info: ModelInfo) -> str:
    """Return all of a model's config that the weight does not change."""
    training = {name: value for name, value in info.config.training.items() if name != WEIGHT}
    config = info.config.model_copy(
        update={"training": training, "id": "", "versions": {}, "weights_sha256": "", "start": None}
    )
    return config.model_dump_json()


def _sorted(group: Mapping[float, ModelInfo]) -> Sweep:
    weights = tuple(sorted(group))
    return Sweep(tuple(group[weight] for weight in weights), weights)


def words(sweep: Sweep, index: int) -> list[str]:
    """Word the figures of a model's card: "Sharpness 0.12 × real"."""
    told = []
    for name, (title, unit, form) in FIGURES.items():
        value = sweep.figure(index, name)
        if value is not None:
            told.append(" ".join(filter(None, (_(title), form.format(value), unit and _(unit)))))
    return told


def chart(sweep: Sweep, at: int | None = None) -> "Figure":
    """Draw the figures of the cards over the weight, one small chart each.

    Args:
        sweep: The models.
        at: The one to mark; None: none.
    """
    from plotly.subplots import make_subplots

    theme_charts()
    shown = [
        name for name in FIGURES if any(sweep.figure(i, name) is not None for i in range(len(sweep.models)))
    ]
    titles = [", ".join(filter(None, map(_, FIGURES[name][:2]))) for name in shown]
    figure = make_subplots(1, max(1, len(shown)), subplot_titles=titles, horizontal_spacing=0.07)
    for column, name in enumerate(shown, 1):
        values = [sweep.figure(index, name) for index in range(len(sweep.models))]
        figure.add_scatter(
            x=sweep.weights,
            y=values,
            mode="lines+markers",
            name=_(FIGURES[name][0]),
            marker={"size": [15 if index == at else 6 for index in range(len(values))]},
            hovertemplate="β = %{x}: %{y:.3g}<extra></extra>",
            line={"color": "#1c83b8"},
            row=1,
            col=column,
        )
        figure.update_xaxes(
            type="log",
            title="β",
            tickvals=sweep.weights,
            ticktext=[f"{w:g}" for w in sweep.weights],
            col=column,
        )
        figure.update_yaxes(rangemode="tozero", col=column)
    figure.update_annotations(font={"size": 12})
    figure.update_layout(height=210, margin={"l": 0, "r": 8, "t": 26, "b": 0}, showlegend=False)
    return figure
