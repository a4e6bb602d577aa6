"""Charts, documents and tables: odd replies harm no convention, and the conventions part where their cards say."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog import find_task
from harness.metrics.aggregate import Rows, aggregate
from harness.metrics.captions import Corpus
from harness.metrics.denotation import normalise_cell
from harness.metrics.ptb import ptb_words
from harness.scoring import score_reply
from harness.types import Sample

TASKS = ("chartqa", "infovqa", "deepform", "kleister_charity", "wikitablequestions", "tabfact", "visualmrc")
SENTENCE = "The museum is open on 24 Sundays."
FIELDS = {
    "values": (("A & B", "A and B"), ("5",)),
    "canonical": None,
    "corpus": Corpus.of([[SENTENCE], ["A red bus."], ["It is open."]]),
}


def sample(*references: str, **fields: object) -> Sample:
    return Sample(
        id="1",
        references=references or (SENTENCE, "5%"),
        groups={"split": "human", "property": "advertiser", "label": "1", "answer_type": "image span"},
        fields={**FIELDS, **fields},
    )


PIECES = st.sampled_from(
    [
        *(
            "",
            " ",
            "\n",
            "\t",
            "5",
            "5%",
            "5%%",
            "1,000",
            "$5",
            ".",
            "0",
            "-0",
            "1e999",
            "nan",
            "inf",
            "٣",
            "３",
            "1_0",
            "[2014, 2016]",
        ),
        *(
            "[",
            "]",
            "(a)",
            " (b)",
            '"',
            "*",
            "†",
            "xx-06-01",
            "1990-xx-xx",
            "None",
            "true",
            "No",
            "|",
            "\0",
            "\ud800",
            "é",
            "e\u0301",
        ),
        *(
            "İ",
            "ß",
            "½",
            "don't",
            "U.S.",
            "http://a.b/c",
            "a@b.c",
            "<b>",
            "&amp;",
            "…",
            "--",
            '[{"value": "A & B"}]',
            '[{"value": 1}]',
        ),
    ]
)
ODD = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join), st.lists(PIECES, max_size=8).map(" ".join))


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=30, deadline=None)
@given(reply=ODD, reference=ODD)
def test_odd_replies_are_scored_by_every_convention(name: str, reply: str, reference: str) -> None:
    for convention in find_task(name).conventions.values():
        for one in (sample(), sample(reference), sample("A", "A", "b", values=())):
            parsed = convention.parse(reply, one)
            scores = convention.score(parsed, one)
            first = next(iter(scores.values()))
            assert 0 <= first <= 1 and all(value >= 0 for value in scores.values())
            got = aggregate(Rows.of([score_reply(convention, one, reply)]), convention.metrics)
            assert all(not estimate.value > (10 if estimate.name == "cider" else 1 + 1e-9) for estimate in got)


@given(text=ODD)
def test_what_is_normalised_stays_so_but_for_what_a_final_period_hid(text: str) -> None:
    once = normalise_cell(text)
    assert once == once.strip() and len(normalise_cell(once)) <= len(once)


@given(text=ODD)
def test_words_hold_no_line_breaks_and_cover_letters(text: str) -> None:
    words = ptb_words(text)
    assert all(words) and not any("\n" in word for word in words)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("piece", ["5", "1,", "[1]", " (a)", "a;", "<a ", "n't", "a@", "[{", "|", "e\u0301\u0327", '"', "x "])
def test_a_reply_ten_times_as_long_takes_about_ten_times_as_long(name: str, piece: str) -> None:
    def seconds(length: int) -> float:
        reply = (piece * length)[:length]
        start = time.process_time()
        for convention in find_task(name).conventions.values():
            score_reply(convention, sample(), reply)
        return time.process_time() - start

    seconds(100)
    assert seconds(20_000) < 40 * seconds(2_000) + 0.2


@pytest.mark.parametrize("name", TASKS)
def test_missing_and_failed_replies_are_wrong_in_every_metric(name: str) -> None:
    for convention in find_task(name).conventions.values():
        rows = [
            score_reply(convention, sample(), None, missing=True),
            score_reply(convention, sample(), "5", failed="media: gone"),
        ]
        got = {one.name: one for one in aggregate(Rows.of(rows), convention.metrics)}
        assert got[convention.primary].value == pytest.approx(0.0, abs=1e-6)
        assert got[convention.primary].n == 2


def by(task: str, reply: str, *references: str, **fields: object) -> dict[str, float]:
    one = sample(*references, **fields)
    return {
        name: next(iter(score_reply(convention, one, reply).scores.values()))
        for name, convention in find_task(task).conventions.items()
    }


def right(task: str, reply: str, *references: str, **fields: object) -> set[str]:
    return {name for name, score in by(task, reply, *references, **fields).items() if score == 1}


def test_numbers_count_within_five_per_cent_of_the_label_or_of_the_reply() -> None:
    every = {"official", "strict", "paper", "vlmevalkit", "lmms_eval"}
    assert right("chartqa", "95", "100") == every - {"paper"} and right("chartqa", "105.01", "100") == {"paper"}
    assert right("chartqa", "1,050", "1000") == right("chartqa", "$5", "5") == right("chartqa", "0.0", "0") == {"strict"}
    assert right("chartqa", "1950", "2014") == every - {"strict"}
    assert right("chartqa", "Red ", "red") == every - {"official"}
    assert right("chartqa", "[2014, 2016]", "[2014, 2016]") == every - {"vlmevalkit"}
    assert right("chartqa", "5%", "5") == {"strict"} and right("chartqa", "-5", "5") == set()


def test_pairs_are_compared_in_one_case_and_none_says_nothing() -> None:
    values = {"values": (("LONDON", "London_Town"),)}
    assert right("kleister_charity", "london", **values) == {"official", "strict", "paper"}
    assert right("kleister_charity", "London Town", **values) == {"strict"}
    assert right("kleister_charity", "None", values=()) == {"official", "case_sensitive", "strict", "paper"}
    assert right("kleister_charity", "", values=()) == {"official", "case_sensitive", "strict"}
    assert right("kleister_charity", '[{"value": "None"}]', values=()) == set()


def test_f1_pools_what_is_said_and_what_is_asked_for() -> None:
    convention = find_task("deepform").conventions["official"]
    asked = [(("a",),), (("b",), ("c",)), (), (("d",),)]
    said = ["A", '[{"value": "c"}, {"value": "x"}]', "y", "None"]
    rows = [score_reply(convention, sample(values=values), reply) for values, reply in zip(asked, said, strict=True)]
    got = {one.name: one.value for one in aggregate(Rows.of(rows), convention.metrics)}
    assert [got[name] for name in ("precision", "recall", "f1")] == pytest.approx([0.5, 0.5, 0.5])
    assert got["correct"] == 1 / 4


def test_denotations_know_what_targets_stand_for_and_items_are_parted_as_each_says() -> None:
    every = {"official", "split", "strict", "due", "paper"}
    assert right("wikitablequestions", "100000", "100,000", canonical=["100000.0"]) == {"official", "split", "strict"}
    assert right("wikitablequestions", "b\tA", "A", "B") == {"official", "split", "strict", "due"} - {"split"}
    assert right("wikitablequestions", "A, B", "A", "B") == {"split", "strict"}
    assert right("wikitablequestions", "Smith [1].", "smith (Jr.)") == set()
    assert right("wikitablequestions", "Beyonce (singer)", "Beyoncé") == every


def test_statements_are_labelled_in_numbers_and_words_are_read_by_some() -> None:
    values = {"values": (("1", "1"),)}
    assert right("tabfact", "1", **values) == {"official", "strict"} and right("tabfact", "True", **values) == {"strict", "paper"}
    assert right("tabfact", "Yes, the table says so.", **values) == {"strict"} and right("tabfact", "10", **values) == set()


def test_the_paper_scores_infographics_by_due() -> None:
    assert by("infovqa", "abxx", "abcd") == {
        "official": 0.5, "vlmevalkit": 0.5, "lmms_eval": 0.5, "due": 0.0, "pix2struct": 0.0, "paper": 0.0,
    }  # fmt: skip
    assert by("infovqa", "ab\ncd", "abcd")["paper"] == 1.0 > by("infovqa", "ab\ncd", "abcd")["due"]


def test_words_that_all_references_have_weigh_nothing() -> None:
    corpus = Corpus.of([["the bus"], ["the car"]])
    got = by("visualmrc", "the", "the bus", corpus=corpus)
    assert got == {"official": 0.0}
    assert by("visualmrc", "the bus", "the bus", corpus=corpus)["official"] == pytest.approx(0.5), (
        "of one and two words, none longer"
    )
