"""Conversations, labels, stop sequences, sampler and learning rate against the authors' code, executed unmodified."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.sphinx_x.corpus.records import read_conversations
from models.sphinx_x.official.tokenizer import SentencePieceTokenizer
from models.sphinx_x.segments import needs_space, stop_sequences
from models.sphinx_x.template import conversation
from models.sphinx_x.train.dialog import Dialogs, conversation_text, label, to_predict, trimmed
from models.sphinx_x.train.sampler import LengthGroupedSampler, learning_rate, pools
from tests.models.golden_sphinx import BUNDLED

FOLDER = BUNDLED / "dialog"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())


@pytest.fixture(scope="module")
def words() -> SentencePieceTokenizer:
    return SentencePieceTokenizer.load(FOLDER / "tokenizer.model")


@pytest.fixture(scope="module")
def dialogs(words: SentencePieceTokenizer) -> Dialogs:
    """The dataset as its configuration names it: kinds in order, each sorted by length."""
    kinds = {"image_text": FOLDER / "image_text.json", "text": FOLDER / "text.jsonl"}
    rows = [(kind, one) for kind, path in kinds.items() for one in read_conversations(path)]
    order = [place for pool in pools([kind for kind, _ in rows], [one.characters for _, one in rows]) for place in pool]
    return Dialogs([rows[place][1] for place in order], words, EXPECTED["max_words"], EXPECTED["image_words"])


def test_the_tokenizer_is_the_one_of_the_data(words: SentencePieceTokenizer) -> None:
    assert words.size == EXPECTED["n_words"]
    assert needs_space(words) == EXPECTED["need_space_before_segment"]


@pytest.mark.parametrize("item", EXPECTED["items"], ids=lambda item: f"item{item['index']}")
def test_conversations_become_the_authors_ids_and_labels(item: dict[str, Any], dialogs: Dialogs) -> None:
    chosen, example = dialogs.resolve(item["index"])
    said = [part["value"] for part in item["annotation"]["conversations"]]
    assert list(chosen.turns) == list(zip(said[::2], said[1::2], strict=True))
    assert conversation_text(chosen.turns) == item["conversation_text"]
    assert to_predict(chosen.turns) == item["to_predict"]
    assert list(example.ids) == item["input_ids"]
    assert list(example.labels) == item["labels"]
    assert list(example.mask) == item["mask"]
    assert (chosen.image is not None) == item["has_image"]


@pytest.mark.parametrize("case", EXPECTED["prompts"], ids=lambda case: f"{len(case['qas'])}turns")
def test_prompts_and_stop_sequences(case: dict[str, Any], words: SentencePieceTokenizer) -> None:
    text = conversation([(question, answer) for question, answer in case["qas"]])
    assert text == case["prompt"]
    assert [words.bos, *words.encode(text)] == case["ids_bos"]
    assert stop_sequences(words, case["response_end_signal"]) == case["stop_sequences"]


@pytest.mark.parametrize("name", EXPECTED["sampler"])
def test_every_rank_sees_the_authors_order(name: str) -> None:
    values = dict(part.split("=") if "=" in part else (part.rstrip("0123456789-"), part) for part in name.split("_"))
    numbers = {key: value[len(key) :] for key, value in values.items()}
    sizes = [int(size) for size in numbers["groups"].split("-")]
    groups = [list(range(sum(sizes[:at]), sum(sizes[: at + 1]))) for at in range(len(sizes))]
    for rank, expected in enumerate(EXPECTED["sampler"][name]):
        sampler = LengthGroupedSampler(
            pools=groups,
            batch=int(numbers["bs"]),
            ranks=int(numbers["rep"]),
            rank=rank,
            accumulate=int(numbers["acc"]),
            seed=int(numbers["seed"]),
        )
        epoch = int(numbers["epoch"])
        assert sampler.epoch(epoch) == expected
        assert len(sampler) == len(expected)
        assert sampler.epoch(epoch, skip=3) == expected[3:]


@pytest.mark.parametrize("case", EXPECTED["lr_schedule"], ids=lambda case: f"{case['lr']:g}-{case['warmup_epochs']:g}")
def test_the_learning_rate_goes_as_theirs(case: dict[str, Any]) -> None:
    for epoch, expected in case["points"]:
        found = learning_rate(epoch, peak=case["lr"], epochs=case["epochs"], warmup=case["warmup_epochs"], least=case["min_lr"])
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-18)


def test_what_cannot_be_labelled_gives_way_to_the_one_before(words: SentencePieceTokenizer, dialogs: Dialogs) -> None:
    assert label(words, [("Near?", "big")], room=10) is None  # the answer lies behind the cut
    second = dialogs.conversations[5]
    cut = Dialogs([dialogs.conversations[9], second], words, max_words=len(words.encode(conversation_text(second.turns))))
    assert cut.resolve(1)[0] is second
    short = Dialogs([dialogs.conversations[0], second], words, max_words=160, image_words=150)
    assert short.resolve(0)[0] is second  # before the first stands the last
    with pytest.raises(ValueError, match="none is left for text"):
        Dialogs(dialogs.conversations, words, max_words=20, image_words=24)[0]


def test_a_batch_ends_with_its_last_label(dialogs: Dialogs) -> None:
    ids, labels = trimmed([dialogs[5], dialogs[6]])
    assert {len(row) for row in (*ids, *labels)} == {dialogs[6].tokens - 1}
