"""Which models Compare holds against each other, and what its link says of them."""

import pytest

from explorer import link
from explorer.compare import rivals
from explorer.state import View
from models import catalog


@pytest.fixture(scope="module")
def shipped() -> list[catalog.ModelInfo]:
    return [info for info in catalog.models() if info.shipped]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("fashion-vae", "fashion-gan"),
        ("fashion-gan", "fashion-vae"),
        ("fashion-ae", "fashion-gan"),
        ("fashion-cvae", "fashion-cgan"),
        ("fashion-cgan", "fashion-cvae"),
        ("avatars-gan", "avatars-vae"),
        ("digits-vae", "digits-gan"),
    ],
)
def test_a_vae_meets_a_gan_and_a_gan_a_vae(shipped: list[catalog.ModelInfo], name: str, other: str) -> None:
    info = catalog.find(name)
    found = rivals.counterpart(info, shipped)
    assert found is not None and found.id == other
    pair = rivals.chosen(info, (), shipped)
    assert {one.id for one in pair} == {name, other}
    assert [rivals.is_adversarial(one) for one in pair] == [False, True]


def test_models_of_other_data_or_sizes_do_not_fit(shipped: list[catalog.ModelInfo]) -> None:
    fashion, avatars = catalog.find("fashion-vae"), catalog.find("avatars-vae")
    assert not rivals.fit([fashion, avatars]) and not rivals.fit([fashion])
    assert {info.dataset for info in rivals.fitting(fashion, shipped)} == {"fashion_mnist"}
    assert all(info.can("decode") for info in rivals.fitting(fashion, shipped))


def test_a_choice_counts_while_the_shared_model_is_one_of_it(shipped: list[catalog.ModelInfo]) -> None:
    names = ("fashion-ae", "fashion-vae", "fashion-gan")
    assert [info.id for info in rivals.chosen(catalog.find("fashion-ae"), names, shipped)] == [*names]
    other = rivals.chosen(catalog.find("avatars-vae"), names, shipped)
    assert [info.id for info in other] == ["avatars-vae", "avatars-gan"]


def test_the_link_of_the_first_part_leads_to_it(shipped: list[catalog.ModelInfo]) -> None:
    view = View(model="fashion-vae", part=rivals.WHY)
    found, notices = link.read({"model": "fashion-vae"}, link.COMPARE, view, shipped)
    assert found.part == "" and not notices
    assert link.read({"model": "fashion-vae"}, link.MAP, view, shipped)[0].part == rivals.WHY
    params = link.write(view, link.COMPARE)
    assert link.read(params, link.COMPARE, View(), shipped)[0].part == rivals.WHY


def test_a_link_that_names_only_what_is_compared_leads_to_it(shipped: list[catalog.ModelInfo]) -> None:
    params = {"models": "digits-vae,digits-gan"}
    found, notices = link.read(params, link.COMPARE, View(), shipped)
    assert (found.model, found.rivals, notices) == ("digits-vae", ("digits-vae", "digits-gan"), [])
    found, _ = link.read(params, link.COMPARE, View(model="digits-gan"), shipped)
    assert found.model == "digits-gan"


@pytest.mark.parametrize("names", ["fashion-vae", "fashion-vae,avatars-vae", "fashion-vae,nobody", ""])
def test_a_link_of_models_that_do_not_fit_is_explained(shipped: list[catalog.ModelInfo], names: str) -> None:
    found, notices = link.read(
        {"model": "fashion-vae", "models": names}, link.COMPARE, View(model="fashion-vae"), shipped
    )
    assert found.rivals == () and len(notices) == 1 and "counterpart" in notices[0]
