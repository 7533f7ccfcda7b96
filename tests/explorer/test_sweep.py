"""Models that differ in the weight of the KL term only: which they are, and what is drawn of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from explorer import cache
from explorer.compare import sweep
from models import catalog
from models.requests import Sample


@pytest.fixture(scope="module")
def shipped() -> list[catalog.ModelInfo]:
    return catalog.models()


def test_the_shipped_sweep_is_found(shipped: list[catalog.ModelInfo]) -> None:
    found = sweep.find(shipped, "avatars")
    assert found is not None and found.weights == (1, 4, 16, 64) and found.dataset == "fashion_mnist"
    assert [info.id for info in found.models] == [f"fashion-vae-beta-{n}" for n in (1, 4, 16, 64)]
    assert "Active units 16" in sweep.words(found, 0) and "Sharpness 0.12 × real" in sweep.words(found, 0)


def test_one_that_differs_in_more_is_left_out(shipped: list[catalog.ModelInfo]) -> None:
    first, *rest = [info for info in shipped if "beta" in info.id]
    other = replace(first, config=first.config.model_copy(update={"seed": 7}))
    found = sweep.find([other, *rest])
    assert found is not None and other not in found.models and len(found.models) == 3
    assert sweep.find([other, rest[0]]) is None and sweep.find([]) is None


def test_the_chart_marks_the_present_one(shipped: list[catalog.ModelInfo]) -> None:
    found = sweep.find(shipped)
    assert found is not None
    figure: Any = sweep.chart(found, at=2)
    assert [trace.name for trace in figure.data] == [
        "Sharpness",
        "Reconstruction (PSNR)",
        "KL",
        "Active units",
    ]
    for trace, name in zip(figure.data, sweep.FIGURES, strict=True):
        assert list(trace.y) == [found.figure(i, name) for i in range(4)] and None not in trace.y
        assert trace.marker.size.index(max(trace.marker.size)) == 2


def test_samples_of_the_part_why_are_those_that_the_figures_are_of(
    open_app: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    render = cache.render
    monkeypatch.setattr(cache, "render", lambda request: asked.append(request.op) or render(request))
    app = open_app("compare", model="tiny-vae", models="tiny-vae,tiny-gan", part="why", psi=0.3)
    assert not app.exception
    samples = [
        op for op in asked if isinstance(op, Sample) and op.count == 6
    ]  # the page that opens first asks for 64
    assert samples == [Sample(seed=0, count=6, truncation=1)] * 2
