"""Single pages: what is read, what is left out and why, and that questions have the answers that the page gives."""

from __future__ import annotations

import dataclasses
import io
import random
from pathlib import Path

import pytest

pymupdf = pytest.importorskip("pymupdf")

from harness.boxes import to_pixels  # noqa: E402
from harness.errors import ConfigError  # noqa: E402
from models.sphinx_x.corpus.ocr import extract  # noqa: E402
from models.sphinx_x.corpus.ocr.converse import WORDINGS, page_turns  # noqa: E402
from models.sphinx_x.corpus.ocr.extract import Unreadable, open_pdf, read_page  # noqa: E402
from models.sphinx_x.corpus.ocr.filters import Limits, reason_against  # noqa: E402
from models.sphinx_x.corpus.ocr.page import Block, Line, Page, Word  # noqa: E402
from tests.models.corpus_ocr import pdfs  # noqa: E402

BIG = 10**8


def pages(document: object, tmp_path: Path, dpi: int = 72) -> list[Page]:
    path = tmp_path / "one.pdf"
    document.save(path)  # type: ignore[attr-defined]
    with open_pdf(path) as opened:
        return [read_page(opened, number, dpi, BIG)[1] for number in range(opened.page_count)]


def test_a_page_is_read_in_order_and_its_boxes_hold_the_print(tmp_path: Path) -> None:
    document = pymupdf.open()
    told = pdfs.two_columns(document, 0, "A Fine Title")
    document.save(tmp_path / "one.pdf")
    with open_pdf(tmp_path / "one.pdf") as opened:
        picture, page = read_page(opened, 0, 144, BIG)
    assert [line.text for line in page.lines] == told
    assert picture.size == (page.width, page.height) == (1190, 1684)
    for line in page.lines:
        cut = picture.convert("L").crop(tuple(round(value) for value in line.box))
        assert cut.getextrema()[0] < 128
    covered = picture.convert("L")
    for line in page.lines:
        covered.paste(255, tuple(round(value) for value in (line.box[0] - 1, line.box[1] - 1, line.box[2] + 1, line.box[3] + 1)))
    assert covered.getextrema() == (255, 255), "no ink outside of the boxes"
    assert reason_against(page, "en", Limits()) is None


def test_turned_pages_keep_only_what_reads_upright(tmp_path: Path) -> None:
    plain, upright = pages(pdfs.turned(1), tmp_path)
    assert (plain.width, plain.height) == (842, 595) and len(plain.lines) == 20
    assert (upright.width, upright.height) == (842, 595) and len(upright.lines) == 20 and not upright.lost
    document = pdfs.plain(1, 1)
    document[0].set_rotation(90)
    [sideways] = pages(document, tmp_path)
    assert not sideways.lines and reason_against(sideways, "en", Limits()) == "text that is not shown"


