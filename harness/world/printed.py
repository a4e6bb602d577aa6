"""Draws what is read: signs with one word, pages of fields, tables and bar charts. All type is 14 px high or more."""

from __future__ import annotations

from typing import Final

from harness.world.dice import Dice, split_of
from harness.world.facts import Bar, Box, Chart, Field, Glyph, Page, Sign, Table
from harness.world.font import ROWS, text_width, write
from harness.world.ground import INKS, SIDE_PX, ground, to_image
from harness.world.palette import COLOURS, Rgb, Split
from harness.world.words import NAMES, TITLES, value, word

_SCALE: Final = 2
_LINE_PX: Final = ROWS * _SCALE
_PALE: Final[Rgb] = (206, 206, 212)
_PAPER: Final[Rgb] = (250, 250, 250)
_LETTERS: Final = "ABCDEFGHKLMNPRSTUVWXYZ"

_UNIT_PX: Final = 6
_BASE_PX: Final = 77
_HIGHEST: Final = 9


def _hull(glyphs: tuple[Glyph, ...]) -> Box:
    boxes = [glyph.box for glyph in glyphs]
    return Box(min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes))


def draw_sign(dice: Dice, split: Split) -> Sign:
    """Draw a board with one word of three to six letters, dark on light or light on a colour."""
    canvas = ground(dice)
    text = word(dice, split)
    scale = 3 if text_width(text, 3) <= SIDE_PX - 12 and dice.chance(0.5) else 2
    width, height = text_width(text, scale), ROWS * scale
    x, y = dice.between(5, SIDE_PX - width - 5), dice.between(5, SIDE_PX - height - 5)
    ink: Rgb = dice.pick(INKS)
    if dice.chance(0.6):
        inverted = dice.chance(0.4)
        canvas[y - 4 : y + height + 4, x - 4 : x + width + 4] = ink
        if not inverted:
            canvas[y - 3 : y + height + 3, x - 3 : x + width + 3] = _PAPER
        ink = _PAPER if inverted else ink
    glyphs = write(canvas, text, x, y, scale, ink)
    return Sign(image=to_image(canvas), word=text, box=_hull(glyphs), glyphs=glyphs)


def draw_page(dice: Dice, split: Split) -> Page:
    """Draw three fields under a title, or three or four fields without one; names and values occur once."""
    canvas = ground(dice)
    ink, title = dice.pick(INKS), dice.pick(TITLES) if dice.chance(0.4) else ""
    names = dice.sample(NAMES, 3 if title else dice.between(3, 4))
    values: list[str] = []
    while len(values) < len(names):
        candidate = value(dice, split)
        if candidate not in values:
            values.append(candidate)
    glyphs: list[Glyph] = []
    fields: list[Field] = []
    pitch = 24 if len(names) + bool(title) == 4 else dice.between(24, 30)
    y = dice.between(2, SIDE_PX - pitch * (len(names) + bool(title)) + pitch - _LINE_PX - 2)
    if title:
        width = text_width(title, _SCALE)
        x = (SIDE_PX - width) // 2
        glyphs += write(canvas, title, x, y, _SCALE, ink)
        canvas[y + _LINE_PX + 2, x - 2 : x + width + 2] = ink
        y += pitch
    ruled, right = dice.chance(0.4), dice.chance(0.3)
    for name, text in zip(names, values, strict=True):
        head, width = text_width(f"{name}:", _SCALE) + 2, text_width(text, _SCALE)
        head += min(SIDE_PX - head - width - 2, 4)  # a space after the colon where there is room
        room = SIDE_PX - head - width - 2
        x = 1 + (0 if right else dice.below(min(room, 6) + 1))
        glyphs += write(canvas, f"{name}:", x, y, _SCALE, ink)
        printed = write(canvas, text, 1 + head + room if right else x + head, y, _SCALE, ink)
        glyphs += printed
        fields.append(Field(name, text, _hull(printed)))
        if ruled:
            canvas[y + _LINE_PX + 3 : y + _LINE_PX + 4, 2:-2] = _PALE
        y += pitch
    return Page(image=to_image(canvas), title=title, fields=tuple(fields), glyphs=tuple(glyphs))


