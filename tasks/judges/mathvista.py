"""MathVista's extraction: the judge is shown five worked examples, and takes the answer out of a reply; rules score it.

Wording: lupantech/MathVista evaluation/prompts/ext_ans.py and extract_answer.py at 0a520c4, which shows the question without its
options; judge gpt-4-0613 at temperature 0. Earlier versions show the whole prompt. Without --quick_extract the script asks the
judge wherever the reply is not the bare answer, and asks once.
"""

from __future__ import annotations

from harness.judging import Judging
from harness.parsers.typed import as_written, by_rule
from harness.types import Generation, Query, Sample, Text

RULE = "Please read the following example. Then extract the answer from the model response and type it at the end of the prompt."
EXAMPLES = (
    (
        "requiring an integer answer and provide the final value, e.g., 1, 2, 3",
        "Which number is missing?",
        "The number missing in the sequence is 14.",
        "14",
    ),
    (
        "requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4",
        "What is the fraction of females facing the camera?",
        "The fraction of females facing the camera is 0.6, which means that six out of ten females in the group are facing the "
        "camera.",
        "0.6",
    ),
    (
        "requiring a floating-point number with two decimal places and provide the final value, e.g., 1.23, 1.34, 1.45",
        "How much money does Luca need to buy a sour apple candy and a butterscotch candy? (Unit: $)",
        "Luca needs $1.45 to buy a sour apple candy and a butterscotch candy.",
        "1.45",
    ),
    (
        "requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4]",
        "Between which two years does the line  graph saw its maximum peak?",
        "The line graph saw its maximum peak between 2007 and 2008.",
        "[2007, 2008]",
    ),
    (
        "and provide the correct option letter, e.g., A, B, C, D",
        "What fraction of the shape is blue?\nChoices:\n(A) 3/11\n(B) 8/11\n(C) 6/11\n(D) 3/5",
        "The correct answer is (B) 8/11.",
        "B",
    ),
)
DEMONSTRATION = "\n\n".join(
    [
        RULE,
        *(
            f"Hint: Please answer the question {hint}, at the end.\nQuestion: {question}\n\nModel response: {said}\n\n"
            f"Extracted answer: {answer}"
            for hint, question, said, answer in EXAMPLES
        ),
    ]
)


def ask(sample: Sample, reply: str, attempt: int) -> Query:
    """The examples, the question and the reply."""
    text = Text(f"{DEMONSTRATION}\n\n{sample.question}\n\n{reply}\n\nExtracted answer: ")
    return Query(parts=(text,), generation=Generation(max_new_tokens=256), tag="judge")


OFFICIAL = Judging(
    prompt="mathvista-1", ask=ask, read=as_written, attempts=1, rule=True, settles=by_rule(as_written, quick=False)
)