def test_hidden_white_and_covered_print_is_not_taught(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((50, 80), "an efficient office")
    page.insert_text((50, 120), "hidden", render_mode=3)
    page.insert_text((50, 160), "white", color=(1, 1, 1))
    page.insert_text((50, 200), "covered")
    page.draw_rect((40, 180, 200, 210), color=(1, 1, 1), fill=(1, 1, 1))
    [read] = pages(document, tmp_path)
    assert read.text == "an efficient office" and read.lost == len("hiddenwhitecovered")


@pytest.mark.parametrize(
    ("document", "reasons"),
    [
        (pdfs.scanned, ["scanned page without text", "mostly figures"]),
        (pdfs.russian, ["other script"]),
    ],
)
def test_pages_are_left_out_for_a_reason(document: object, reasons: list[str], tmp_path: Path) -> None:
    assert [reason_against(page, "en", Limits()) for page in pages(document(), tmp_path)] == reasons  # type: ignore[operator]


def test_a_language_told_by_script_alone(tmp_path: Path) -> None:
    [page] = pages(pdfs.russian(), tmp_path)
    assert reason_against(page, "ru", Limits()) is None
    assert reason_against(page, "any", Limits()) is None


def written(*texts: str, size: float = 12, figures: tuple[tuple[float, float, float, float], ...] = ()) -> Page:
    lines = []
    for row, text in enumerate(texts):
        top = 20.0 + 20 * row
        words = [Word(word, (20.0 + 30 * i, top, 45.0 + 30 * i, top + 14)) for i, word in enumerate(text.split())]
        lines.append(Line(tuple(words), size, 0))
    return Page(width=400, height=500, blocks=(Block(tuple(lines)),), figures=figures)


GOOD = ["the model of the page is in the data", "we can show that it is the result of training"] * 6


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (written(*GOOD), None),
        (written("too little"), "too little text"),
        (written(*GOOD * 40), "too much text"),
        (written(*GOOD, "### the end"), "text with a mark of the template"),
        (written(*GOOD, "see <image> here"), "text with a mark of the template"),
        (written(*GOOD, "\ue000\ue001\ufffd\ufffd" * 5), "unreadable characters"),
        (written(*["t h e m o d e l o f t h e p a g e"] * 10), "words taken apart"),
        (written(*GOOD, size=3), "print too small"),
        (dataclasses.replace(written(*GOOD), width=4000, height=5000), "print too sparse"),
        (dataclasses.replace(written(*GOOD), width=250, height=150), "print too dense"),
        (written(*GOOD, figures=((0, 0, 400, 350),)), "mostly figures"),
        (written(*["der Hund und die Katze sind nicht hier auf dem Bild"] * 10), "other language"),
        (dataclasses.replace(written(*GOOD), lost=200), "text that is not shown"),
    ],
)
def test_each_rule_has_its_reason(page: Page, reason: str | None) -> None:
    assert reason_against(page, "en", Limits()) == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "damaged or no PDF"), (b"\x00\xff" * 500, "damaged or no PDF"), (b"%PDF-1.7\n", "damaged or no PDF")],
)
def test_files_that_are_no_pdf(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_bytes(content)
    with pytest.raises(Unreadable, match=reason):
        open_pdf(tmp_path / "bad.pdf")


def test_large_pages_are_passed_over(tmp_path: Path) -> None:
    stream = io.BytesIO(pdfs.plain(1, 1).tobytes())
    with pytest.raises(Unreadable, match="page too large"):
        read_page(pymupdf.open(stream=stream, filetype="pdf"), 0, 300, 1_000_000)


def test_without_pymupdf_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pymupdf", None)
    with pytest.raises(ConfigError, match=r"riddle-eval\[corpus\]"):
        extract.pymupdf()


def middle(answer: str, page: Page) -> tuple[float, float]:
    x1, y1, x2, y2 = to_pixels([float(part) for part in answer.strip("[]").split(",")], "square", page.width, page.height)
    return (x1 + x2) / 2, (y1 + y2) / 2


def test_answers_are_what_the_page_says(tmp_path: Path) -> None:
    seen = set()
    for page in pages(pdfs.plain(1, 3), tmp_path, dpi=144):
        texts = [line.text for line in page.lines]
        for seed in range(40):
            turns = page_turns(page, random.Random(seed), 4, 0.3)
            assert len({turn.question for turn in turns}) == len(turns) == 4
            for turn in turns:
                seen.add(turn.family)
                if turn.family == "read_page":
                    assert turn.answer == page.text
                elif turn.family == "find_text":
                    x, y = middle(turn.answer, page)
                    [line] = [line for line in page.lines if f'"{line.text}"' in turn.question]
                    assert line.box[0] <= x <= line.box[2] and line.box[1] <= y <= line.box[3]
                elif turn.family == "read_box":
                    x, y = middle(turn.question[turn.question.index("[") : turn.question.index("]")], page)
                    first, last = turn.answer.splitlines()[0], turn.answer.splitlines()[-1]
                    held = page.lines[texts.index(first) : texts.index(last) + 1]
                    assert held[0].box[1] - 9 <= y <= held[-1].box[3] + 9
                    assert [line.text for line in held] == turn.answer.splitlines()
                elif turn.family == "next_line":
                    [one] = [i for i, text in enumerate(texts) if f'"{text}"' in turn.question]
                    assert turn.answer == texts[one + 1]
                elif turn.family == "spot":
                    assert all(line.startswith(text) for line, text in zip(turn.answer.splitlines(), texts, strict=False))
                else:
                    assert turn.answer == {"first_line": texts[0], "last_line": texts[-1], "title": "Title number 1"}[turn.family]
    assert seen == set(WORDINGS)