def _chart_values(dice: Dice, split: Split, n: int) -> list[tuple[str, int]]:
    """Draw names and values; which split a chart belongs to is decided by what it says."""
    while True:
        names = dice.sample(_LETTERS, n)
        content = list(zip(names, dice.sample(range(1, _HIGHEST + 1), n), strict=True))
        if split_of(f"chart {content}") == split:
            return content


def draw_chart(dice: Dice, split: Split) -> Chart:
    """Draw three or four bars over printed names; lines mark every unit, and some values are printed above their bars."""
    canvas = ground(dice)
    n = dice.between(3, 4)
    content = _chart_values(dice, split, n)
    ink, colours = dice.pick(INKS), dice.sample(tuple(COLOURS), n)
    glyphs = [
        *write(canvas, "5", 1, _BASE_PX - 5 * _UNIT_PX - _LINE_PX // 2, _SCALE, ink),
        *write(canvas, "0", 1, _BASE_PX - _LINE_PX // 2, _SCALE, ink),
    ]
    left = 14
    for unit in range(_HIGHEST + 1):
        canvas[_BASE_PX - unit * _UNIT_PX, left:-1] = ink if unit == 0 else (150, 150, 158) if unit == 5 else _PALE
    print_share = dice.pick((0.0, 0.5, 1.0))
    pitch = (SIDE_PX - left - 2) // n
    bars: list[Bar] = []
    for i, (name, amount) in enumerate(content):
        x, width = left + 2 + i * pitch, pitch - dice.between(4, 6)
        box = Box(x, _BASE_PX - amount * _UNIT_PX, x + width, _BASE_PX)
        canvas[box.y0 : box.y1, box.x0 : box.x1] = COLOURS[colours[i]]
        middle = x + width // 2 - text_width(name, _SCALE) // 2
        glyphs += write(canvas, name, middle, _BASE_PX + 4, _SCALE, ink)
        printed = dice.chance(print_share)
        if printed:
            glyphs += write(canvas, str(amount), middle, box.y0 - _LINE_PX - 2, _SCALE, ink)
        bars.append(Bar(name, amount, colours[i], box, printed))
    return Chart(image=to_image(canvas), bars=tuple(bars), glyphs=tuple(glyphs))


def draw_table(dice: Dice, split: Split) -> Table:
    """Draw a table of two or three columns and rows; three columns leave room for one digit a cell, two for two."""
    canvas = ground(dice)
    ink, n_columns, n_rows = dice.pick(INKS), dice.between(2, 3), dice.between(2, 3)
    heads = dice.sample(_LETTERS, n_columns + n_rows)
    columns, names = tuple(heads[:n_columns]), tuple(heads[n_columns:])
    while True:
        rows = tuple(tuple(str(dice.between(1, 99 if n_columns == 2 else 9)) for _ in columns) for _ in names)
        if split_of(f"table {rows}") == split:
            break
    first, pitch_x, pitch_y = 20, (SIDE_PX - 22) // n_columns, (SIDE_PX - 2) // (n_rows + 1)
    glyphs: list[Glyph] = []
    for j, column in enumerate(columns):
        glyphs += write(canvas, column, first + j * pitch_x + (pitch_x - 10) // 2, 1 + (pitch_y - _LINE_PX) // 2, _SCALE, ink)
        canvas[1:-1, first + j * pitch_x] = (150, 150, 158)
    boxes: list[tuple[Box, ...]] = []
    for i, name in enumerate(names):
        y = 1 + (i + 1) * pitch_y
        canvas[y, 1:-1] = (150, 150, 158)
        line: list[Box] = []
        top = y + (pitch_y - _LINE_PX) // 2
        glyphs += write(canvas, name, 5, top, _SCALE, ink)
        for j, text in enumerate(rows[i]):
            x = first + j * pitch_x
            glyphs += write(canvas, text, x + (pitch_x - text_width(text, _SCALE) + 1) // 2, top, _SCALE, ink)
            line.append(Box(x, y, x + pitch_x, y + pitch_y))
        boxes.append(tuple(line))
    return Table(image=to_image(canvas), columns=columns, names=names, rows=rows, boxes=tuple(boxes), glyphs=tuple(glyphs))
