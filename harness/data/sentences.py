"""Records whose answers are sentences, with what a metric must know of all of them: how many references hold a word.

Not here: the counting (`harness.metrics.captions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.data.sources import Row
from harness.metrics.captions import Corpus
from harness.task import Layout
from harness.types import Record

TEST = "test"


def about_pages(row: Row, root: Path) -> Iterator[Row]:
    """Make a record of each question about a page of the test part, with its number on the page.

    Line breaks and one final period of an answer are left out, as X-PLUG/mPLUG-DocOwl's files for UReader have it.
    """
    if row.get("split", TEST) == TEST:
        for number, one in enumerate(row["qa_data"]):
            answer = one["answer"]["text"].replace("\n", "").removesuffix(".")
            yield row.but(number=number, question=one["question"]["text"], answer=answer)


def with_corpus(candidate: Layout, field: str) -> Layout:
    """Read a layout twice: first what its references say, then the records, each with that as ``corpus``."""

    def read(where: Sequence[Path]) -> Iterator[Record]:
        corpus = Corpus.of([record[field]] for record in candidate.read(where))
        yield from ({**record, "corpus": corpus} for record in candidate.read(where))

    return replace(candidate, read=read)
