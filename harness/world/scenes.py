"""Draws scenes of coloured shapes, and clips in which one of them moves.

In evaluation the first thing and about three of four others are held-out combinations, the rest are combinations that
training knows: a question about a held-out thing then stands among familiar ones that share its colour or its shape.
Motley scenes, for training alone, add colours and shapes that evaluation does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harness.world.dice import Dice
from harness.world.facts import Box, Clip, Direction, Scene, Size, Thing
from harness.world.ground import SIDE_PX, Canvas, ground, stamp, to_image
from harness.world.palette import COLOURS, MORE_COLOURS, MORE_SHAPES, SHAPES, Split, combinations, is_held_out
from harness.world.shapes import mask

_SIDES_PX: Final[dict[Size, tuple[int, int]]] = {"small": (17, 19), "large": (28, 31)}
_GAP_PX: Final = 2
_TRIES: Final = 30
_HELD_OUT_SHARE: Final = 0.75
_PLAIN_SHARE: Final = 0.3
_FAMILIAR_SHARE: Final = 0.7
_SHADE: Final = 20
_FRAMES: Final = 8
_FPS: Final = 4
_STEPS: Final[dict[Direction, tuple[int, int]]] = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def _kind_of_thing(dice: Dice, split: Split, first: bool) -> tuple[str, str]:
    if split == "eval" and (first or dice.chance(_HELD_OUT_SHARE)):
        return dice.pick(combinations("eval"))
    return dice.pick(combinations("train"))


def _motley(dice: Dice) -> tuple[str, str]:
    """A pair of training: of the eight shapes and colours, or with at least one of the further ones."""
    if dice.chance(_PLAIN_SHARE):
        return dice.pick(combinations("train"))
    while True:
        shape = dice.pick(SHAPES if dice.chance(_FAMILIAR_SHARE) else MORE_SHAPES)
        colour = dice.pick(tuple(COLOURS if dice.chance(1 - _FAMILIAR_SHARE) else MORE_COLOURS))
        if not is_held_out(shape, colour):
            return shape, colour


def _place(dice: Dice, taken: list[Box], side: int, width: int, height: int) -> Box | None:
    """Find room for a square, or None after a number of tries."""
    for _ in range(_TRIES):
        x, y = dice.between(1, width - side - 1), dice.between(1, height - side - 1)
        box = Box(x, y, x + side, y + side)
        if not any(box.meets(other, _GAP_PX) for other in taken):
            return box
    return None


def _things(
    dice: Dice, pick: Callable[[bool], tuple[str, str]], n: int, width: int, height: int, taken: list[Box]
) -> tuple[Thing, ...]:
    """Draw up to ``n`` things beside the boxes already taken; no two have the same shape, colour and size.

    ``pick`` gives the shape and colour of one, told whether it is the first.
    """
    things: list[Thing] = []
    seen: set[tuple[str, str, Size]] = set()
    crowded = n * 40 * 40 > width * height * 1.2
    for i in range(n):
        shape, colour = pick(i == 0)
        size: Size = "large" if dice.chance(0.25 if crowded else 0.5) else "small"
        box = _place(dice, taken, dice.between(*_SIDES_PX[size]), width, height)
        if box is not None and (shape, colour, size) not in seen:
            seen.add((shape, colour, size))
            taken.append(box)
            things.append(Thing(shape, colour, size, box))
    return tuple(things)


def _paint(canvas: Canvas, thing: Thing, box: Box) -> None:
    stamp(canvas, mask(thing.shape, box.width), box, thing.colour)


def draw_scene(dice: Dice, split: Split) -> Scene:
    """Draw one to five things; one scene in five is half as high or half as wide as the others."""
    canvas, things = _scene(dice, lambda first: _kind_of_thing(dice, split, first))
    for thing in things:
        _paint(canvas, thing, thing.box)
    return Scene(image=to_image(canvas), things=things)


def draw_motley(dice: Dice, split: Split) -> Scene:
    """Draw a scene of more colours and shapes, in all shades. Raises ValueError for evaluation, which does not know them."""
    if split != "train":
        raise ValueError("motley scenes are of training only")
    canvas, things = _scene(dice, lambda _: _motley(dice))
    for thing in things:
        red, green, blue = (dice.between(-_SHADE, _SHADE) for _ in range(3))
        stamp(canvas, mask(thing.shape, thing.box.width), thing.box, thing.colour, (red, green, blue))
    return Scene(image=to_image(canvas), things=things)


def _scene(dice: Dice, pick: Callable[[bool], tuple[str, str]]) -> tuple[Canvas, tuple[Thing, ...]]:
    form = dice.below(10)
    width = SIDE_PX // 2 if form == 0 else SIDE_PX
    height = SIDE_PX // 2 if form == 1 else SIDE_PX
    n = dice.between(1, 5 if width == height else 3)
    canvas = ground(dice, width, height)
    return canvas, _things(dice, pick, n, width, height, [])


def draw_clip(dice: Dice, split: Split) -> Clip:
    """Draw eight frames in which the first thing crosses the picture while up to two others stand still."""
    direction = dice.pick(tuple(_STEPS))
    dx, dy = _STEPS[direction]
    shape, colour = _kind_of_thing(dice, split, first=True)
    size: Size = dice.pick(("small", "large"))
    side = dice.between(*_SIDES_PX[size])
    step = dice.between(5, (SIDE_PX - side - 2) // (_FRAMES - 1))
    travel = step * (_FRAMES - 1)
    along = dice.between(1, SIDE_PX - side - travel - 1) + (travel if dx + dy < 0 else 0)
    across = dice.between(1, SIDE_PX - side - 1)
    x, y = (along, across) if dx else (across, along)
    path = tuple(
        Box(x + dx * step * i, y + dy * step * i, x + dx * step * i + side, y + dy * step * i + side) for i in range(_FRAMES)
    )
    lane = Box(min(box.x0 for box in path), min(box.y0 for box in path), max(box.x1 for box in path), max(box.y1 for box in path))
    thing = Thing(shape, colour, size, path[0])
    still = _things(dice, lambda first: _kind_of_thing(dice, split, first), dice.below(3), SIDE_PX, SIDE_PX, [lane])
    others = tuple(other for other in still if (other.shape, other.colour) != (shape, colour))
    background = ground(dice)
    for other in others:
        _paint(background, other, other.box)
    frames = []
    for box in path:
        canvas = background.copy()
        _paint(canvas, thing, box)
        frames.append(to_image(canvas))
    return Clip(frames=tuple(frames), thing=thing, others=others, direction=direction, path=path, fps=_FPS)
