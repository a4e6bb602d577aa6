"""MMMU val: college-level questions with pictures, 30 subjects of six disciplines; options, and a few open questions.

Paper: Yue et al., MMMU: A Massive Multi-discipline Multimodal Understanding and Reasoning Benchmark for Expert AGI, CVPR 2024,
arXiv 2311.16502.
Data: Hugging Face MMMU/MMMU, 30 folders, or lmms-lab/MMMU: 900 questions, 847 of them with options; VLMEvalKit's
MMMU_DEV_VAL.tsv.
Licence: Apache-2.0.
Official scorer: MMMU-Benchmark/MMMU mmmu/utils/eval_utils.py: letters in brackets, then between blanks, then texts in replies of
more than five words; open answers by the parts behind words such as "is", a right text standing anywhere within.
Differences: where no option is found the scorer draws one (seed 42, so that a score depends on the order of all questions): here
that is wrong, and counted as unparsed. A missing answer is wrong, where the scorer leaves it out. "cat" is right in "category":
strict asks for the whole. lmms-eval at 75571cf calls all open answers wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.conventions import STRICT
from harness.data.options import offered
from harness.data.sources import Row, image_handles, images, layout, listed
from harness.data.steps import only
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean
from harness.metrics.choice import correct
from harness.metrics.held import holding
from harness.parsers.candidates import lmms_choice, mmmu_choice
from harness.parsers.choice import letter_among
from harness.parsers.letter import one_option
from harness.parsers.tails import normalised, open_answer
from harness.prompts import OPTION_LETTER, SHORT_ANSWER, letters, option_lines
from harness.task import Card, Convention, Parse, Prompt, Score, Task
from harness.types import Generation, Parsed, Record, Sample

DISCIPLINES = {
    "Art and Design": "Art Art_Theory Design Music",
    "Business": "Accounting Economics Finance Manage Marketing",
    "Science": "Biology Chemistry Geography Math Physics",
    "Health and Medicine": "Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy Public_Health",
    "Humanities and Social Science": "History Literature Sociology Psychology",
    "Tech and Engineering": "Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power Materials "
    "Mechanical_Engineering",
}
DISCIPLINE_OF = {subject: name for name, subjects in DISCIPLINES.items() for subject in subjects.split()}


def several(row: Row, root: object) -> Row:
    """Gather the columns of pictures, and read the options that are text of a list."""
    shown = [one for n in range(1, 8) for one in image_handles(row.get(f"image_{n}"))]
    return row.but(image=shown, choices=listed(row["options"], row.where), id=row["id"])


def tabular(row: Row, root: object) -> Row:
    """VLMEvalKit's: a column for each letter, none where the question is open."""
    return row.but(choices=list(offered(row, "ABCDEFGHI")), id=row.get("id") or str(row["index"]))


def replied(row: Row, root: object) -> Row:
    """The authors' files of replies, which repeat options and answer, but not the question."""
    return row.but(question=row.get("question", ""), image=(), choices=list((row.get("index2ans") or {}).values()))


LAYOUTS = (
    layout("official", "*/validation-*.parquet", steps=(several,)),
    layout("official_replies", "*/output.json", steps=(replied,)),
    layout("vlmevalkit_tsv", "MMMU_DEV_VAL.tsv", steps=(only("split", "validation"), tabular)),
)


def to_sample(record: Record) -> Sample:
    """Map a question; its id names the subject. An open one may have several right answers."""
    subject = str(record["id"]).partition("_")[2].rpartition("_")[0]
    answers = listed(record["answer"]) if not record["choices"] else [str(record["answer"])]
    return Sample(
        id=str(record["id"]),
        parts=images(record),
        question=record["question"],
        options=tuple(record["choices"]),
        references=tuple(answers),
        groups={
            "subject": subject,
            "discipline": DISCIPLINE_OF.get(subject, ""),
            "type": "multiple-choice" if record["choices"] else "open",
        },
        fields={"answer": str(record["answer"]), "index": str(record.get("index", ""))},
    )


def asked(between: str) -> Prompt:
    """Ask for a letter, or for a short answer where there are no options."""

    def prompt(sample: Sample) -> str:
        lines = [f"{sample.question}\n{option_lines(sample.options)}", OPTION_LETTER]
        return between.join(lines if sample.options else (sample.question, SHORT_ANSWER))

    return prompt


def by_type(choice: Parse) -> Parse:
    """Read a letter by ``choice``, an open answer as the scorer does."""
    return lambda reply, sample: (choice if sample.options else open_answer)(reply, sample)


def held(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """A letter to the letter; an open answer if a right one is held in what was read."""
    if sample.options:
        return correct(parsed, sample)
    right = [value for text in sample.references for value in normalised(text)]
    return {"correct": float(parsed.answer is not None and holding(parsed.answer, right) > 0)}


def equal(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """As `held`, but a part of an open answer must be a right one as a whole."""
    if sample.options:
        return correct(parsed, sample)
    return {"correct": float(any(value in (parsed.answer or ()) for text in sample.references for value in normalised(text)))}


def none_open(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """A letter to the letter; lmms-eval compares open answers character by character, which none survives."""
    return correct(parsed, sample) if sample.options else {"correct": 0.0}


def other_answers(reply: str, sample: Sample) -> Parsed:
    """VLMEvalKit's: an open question has two options, its answer and all others; A is right, or a letter that is the answer."""
    if sample.options:
        return letter_among(reply, sample.options)
    answer = sample.fields["answer"]
    found = letter_among(reply, (answer, "Other Answers"))
    right = answer if len(answer) == 1 and "A" <= answer <= "Z" else "A"
    return Parsed(sample.references[0]) if found.answer == right else found


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    *(Metric(name=name, estimator=mean("correct"), by=name) for name in ("type", "discipline", "subject")),
)


def scored(parse: Parse, score: Score, note: str = "") -> Convention:
    """All conventions have the same metrics."""
    return Convention(parse=parse, score=score, metrics=METRICS, primary="accuracy", note=note)


TASKS = (
    Task(
        name="mmmu_val",
        card=Card.of(__doc__, split="validation", n=900),
        layouts=LAYOUTS,
        sources=(on_hub("MMMU/MMMU", "*/validation-*.parquet", layout="official"), vlmevalkit("MMMU_DEV_VAL")),
        to_sample=to_sample,
        prompt=asked("\n"),
        prompts={"lmms_eval": asked("\n\n")},
        conventions={
            "official": scored(by_type(mmmu_choice), held),
            "strict": scored(by_type(one_option), equal, STRICT),
            "vlmevalkit": scored(other_answers, correct, "Open questions have two options: the answer and all others."),
            "lmms_eval": scored(
                by_type(lmms_choice), none_open, "No blank is asked for before a letter; open answers are wrong."
            ),
        },
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=64),
    ),
)
