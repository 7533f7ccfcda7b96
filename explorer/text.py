"""Every string that a person reads goes through `_`, so that translations can be added in one place."""

import gettext

_translations = gettext.NullTranslations()
_ = _translations.gettext
ngettext = _translations.ngettext


def N_(text: str) -> str:
    """Mark a text for translation that is translated where it is shown."""
    return text


def count(number: int) -> str:
    """Word a large number with two or three digits: 950, 1.2 k, 3.6 M."""
    for unit, size in ((_("M"), 1_000_000), (_("k"), 1_000)):
        if number >= size:
            amount = number / size
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
    return str(number)


def signed(value: float) -> str:
    """Write a coordinate with its sign and two digits: +0.50, −1.25."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def percent(share: float) -> str:
    """Word a share: 23 %, 4.1 %, < 0.1 %."""
    amount = 100 * share
    if amount < 0.1:
        return _("< 0.1 %")
    return f"{amount:.1f} %" if amount < 10 else f"{amount:.0f} %"


def duration(seconds: float) -> str:
    """Word a time: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
