"""Numbers in extracted answers, and the extraction that needs no judge, as MathVista has them.

Not here: relaxed comparison of numbers (``harness.metrics.number``).
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.types import Parsed

_QUOTED = 'The answer is "'


def quoted_answer(reply: str) -> str | None:
    r"""What stands in ``The answer is "...".`` on one line, up to the last ``".`` of that line; None if there is none.

    Source: the quick extraction of lupantech/MathVista evaluation/extract_answer.py at 53d5258, whose pattern
    ``The answer is "(.*)"\.`` this matches without its quadratic time on hostile replies.
    """
    for line in reply.split("\n"):
        start = line.find(_QUOTED)
        if start >= 0:
            end = line.rfind('".', start + len(_QUOTED))
            if end >= 0:
                return line[start + len(_QUOTED) : end]
    return None


def bare_integer(reply: str) -> str | None:
    """The reply as a canonical integer if it is nothing but one (``" 029"`` is ``"29"``); None otherwise."""
    try:
        return str(int(reply))
    except ValueError:
        return None


def bare_float(reply: str) -> str | None:
    """The reply as Python prints its float if it is nothing but a number (``"25.10"`` is ``"25.1"``); None otherwise."""
    try:
        return str(float(reply))
    except ValueError:
        return None


def bare_number(reply: str, kind: str) -> str | None:
    """`bare_integer` or `bare_float` for the kinds ``integer`` and ``float``; None for any other kind."""
    if kind == "integer":
        return bare_integer(reply)
    return bare_float(reply) if kind == "float" else None


def without_judge(reply: str, kind: str, options: Sequence[str] = (), quick: bool = True) -> str | None:
    """MathVista's extraction as far as it goes by rule; None where the official script asks GPT-4.

    An empty reply is an empty extraction; an option's text to the letter, a bare number of the right kind (``integer`` or
    ``float``) and, if ``quick``, `quoted_answer` are taken.
    Source: extract_answer of lupantech/MathVista evaluation/extract_answer.py at 53d5258; ``quick`` is its --quick_extract.
    """
    if reply == "" or reply in options:
        return reply
    number = bare_number(reply, kind)
    return number if number is not None or not quick else quoted_answer(reply)


def truncated_integer(text: str) -> Parsed:
    """A number cut towards zero, as text (``"12.9"`` is ``"12"``); not a finite number is unparsed.

    Source: lupantech/MathVista evaluation/calculate_score.py normalize_extracted_answer at 53d5258.
    """
    try:
        return Parsed(str(int(float(text))))
    except (ValueError, OverflowError):
        return Parsed(None, "the extracted answer is no integer" if text else "nothing to read")


def rounded_float(text: str, precision: float | None) -> Parsed:
    """A number rounded to ``precision`` decimals, as Python prints it (``"1.20"`` to 2 is ``"1.2"``).

    Without a precision it is rounded to an integer, and a precision that is a float loses every answer: Python's ``round``
    does the one and refuses the other, and the official scorer takes what it says. Unparsed if it is no number.
    Source: as `truncated_integer`.
    """
    if isinstance(precision, float):
        return Parsed(None, f"the precision is {precision!r}, not a whole number, which the official scorer cannot round to")
    try:
        return Parsed(str(round(float(text), precision)))
    except (ValueError, OverflowError):
        return Parsed(None, "the extracted answer is no number" if text else "nothing to read")
