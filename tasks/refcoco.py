"""RefCOCO, RefCOCO+, RefCOCOg: one box for one referring expression; eight splits, a hit is IoU of at least 0.5.

Papers: Yu et al., ECCV 2016 (RefCOCO, RefCOCO+; UNC splits); Mao et al., CVPR 2016 (RefCOCOg; UMD split).
Data: Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/annotations/<split>.json; pictures of COCO train2014. Boxes are
x1,y1,x2,y2 in pixels, the picture's size stands in ``question_id``. Licence: COCO terms (pictures), none stated (expressions).
Official scorer: evaluate.py of the same repository, metric miou0.5: the answer is in fractions of the padded square.
Differences: a sample's id is made of expression, box and size, since no layout has one in common with the others; lmms-eval's
val files mix in Google's split (23,962 rows instead of 10,834 in RefCOCO).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from harness.boxes import Frame, corners, from_pixels, read, to_pixels, write
from harness.data.media import read_header
from harness.data.sources import Row, image_handles, layout, media_below
from harness.metrics.aggregate import Metric, mean
from harness.metrics.grounding import (
    HIT_METRICS,
    THRESHOLD_METRICS,
    best_reading,
    frame_score,
    guessed_frame_score,
    in_unit_frame,
    picture_size,
    threshold_score,
)
from harness.parsers.box import all_boxes, answer_box, bracketed_decimals, first_brackets, lenient_numbers
from harness.task import Card, Convention, Layout, Task
from harness.types import Generation, Image, Record, Sample

PROMPT = "Please provide the bounding box coordinate of the region this sentence describes: {}."
PROMPT_LMMS = (
    "Bounding box coordinates are specified in the format (top-left x, top-left y, bottom-right x, bottom-right y). All values "
    "are floating point numbers bounded between 0 and 1. Please provide the bounding box coordinate of the region this sentence "
    "describes: {}"
)
PROMPT_JSON = 'Locate every object that matches the description "{}" in the image. Report bbox coordinates in JSON format.'

SPLITS = {
    "refcoco_val": ("RefCOCO val", 10834),
    "refcoco_testA": ("RefCOCO test-A", 5657),
    "refcoco_testB": ("RefCOCO test-B", 5095),
    "refcoco+_val": ("RefCOCO+ val", 10758),
    "refcoco+_testA": ("RefCOCO+ test-A", 5726),
    "refcoco+_testB": ("RefCOCO+ test-B", 4889),
    "refcocog_val": ("RefCOCOg val", 4896),
    "refcocog_test": ("RefCOCOg test", 9602),
}
"""Data set and split as papers print them, and the number of expressions."""


def from_authors(row: Row, root: Path) -> Record:
    """The authors' list; picture names are relative to the data folder."""
    return row.but(image=media_below(root, row["image_path"], row.where))


def from_lines(row: Row, root: Path) -> Record:
    """Qwen-VL's jsonl (sent, bbox, width, height, image), and jsonl made of the authors' list (question, bbox_xyxy, size)."""
    size = row.get("size") or (f"height{row['height']}_width{row['width']}" if row.get("width") else "")
    path = row.get("image_path", row.get("image"))
    box, text = row.get("bbox_xyxy") or row["bbox"], row.get("sent") or row["question"]
    image = media_below(root, path, row.where) if path else None
    return row.but(image_path=path or "", image=image, question=text, question_id=size, gt_answers=box)


def from_table(title: str, row: Row, root: Path) -> Iterator[Record]:
    """VLMEvalKit: all eight splits in one file, the whole prompt as question, fractions as answer; the size is in the picture."""
    if row["category"].replace("-", "").lower() == title.replace("-", "").lower():
        picture, expression = read_header(row["image"]), re.search(r"<ref>(.*?)</ref>", row["question"], re.DOTALL)
        box = to_pixels(read(row["answer"].strip(" []")), "unit", picture.width, picture.height)
        yield row.but(
            image_path=picture.key,
            question=expression[1].strip() if expression else row["question"],
            question_id=f"height{picture.height}_width{picture.width}",
            gt_answers=[round(edge, 2) for edge in box],
        )


def from_objects(row: Row, root: Path) -> Iterator[Record]:
    """lmms-eval: one row an object with all its expressions, x,y,width,height; the file name has the object's number behind."""
    picture = read_header(row["image"])
    box, name = [round(edge, 2) for edge in corners(row["bbox"])], re.sub(r"(COCO_train2014_\d{12})_\d+", r"\1", row["file_name"])
    for expression in row["answer"]:
        size = f"height{picture.height}_width{picture.width}"
        yield row.but(image_path=name, question=expression, question_id=size, gt_answers=box)


def driver_key(record: Record) -> Hashable:
    """What the authors' driver takes for the same question, and scores once: picture, sentence and size."""
    return record["image_path"], record["question"], record["question_id"]


