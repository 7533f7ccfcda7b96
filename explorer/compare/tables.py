"""The table of what was measured, as HTML: groups, intervals, the better one marked, explanations to unfold."""

from html import escape

from explorer.compare.measured import Cell, MeasuredTable, Row, Section
from explorer.text import N_, _

_GOALS = {"lower": N_("less is better"), "higher": N_("more is better"), "one": N_("near 1 is best")}


def table_html(shown: MeasuredTable) -> str:
    """Return a table as HTML, for the page and for a report; its styles are those of `.measured` in style.css."""
    heads = "".join(f'<th scope="col">{escape(title)}</th>' for title in (*shown.models, _("Real"), _("N")))
    bodies = "".join(_section(section, len(shown.models) + 3) for section in shown.sections)
    first = f'<th scope="col">{escape(_("Figure"))}</th>'
    return f'<div class="measured" tabindex="0"><table><thead><tr>{first}{heads}</tr></thead>{bodies}</table></div>'


def _section(section: Section, columns: int) -> str:
    head = f'<tr><th class="group" scope="rowgroup" colspan="{columns}">{escape(section.title)}</th></tr>'
    return f"<tbody>{head}{''.join(map(_row, section.rows))}</tbody>"


def _row(row: Row) -> str:
    goal = f" ({_(_GOALS[row.goal])})" if row.goal else ""
    more = f"<p>{escape(row.what)}{escape(goal)}.</p><p>{escape(row.misleads)}</p>"
    title = f"<details><summary>{escape(row.title)}</summary>{more}</details>"
    cells = "".join(map(_cell, row.cells))
    real, count = escape(row.real_text or "–"), f"{row.count:,}"
    return f'<tr><th scope="row">{title}</th>{cells}<td class="real">{real}</td><td class="real">{count}</td></tr>'


def _cell(cell: Cell) -> str:
    if not cell.text:
        return f'<td><span class="none" title="{escape(_("does not apply"))}">–</span></td>'
    mark = (
        f'<span class="mark" role="img" aria-label="{escape(_("better"))}">●</span> ' if cell.better else ""
    )
    value = f'<span class="value">{mark}{escape(cell.text)}</span>'
    between = f'<span class="between">{escape(cell.between)}</span>' if cell.between else ""
    return f"<td{' class=better' if cell.better else ''}>{value}{between}</td>"
