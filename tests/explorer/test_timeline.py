"""Undo and redo."""

from hypothesis import given, strategies as st

from explorer.timeline import KEPT, Timeline


@given(st.lists(st.sampled_from(["move", "back", "forward"]), max_size=60))
def test_it_behaves_like_a_list_with_a_cursor(actions: list[str]) -> None:
    places, cursor = [0], 0
    line: Timeline[int] = Timeline()
    present = 0
    for number, action in enumerate(actions, start=1):
        if action == "move":
            places = [*places[: cursor + 1], number]
            cursor += 1
            line, present = line.left(present), number
        elif action == "back" and line.past:
            cursor -= 1
            line, present = line.back(present)
        elif action == "forward" and line.future:
            cursor += 1
            line, present = line.forward(present)
        assert present == places[cursor]
        assert (len(line.past), len(line.future)) == (cursor, len(places) - cursor - 1)


def test_it_forgets_what_is_long_ago() -> None:
    line: Timeline[int] = Timeline()
    for place in range(KEPT + 7):
        line = line.left(place)
    assert len(line.past) == KEPT and line.past[-1] == KEPT + 6
