"""Conversations about what is read: signs, pages, charts, tables and handwritten numbers."""

from __future__ import annotations

import random
from collections import Counter

from harness.world import NAMES, Chart, Digits, Field, Glyph, Page, Sign, Table
from models.sphinx_x.corpus.things import ask, place_of
from models.sphinx_x.corpus.turns import SHORT, Hint, Turn, choice, concluded, hinted, short, spelled, yes_no

_ALPHABET = "ABCDEFGHIKLMNOPRSTUVW"


def _near(text: str, rng: random.Random) -> str:
    """The text with one letter or digit exchanged."""
    at = rng.randrange(len(text))
    pool = "0123456789" if text[at].isdigit() else _ALPHABET
    return text[:at] + rng.choice([char for char in pool if char != text[at]]) + text[at + 1 :]


def _numbers_near(number: int, rng: random.Random, low: int, high: int) -> list[str]:
    pool = [n for n in range(low, high + 1) if n != number]
    close = [n for n in pool if abs(n - number) <= 4]
    picked = rng.sample(close, min(2, len(close)))
    picked += rng.sample([n for n in pool if n not in picked], 3 - len(picked))
    return [str(n) for n in picked]


def read_word(sign: Sign, rng: random.Random) -> Turn:
    """The word on a sign."""
    return Turn("read_word", ask("read_word", rng) + SHORT, sign.word)


def letter_at(sign: Sign, rng: random.Random) -> Turn:
    """One letter of the word, by its place."""
    at = rng.randrange(len(sign.word))
    return Turn("letter_at", ask("letter_at", rng, at + 1) + SHORT, sign.word[at])


def _other_word(word: str, rng: random.Random) -> str:
    if rng.random() < 0.5:
        return _near(word, rng)
    return "".join(rng.choice(_ALPHABET) for _ in range(rng.randint(3, 6)))


def word_yes_no(sign: Sign, rng: random.Random) -> Turn:
    """Whether the sign says a word."""
    told = sign.word if rng.random() < 0.5 else _other_word(sign.word, rng)
    turn = yes_no("word_yes_no", ask("word_yes_no", rng, told), told == sign.word, rng, sign.word)
    return hinted(turn, spelled(told, sign.word))


def word_choice(sign: Sign, rng: random.Random) -> Turn:
    """The word on a sign, with options."""
    return choice("choice_word", ask("read_word", rng), sign.word, [_other_word(sign.word, rng) for _ in range(3)], rng)


def field_name(found: Field) -> str:
    """A field's name as people write it in a sentence; pages print it in capitals."""
    return found.name.lower()


def read_page(page: Page, rng: random.Random) -> Turn:
    """All lines of a page."""
    lines = ([page.title] if page.title else []) + [f"{field_name(field)}: {field.value}" for field in page.fields]
    return Turn("read_page", ask("read_page", rng), "; ".join(lines))


def field_names(page: Page, rng: random.Random) -> Turn:
    """The names of the fields in order."""
    return Turn("field_names", ask("field_names", rng), ", ".join(field_name(field) for field in page.fields))


def field(page: Page, rng: random.Random) -> Turn:
    """The value of a field."""
    found = rng.choice(page.fields)
    return Turn("field", ask("field", rng, field_name(found)) + SHORT, found.value)


def line(page: Page, rng: random.Random) -> Turn:
    """One line of a page, by its number."""
    lines = ([page.title] if page.title else []) + [f"{field_name(entry)}: {entry.value}" for entry in page.fields]
    at = rng.randrange(len(lines))
    return Turn("line", ask("line", rng, at + 1), lines[at])


def _glyph(world: Sign | Page | Chart | Table, rng: random.Random) -> Glyph | None:
    """A letter or digit that stands in the picture once."""
    counts = Counter(glyph.char for glyph in world.glyphs)
    once = [glyph for glyph in world.glyphs if counts[glyph.char] == 1 and glyph.char.isalnum()]
    return rng.choice(once) if once else None


def letter_where(world: Sign | Page | Chart | Table, rng: random.Random) -> Turn | None:
    """The place of a character: finding what is printed, which every reading of a named value begins with."""
    found = _glyph(world, rng)
    if found is None:
        return None
    return Turn("letter_where", ask("letter_where", rng, found.char), place_of(found.box, *world.image.size))


def letter_after(world: Sign | Page | Chart | Table, rng: random.Random) -> Turn | None:
    """The character to the right of one, or ``nothing``."""
    found = _glyph(world, rng)
    if found is None:
        return None
    right = [g for g in world.glyphs if g.box.y0 == found.box.y0 and g.box.x0 > found.box.x0]
    char = min(right, key=lambda glyph: glyph.box.x0).char if right else "nothing"
    return Turn("letter_after", ask("letter_after", rng, found.char), char)


def field_line(page: Page, rng: random.Random) -> Turn:
    """The line of a field, by its name: the value is looked up right behind a name just written, as it stands on the page."""
    found = rng.choice(page.fields)
    return Turn("field_line", ask("field_line", rng, field_name(found)), f"{field_name(found)}: {found.value}")


