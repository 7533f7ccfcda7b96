"""Whether a data set is here, and what is said where it is not."""

import pytest

from models.datasets import presence
from models.errors import UserError


@pytest.mark.parametrize(
    ("name", "shape", "code"),
    [
        ("", (1, 16, 16), "no-data"),
        ("mnist", (1, 32, 32), "no-data"),
        ("digits", (3, 64, 64), "shape-mismatch"),
    ],
)
def test_what_cannot_be_loaded_is_said(
    name: str, shape: tuple[int, ...], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.datasets.files.found", lambda info, split: None if info.files else ())
    with pytest.raises(UserError) as caught:
        presence.check(name, shape)
    assert caught.value.code == code and caught.value.remedy


def test_what_is_drawn_is_always_here() -> None:
    for name, shape in (("digits", (1, 16, 16)), ("avatars", (3, 64, 64)), ("sprites", (1, 64, 64))):
        assert presence.check(name, shape) is None
