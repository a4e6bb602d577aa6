from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.joining import Joined, join
from harness.data.replies import Reply, ReplyFile
from harness.errors import ReplyError
from harness.types import FileSource, Image, Sample

SHORT = "Answer the question using a single word or phrase."


def sample(name: str, question: str = "", *, picture: str = "", kind: str = "", references: tuple[str, ...] = ("yes",)) -> Sample:
    return Sample(
        id=name,
        parts=(Image(FileSource(Path("images") / picture)),) if picture else (),
        question=question,
        cluster=picture.split(".")[0],
        groups={"kind": kind} if kind else {},
        fields={"question_id": name.split("/")[-1]},
        references=references,
    )


def joined(samples: Sequence[Sample], replies: Sequence[Reply], aligned_by: str | None = None) -> Joined:
    file = ReplyFile(layout="test", field="text", replies=tuple(replies), first="{}")
    return join(samples, lambda one: [f"{one.question}\n{SHORT}"], file, aligned_by)


def texts(result: Joined) -> list[str | None]:
    return [None if reply is None else reply.text for reply in result.replies]


def by_id(name: str, text: str, question: str = "") -> Reply:
    return Reply(where=f"line {text}", text=text, ids={"id": name}, question=question)


def asked(question: str, text: str, *categories: str) -> Reply:
    return Reply(where=f"line {text}", text=text, question=question, categories=categories)


OBJECTS = ("dog", "cat", "car", "apple", "snowboard", "tree", "boat", "cup", "fork", "kite")
POPE = [
    sample(f"{kind}/{n}", f"Is there a {OBJECTS[(n * step) % 10]} in the image?", picture=f"{n // 3}.jpg", kind=kind)
    for kind, step in (("random", 3), ("popular", 7), ("adversarial", 1))
    for n in range(9)
]
"""Three blocks with the same ten questions in another order, ids unique within a block only."""


def test_ids_join_in_any_order_and_the_first_of_two_counts() -> None:
    samples = [sample("a"), sample("b"), sample("c")]
    result = joined(samples, [by_id("c", "3"), by_id("a", "1"), by_id("c", "9"), by_id("x", "0")])
    assert texts(result) == ["1", None, "3"]
    assert (result.missing, result.extra, result.duplicates) == (("b",), ("line 0",), ("line 9",))


def test_ids_whose_questions_differ_are_not_trusted() -> None:
    samples = [sample(str(n), f"What is {word}?") for n, word in enumerate(OBJECTS)]
    shifted = [by_id(str(n + 1), word, f"What is {word}?") for n, word in enumerate(OBJECTS)]
    assert texts(joined(samples, shifted)) == list(OBJECTS)
    alien = [by_id(str(n), word, f"Where does the {word} live in winter?") for n, word in enumerate(reversed(OBJECTS))]
    with pytest.raises(ReplyError, match="questions differ"):
        joined(samples, alien)


@pytest.mark.parametrize("offset", [-1, 1])
def test_numbers_that_are_off_by_one_are_refused(offset: int) -> None:
    samples = [sample(str(n)) for n in range(1, 51)]
    with pytest.raises(ReplyError, match="off by one"):
        joined(samples, [by_id(str(n + offset), "x") for n in range(1, 51)])


def test_running_numbers_do_not_pass_for_ids_that_restart() -> None:
    replies = [Reply(where=str(n), text=str(n), ids={"questionid": str(n)}) for n in range(27)]
    with pytest.raises(ReplyError, match="several samples"):
        joined(POPE, replies)


def test_replies_in_order_find_their_blocks_wherever_they_stand() -> None:
    order = POPE[18:] + POPE[:18]
    replies = [asked(f"{one.question}\n{SHORT}", one.id) for one in order]
    assert texts(joined(POPE, replies, aligned_by="kind")) == [one.id for one in POPE]


def test_one_block_is_found_in_a_file_of_three() -> None:
    replies = [asked(one.question, one.id) for one in POPE]
    result = joined(POPE[9:18], replies, aligned_by="kind")
    assert texts(result) == [one.id for one in POPE[9:18]]
    assert len(result.extra) == 18


def test_blocks_can_be_named_by_file_or_category() -> None:
    replies = [asked(one.question, one.id, f"model_{one.groups['kind']}_answers") for one in POPE[::-1][::-1]]
    assert texts(joined(POPE, replies, aligned_by="kind")) == [one.id for one in POPE]
    bare = [Reply(where="x", text=one.id, categories=(one.groups["kind"],)) for one in POPE]
    assert texts(joined(POPE, bare, aligned_by="kind")) == [one.id for one in POPE]


@pytest.mark.parametrize("name", ["random_guess", "x"])
def test_order_is_refused_where_anything_is_unsure(name: str) -> None:
    replies = [asked(one.question, one.id, name) for one in POPE]
    assert texts(joined(POPE, replies, aligned_by="kind")) == [one.id for one in POPE]
    with pytest.raises(ReplyError):
        joined(POPE, replies[1:], aligned_by="kind")
    with pytest.raises(ReplyError):
        joined(POPE, [asked("", one.id, name) for one in POPE], aligned_by="kind")
    with pytest.raises(ReplyError, match="does not go by it"):
        joined(POPE, replies)


def test_picture_and_question_join_under_other_instructions() -> None:
    samples = [
        sample(f"color/{n}#{k}", f"Is the {word} red? Please answer yes or no.", picture=f"{n}.png", kind="color")
        for n in range(6)
        for k, word in enumerate(OBJECTS[:2])
    ]
    replies = [
        Reply(
            where="x",
            text=one.id,
            question=one.question.replace("Please answer yes or no.", SHORT),
            picture=f"a/b/{one.cluster}.jpg",
        )
        for one in random.Random(0).sample(samples, len(samples))
    ]
    assert texts(joined(samples, replies)) == [one.id for one in samples]