def line_number(page: Page, rng: random.Random) -> Turn:
    """The number of the line on which a field stands."""
    at = rng.randrange(len(page.fields))
    question = ask("line_number", rng, field_name(page.fields[at]))
    return Turn("line_number", question + SHORT, str(at + 1 + bool(page.title)))


def field_of(page: Page, rng: random.Random) -> Turn:
    """The field that has a value."""
    found = rng.choice(page.fields)
    return Turn("field_of", ask("field_of", rng, found.value) + SHORT, field_name(found))


def title(page: Page, rng: random.Random) -> Turn | None:
    """The title of a page that has one."""
    return Turn("title", ask("title", rng) + SHORT, page.title) if page.title else None


def field_yes_no(page: Page, rng: random.Random) -> Turn:
    """Whether a field has a value; wrong values are those of another field or off by a character."""
    found = rng.choice(page.fields)
    told = found.value
    if rng.random() < 0.5:
        told = rng.choice([other.value for other in page.fields if other is not found] + [_near(found.value, rng)])
    return yes_no("field_yes_no", ask("field_yes_no", rng, field_name(found), told), told == found.value, rng, found.value)


def field_choice(page: Page, rng: random.Random) -> Turn:
    """The value of a field, or the name of a value's field, with options."""
    found = rng.choice(page.fields)
    if rng.random() < 0.3:
        wrong = [name.lower() for name in rng.sample([name for name in NAMES if name != found.name], 3)]
        return choice("choice_field", ask("field_of", rng, found.value), field_name(found), wrong, rng)
    others = [other.value for other in page.fields if other is not found]
    return choice("choice_field", ask("field", rng, field_name(found)), found.value, [*others, _near(found.value, rng)][:3], rng)


def read_chart(chart: Chart, rng: random.Random) -> Turn:
    """All bars from left to right."""
    bars = "; ".join(f"{bar.name} {bar.colour} {bar.value}" for bar in chart.bars)
    return Turn("read_chart", ask("read_chart", rng), bars)


def bar(chart: Chart, rng: random.Random) -> Turn:
    """The value of a bar, by its name or its colour."""
    found = rng.choice(chart.bars)
    coloured = rng.random() < 0.3
    name = found.colour if coloured else found.name
    turn = short("bar", ask("bar_by_colour" if coloured else "bar", rng, name), str(found.value), rng)
    return hinted(turn, [Hint(name, "number", found.value)])


def bar_line(chart: Chart, rng: random.Random) -> Turn:
    """Name, colour and value of one bar, by its name or its colour."""
    found = rng.choice(chart.bars)
    name = found.name if rng.random() < 0.6 else f"the {found.colour} bar"
    return Turn("bar_line", ask("bar_line", rng, name), f"{found.name} {found.colour} {found.value}")


def bar_colour(chart: Chart, rng: random.Random) -> Turn:
    """The colour of a bar, or the name of one of that colour."""
    found = rng.choice(chart.bars)
    if rng.random() < 0.5:
        return short("bar_colour", ask("bar_colour", rng, found.name), found.colour, rng)
    return short("bar_name", ask("bar_name", rng, found.colour), found.name, rng)


def bars(chart: Chart, rng: random.Random) -> Turn:
    """How many bars there are."""
    return short("bars", ask("bars", rng), str(len(chart.bars)), rng)


def extreme(chart: Chart, rng: random.Random) -> Turn:
    """The highest or lowest bar, by name or by colour."""
    high = rng.random() < 0.5
    found = (max if high else min)(chart.bars, key=lambda entry: entry.value)
    question = ask("highest" if high else "lowest", rng)
    return hinted(short("extreme", question, found.name, rng), concluded(question, found.name, found.value))


def arithmetic(chart: Chart, rng: random.Random) -> Turn:
    """Sum or difference of two bars."""
    one, two = rng.sample(chart.bars, 2)
    if rng.random() < 0.5:
        return short("bar_sum", ask("bar_sum", rng, one.name, two.name), str(one.value + two.value), rng)
    high, low = (one, two) if one.value > two.value else (two, one)
    return short("bar_difference", ask("bar_difference", rng, high.name, low.name), str(high.value - low.value), rng)


def bar_yes_no(chart: Chart, rng: random.Random) -> Turn:
    """Whether one bar is higher than another, or has a value."""
    one, two = rng.sample(chart.bars, 2)
    question = ask("bar_yes_no", rng, one.name, two.name)
    return yes_no("bar_yes_no", question, one.value > two.value, rng, f"{one.value} {two.value}")


