r"""MathVerse's judging in two steps: the answer is taken out of the reply, then compared with the reference, 1 or 0.

Wording and order: ZrrSkywalker/MathVerse evaluation/prompts.py, extract_answer_s1.py and score_answer_s2.py at 16e7060, judge
gpt-3.5-turbo at temperature 0. A comparison that is neither 1 nor 0 is asked for again; the script does so without end.
"""

from __future__ import annotations

from dataclasses import replace

from harness.judging import Extraction, Judging, always
from harness.parsers.text import as_given
from harness.parsers.verdict import one_or_zero, one_or_zero_in_words
from harness.types import Generation, Query, Sample, Text

GENERATION = Generation(max_new_tokens=256)
TASK = (
    "I am providing you a response from a model to a math problem, termed 'Model Response'. You should extract the answer from "
    "the response as 'Extracted Answer'. Directly output the extracted answer with no explanation."
)
TAKEN = (
    (
        "'Rounded to two decimal places, the perimeter of the sector is approximately:\n\n(-2, 1)'",
        "Extracted Answer: (-2, 1)",
    ),
    (
        "'at those points.\n\nTherefore, the correct option that represents the meaning of the intersection points of the graphs "
        "is:\n\nD. They give the solutions to the equation $f(t)=g(t)$.\",'",
        "Extracted Answer: D",
    ),
    (
        "' at 1 (there's a closed circle at y = 1), the range in interval notation is \\((-4, 1]\\).\n\nFinal values:\n"
        "Domain: \\((-3, 3]\\)\nRange: \\((-4, 1]\\)'",
        "Extracted Answer: Domain: \\((-3, 3]\\)\nRange: \\((-4, 1]\\)",
    ),
    (
        "'As it stands, I cannot provide the correct option letter because there isn't enough information to solve for 'y'.'",
        "Extracted Answer: null",
    ),
    (
        "'Given that AB = 17.6 meters, we can now substitute into the equation:\n\nd = 17.6 / cos(38\u00b0)\n\nTherefore, to one "
        "decimal place, the distance d between Ned and Bart is approximately 22.3 meters.'",
        "Extracted answer: 22.3",
    ),
    (
        " have all the coefficients for the quadratic function:\n\\( f(x) = ax^2 + bx + c \\)\n\\( f(x) = -1x^2 - 2x + 1 \\)\n\n"
        "Therefore, the equation for the graphed function \\( f \\) is:\n\\( f(x) = -x^2 - 2x + 1 \\)\"'",
        "Extracted answer: f(x) = -x^2 - 2x + 1",
    ),
)
EXTRACT = "\n\n".join(
    [TASK, *(f"{number}.\nModel response: {said}\n{taken}" for number, (said, taken) in enumerate(TAKEN, start=1)), "7."]
)

RULE = (
    "Below are two answers to a math question. Question is [Question], [Standard Answer] is the standard answer to the question, "
    "and [Model_answer] is the answer extracted from a model's output to this question.  Determine whether these two answers are "
    "consistent.\nPlease note that only when the [Model_answer] completely matches the [Standard Answer] means they are "
    "consistent. For non-multiple-choice questions, if the meaning is expressed in the same way, it is also considered "
    "consistent, for example, 0.5m and 50cm.\n"
    "If they are consistent, Judement is 1; if they are different, Judement is 0."
)
ELLIPSE = r"\frac{x^2}{81} + \frac{y^2}{9} = 1"
COMPARED = (
    (
        "Write the set of numbers represented on the number line in interval notation.",
        "(-2,1]",
        r"Extracted Answer: \((-2, 1)\)",
        "0\n",
    ),
    (
        "Find the domain and range of the function f using interval notation.",
        "domain: [-4, 0) and range: (-3, 1]",
        r"Range: \((-4, 1]\)",
        "0\n\n",
    ),
    (
        "Two curves are symmetrical about the x-axis. Use the vertical line test to determine if this relation is a function.\n"
        "Choices:\nA:This is a function\nB:This is not a function",
        "B",
        "This is not a function",
        "1\n",
    ),
    (
        "Given the graph of the ellipse that intersects with x-axis at 9 and -9 and with y-axis at 3 and -3, determine its "
        f"equation.A. {ELLIPSE} B. Can not determine.\n",
        "A",
        ELLIPSE,
        "1\n",
    ),
)


def compared(question: str, reference: str, answer: str, verdict: str = "") -> str:
    """One comparison; without a verdict the one that is asked for."""
    return f"[Question]: {question}\n[Standard Answer]: {reference}\n[Model_answer] : {answer}\nJudgement: {verdict}"


COMPARE = "\n".join([f"{RULE}\n", *(compared(*one) for one in COMPARED)])


def take(sample: Sample, reply: str) -> Query:
    """The worked extractions, then the whole reply."""
    text = f"{EXTRACT}\n\nModel response: '{reply}'\nExtracted Answer: "
    return Query(parts=(Text(text),), generation=GENERATION, tag="judge")


def taken(word: str) -> str:
    """The judge's word without the label that it may repeat."""
    return word.replace("Extracted Answer: ", "").strip()


def decide(sample: Sample, answer: str, attempt: int) -> Query:
    """The worked comparisons, then the question as its file has it (none in Vision Only), the reference and the answer."""
    text = f"{COMPARE}\n{compared(sample.question, sample.references[0], answer)}".rstrip(" ")
    return Query(parts=(Text(text),), generation=GENERATION, tag="judge")


OFFICIAL = Judging(
    prompt="mathverse-1",
    ask=decide,
    read=one_or_zero,
    rule=True,
    settles=always,
    stored=one_or_zero_in_words,
    extraction=Extraction(ask=take, take=taken),
)
QUICK_MATCH = replace(
    OFFICIAL,
    prompt="mathverse-extract-1",
    ask=lambda sample, reply, attempt: take(sample, reply),
    read=lambda word, sample: as_given(taken(word), sample),
    extraction=None,
)
"""``--quick_match``: the judge takes the answer out, and equality to the letter decides."""
