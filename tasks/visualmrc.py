"""VisualMRC: questions about screenshots of web pages, answered in sentences of one's own.

Paper: Tanaka et al., VisualMRC: Machine Reading Comprehension on Document Images, AAAI 2021, arXiv 2101.11272.
Data: nttmdlab-nlp/VisualMRC: test.jsonl (or data.jsonl) with its pictures; 6,708 questions in test.
Licence: NTT's, for research; may not be passed on.
Official scorer: X-PLUG/mPLUG-DocOwl UReader/pipeline/eval_utils/tools.py cider, with pycocoevalcap 1.2: CIDEr times 100, on Penn
Treebank tokens; also ROUGE-L and BLEU.
Differences: the tokens are made here, without the Java program, by its rules as far as English prose needs them; METEOR and
BERTScore are left out. How rare a word is, is counted over the whole file, also where a run is limited to some of its
questions. A missing answer is an empty one.
"""

from __future__ import annotations

from harness.data.sentences import about_pages, with_corpus
from harness.data.sources import images, layout
from harness.data.steps import columns, media
from harness.metrics.captions import METRICS, caption_score
from harness.parsers.text import as_given
from harness.prompts import fill
from harness.task import Card, Convention, Task
from harness.types import Generation, Record, Sample

PICTURE = columns(path="image_filename|screenshot_filename")
LAYOUTS = (
    with_corpus(
        layout(
            "official", "test.jsonl|data.jsonl|data/test.jsonl", steps=(about_pages, PICTURE, media(path="path", optional=True))
        ),
        "answer",
    ),
)


def to_sample(record: Record) -> Sample:
    """Map a question; those about a page are its cluster. Its answer loses line breaks and a final period, as UReader's files."""
    return Sample(
        id=f"{record['id']}-{record['number']}",
        parts=images(record),
        question=record["question"],
        references=(record["answer"],),
        cluster=str(record["id"]),
        fields={"corpus": record["corpus"]},
    )


TASKS = (
    Task(
        name="visualmrc",
        card=Card.of(__doc__, split="test", n=6708),
        layouts=LAYOUTS,
        to_sample=to_sample,
        prompt=fill("{question}"),
        conventions={"official": Convention(parse=as_given, score=caption_score, metrics=METRICS, primary="cider")},
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=35),
    ),
)