def content_key(record: Record) -> str:
    """Expression (letters and digits), box and size; some layouts lose blanks of the expression or the picture's name."""
    box = ",".join(f"{edge:.2f}".rstrip("0").rstrip(".") for edge in record["gt_answers"])
    letters = re.sub(r"[^\w]", "", record["question"].lower())
    return f"{letters}@{box}@{record['question_id']}"


def layouts(name: str, title: str) -> tuple[Layout, ...]:
    """The authors' file first."""
    named = partial(layout, repeats={"copy": driver_key, "same": content_key})
    family, split = name.split("_")
    folder = {"refcoco": "RefCOCO", "refcoco+": "RefCOCOplus", "refcocog": "RefCOCOg"}[family]
    return (
        named("official", f"{name}.json|annotations/{name}.json", adapt=from_authors),
        named("qwen_vl_jsonl", f"{name}.jsonl", adapt=from_lines),
        named("vlmevalkit_tsv", "RefCOCO.tsv", adapt=partial(from_table, title)),
        named("hf_parquet", f"{folder}/**/{split}-*.parquet", adapt=from_objects),
    )


def to_sample(record: Record) -> Sample:
    """Map a record of the authors' list."""
    size = re.fullmatch(r"height(\d+)_width(\d+)", record["question_id"])
    return Sample(
        id=content_key(record) + (f"#{record['same'] + 1}" if record["same"] else ""),
        parts=tuple(map(Image, image_handles(record.get("image")))),
        question=record["question"],
        references=(write(record["gt_answers"]),),
        cluster=PurePosixPath(record["image_path"]).stem,
        groups={"copy": "repeat" if record["copy"] else "first"},
        fields={
            "width": int(size[2]) if size else None,
            "height": int(size[1]) if size else None,
            "image": PurePosixPath(record["image_path"]).name,
            "question_id": record["question_id"],
            "index": str(record.get("index", "")),
        },
    )


def ideal(sample: Sample) -> str:
    """The box as SPHINX writes it, with more decimals than it has, so that small objects are hit."""
    return f"[{','.join(f'{edge:.5f}' for edge in from_pixels(read(sample.references[0]), 'square', *picture_size(sample)))}]"


METRICS = (*HIT_METRICS, Metric(name="accuracy_distinct", estimator=mean("hit", where={"copy": "first"})))


def framed(frame: Frame, note: str) -> Convention:
    """For models that answer in another frame of the unpadded picture: their first box after any reasoning."""
    return Convention(parse=answer_box, score=frame_score(frame), frame=frame, metrics=METRICS, primary="accuracy", note=note)


CONVENTIONS = {
    "official": Convention(
        parse=first_brackets, score=frame_score("square"), frame="square", metrics=METRICS, primary="accuracy"
    ),
    "pixels": framed("pixels", "For models that answer in pixels of the picture."),
    "unit": framed("unit", "For models that answer in fractions of the unpadded picture."),
    "thousandths": framed("thousandths", "For models that answer in thousandths of the unpadded picture."),
    "qwen_vl": framed("thousandths_999", "Thousandths divided by 999, as Qwen-VL's own script has them."),
    "vlmevalkit": Convention(
        parse=lenient_numbers,
        score=guessed_frame_score(),
        metrics=METRICS,
        primary="accuracy",
        note="Any four numbers; the frame is guessed from the largest, so pixels up to 1000 are read as thousandths.",
    ),
    "lmms_eval": Convention(
        parse=bracketed_decimals,
        score=threshold_score(in_unit_frame),
        frame="unit",
        metrics=THRESHOLD_METRICS,
        primary="acc@0.5",
        note="refcoco_bbox_rec: plain decimals in brackets, fractions of the unpadded picture.",
    ),
    "lmms_eval_grounding": Convention(
        parse=all_boxes,
        score=threshold_score(best_reading),
        metrics=THRESHOLD_METRICS,
        primary="acc@0.5",
        note="refcoco_grounding: an oracle; of all boxes, as pixels and as thousandths, the one nearest the reference counts.",
    ),
}

TASKS = tuple(
    Task(
        name=name,
        card=Card(
            title=title,
            asks="Where is what this expression describes? One box.",
            split=f"{title.split()[1]} ({'UMD' if 'g' in title.split()[0] else 'UNC'})",
            n=n,
            paper="arXiv 1608.00272 (RefCOCO, RefCOCO+), 1511.02283 (RefCOCOg)",
            data=f"Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/annotations/{name}.json; COCO train2014",
            scorer="Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/evaluate.py, miou0.5",
            licence="COCO terms (pictures); none stated (expressions)",
            differences="accuracy is over all expressions; the authors' driver drops repeats first: accuracy_distinct.",
        ),
        layouts=layouts(name, title),
        to_sample=to_sample,
        prompt=lambda sample: PROMPT.format(sample.question),
        prompts={
            "lmms_eval": lambda sample: PROMPT_LMMS.format(sample.question),
            "json": lambda sample: PROMPT_JSON.format(sample.question),
        },
        conventions=CONVENTIONS,
        ideal=ideal,
        generation=Generation(max_new_tokens=30),
    )
    for name, (title, n) in SPLITS.items()
)
