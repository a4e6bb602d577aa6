"""How many replies a second each metric scores, beside what lmms-eval's own functions reach on the same kind of replies.

Replies are made up here from a fixed seed: right, nearly right and wrong answers in the wordings of real models. A pass goes the
whole way from text to aggregate, in one process; caches are emptied before each. CPU seconds count, so that other work on the
machine hardly matters. The peers' rates were measured apart, on one core of such a machine, with lmms-eval 0.7.3.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from harness.conventions import boxes, extraction
from harness.metrics import captions, number, vqa
from harness.metrics.aggregate import Metric, Rows, aggregate, all_of, mean
from harness.metrics.choice import correct, yes_no_metrics, yes_no_score
from harness.metrics.denotation import denotation_score
from harness.metrics.text import anls, equals, lowered
from harness.parsers.choice import letter_then_text
from harness.parsers.text import as_given
from harness.parsers.values import items
from harness.parsers.yes_no import first_four_characters
from harness.scoring import Answered, score_many
from harness.task import Convention, Score
from harness.types import Parsed, Sample

ITEMS = 10_000

Fed = Sequence[tuple[Sample, str]]

_WORDS = (
    *("the", "a", "total", "sales of", "red", "bus", "stop sign", "January 12, 1999", "$4.50"),
    *("itc limited", "university", "no.", "two", "men", "t-shirt", "3.5%"),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the bench: how its replies are made and scored, what the peer reaches, and the aim.

    ``scale`` times as many replies are made as of the others; the aim is a multiple of the peer's rate.
    """

    name: str
    make: Callable[[random.Random, int], Fed]
    convention: Convention
    scale: int = 1
    peer_per_s: float | None = None
    aim: float | None = None
    forget: Callable[[], None] = lambda: None


def bench_scoring(items: int = ITEMS, passes: int = 3) -> list[dict[str, Any]]:
    """Return a row a metric: items a second (median of the passes), the peer's rate, the ratio, and whether the aim is met.

    Args:
        items: replies a pass.
        passes: the median of them is taken.
    """
    return [_row(case, items * case.scale, passes) for case in CASES]


