"""ScreenSpot in small: screens of phones, desktops and web pages with icons and labelled buttons, two instructions each.

On every screen an icon and a button are asked for, among others of their kind; which it is only the words say. Icons are coloured
shapes of the world, buttons bear its words, all held out from training.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any, Final

from harness.world import Box, Dice, combinations
from harness.world.font import ROWS, text_width
from harness.world.font import write as print_text
from harness.world.ground import INKS, Canvas, ground, stamp, to_image
from harness.world.shapes import mask
from harness.world.words import word
from tasks.mini.draws import encoded
from tasks.mini.sizes import Size
from tasks.mini.wordings import EVAL_TEMPLATES

PLATFORMS: Final = {
    "mobile": ((64, 96), ("ios", "android")),
    "desktop": ((96, 72), ("macos", "windows")),
    "web": ((96, 96), ("shop", "forum", "tool", "gitlab")),
}
"""Width and height of a platform's screens, and where they are from."""
FOLDER: Final = "screenspot_imgs"
_BAR_PX: Final = 6
_ICON_PX: Final = 17
_PAD_PX: Final = 3
_GAP_PX: Final = 2
_TRIES: Final = 60
_BUTTONS, _ICONS = 2, 2
_PER_SCREEN: Final = 2


def _place(dice: Dice, taken: list[Box], width: int, height: int, canvas: Canvas) -> Box | None:
    """Find room below the bar, or None after a number of tries."""
    for _ in range(_TRIES):
        x = dice.between(1, canvas.shape[1] - width - 1)
        y = dice.between(_BAR_PX + 1, canvas.shape[0] - height - 1)
        box = Box(x, y, x + width, y + height)
        if not any(box.meets(other, _GAP_PX) for other in taken):
            taken.append(box)
            return box
    return None


def _button(dice: Dice, canvas: Canvas, taken: list[Box]) -> tuple[str, Box] | None:
    """Draw a bordered button with a word."""
    text = word(dice, "eval", longest=4)
    box = _place(dice, taken, text_width(text, 2) + 2 * _PAD_PX, ROWS * 2 + 2 * _PAD_PX, canvas)
    if box is None:
        return None
    canvas[box.y0 : box.y1, box.x0 : box.x1] = dice.pick(INKS)
    canvas[box.y0 + 1 : box.y1 - 1, box.x0 + 1 : box.x1 - 1] = (250, 250, 250)
    print_text(canvas, text, box.x0 + _PAD_PX, box.y0 + _PAD_PX, 2, dice.pick(INKS))
    return text, box


def _screen(dice: Dice, platform: str) -> tuple[Canvas, list[tuple[str, Box]], list[tuple[tuple[str, str], Box]]] | None:
    """Draw a screen; its buttons by word and icons by shape and colour. None if not all found room."""
    (width, height), _ = PLATFORMS[platform]
    canvas = ground(dice, width, height)
    canvas[:_BAR_PX] = dice.pick(INKS)
    taken: list[Box] = []
    buttons = [button for _ in range(_BUTTONS) if (button := _button(dice, canvas, taken))]
    icons = []
    for shape, colour in dice.sample(combinations("eval"), _ICONS):
        box = _place(dice, taken, _ICON_PX, _ICON_PX, canvas)
        if box is not None:
            stamp(canvas, mask(shape, _ICON_PX), box, colour)
            icons.append(((shape, colour), box))
    whole = len({text for text, _ in buttons}) == _BUTTONS and len(icons) == _ICONS
    return (canvas, buttons, icons) if whole else None


def _records(platform: str, seed: int, n: int, folder: Path) -> list[dict[str, Any]]:
    """Write the screens of a platform and return its records, at most ``n``."""
    dice = Dice(f"screenspot/{platform}", seed, "eval")
    records: list[dict[str, Any]] = []
    screens = (screen for _ in iter(int, 1) if (screen := _screen(dice, platform)))
    for number, (canvas, buttons, icons) in enumerate(islice(screens, -(-n // _PER_SCREEN))):
        name = f"{platform}_mini_{number:04d}.png"
        (folder / FOLDER / name).write_bytes(encoded(to_image(canvas)))
        (text, button), ((shape, colour), icon) = dice.pick(buttons), dice.pick(icons)
        texts = dice.pick(EVAL_TEMPLATES["screenspot/text"]).format(word=text.lower())
        icons_said = dice.pick(EVAL_TEMPLATES["screenspot/icon"]).format(thing=f"{colour} {shape}", colour=colour, shape=shape)
        source = dice.pick(PLATFORMS[platform][1])
        for instruction, box, kind in ((texts, button, "text"), (icons_said, icon, "icon")):
            records.append(
                {
                    "img_filename": name,
                    "bbox": [box.x0, box.y0, box.width, box.height],
                    "instruction": instruction,
                    "data_type": kind,
                    "data_source": source,
                }
            )
    return records[:n]


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the instructions on all platforms below ``folder``; a platform with a type is a part."""
    (folder / FOLDER).mkdir()
    wanted = [size.each * _PER_SCREEN] * len(PLATFORMS) if size.each else size.split((1,) * len(PLATFORMS))
    for platform, n in zip(PLATFORMS, wanted, strict=True):
        records = _records(platform, seed, max(1, n), folder)
        (folder / f"screenspot_{platform}.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
