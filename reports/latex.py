"""Prints a board as LaTeX tables for a paper: booktabs, intervals below the values, everything escaped.

A board wider than a page is cut into tables of `ACROSS` benchmarks. Letters beyond Latin are left as they are, for LuaLaTeX.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reports.board import BoardView, ColumnView, SectionView
from reports.tables import Cell, Row, coverage, flaws, show
from reports.visible import plain

ACROSS = 6
"""Benchmarks beside one another."""

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "–": "--", "—": "---", "…": r"\ldots{}", "·": r"\textperiodcentered{}",
    "⟨": r"$\langle$", "⟩": r"$\rangle$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "−": "$-$", "×": r"$\times$",
    "≈": r"$\approx$", "[": "{[}", "]": "{]}", "*": "{*}",
}  # fmt: skip
"""Brackets and stars stand in braces, since a row of a table may begin with one: ``\\\\`` would read it as its argument."""


def escape(text: str) -> str:
    r"""Return a text on one line in which nothing is a command, a comment or an argument.

    >>> print(escape("50% of_a\nb \\input{x}"))
    50\% of\_a b \textbackslash{}input\{x\}
    """
    return "".join(_SPECIAL.get(char, char) for char in plain(text))


def as_latex(view: BoardView, title: str) -> str:
    """Return one ``table`` for each section and `ACROSS` benchmarks of it."""
    head = [f"% {plain(title)}: tables of riddle report; they need \\usepackage{{booktabs}} and \\usepackage[T1]{{fontenc}}", ""]
    return "\n".join([*head, *(line for section in view.sections for line in _section(section))])


def _section(section: SectionView) -> Iterator[str]:
    for start in range(0, len(section.columns), ACROSS):
        yield from _table(section, section.columns[start : start + ACROSS], start)


def _table(section: SectionView, columns: Sequence[ColumnView], start: int) -> Iterator[str]:
    name = section.section.name
    yield from (r"\begin{table}[t]", r"\centering", r"\small", f"\\caption{{{_caption(section)}}}")
    yield f"\\label{{tab:riddle-{re.sub('[^a-z0-9]', '-', name)}-{start // ACROSS + 1}}}"
    yield from (f"\\begin{{tabular}}{{@{{}}l{'c' * len(columns)}@{{}}}}", r"\toprule")
    yield _line(["", *(f"{escape(one.column.title)} {escape(one.column.arrow)}" for one in columns)])
    yield _line(["", *(_tiny(escape(f"{one.column.metric}, {', '.join(one.column.tags)}")) for one in columns)])
    yield r"\midrule"
    rows = [row for row in section.section.rows if any(section.section.cell(row, one.column) for one in columns)]
    for place, row in enumerate(rows):
        if row.reference and place and not rows[place - 1].reference:
            yield r"\midrule"
        yield from _row(section, row, columns)
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}", "")


def _caption(section: SectionView) -> str:
    said = f"{section.section.title}. {section.section.note} 95 % intervals in brackets, clustered by what samples share."
    bold = "Bold: no other model is significantly better on the same samples (Holm over all pairs)."
    return f"{escape(said)} {bold} Italics: no models."


def _row(section: SectionView, row: Row, columns: Sequence[ColumnView]) -> Iterator[str]:
    """A line with the values, and one with the intervals and what stands behind them."""
    label = escape(row.label)
    cells = [section.section.cell(row, one.column) for one in columns]
    values = [_value(one, row, cell) for one, cell in zip(columns, cells, strict=True)]
    yield _line([f"\\textit{{{label}}}" if row.reference else label, *values])
    yield _line([_tiny(escape(row.note)), *(_tiny(_behind(cell)) for cell in cells)]) + "[2pt]"


def _value(view: ColumnView, row: Row, cell: Cell | None) -> str:
    if cell is None:
        return "--"
    value = show(cell.value.value, cell.value.unit).replace("-", "$-$")
    if view.ranked > 1 and row in view.ranks and view.ranks[row][0] == 1:
        return f"\\textbf{{{value}}}"
    return value


def _behind(cell: Cell | None) -> str:
    if cell is None:
        return ""
    value = cell.value
    ends = [show(end, value.unit).replace("-", "$-$") for end in (value.low, value.high) if end is not None]
    interval = [f"{{[}}{', '.join(ends)}{{]}}"] if len(ends) == 2 else []
    return ", ".join([*interval, f"$n$ {coverage(cell.run)}", *flaws(cell.run)])


def _tiny(text: str) -> str:
    return f"{{\\scriptsize {text}}}" if text else ""


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
