"""VQA accuracy with ten human answers (VQAv2, OK-VQA), and its relatives for TextVQA and VizWiz.

Not here: ANLS and exact match. The functions share one normalisation and one formula and differ only in which strings are
normalised and by which `Marks`, as the official scorers and toolkits do. The formula is the mean over the leave-one-out sets, not
the popular shortcut ``min(matches / 3, 1)``, which is wrong in the second decimal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_HAS_PUNCTUATION = re.compile(f"[{re.escape(_PUNCTUATION)}]")
_DELETE = str.maketrans("", "", _PUNCTUATION)


@dataclass(frozen=True)
class Marks:
    """Where implementations of the punctuation rule differ; each is the same to the letter on plain English answers.

    Attributes:
        comma: what anywhere in a text makes all its punctuation be deleted.
        period: which periods are removed.
    """

    comma: re.Pattern[str]
    period: re.Pattern[str]


OFFICIAL = Marks(re.compile(r"[0-9],[0-9]"), re.compile(r"\.(?![0-9])"))
"""GT-Vision-Lab/VQA under Python 2, where ``\\d`` is an ASCII digit; its look-behind is mistyped, so "5." loses its period."""
PYTHON3 = Marks(re.compile(r"\d,\d"), re.compile(r"\.(?!\d)"))
"""The same code under Python 3, where digits of any script count: TextVQA, VizWiz and the SPHINX authors."""
LMMS_EVAL = Marks(re.compile(r"(?<=\d),+(?=\d)"), PYTHON3.period)
"""lmms-eval (after mmf): several commas between digits are one."""
VLMEVALKIT = Marks(PYTHON3.comma, re.compile(r"(?<!\d)\.(?!\d)"))
"""VLMEvalKit mended the look-behind: "5." keeps its period, and a final one makes a number wrong."""

_MAX_PERIODS = 32
"""The official code passes ``re.UNICODE`` (32) where ``sub`` expects the number of replacements."""

_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBER_WORDS)}
_ARTICLES = frozenset({"a", "an", "the"})

_ONE_APOSTROPHE = """
    ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's isn't
    it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've shouldn't
    somebody'll somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's
    they'd they'll they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's
    where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've
"""
_TWO_APOSTROPHES = """
    couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've something'd've
    there'd've they'd've we'd've who'd've wouldn't've y'all'll you'd've
