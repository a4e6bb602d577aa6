"""MathVerse testmini: problems with diagrams, each in six versions that move what is given from the text into the picture.

Paper: Zhang et al., MathVerse: Does Your Multi-modal LLM Truly See the Diagrams in Visual Math Problems?, ECCV 2024,
arXiv 2403.14624.
Data: Hugging Face AI4Math/MathVerse testmini.json (788 problems in the five versions with a picture, 3,940 rows) and
testmini_text_only.json (788 rows) with images/, or both as parquet; CaraJ/MathVerse-lmmseval; VLMEvalKit's MathVerse_MINI.tsv.
Licence: MIT.
Official scorer: ZrrSkywalker/MathVerse evaluation/extract_answer_s1.py and score_answer_s2.py at 937b090: GPT-3.5 takes the
answer out of the reply, then says whether it is the reference's. Without a judge the whole reply, or an extraction that a file of
replies holds, must equal the reference to the letter (its --quick_match).
Differences: a comparison that is neither 1 nor 0 is asked for three times, not without end, and then is wrong. Subjects stand
in the rows' metadata, where the script no longer finds them. CoT-E, which grades the steps, has no published code. The script's
total over whatever rows there are is accuracy; five_versions is the leaderboard's All, without Text Only.
"""

from __future__ import annotations

from dataclasses import replace

from harness.data.options import embedded
from harness.data.sources import images, layout
from harness.data.steps import columns, media, text_objects
from harness.fetch.sources import on_hub
from harness.metrics.aggregate import Metric, mean, mean_over
from harness.metrics.choice import correct
from harness.metrics.text import equals, text_score, without_blanks
from harness.parsers.letter import option_or_text
from harness.parsers.text import as_given
from harness.prompts import fill, letters
from harness.task import Card, Convention, Task
from harness.types import Generation, Record, Sample
from tasks.judges import mathverse

PICTURED = ("Text Dominant", "Text Lite", "Vision Intensive", "Vision Dominant", "Vision Only")
READ = (text_objects("metadata"), columns(question="question|", query_wo="query_wo|question", query_cot="query_cot|query_wo"))
LAYOUTS = (
    layout(
        "official", "testmini*.json", steps=(columns(path="image|"), media(path="path", below="images", optional=True), *READ)
    ),
    layout("vlmevalkit_tsv", "MathVerse_MINI*.tsv", steps=READ),
    layout("hf_parquet", "**/testmini*.parquet|**/*.parquet", steps=READ),
)


def to_sample(record: Record) -> Sample:
    """Map a row; a problem's versions are a cluster. Where the picture holds the question its options stand beside it."""
    version, about = record["problem_version"], record["metadata"]
    stated = (record["question"], record.get("question_for_eval") or "", record["query_wo"])
    closed = record["question_type"] == "multi-choice"
    return Sample(
        id=f"{version.lower().replace(' ', '_')}_{record['problem_index']}",
        parts=images(record),
        question=record["question"],
        options=max(map(embedded, stated), key=len) if closed else (),
        references=(str(record["answer"]),),
        cluster=str(record["problem_index"]),
        groups={
            "version": version,
            "subject": about["subject"],
            "subfield": f"{about['subject']}-{about['subfield']}",
            "question_type": record["question_type"],
        },
        fields={
            **{name: record[name] for name in ("query_wo", "query_cot")},
            **{name: str(record.get(name) or "") for name in ("sample_index", "index")},
        },
    )


ALL = mean("correct")
METRICS = (
    Metric(name="accuracy", estimator=ALL),
    Metric(name="five_versions", estimator=mean_over("version", ALL, PICTURED)),
    Metric(name="six_versions", estimator=mean_over("version", ALL)),
    *(Metric(name=name, estimator=ALL, by=name) for name in ("version", "subject", "subfield", "question_type")),
)
OFFICIAL = Convention(
    parse=as_given, extracted=as_given, score=correct, metrics=METRICS, primary="accuracy", judging=mathverse.OFFICIAL,
    note="Without a judge by equality to the letter.",
)  # fmt: skip

TASKS = (
    Task(
        name="mathverse",
        card=Card.of(__doc__, split="testmini with Text Only, as far as it is there", n=4728),
        layouts=LAYOUTS,
        sources=(on_hub("AI4Math/MathVerse", "testmini*.parquet"),),
        to_sample=to_sample,
        prompt=fill("{query_wo}"),
        prompts={"cot": fill("{query_cot}")},
        conventions={
            "official": OFFICIAL,
            "quick_match": replace(
                OFFICIAL, judging=mathverse.QUICK_MATCH,
                note="The judge only takes the answer out; equality to the letter decides.",
            ),
            "strict": replace(
                OFFICIAL, parse=option_or_text, extracted=option_or_text, judging=None,
                score=text_score("correct", equals(without_blanks)),
                note="An option by letter or text; other answers with blanks, dollar signs, capitals and a final period aside.",
            ),
        },
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=512),
    ),
)  # fmt: skip
