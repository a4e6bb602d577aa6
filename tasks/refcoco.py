"""RefCOCO, RefCOCO+, RefCOCOg: where is what this expression describes? One box; a hit is an IoU of at least 0.5; eight splits.

Paper: Yu et al., ECCV 2016, arXiv 1608.00272 (RefCOCO, RefCOCO+; UNC splits); Mao et al., CVPR 2016, arXiv 1511.02283 (RefCOCOg;
UMD split).
Data: Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/annotations/<split>.json; pictures of COCO train2014. Boxes are
x1,y1,x2,y2 in pixels, the picture's size stands in ``question_id``.
Licence: COCO terms (pictures); none stated (expressions).
Official scorer: Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/evaluate.py, metric miou0.5: the answer is in fractions of
the padded square.
Differences: accuracy is over all expressions; the authors' driver drops repeats first: accuracy_distinct.

A sample's id is made of expression, box and size, since no layout has one in common with the others; lmms-eval's val files mix in
Google's split (23,962 rows instead of 10,834 in RefCOCO).
"""

from __future__ import annotations

import re
from functools import partial
from operator import itemgetter

from harness.conventions import boxes, ideal_box
from harness.data.expressions import expression_key, expression_sample
from harness.data.sources import layout
from harness.data.steps import columns, explode, media, only, picture_facts, pixel_box, substitute
from harness.fetch.sources import HubFiles, Offer, on_github, on_hub
from harness.metrics.aggregate import Metric, mean
from harness.prompts import BOX_AS_JSON, BOX_OF_FRACTIONS, fill
from harness.task import Card, Layout, Task
from harness.types import Generation, Record, Sample

PROMPT = "Please provide the bounding box coordinate of the region this sentence describes: {question}."
SPLITS = {
    "refcoco_val": ("RefCOCO val", 10834), "refcoco_testA": ("RefCOCO test-A", 5657), "refcoco_testB": ("RefCOCO test-B", 5095),
    "refcoco+_val": ("RefCOCO+ val", 10758), "refcoco+_testA": ("RefCOCO+ test-A", 5726),
    "refcoco+_testB": ("RefCOCO+ test-B", 4889), "refcocog_val": ("RefCOCOg val", 4896), "refcocog_test": ("RefCOCOg test", 9602),
}  # fmt: skip
"""Data set and split as papers print them, and the number of expressions."""
SIZE = "height{height}_width{width}"
ACCESSORY = "3777c43940ddfb45d3bc1046b118ca4401747ee2"
TABLE = HubFiles(repo="mjuicem/RefCOCO-VLMEvalKit", files=("RefCOCO.tsv",))


def content_key(record: Record) -> str:
    """Expression, box and size, since some layouts lose the picture's name."""
    return expression_key(record, record["question_id"])


def layouts(name: str, title: str) -> tuple[Layout, ...]:
    """The authors' list, jsonl made of it or by Qwen-VL, VLMEvalKit's table of all splits, lmms-eval's of objects.

    ``copy`` counts what the authors' driver takes for the same question and scores once, ``same`` what would have the same id.
    """
    named = partial(layout, repeats={"copy": itemgetter("image_path", "question", "question_id"), "same": content_key})
    family, split = title.split()[0].replace("+", "plus"), name.split("_")[1]
    lines = columns(image_path="image_path|image|", question="sent|question", question_id=f"size|{SIZE}|", box="bbox_xyxy|bbox")
    sized = (picture_facts, columns(image_path="file_name|image_key", question_id=SIZE))
    table = (
        substitute("question", r"(?s).*<ref>\s*(.*?)\s*</ref>.*", r"\1"),
        columns(index=f"{title.replace('-', '').replace(' ', '_')}_{{index}}"),  # as VLMEvalKit's results have it
        pixel_box("box", "answer", "unit"),
    )
    whole_picture = substitute("image_path", r"(COCO_train2014_\d{12})_\d+", r"\1")
    objects = (whole_picture, pixel_box("box", "bbox", "corner_and_size"), explode("answer"), columns(question="answer"))
    return (
        named("official", f"{name}.json|annotations/{name}.json", steps=(columns(box="gt_answers"), media())),
        named("qwen_vl_jsonl", f"{name}.jsonl", steps=(lines, media(optional=True))),
        named("vlmevalkit_tsv", "RefCOCO.tsv", steps=(only("category", title), *sized, *table)),
        named("hf_parquet", f"{family}/**/{split}-*.parquet", steps=(*sized, *objects)),
    )


def sources(name: str, title: str) -> tuple[Offer, ...]:
    """VLMEvalKit's table of all splits, the authors' list, and lmms-eval's objects where its split is the one of papers."""
    family, split = title.split()[0].replace("+", "plus"), name.split("_")[1]
    authors = on_github("Alpha-VLLM/LLaMA2-Accessory", ACCESSORY, f"accessory/eval_mm/annotations/{name}.json")
    objects = on_hub(f"lmms-lab/{family}", f"data/{split}-*.parquet", into=family)
    return (
        Offer(layout="vlmevalkit_tsv", parts=(TABLE,), note="all eight splits; blanks are lost in some expressions"),
        Offer(layout="official", parts=authors, note="without pictures, which are COCO train2014 in data/coco/train2014/"),
        *(() if split == "val" else (objects,)),
    )


def to_sample(record: Record) -> Sample:
    """Map a record of the authors' list; expressions about a picture are its cluster."""
    size = re.fullmatch(SIZE.format(height=r"(\d+)", width=r"(\d+)"), record["question_id"])
    sized = {**record, "height": int(size[1]) if size else None, "width": int(size[2]) if size else None}
    fields = {"question_id": record["question_id"], "index": str(record.get("index", ""))}
    return expression_sample(sized, content_key(record), groups={"copy": "repeat" if record["copy"] else "first"}, fields=fields)


TASKS = tuple(
    Task(
        name=name,
        card=Card.of(__doc__, title=title, split=f"{title.split()[1]} ({'UMD' if 'g' in title.split()[0] else 'UNC'})", n=n),
        layouts=layouts(name, title),
        sources=sources(name, title),
        to_sample=to_sample,
        prompt=fill(PROMPT),
        prompts={"lmms_eval": fill(BOX_OF_FRACTIONS), "json": fill(BOX_AS_JSON)},
        conventions=boxes(Metric(name="accuracy_distinct", estimator=mean("hit", where={"copy": "first"}))),
        ideal=ideal_box,
        generation=Generation(max_new_tokens=30),
    )
    for name, (title, n) in SPLITS.items()
)
