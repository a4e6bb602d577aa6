"""PDFs drawn for tests: columns, figures, turned pages, hidden print, and files that cannot be read. And bad jobs for workers."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymupdf

WORDS = re.findall(r"\w+", "the of and to in a is that for with model vision page training data image result we show which can")
RUSSIAN = re.findall(r"\w+", "модель страница текст обучение данные результат язык картинка слово строка")
WIDTH, HEIGHT = 595, 842


def sentence(rng: random.Random, words: int = 6, pool: list[str] = WORDS) -> str:
    return " ".join(rng.choice(pool) for _ in range(words))


def column(page: Any, rng: random.Random, x: float, top: float, lines: int, words: int = 6, step: float = 14) -> list[str]:
    told = [sentence(rng, words) for _ in range(lines)]
    for number, text in enumerate(told):
        page.insert_text((x, top + number * step), text, fontsize=10)
    return told


def two_columns(document: Any, seed: int, title: str = "") -> list[str]:
    """A title over two columns over a line at the foot; the second column begins at another height."""
    rng = random.Random(seed)
    page = document.new_page(width=WIDTH, height=HEIGHT)
    told = [title] if title else []
    if title:
        page.insert_text((140, 70), title, fontsize=22)
    left, right = column(page, rng, 50, 110, 20), column(page, rng, 320, 118, 18)
    foot = sentence(rng, 20)
    page.insert_text((50, 800), foot, fontsize=10)
    return [*told, *left, *right, foot]


def plain(seed: int, pages: int = 2) -> Any:
    document = pymupdf.open()
    for number in range(pages):
        two_columns(document, seed * 100 + number, f"Title number {seed}")
    return document


def turned(seed: int) -> Any:
    """Written along the long side, and turned so that it reads upright."""
    rng, document = random.Random(seed), pymupdf.open()
    page = document.new_page(width=HEIGHT, height=WIDTH)
    column(page, rng, 60, 80, 20, words=9)
    document[0].set_rotation(90)
    page.set_rotation(0)
    other = document.new_page(width=WIDTH, height=HEIGHT)
    for number in range(20):
        other.insert_text((80 + number * 16, 780), sentence(rng, 9), fontsize=10, rotate=90)
    other.set_rotation(90)
    return document


def scanned() -> Any:
    """A picture of text, with and without hidden text in front of it."""
    picture = plain(7, 1)[0].get_pixmap(dpi=72)
    document = pymupdf.open()
    for hidden in (False, True):
        page = document.new_page(width=WIDTH, height=HEIGHT)
        page.insert_image(page.rect, pixmap=picture)
        if hidden:
            for number in range(20):
                page.insert_text((50, 110 + number * 14), sentence(random.Random(number), 5), fontsize=10, render_mode=3)
    return document


def russian() -> Any:
    document = pymupdf.open()
    page = document.new_page(width=WIDTH, height=HEIGHT)
    rng = random.Random(3)
    for number in range(20):
        page.insert_htmlbox(pymupdf.Rect(50, 80 + number * 20, 545, 100 + number * 20), sentence(rng, 8, RUSSIAN))
    return document


def write_all(folder: Path) -> None:
    """One file of each sort, and three good ones."""
    (folder / "deep" / "er").mkdir(parents=True)
    plain(1).save(folder / "deep" / "er" / "a good one.pdf")
    plain(2, 3).save(folder / "b.PDF")
    plain(3).save(folder / "deep" / "ünïcode.pdf")
    turned(4).save(folder / "turned.pdf")
    scanned().save(folder / "scan.pdf")
    russian().save(folder / "russian.pdf")
    blank = pymupdf.open()
    blank.new_page()
    blank.save(folder / "blank.pdf")
    plain(5).save(folder / "locked.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="x", owner_pw="y")
    (folder / "empty.pdf").write_bytes(b"")
    (folder / "noise.pdf").write_bytes(bytes(random.Random(0).randrange(256) for _ in range(4000)))
    whole = (folder / "b.PDF").read_bytes()
    (folder / "cut.pdf").write_bytes(whole[: len(whole) // 8])
    (folder / "notes.txt").write_text("no PDF")


def misbehave(job: str, step: Callable[[], None]) -> str:
    """A job that does as its name says."""
    if job == "hang":
        time.sleep(60)
    if job == "die":
        os.abort()
    if job == "leave":
        os._exit(3)
    if job == "steps":
        for _ in range(4):
            time.sleep(0.7)
            step()
    return f"{job} done in {os.getpid()}"