def chart_choice(chart: Chart, rng: random.Random) -> Turn:
    """A value, the highest or the lowest bar, with options."""
    if rng.random() < 0.6:
        found = rng.choice(chart.bars)
        wrong = [str(entry.value) for entry in chart.bars if entry is not found]  # else: any option that a bar reaches is right
        wrong += [number for number in _numbers_near(found.value, rng, 1, 9) if number not in wrong]
        turn = choice("choice_bar", ask("bar", rng, found.name), str(found.value), wrong[: rng.choice((2, 3, 3))], rng)
        return hinted(turn, [Hint(found.name, "number", found.value)])
    high = rng.random() < 0.5
    found = (max if high else min)(chart.bars, key=lambda entry: entry.value)
    wrong = [entry.name for entry in chart.bars if entry is not found]
    question = ask("highest" if high else "lowest", rng)
    return hinted(choice("choice_bar", question, found.name, wrong, rng), concluded(question, found.name, found.value))


def read_table(table: Table, rng: random.Random) -> Turn:
    """All rows."""
    head = " ".join(table.columns)
    rows = "; ".join(f"{name} {' '.join(row)}" for name, row in zip(table.names, table.rows, strict=True))
    return Turn("read_table", ask("read_table", rng), f"{head}; {rows}")


def row_line(table: Table, rng: random.Random) -> Turn:
    """One row with its name."""
    i = rng.randrange(len(table.names))
    return Turn("row_line", ask("row_line", rng, table.names[i]), f"{table.names[i]} {' '.join(table.rows[i])}")


def cell(table: Table, rng: random.Random) -> Turn:
    """One entry, by row and column."""
    i, j = rng.randrange(len(table.names)), rng.randrange(len(table.columns))
    turn = short("cell", ask("cell", rng, table.names[i], table.columns[j]), table.rows[i][j], rng)
    return hinted(turn, [Hint(max(table.names[i], table.columns[j], key=turn.question.rfind), "number", int(table.rows[i][j]))])


def cell_choice(table: Table, rng: random.Random) -> Turn:
    """One entry, with options, other entries among them."""
    i, j = rng.randrange(len(table.names)), rng.randrange(len(table.columns))
    right = table.rows[i][j]
    others = sorted({text for row in table.rows for text in row if text != right})
    wrong = (rng.sample(others, min(2, len(others))) + _numbers_near(int(right), rng, 1, 99))[:3]
    return choice("choice_cell", ask("cell", rng, table.names[i], table.columns[j]), right, wrong, rng)


def read_digits(digits: Digits, rng: random.Random) -> Turn:
    """The number, or the result of the sum."""
    family = "sum" if digits.operator else "digits"
    question = ask(family, rng)
    return hinted(short(family, question, str(digits.result), rng), concluded(question, number=digits.result))


def addends(digits: Digits, rng: random.Random) -> Turn | None:
    """Both numbers of a sum, with the result half of the time."""
    if not digits.operator:
        return None
    text = "+".join(str(number) for number in digits.numbers)
    if rng.random() < 0.3:
        return Turn("addends", ask("addends", rng), text)
    return Turn("addends", ask("addends", rng) + " Give the result.", f"{text}={digits.result}")


def digits_yes_no(digits: Digits, rng: random.Random) -> Turn:
    """Whether the number, or the sum, is the one told."""
    right = str(digits.result)
    told = right if rng.random() < 0.5 else _numbers_near(digits.result, rng, 0, 99 if len(right) > 1 else 9)[0]
    family = "sum_yes_no" if digits.operator else "number_yes_no"
    turn = yes_no(family, ask(family, rng, told), told == right, rng, right)
    return hinted(turn, [Hint(told, "number", digits.result)])


def digits_choice(digits: Digits, rng: random.Random) -> Turn:
    """The number, or the sum, with options."""
    family = "sum" if digits.operator else "digits"
    wrong = _numbers_near(digits.result, rng, 0, 18 if digits.operator else 99 if digits.result > 9 else 9)
    return choice("choice_digits", ask(family, rng), str(digits.result), wrong, rng)


_FINDING = {"letter_where": letter_where, "letter_after": letter_after}
SIGN_FAMILIES = {
    **_FINDING,
    "read_word": read_word,
    "letter_at": letter_at,
    "word_yes_no": word_yes_no,
    "choice_word": word_choice,
}
PAGE_FAMILIES = {
    **_FINDING,
    "read_page": read_page,
    "field_names": field_names,
    "field": field,
    "line": line,
    "field_line": field_line,
    "line_number": line_number,
    "field_of": field_of,
    "title": title,
    "field_yes_no": field_yes_no,
    "choice_field": field_choice,
}
CHART_FAMILIES = {
    **_FINDING,
    "read_chart": read_chart,
    "bar": bar,
    "bar_line": bar_line,
    "bar_colour": bar_colour,
    "bars": bars,
    "extreme": extreme,
    "arithmetic": arithmetic,
    "bar_yes_no": bar_yes_no,
    "choice_bar": chart_choice,
}
TABLE_FAMILIES = {**_FINDING, "read_table": read_table, "row_line": row_line, "cell": cell, "choice_cell": cell_choice}
DIGIT_FAMILIES = {"digits": read_digits, "addends": addends, "digits_yes_no": digits_yes_no, "choice_digits": digits_choice}
"""Kind of picture: family -> maker of one turn, or None where the picture does not allow the question."""
