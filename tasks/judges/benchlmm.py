"""BenchLMM's grading: a score from 0.0 to 1.0 against the reference, and for games and robots whether the action is right.

Wordings: AIFEG/BenchLMM evaluate/gpt_evaluation_script*.py, chosen by style as scripts/evaluate.sh does; the judge there is
gpt-3.5-turbo, asked at the server's own temperature for scores and at 0 for actions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite

from harness.judging import NEEDS_JUDGE, Judging
from harness.types import Generation, Parsed, Query, Sample, Text

RULE = (
    "Compare the ground truth and prediction from AI models, to give a correctness score for the prediction. Ignore case, single "
    "and plural grammar problems, and consider whether the meaning is similar. If the meaning is similar, it deserves full "
    "marks.  A '/' in ground truth indicates that there are multiple responses to the question, with full marks for any one "
    "answer. The correctness score is 0.0 (totally wrong), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, or 1.0 (totally right). "
)
APPLES_7, APPLES_10 = "How many apples are here? | 10 | 7 | 0.0", "How many apples are here? | 10 | 10 | 1.0"
APPLES_TEN = ("How many apples are here? | 10 | ten | 1.0", "How many apples are here? | 10 | There are 10 apples. | 1.0")
ELEPHANTS = (
    "What are keeping the elephants in their area? | bars / fence / fences / cage | fence | 1",
    "What are keeping the elephants in their area? | bars / fence / fences / cage | They are stuck in the cage. | 1.0",
)
SIGNAL = "Identify the relevant traffic signal for the ego-vehicle's current path"
SIGNALS = (f"{SIGNAL} | None | Green | 0.0", f"{SIGNAL} | Green Light | Red | 0.0", f"{SIGNAL} | Green Light | Green | 1.0")
SHORT = "\nAnswer the question using a single word or phrase."
ORGAN = "What can the organ with black color in this image be used for?| breathe | Breathing. | 1.0"
PLAIN = (APPLES_7, APPLES_10, *ELEPHANTS, *SIGNALS, ORGAN)
STYLE = (APPLES_7, *APPLES_TEN, *ELEPHANTS, ORGAN)
DRIVING = (
    f"{SIGNAL}{SHORT} | Green | None | 0.0",
    f"{SIGNAL}{SHORT} | green. | Green Light | 1.0",
    f"{SIGNAL}{SHORT} | Green Light | Green | 1.0",
    f"{SIGNAL}{SHORT} | green. | Green | 1.0",
    "Considering the objects such as car and traffic light from the visual language dataset categories, what is the intended "
    f"behavior or action for the main vehicle in an autonomous driving scenario?{SHORT} | stop | Stop | 1.0",
    APPLES_10,
    *ELEPHANTS,
    *SIGNALS,
    ORGAN,
)
REMOTE = (
    APPLES_7,
    *APPLES_TEN,
    "Is there a brige in the picture? | yes | Yes, there is a bridge in the picture| 1.0",
    "How many vehicles are there in the picture? | 8546 | There are several cars in the picture | 0.0",
    ORGAN,
)
LUGGAGE = (
    "How many prohibited object in the luggage? | 1 |In the X-ray image, the luggage contains one prohibited object, which is a "
    "knife. | 1.0",
    "Are there prohibited objects int the luggage? | yes | Yes, there is a knife and a gun in the luggage. | 1.0",
    ORGAN,
)
EXAMPLES: Mapping[str, tuple[str, ...]] = {"AD": DRIVING, "RS": REMOTE, "xray": LUGGAGE}
"""By style; all whose name begins with ``style`` share `STYLE`, all others `PLAIN`."""

ACTIONS = ("Robots", "game")
ACTION = """
[Action Choices]: {actions}

[Agent Answer]: {reply}
[Correct Action]: {reference}

[System]

You should carefully compare the [Agent Answer] with the [Action Choices], and tell which action the agent is choosing. \
\nIf the selected action in the [Agent Answer] equals to the [Correct Action], the action score is 1; otherwise, it is 0.

You should give your accessment evidences and then the scores.

Your output MUST contains 2 lines with the following format:
action accessment evidence: <accessment evidences here>
action score: <score here>
"""
_INDENT = "\n" + " " * 16
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CHOICE = re.compile(r"\(.\) [^.]+")


def is_action(sample: Sample) -> bool:
    """Whether the sample is of a style in which an action is chosen."""
    return sample.groups["style"] in ACTIONS


def ask(sample: Sample, reply: str, attempt: int, question: str = "None") -> Query:
    """The style's wording. Its script looks for the question in a field that the files do not have, and shows ``None``."""
    style, reference = sample.groups["style"], sample.references[0]
    if is_action(sample):
        text = ACTION.format(actions=" ".join(_CHOICE.findall(sample.question)), reply=reply, reference=reference)
        generation = Generation(max_new_tokens=512, temperature=0.7 if attempt else 0.0)
        return Query(parts=(Text(text),), generation=generation, tag="judge")
    examples = EXAMPLES.get(style, STYLE if style.startswith("style") else PLAIN)
    head = ["Example:", "Question | Ground truth | Prediction | Correctness", "--- | --- | --- | ---", *examples]
    tail = ["Here is the QA you need to compare and score ", f"Question: {question} ", f"Ground Truth: {reference}"]
    tail += [f"Prediction: {reply} ", "Score :", "", "Provide only the numerical correctness score as the output. ", ""]
    text = _INDENT.join([RULE, *head]) + "\n" + " " * 15 + _INDENT + _INDENT.join(tail)
    return Query(parts=(Text(text),), generation=Generation(max_new_tokens=64, temperature=1.0), tag="judge")


def ask_with_question(sample: Sample, reply: str, attempt: int) -> Query:
    """As `ask`, with the question in its place."""
    return ask(sample, reply, attempt, sample.question)


def grade(word: str, sample: Sample) -> Parsed:
    """The only number in the word, from 0 to 1, its sign aside; of an action, what follows the last colon of the second line."""
    return action_score(word) if is_action(sample) else only_number(word)


def only_number(word: str) -> Parsed:
    """Read ``0.5`` and ``The score is 1.0.``; ``.5`` reads 5, ``-0.5`` reads 0.5, and ``0.8/1.0`` is two numbers."""
    found = _NUMBER.findall(word)
    if len(found) != 1:
        return Parsed(None, f"the grade holds {len(found)} numbers")
    return _within(float(found[0]))


def action_score(word: str) -> Parsed:
    """Read the second line that is not empty."""
    lines = [line for line in word.split("\n") if line]
    try:
        return _within(float(lines[1].split(":")[-1]))
    except (IndexError, ValueError):
        return Parsed(None, "the second line holds no score")


def _within(score: float) -> Parsed:
    return Parsed(score) if isfinite(score) and 0 <= score <= 1 else Parsed(None, "the grade is not between 0 and 1")


def needing_a_judge(reply: str, sample: Sample) -> Parsed:
    """Every reply that is not empty, to a question that has an answer; the others are left out of the mean."""
    return Parsed(None, NEEDS_JUDGE if reply and sample.references[0] else "empty reply")


def graded(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """``score``, and whether there is one (``scored``)."""
    found = isinstance(parsed.answer, float)
    return {"score": parsed.answer if found else 0.0, "scored": float(found)}


OFFICIAL = Judging(prompt="benchlmm-1", ask=ask, read=grade)
WITH_QUESTION = replace(OFFICIAL, prompt="benchlmm-question-1", ask=ask_with_question)