def test_the_longest_expression_in_a_prompt_counts() -> None:
    samples = [
        sample("1", "man", picture="p.jpg"),
        sample("2", "man left", picture="p.jpg"),
        sample("3", "woman", picture="p.jpg"),
    ]
    replies = [
        Reply(where="x", text=one.id, question=f"Give the box of {one.question}, please", picture="p.jpg") for one in samples
    ]
    assert texts(joined(samples, replies)) == ["1", "2", "3"]


def test_expected_boxes_join_with_and_without_the_expression() -> None:
    samples = [sample(str(n), f"the {word}", references=(f"{n // 2}.50,1,2,3",)) for n, word in enumerate(OBJECTS)]
    told = [
        Reply(where="x", text=one.id, question=f"Find {one.question}.", reference=f"[{one.references[0]}]")
        for one in samples[::-1]
    ]
    assert texts(joined(samples, told)) == [one.id for one in samples]
    bare = [Reply(where="x", text=one.id, reference=f"[{one.references[0]}]") for one in samples]
    assert texts(joined(samples, bare)) == [one.id for one in samples]
    with pytest.raises(ReplyError, match="not as many"):
        joined(samples, bare[1:])


def test_samples_that_ask_the_same_share_a_reply() -> None:
    samples = [
        sample("1", "left cup", picture="p.jpg"),
        sample("2", "left cup", picture="p.jpg"),
        sample("3", "dog", picture="p.jpg"),
    ]
    one = Reply(where="x", text="a", question="left cup", picture="p.jpg")
    other = Reply(where="y", text="b", question="dog", picture="p.jpg")
    assert texts(joined(samples, [one, other])) == ["a", "a", "b"]
    two = Reply(where="z", text="c", question="left cup", picture="p.jpg")
    assert texts(joined(samples, [one, two, other])) == ["a", "c", "b"]


@given(st.lists(st.integers(0, 40), unique=True, min_size=1), st.randoms(use_true_random=False))
def test_whatever_is_left_out_or_shuffled_no_reply_goes_to_another_sample(kept: list[int], rng: random.Random) -> None:
    samples = [sample(f"s{n}", f"What is number {n * 7} of {OBJECTS[n % 10]}?") for n in range(41)]
    replies = [by_id(f"s{n}", str(n), samples[n].question if rng.random() < 0.5 else "") for n in kept]
    rng.shuffle(replies)
    result = joined(samples, replies)
    assert texts(result) == [str(n) if n in kept else None for n in range(41)]
    assert len(result.missing) == 41 - len(kept)


def test_running_numbers_count_places_only_where_the_questions_bear_them_out() -> None:
    samples = [sample(f"q{n}", f"What is {word}?", picture=f"{n}.png") for n, word in enumerate(OBJECTS * 2)]
    for first in (0, 1):
        replies = [by_id(str(n + first), one.id, one.question) for n, one in enumerate(samples)]
        result = joined(samples, replies)
        assert texts(result) == [one.id for one in samples]
        assert f"counted from {first}" in result.rule
    with pytest.raises(ReplyError):
        joined(samples, [by_id(str(n), one.id) for n, one in enumerate(samples)])
    with pytest.raises(ReplyError, match="questions differ"):
        joined(samples, [by_id(str(n + 3), one.id, one.question) for n, one in enumerate(samples)])


def test_a_pair_about_one_picture_is_told_apart_by_the_expected_answer() -> None:
    samples = [sample(f"{n}#{k}", f"Is it {k}?", picture=f"{n}.png", references=(k,)) for n in range(4) for k in ("yes", "no")]
    replies = [
        Reply(where="x", text=one.id, picture=f"{one.cluster}.jpg", reference=one.references[0].upper()) for one in samples
    ]
    assert texts(joined(samples, replies[::-1])) == [one.id for one in samples]


def test_shuffled_lines_are_put_in_the_order_of_their_running_numbers() -> None:
    replies = [
        Reply(where=f"line {n}", text=str(n), ids={"questionid": str(1_000 * (n // 9) + n)}, question=one.question)
        for n, one in enumerate(POPE)
    ]
    random.Random(3).shuffle(replies)
    result = joined(POPE, replies, aligned_by="kind")
    assert texts(result) == [str(n) for n in range(len(POPE))] and result.rule.endswith("sorted by questionid")
    with pytest.raises(ReplyError):
        joined(POPE, [reply for reply in replies if reply.text != "4"], aligned_by="kind")


def test_one_reply_answers_the_same_question_of_several_named_blocks() -> None:
    kinds = ("random", "popular", "adversarial")
    samples = [sample(f"{kind}/1", "Is there a dog?", picture="1.jpg", kind=kind) for kind in kinds]
    reply = Reply(where="row 1", text="Yes", question="Is there a dog?", picture="1.jpg", categories=("popular,random",))
    assert texts(joined(samples, [reply])) == ["Yes", "Yes", None]


def test_a_sample_without_a_number_takes_no_reply_that_has_one() -> None:
    lone = Sample(id="a", question="What is it?", fields={"index": ""})
    with pytest.raises(ReplyError):
        joined([lone], [Reply(where="row 1", text="x", ids={"index": "7"})])


def test_a_picture_with_the_number_of_an_object_is_the_picture() -> None:
    name = "COCO_train2014_000000581857"
    samples = [sample("a", "left bus", picture=f"{name}.jpg"), sample("b", "left bus", picture="COCO_train2014_000000000016.jpg")]
    reply = Reply(where="line 1", text="box", question="Where is it: left bus", picture=f"{name}_16.jpg")
    assert texts(joined(samples, [reply])) == ["box", None]