"""


def _contractions() -> dict[str, str]:
    """The official table by its rule: a word that lacks one of its apostrophes gets it; words that mean something else do not.

    Its entries in capitals ("Im") can never match, since the text is lower-case by then, and are left out.
    """
    table = {word.replace("'", ""): word for word in _ONE_APOSTROPHE.split()}
    for word in _TWO_APOSTROPHES.split():
        first, middle, last = word.split("'")
        table |= {f"{first}{middle}'{last}": word, f"{first}'{middle}{last}": word}
    for broken in ("yall'd've", "y'alld've", "y'all'dve"):
        table[broken] = "y'all'd've"
    for broken in ("ow's'at", "'ows'at", "'ow'sat"):
        table[broken] = "'ow's'at"
    return table | {"somebody'd": "somebodyd"}  # the wrong way round in the official table, and kept


_CONTRACTIONS = _contractions()


def vqa_accuracy(prediction: str, references: Sequence[str]) -> float:
    """VQA accuracy of one answer: VQAv2 and OK-VQA.

        mean over the n leave-one-out sets of min(1, matches / 3);  for n = 10 and c matches: 0, 0.3, 0.6, 0.9, 1 for c = 0..4

    Range 0 to 1. Line breaks and tabs become spaces and ends are stripped; punctuation, articles, number words and contractions
    are normalised in prediction and references *only if the references are not all equal* (intended, GT-Vision-Lab/VQA
    issue 14). An answer that is an article only is the empty string, which an empty prediction matches. Without references the
    score is 0.

    Source: Antol et al., ICCV 2015; GT-Vision-Lab/VQA, ``PythonEvaluationTools/vqaEvaluation/vqaEval.py``@a013f00.
    References with equal text count separately, as their ``answer_id`` makes them in the official files.

    >>> vqa_accuracy("two", ["2"] * 4 + ["3"] * 6), round(vqa_accuracy("a dog", ["dog"] * 2 + ["cat"] * 8), 9)
    (1.0, 0.6)
    >>> vqa_accuracy("Yes.", ["yes"] * 10)
    0.0
    """
    answers = [_clean_ends(reference) for reference in references]
    answer = _clean_ends(prediction)
    if len(set(answers)) > 1:
        answers, answer = [normalise(reference) for reference in answers], normalise(answer)
    return _leave_one_out(answers.count(answer), len(answers))


def always_normalised(prediction: str, references: Sequence[str], marks: Marks = OFFICIAL) -> float:
    """VQA accuracy with both sides normalised always, also where the references are unanimous.

    Range 0 to 1; the formula of `vqa_accuracy`. Source: open-compass/VLMEvalKit ``vlmeval/dataset/utils/vqa_eval.py`` at e8e78f0
    (`VLMEVALKIT`), EvolvingLMMs-Lab/lmms-eval ``lmms_eval/tasks/vqav2/utils.py`` at 75571cf (`LMMS_EVAL`).

    >>> always_normalised("Yes.", ["yes"] * 10), always_normalised("5.", ["5"] * 10, VLMEVALKIT)
    (1.0, 0.0)
    """
    answers = [normalise_answer(reference, marks) for reference in references]
    return _leave_one_out(answers.count(normalise_answer(prediction, marks)), len(answers))


def accessory_accuracy(prediction: str, references: Sequence[str], told_apart: bool = True) -> float:
    """VQA accuracy as the SPHINX authors computed it, after the official code of before 2021.

    The prediction is normalised wholly, the references only lose their punctuation and only where they differ; so references with
    capitals, articles or number words are out of reach. Range 0 to 1; the formula of `vqa_accuracy`.

    Args:
        prediction: the answer.
        references: the human answers.
        told_apart: whether each has an ``answer_id``. Without one (VizWiz as released, all of one confidence) the authors leave
            out *all* equal answers with each: ``(n - c) min(1, c / 3) / n``, and an answer that all give scores 0.

    Source: Alpha-VLLM/LLaMA2-Accessory@3777c43 ``accessory/eval_mm/utils/vqa_eval.py``.

    >>> accessory_accuracy("two", ["two"] * 10), accessory_accuracy("a red-bus", ["red bus"] * 9 + ["car"])
    (0.0, 1.0)
    >>> accessory_accuracy("car", ["car"] * 10), accessory_accuracy("car", ["car"] * 10, told_apart=False)
    (1.0, 0.0)
    """
    answers = list(references)
    if len(set(answers)) > 1:
        answers = [without_punctuation(reference, PYTHON3) for reference in answers]
    matches, n = answers.count(normalise_answer(prediction, PYTHON3)), len(answers)
    if told_apart or not n:
        return _leave_one_out(matches, n)
    return (n - matches) * min(1.0, matches / 3) / n


def textvqa_accuracy(prediction: str, references: Sequence[str]) -> float:
    """VQA accuracy as TextVQA's scorer has it: both sides normalised always; commas and question marks go, "'s" splits off.

    Range 0 to 1; the formula of `vqa_accuracy`. Source: Singh et al., CVPR 2019; facebookresearch/mmf,
    ``mmf/utils/m4c_evaluators.py:TextVQAAccuracyEvaluator`` (which insists on ten references; here any number does).

    >>> textvqa_accuracy("King's Cross", ["king's cross"] * 10), textvqa_accuracy("2,5", ["25"] * 10)
    (1.0, 1.0)
    """
    answers = [_textvqa_normalise(reference) for reference in references]
    return _leave_one_out(answers.count(_textvqa_normalise(prediction)), len(answers))


def vizwiz_accuracy(prediction: str, references: Sequence[str]) -> float:
    """VQA accuracy as VizWiz's scorer has it: the prediction is normalised, the references are compared as they are.

    Range 0 to 1; the formula of `vqa_accuracy`. References with capitals, hyphens, articles or number words are out of reach.
    Source: Gurari et al., CVPR 2018; the VizWiz VQA API's evaluator as in TRI-ML/vlm-evaluation, ``vizwiz/eval.py``.

    >>> vizwiz_accuracy("Unanswerable.", ["unanswerable"] * 10), vizwiz_accuracy("two", ["two"] * 10)
    (1.0, 0.0)
    """
    return _leave_one_out(list(references).count(normalise_answer(prediction, PYTHON3)), len(references))


def _leave_one_out(matches: int, n: int) -> float:
    """Mean over n sets of n - 1 answers of min(1, matches in the set / 3): ``matches`` of the sets lack one of the matches."""
    if not n:
        return 0.0
    return (matches * min(1.0, (matches - 1) / 3) + (n - matches) * min(1.0, matches / 3)) / n if matches else 0.0


def _clean_ends(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def normalise_answer(text: str, marks: Marks = OFFICIAL) -> str:
    """Clean the ends of an answer and `normalise` it."""
    return normalise(_clean_ends(text), marks)


@lru_cache(maxsize=65536)
def normalise(text: str, marks: Marks = OFFICIAL) -> str:
    """Apply the official punctuation, number, article and contraction rules to one answer.

    >>> normalise("The T-shirt, 1,000 dont"), normalise("t-shirt"), normalise("3.5 u.s.a."), normalise("none")
    ("tshirt 1000 don't", 't shirt', '3.5 usa', '0')
    """
    words = (_NUMBERS.get(word, word) for word in without_punctuation(text, marks).lower().split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def without_punctuation(text: str, marks: Marks = OFFICIAL) -> str:
    """Apply the punctuation rule alone.

    A character is deleted if it touches a space in ``text`` or if digit-comma-digit occurs anywhere in it, else it becomes a
    space. A period stays only before a digit.
    """
    bare = text
    if _HAS_PUNCTUATION.search(text):
        if marks.comma.search(text):
            bare = text.translate(_DELETE)
        else:
            for mark in set(_HAS_PUNCTUATION.findall(text)):
                bare = bare.replace(mark, "" if f"{mark} " in text or f" {mark}" in text else " ")
    return marks.period.sub("", bare, count=_MAX_PERIODS) if "." in bare else bare


@lru_cache(maxsize=65536)
def _textvqa_normalise(text: str) -> str:
    words = text.lower().replace(",", "").replace("?", "").replace("'s", " 's")
    return normalise_answer(words.strip(), PYTHON3)