def _row(case: Case, items: int, passes: int) -> dict[str, Any]:
    fed = case.make(random.Random(0), items)
    _pass(case.convention, fed[: items // 10])  # what is imported late is imported now
    rate = len(fed) / statistics.median(_timed(case, fed) for _ in range(passes))
    row: dict[str, Any] = {"name": case.name, "items_per_s": round(rate)}
    if case.peer_per_s is None:
        return {**row, "lmms_eval_per_s": None, "times": None, "aim": None, "ok": None}
    ratio = rate / case.peer_per_s
    row |= {"lmms_eval_per_s": round(case.peer_per_s), "times": float(f"{ratio:.3g}")}
    return {**row, "aim": case.aim, "ok": None if case.aim is None else ratio >= case.aim}


def _timed(case: Case, fed: Fed) -> float:
    """CPU seconds of a pass, without the collection of garbage, as Python's own timeit measures."""
    case.forget()
    gc.collect()
    gc.disable()
    try:
        begun = time.process_time()
        _pass(case.convention, fed)
        return time.process_time() - begun
    finally:
        gc.enable()


def _pass(convention: Convention, fed: Fed) -> float:
    rows = Rows.of(score_many(convention, (Answered(sample, reply) for sample, reply in fed)))
    return aggregate(rows, convention.metrics)[0].value


def _text(dice: random.Random) -> str:
    return " ".join(dice.choices(_WORDS, k=dice.randint(1, 6)))


def _misspelt(dice: random.Random, text: str) -> str:
    """The text itself, cased, padded, with an error or two, or another one."""
    kind = dice.randrange(5)
    if kind == 4:
        return f"The answer is {_text(dice)}."
    for _ in range(kind - 1):
        place = dice.randrange(len(text))
        text = text[:place] + dice.choice("abcxyz .") + text[place + 1 :]
    return text.upper() if kind == 0 else text


def _texts(dice: random.Random, n: int) -> Fed:
    fed = []
    for i in range(n):
        references = tuple(_text(dice) for _ in range(3))
        fed.append((Sample(id=str(i), references=references), _misspelt(dice, references[0])))
    return fed


def _ten_answers(dice: random.Random, n: int) -> Fed:
    fed = []
    for i in range(n):
        said = [_text(dice) for _ in range(3)]
        references = tuple(dice.choices(said, weights=(6, 3, 1), k=10))
        fed.append((Sample(id=str(i), references=references), _misspelt(dice, said[0])))
    return fed


def _numbers(dice: random.Random, n: int) -> Fed:
    fed = []
    for i in range(n):
        value = dice.uniform(0.1, 5000)
        reply = dice.choice((f"{value:.1f}", f"{value * 1.04:.2f}", f"{value * 1.2:.2f}", f"{value:.0f}%", f"About {value:.0f}"))
        fed.append((Sample(id=str(i), references=(f"{value:.2f}",)), reply))
    return fed


def _boxes(dice: random.Random, n: int) -> Fed:
    fed = []
    for i in range(n):
        x, y = dice.uniform(0, 300), dice.uniform(0, 200)
        box = (x, y, x + dice.uniform(20, 300), y + dice.uniform(20, 200))
        said = ",".join(f"{(edge + dice.uniform(-9, 9)) / 640:.3f}" for edge in (box[0], box[1] + 80, box[2], box[3] + 80))
        reply = dice.choice(("[{}]", "The region is [{}].", "{}", "I see it at [{}], on the left", "no box"))
        sample = Sample(
            id=str(i),
            references=(",".join(f"{edge:.2f}" for edge in box),),
            cluster=str(i // 5),
            fields={"width": 640, "height": 480},
        )
        fed.append((sample, reply.format(said)))
    return fed


def _yes_no(dice: random.Random, n: int) -> Fed:
    replies = ("Yes", "No", "Yes, there is a dog.", "no.", "It is not clear")
    return [
        (
            Sample(id=str(i), references=(("yes", "no")[i % 2],), cluster=str(i // 2), groups={"image": str(i // 2)}),
            dice.choice(replies),
        )
        for i in range(n)
    ]


def _rotations(dice: random.Random, n: int) -> Fed:
    fed = []
    for question in range(n // 4):
        options = [_text(dice) for _ in range(4)]
        for turn in range(4):
            turned = (*options[turn:], *options[:turn])
            letter = ascii_uppercase[-turn % 4]
            reply = dice.choice((letter, f"{letter}.", f"({letter})", f"The answer is {letter}", options[0], "I cannot tell"))
            groups = {"question": str(question)}
            fed.append(
                (
                    Sample(id=f"{question}/{turn}", options=turned, references=(letter,), cluster=str(question), groups=groups),
                    reply,
                )
            )
    return fed


def _pairs(dice: random.Random, n: int) -> Fed:
    fed = []
    for i in range(n):
        value = _text(dice)
        accepted = ((value, value.title()),) if dice.random() < 0.8 else ()
        reply = dice.choice((value.upper(), _text(dice), "None"))
        fed.append((Sample(id=str(i), references=(value,), cluster=str(i // 5), fields={"values": accepted}), reply))
    return fed


def _denotations(dice: random.Random, n: int) -> Fed:
    fed = []
    for i in range(n):
        targets = tuple(dice.choice((_text(dice), f"{dice.randrange(10**6):,}")) for _ in range(dice.choice((1, 1, 1, 2))))
        canonical = [target.replace(",", "") if target[0].isdigit() else target for target in targets]
        reply = dice.choice(("\t".join(canonical), f"{targets[0]} (all) [1]", _text(dice)))
        fed.append((Sample(id=str(i), references=targets, fields={"canonical": canonical}), reply))
    return fed


def _sentences(dice: random.Random, n: int) -> Fed:
    said = [f"It is {_text(dice)}, because the {_text(dice)} doesn't (see {_text(dice)})." for _ in range(n)]
    corpus = captions.Corpus.of([text] for text in said)
    return [
        (
            Sample(id=str(i), references=(text,), fields={"corpus": corpus}),
            dice.choice((text, _misspelt(dice, text), said[i - 1])),
        )
        for i, text in enumerate(said)
    ]


def _scored(measure: Callable[[str, Sequence[str]], float]) -> Score:
    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        return {"score": 0.0 if parsed.answer is None else measure(parsed.answer, sample.references)}

    return score


def _mean_of(measure: Callable[[str, Sequence[str]], float]) -> Convention:
    metrics = (Metric(name="mean", estimator=mean("score")),)
    return Convention(parse=as_given, score=_scored(measure), metrics=metrics, primary="mean")


_CIRCULAR = Convention(
    parse=letter_then_text, score=correct, primary="circular",
    metrics=(Metric(name="circular", estimator=all_of("correct", by="question")),),
)  # fmt: skip
_PAIRS = Convention(
    parse=first_four_characters, score=yes_no_score(), primary="acc_plus",
    metrics=(Metric(name="acc_plus", estimator=all_of("correct", by="image")), *yes_no_metrics()),
)  # fmt: skip
_DENOTED = Convention(
    parse=items, score=denotation_score(), primary="accuracy", metrics=(Metric(name="accuracy", estimator=mean("correct")),)
)
_SENTENCES = Convention(
    parse=as_given, score=captions.caption_score, primary="cider",
    metrics=(Metric(name="cider", estimator=mean("cider")), *captions.METRICS[1:]),
)  # fmt: skip

CASES = (
    Case(name="ANLS, three references", make=_texts, convention=_mean_of(anls), peer_per_s=1_044, aim=20),
    Case(
        name="VQA accuracy, ten answers", make=_ten_answers, convention=_mean_of(vqa.vqa_accuracy), peer_per_s=641, aim=20,
        forget=vqa.normalise.cache_clear,
    ),
    Case(name="circular multiple choice", make=_rotations, convention=_CIRCULAR, peer_per_s=603, aim=50),
    Case(
        name="boxes (RefCOCO)", make=_boxes, convention=boxes()["official"], scale=10, peer_per_s=34_307, aim=100_000 / 34_307,
    ),
    Case(
        name="relaxed accuracy", make=_numbers, convention=_mean_of(number.relaxed_accuracy), peer_per_s=182_646,
        forget=number.to_float.cache_clear,
    ),
    Case(name="yes/no in pairs (MME)", make=_yes_no, convention=_PAIRS, peer_per_s=164_509),
    Case(name="exact match", make=_texts, convention=_mean_of(equals(lowered))),
    Case(name="F1 over pairs", make=_pairs, convention=extraction("property")["official"]),
    Case(name="denotations (WTQ)", make=_denotations, convention=_DENOTED),
    Case(
        name="CIDEr, ROUGE-L, BLEU", make=_sentences, convention=_SENTENCES, forget=captions.tokens_of.cache_clear,
    ),
)  # fmt: skip
