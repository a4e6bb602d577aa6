"""Q-Bench A1: how well does the model see low-level quality (LLVisionQA)? Two to four options about a picture's look.

Paper: Wu et al., Q-Bench: A Benchmark for General-Purpose Foundation Models on Low-level Vision, ICLR 2024, arXiv 2309.14181.
Data: Q-Future/Q-Bench llvisionqa_dev.json with its pictures, 1,495 questions with answers; Hugging Face q-future/Q-Bench-HF,
split dev; VLMEvalKit's Q-Bench1_VAL.tsv.
Licence: S-Lab License 1.0 (non-commercial).
Official scorer: none is public (a submission by e-mail; the paper lets GPT vote); the option is read as open-compass/VLMEvalKit
vlmeval/utils/matching_util.py can_infer at e8e78f0 reads it, without a judge.
Differences: a reply that VLMEvalKit would hand to a judge is wrong, and marked; a missing answer is wrong. The SPHINX authors and
lmms-eval draw an option at random where they read none: wrong here, and counted as unparsed. lmms-eval's scorer raises NameError
where two letters are named: wrong.

Layouts name a question by its picture or by a running number, so a sample's id is made of question and options, and numbered
where those repeat.
"""

from __future__ import annotations

from harness.conventions import option_letters
from harness.data.options import content_key, offered, present
from harness.data.sources import Row, images, layout
from harness.data.steps import columns, media, picture_facts
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean
from harness.parsers.candidates import lmms_choice_once
from harness.parsers.choice import letter_then_text
from harness.prompts import OPTION_LETTER, fill, letters
from harness.task import Card, Task
from harness.types import Generation, Record, Sample

TYPES = ("yes-or-no", "how", "what")
CONCERNS = ("global distortion", "global others", "local distortion", "local others")
PROMPT_PAPER = "Question:\n{question}\nChoices:\n{options}"


def candidates(row: Row, root: object) -> Row:
    """The authors' file: a list of texts, one of which is the answer; concerns by number or name."""
    options = [str(one) for one in row["candidates"]]
    return row.but(options=options, answer=letters(options)[options.index(str(row["correct_ans"]))])


def numbered(row: Row, root: object) -> Row:
    """Hugging Face's columns; N/A where there is no option."""
    options = [str(one) for n in range(4) if present(one := row.get(f"option{n}")) and one != "N/A"]
    return row.but(options=options, answer=row["correct_choice"], type=row["question_type"], concern=row["question_concern"])


def tabular(row: Row, root: object) -> Row:
    """VLMEvalKit's: a column for each letter."""
    return row.but(options=offered(row))


def text_of(record: Record) -> str:
    """Question and options, by which layouts agree."""
    return content_key(record["question"], *record["options"])


def named(value: object, names: tuple[str, ...]) -> str:
    """A kind by its number, or by its name in either of the spellings in use; empty where the layout has none."""
    text = str(value) if value is not None else ""
    return names[int(text)] if text.isdecimal() and int(text) < len(names) else text.replace("(in-context) ", "").lower()


SHOWN = (picture_facts, columns(img_path="img_path|image_key|"))
LAYOUTS = (
    layout(
        "official", "llvisionqa_dev.json", steps=(candidates, media(path="img_path", below="images")), repeats={"same": text_of}
    ),
    layout("vlmevalkit_tsv", "Q-Bench1_VAL.tsv", steps=(tabular, *SHOWN), repeats={"same": text_of}),
    layout("hf_parquet", "**/dev-*.parquet", steps=(numbered, *SHOWN), repeats={"same": text_of}),
)


def to_sample(record: Record) -> Sample:
    """Map a question; those about a picture are its cluster."""
    return Sample(
        id=text_of(record) + (f"#{record['same'] + 1}" if record.get("same") else ""),
        parts=images(record),
        question=record["question"],
        options=tuple(record["options"]),
        references=(record["answer"],),
        cluster=str(record.get("img_path") or ""),
        groups={"type": named(record.get("type"), TYPES), "concern": named(record.get("concern"), CONCERNS)},
        fields={"question_id": str(record.get("id", "")), "index": str(record.get("index", ""))},
    )


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    Metric(name="type", estimator=mean("correct"), by="type"),
    Metric(name="concern", estimator=mean("correct"), by="concern"),
)

TASKS = (
    Task(
        name="qbench_a1",
        card=Card.of(__doc__, split="dev", n=1495),
        layouts=LAYOUTS,
        sources=(on_hub("q-future/Q-Bench-HF", "data/dev-*.parquet"), vlmevalkit("Q-Bench1_VAL")),
        to_sample=to_sample,
        prompt=fill("{question}\n{options}\n" + OPTION_LETTER),
        prompts={"paper": fill(PROMPT_PAPER)},
        conventions=option_letters(
            METRICS,
            "accuracy",
            official=letter_then_text,
            lmms_eval=lmms_choice_once,
            lmms_note="Letters in brackets, before a blank, before a period, else texts; a random draw is wrong, and counted.",
        ),
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=16),
    ),
)
