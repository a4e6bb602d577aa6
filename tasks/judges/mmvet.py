"""MM-Vet's grading: a table of seven examples whose last cell, a correctness from 0.0 to 1.0, the judge fills in.

Wording and order of attempts: yuweihao/MM-Vet mm-vet_evaluator.py at 7d717c2.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.judging import Judging, always
from harness.metrics.aggregate import Metric, mean
from harness.task import Convention
from harness.types import Generation, Parsed, Query, Sample, Text

MEME = (
    "This meme is poking fun at the fact that the names of the countries Iceland and Greenland are misleading. "
    "Despite its name, "
    "Iceland is known for its beautiful green landscapes, while Greenland is mostly covered in ice and snow. The "
    "meme is saying that "
    "the person has trust issues because the names of these countries do not accurately represent their landscapes."
)
EXAMPLES = (
    ("What is x in the equation?", "-1 <AND> -5", "x = 3", "0.0"),
    ("What is x in the equation?", "-1 <AND> -5", "x = -1", "0.5"),
    ("What is x in the equation?", "-1 <AND> -5", "x = -5", "0.5"),
    ("What is x in the equation?", "-1 <AND> -5", "x = -5 or 5", "0.5"),
    ("What is x in the equation?", "-1 <AND> -5", "x = -1 or x = -5", "1.0"),
    (
        "Can you explain this meme?",
        MEME,
        "The meme talks about Iceland and Greenland. It's pointing out that despite their names, Iceland is not "
        "very icy and Greenland "
        "isn't very green.",
        "0.4",
    ),
    (
        "Can you explain this meme?",
        MEME,
        "The meme is using humor to point out the misleading nature of Iceland's and Greenland's names. Iceland, "
        "despite its name, has "
        "lush green landscapes while Greenland is mostly covered in ice and snow. The text 'This is why I have "
        "trust issues' is a "
        "playful way to suggest that these contradictions can lead to distrust or confusion. The humor in this meme "
        "is derived from "
        "the unexpected contrast between the names of the countries and their actual physical characteristics.",
        "1.0",
    ),
)
TABLE = "\n".join(
    [
        "Compare the ground truth and prediction from AI models, to give a correctness score for the prediction. "
        "<AND> in the ground "
        "truth means it is totally right only when all elements in the ground truth are present in the prediction, "
        "and <OR> means it "
        "is totally right when any one element in the ground truth is present in the prediction. The correctness "
        "score is 0.0 "
        "(totally wrong), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, or 1.0 (totally right). Just complete the "
        "last space of the "
        "correctness score.",
        "",
        "Question | Ground truth | Prediction | Correctness",
        "--- | --- | --- | ---",
        *(" | ".join(example) for example in EXAMPLES),
        "",
    ]
)
AGAIN = "\nPredict the correctness of the answer (digit): "


def ask(sample: Sample, reply: str, attempt: int) -> Query:
    """The table with the reply as its last row; later attempts ask for a digit, from the third on ever warmer."""
    truth = sample.references[0].replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
    row = " | ".join([sample.question, truth, reply, ""])
    generation = Generation(max_new_tokens=3, temperature=0.5 * max(0, attempt - 1))
    return Query(parts=(Text(f"{TABLE}\n{row}{AGAIN if attempt else ''}"),), generation=generation, tag="judge")


def grade(word: str, sample: Sample) -> Parsed:
    """The number from 0 to 1 before the first blank; ``nan``, which the official loop lets through, is none."""
    try:
        score = float(word.split(" ")[0].strip())
    except ValueError:
        return Parsed(None, "the grade is no number")
    return Parsed(score) if 0 <= score <= 1 else Parsed(None, "the grade is not between 0 and 1")


def graded(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """The score ``grade``; 0 where no grade could be read, as the official script has it after its last attempt."""
    return {"grade": parsed.answer if isinstance(parsed.answer, float) else 0.0}


OFFICIAL = Judging(prompt="mmvet-1", ask=ask, read=grade, attempts=5)
"""The script asks a sixth time, but does not read what comes."""

METRICS = (
    Metric(name="total", estimator=mean("grade")),
    Metric(name="capability", estimator=mean("grade"), by="capability", separator=", "),
    Metric(name="integration", estimator=mean("grade"), by="integration"),
)
GRADED = Convention(parse=always, score=graded, metrics=METRICS, primary="total", judging=OFFICIAL, extracted=grade)
