"""Routes and planes as values, and as links."""

import pytest
from hypothesis import given, settings, strategies as st

from explorer import link, route
from explorer.route import Plane, Route
from explorer.state import View
from models import catalog
from models.choices import ROUTES
from models.requests import Point

KEYS = (Point(seed=3), Point(seed=17, label=2), Point(seed=4, truncation=0.5), Point(seed=2**31 - 1))


def test_a_route_starts_with_truncated_seeds() -> None:
    assert route.keys_of(Route(), 0.7) == tuple(Point(seed=seed, truncation=0.7) for seed in route.SEEDS)
    assert route.keys_of(Route(points=KEYS), 0.7) == KEYS


def test_key_frames_are_moved_and_removed() -> None:
    assert [key.seed for key in route.moved(KEYS, 0, 1)][:3] == [17, 3, 4]
    assert [key.seed for key in route.moved(KEYS, 2, -1)][:3] == [3, 4, 17]
    assert route.moved(KEYS, 0, -1) == route.moved(KEYS, 3, 1) == KEYS
    assert route.without(KEYS, 1) == (KEYS[0], *KEYS[2:])


def test_key_frames_come_back_from_a_link() -> None:
    assert route.to_text(KEYS) == "3,17:2,4~0.5,2147483647"
    assert route.from_text(route.to_text(KEYS)) == KEYS


def test_a_link_holds_seeds_only() -> None:
    keys = (*KEYS[:2], Point(latent=(1.0, 2.0)), Point(seed=1, edits=((0, 1.0),)))
    assert route.from_text(route.to_text(keys)) == KEYS[:2]


@pytest.mark.parametrize(
    "text", ["", "1", "1,", "1,x", "1,2147483648", "1,2:-1", "1,2~3", ",".join("1" * 17)]
)
def test_other_texts_are_no_key_frames(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        route.from_text(text)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            Point,
            seed=st.integers(0, 2**31 - 1),
            label=st.none() | st.integers(0, 999),
            truncation=st.integers(0, 200).map(lambda n: n / 100),
        ),
        min_size=2,
        max_size=route.MAX_KEYS,
    )
)
def test_all_seeds_survive_a_link(keys: list[Point]) -> None:
    assert route.from_text(route.to_text(keys)) == tuple(keys)


def test_interpolate_is_restored(zoo) -> None:
    keys = (Point(seed=3), Point(seed=17, label=2), Point(seed=4, truncation=0.5))
    view = View(model="tiny-cvae", route=Route(points=keys, method="lerp", frames=24))
    params = link.write(view, link.INTERPOLATE)
    assert params == {"model": "tiny-cvae", "keys": "3,17:2,4~0.5", "method": "lerp", "frames": "24"}
    back, notices = link.read(params, link.INTERPOLATE, View(), catalog.models())
    assert (back.route, notices) == (view.route, [])
    assert link.write(View(model="tiny-cvae"), link.INTERPOLATE) == {"model": "tiny-cvae"}


def test_plane_is_restored_with_its_point(zoo) -> None:
    point = Point(seed=5, truncation=0.8, axes="pca", edits=((1, 0.5),), label=3)
    view = View(model="tiny-cvae", point=point, plane=Plane(pair=(3, 1), spacing="quantile"))
    params = link.write(view, link.PLANE)
    assert params["plane"] == "3,1" and params["spacing"] == "quantile"
    back, notices = link.read(params, link.PLANE, View(), catalog.models())
    assert (back.point, back.plane, notices) == (point, view.plane, [])


@pytest.mark.parametrize("page", [link.INTERPOLATE, link.PLANE])
@settings(max_examples=150, deadline=None)
@given(
    params=st.dictionaries(
        st.sampled_from(["model", "keys", "method", "frames", "plane", "spacing", "psi"]),
        st.text() | st.from_regex(r"[0-9]{1,12}([,:~][0-9.]{1,9}){0,20}", fullmatch=True),
    )
)
def test_no_link_can_break_the_pages(zoo_folder, page: str, params: dict[str, str]) -> None:
    view, notices = link.read(params, page, View(), [catalog.read(zoo_folder / "tiny-cvae")])
    assert 2 <= view.route.frames <= 240 and view.route.method in ROUTES
    assert all(isinstance(sentence, str) for sentence in notices)
