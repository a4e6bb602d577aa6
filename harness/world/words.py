"""What is printed in the mini world: words on signs, names and values on pages; each string belongs to one split by hash.

Half of the words are pronounceable inventions, so that reading a sign takes its letters and not a list of known words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from harness.world.dice import Dice, split_of
from harness.world.palette import Split


def _listed(text: str) -> tuple[str, ...]:
    """Return the words of a block of text."""
    return tuple(text.split())


WORDS: Final = _listed(
    """ACORN ALARM AMBER ANGEL APPLE APRIL ARENA AUDIO BAKER BANK BARN BEACH BELL BIRD BLUFF BOAT BOOK BRIDGE BUS CABIN CAFE
    CAMP CANAL CANDY CASH CASTLE CAVE CHAIR CHESS CINEMA CITY CLINIC CLOCK CLOUD COAST COFFEE CORN CRANE DANCE DEPOT DESK DOCK
    DOOR DREAM DRUM EAGLE EAST EMBER ENTER EXIT FARM FERRY FIELD FILM FIRE FISH FLAG FLOUR FOREST FORK FOX FRUIT GARAGE GARDEN
    GATE GHOST GIFT GLASS GOLD GRAPE GREEN GUEST HALL HARBOR HERB HILL HONEY HORSE HOTEL HOUSE ICE INN IRON ISLAND IVORY JAZZ
    JUICE JUNE KIOSK KITE LAKE LAMP LANE LEMON LIME LION LOBBY LOFT LUNCH MAIN MARKET MEADOW MEDAL METRO MILK MILL MINT MOON
    MOTEL MUSEUM MUSIC NEST NIGHT NOON NORTH OASIS OCEAN OFFICE OLIVE OPEN OPERA ORBIT OTTER OVEN PALACE PANDA PAPER PARK PEACH
    PEARL PIANO PIER PILOT PIZZA PLANT PLAZA POINT POND PORT POST PUMP QUAY QUEEN QUIET RADIO RANCH RIVER ROAD ROBIN ROOF ROSE
    SALAD SALE SALT SAND SCHOOL SHELL SHIP SHOP SILK SILVER SNOW SOAP SOLAR SOUP SOUTH SPA SPICE SPRING STAGE STAR STEEL STOP
    STUDIO SUGAR SUMMER SUN SWAN TABLE TAXI TEA TEMPLE TIGER TOAST TOWER TOY TRAIN TULIP TUNNEL UNION VALLEY VELVET VILLA
    VIOLET VOLT WAGON WATER WAVE WEST WHALE WHEAT WINE WING WINTER WOLF WOOD YACHT YARD ZEBRA ZONE ZOO"""
)

TITLES: Final[tuple[str, ...]] = ("BILL", "CARD", "FORM", "LABEL", "LIST", "MENU", "NOTE", "ORDER", "REPORT", "TICKET")

NAMES: Final = _listed(
    "AGE BAY BOX BUS CAR CUP DAY DUE FAX FEE GAS HAT INK JAR KEY LOT MAP NET PEN QTY REF ROW SUM TAX TEL VIA WAY ZIP"
)
"""Names of fields, three letters each so that the longest value still fits on the line."""

_VOWELS: Final = "AEIOU"
_CONSONANTS: Final = "BCDFGHJKLMNPRSTVWZ"
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@lru_cache(maxsize=2)
def _words_of(split: Split) -> tuple[str, ...]:
    return tuple(word for word in WORDS if split_of(word) == split)


def _invention(dice: Dice) -> str:
    syllables = dice.between(1, 2)
    text = "".join(dice.pick(_CONSONANTS) + dice.pick(_VOWELS) for _ in range(syllables))
    return text + dice.pick(_CONSONANTS) if syllables == 1 or dice.chance(0.5) else text


def word(dice: Dice, split: Split, longest: int = 6) -> str:
    """Return a word of three to ``longest`` letters that belongs to the split."""
    while True:
        text = dice.pick(_words_of(split)) if dice.chance(0.5) else _invention(dice)
        if len(text) <= longest and split_of(text) == split:
            return text


def value(dice: Dice, split: Split) -> str:
    """Return what stands in a field: a number, a word or a code of two to five characters that belongs to the split."""
    while True:
        style = dice.below(10)
        if style < 5:
            digits = dice.between(2, 4)
            text = str(dice.between(10 ** (digits - 1), 10**digits - 1))
        elif style < 8:
            return word(dice, split, longest=5)
        else:
            text = "".join(
                (dice.pick(_LETTERS), str(dice.below(10)), dice.pick(_LETTERS), str(dice.below(10)))[: dice.between(2, 4)]
            )
        if split_of(text) == split:
            return text
