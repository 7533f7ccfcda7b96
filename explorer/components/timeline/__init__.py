"""A timeline through the pictures of a training: it plays and scrubs in the browser, and follows the newest one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from explorer.components import define
from explorer.text import _
from models.training.record import Snapshot

_HTML = '<div class="timeline" role="group" tabindex="-1"></div>'


@dataclass(frozen=True)
class Pictures:
    """The pictures of one kind.

    Args:
        name: Of the kind, as it stands in their addresses.
        title: The same for people.
        about: What they show, for the caption and for screen readers.
        size: Width and height, in pixels.
        shots: First to last, at least one.
    """

    name: str
    title: str
    about: str
    size: tuple[int, int]
    shots: Sequence[Snapshot]


def _component() -> Any:
    return define(
        "timeline",
        _HTML,
        css=("tools.css", "scrub.css", "timeline/timeline.css"),
        js=("latent_pad/parts.js", "scrub.js", "timeline/timeline.js"),
    )


def _texts() -> dict[str, str]:
    return {
        "play": _("Play from noise to the end"),
        "pause": _("Pause"),
        "newest": _("Newest"),
        "follow": _("Show the newest pictures, and so on as more come"),
        "kinds": _("Pictures"),
        "track": _("Step"),
        "at": _("step {n}"),
        "caption": _("Step {n}"),
    }


def timeline(kinds: Sequence[Pictures], *, address: str, label: str, key: str) -> None:
    """Show the pictures of a training; where a person is on it stays in the browser.

    Args:
        kinds: What there is to see, at least one; the first one is shown at first.
        address: Where the pictures are on this server (`explorer.run_pictures`): address/kind/step.png?v=version.
        label: Of what they are, for screen readers.
        key: Of the element.
    """
    data = {
        "pictures": address,
        "kinds": [
            {
                "name": kind.name,
                "title": kind.title,
                "about": kind.about,
                "size": list(kind.size),
                # As text, because JavaScript rounds numbers as large as nanoseconds are.
                "shots": [[shot.step, f"{shot.version:x}"] for shot in kind.shots],
            }
            for kind in kinds
        ],
        "label": label,
        "texts": _texts(),
    }
    # In a list, because Streamlit imports pandas (a second) to look for data frames in a dictionary's values.
    _component()(data=[data], key=key)
