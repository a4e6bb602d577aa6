"""Detection: find and name all objects, key points, texts or parts of a page; boxes in words, as SPHINX-X writes them.

Paper: Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, arXiv 1405.0312; text forms: SPHINX-X, arXiv 2402.05935.
Data: cocodataset.org: annotations/{instances,person_keypoints}_val2017.json and val2017/; COCO-Text V2 (arXiv 1601.07140)
cocotext.v2.json; DocLayNet (arXiv 2206.01062) COCO/test.json and PNG/. Any file in COCO's form will do.
Licence: CC BY 4.0 (COCO, COCO-Text: annotations; pictures under Flickr's terms), CDLA-Permissive-1.0 (DocLayNet).
Official scorer: cocodataset/cocoapi, PythonAPI/pycocotools/cocoeval.py (boxes, key points); there is none of the text forms.
Differences: words have no confidence, so that all predictions of a reply count as equally sure; results in COCO's form keep
theirs. F1 at an IoU (or OKS) of 0.5 is the headline, as it needs none. An answer that names nothing is unparsed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from harness.boxes import Frame
from harness.data.coco import picture, read_coco, read_coco_text
from harness.data.sources import Reader, Step, images, layout
from harness.data.steps import where
from harness.metrics.aggregate import Metric, ratio
from harness.metrics.detection import key_point_similarity
from harness.metrics.grounding import picture_size
from harness.metrics.regions import F1, pose_score, precision_metrics, region_score
from harness.parsers.regions import as_written, folded, read_boxes, read_key_points
from harness.prompts import fill
from harness.regions import NOTHING, by_label, dumps, loads, written
from harness.task import Card, Convention, Layout, Parse, Score, Task
from harness.types import Generation, Record, Sample

NAMED = "\nName them with these words: {names}."
NEAR = Metric(name="near", estimator=ratio("near", "points"))


def to_sample(record: Record) -> Sample:
    """Map a picture with its regions."""
    names = {str(number): name for number, name in record["categories"].items()}
    return Sample(
        id=str(record["id"]),
        parts=images(record),
        options=tuple(dict.fromkeys(names.values())),
        references=tuple(map(dumps, record["regions"] or (NOTHING,))),
        cluster=str(record["id"]),
        fields={
            **{name: record[name] for name in ("width", "height", "key_points")},
            **{"categories": names, "names": ", ".join(names.values()), "index": str(record["id"])},
        },
    )


def framed(read: Callable[..., Parse], score: Score, metrics: Sequence[Metric]) -> dict[str, Convention]:
    """The rule for SPHINX's padded square, and for replies in the frames of others; what is read is kept in pixels."""

    def scored(frame: Frame, note: str = "") -> Convention:
        return Convention(
            parse=read(frame=frame), score=score, metrics=tuple(metrics), primary="f1", frame="pixels", note=note,
            in_frame=None if note else scored,
        )  # fmt: skip

    return {
        "official": scored("square"),
        "pixels": scored("pixels", "For replies in pixels of the picture."),
        "unit": scored("unit", "For replies in fractions of the unpadded picture."),
        "thousandths": scored("thousandths", "For replies in thousandths of the unpadded picture."),
    }


def ideal(sample: Sample) -> str:
    """Everything that is to be found, label by label."""
    size = picture_size(sample)
    regions = [one for one in map(loads, sample.references) if not one.get("ignored")]
    points = bool(sample.fields["key_points"])

    def bracket(label: str) -> str:
        own = [one for one in regions if one["label"] == label]
        if points:
            flat = ([edge for point in one["points"] for edge in point[:2]] for one in own)
            return ", ".join(f"{label} keypoints[{written(pairs, 'square', *size)}]" for pairs in flat)
        return f"{label}[{';'.join(written(one['box'], 'square', *size) for one in own)}]"

    return f"There are {', '.join(map(bracket, by_label(regions)))} in the image." if regions else "There is nothing."


def with_points(record: Record) -> bool:
    """Whether a key point is annotated on any object of the picture."""
    return any("points" in one and not one.get("ignored") for one in record["regions"])


def coco(files: str, *steps: Step, reader: Reader = read_coco) -> tuple[Layout, ...]:
    """A file in COCO's form, or in one that is read alike."""
    return (layout("official", files, steps=(picture, *steps), reader=reader),)


BOXES = framed(read_boxes, region_score(), (*F1, *precision_metrics()))
POSES = framed(read_key_points, pose_score, (*F1, *precision_metrics(key_point_similarity, most=20), NEAR))
TEXTS = framed(partial(read_boxes, as_written, counted=False), region_score(), F1)
FOLDED = framed(partial(read_boxes, folded, counted=False), region_score(fold=str.casefold), F1)["official"]

asked = partial(Task, to_sample=to_sample, ideal=ideal, generation=Generation(max_new_tokens=1024))
card = partial(Card.of, __doc__)

TASKS = (
    asked(
        name="detection",
        card=card(title="COCO detection", split="val2017", n=5000),
        layouts=coco("annotations/instances_val2017.json|instances*.json|*/instances*.json"),
        prompt=fill("Detect all objects shown in the image and provide their bounding box coordinates." + NAMED),
        conventions=BOXES,
    ),
    asked(
        name="document_layout",
        card=card(title="DocLayNet", split="test", n=4999),
        layouts=coco("COCO/test.json|layout*.json"),
        prompt=fill("Detect the layout of the document in the image." + NAMED),
        conventions=BOXES,
    ),
    asked(
        name="pose",
        card=card(title="COCO key points", split="val2017, pictures with key points", n=2346),
        layouts=coco("annotations/person_keypoints_val2017.json|*keypoints*.json|*/*keypoints*.json", where(with_points)),
        prompt=fill("Detect the key points of every {names} in the image."),
        conventions=POSES,
    ),
    asked(
        name="text_spotting",
        card=card(title="COCO-Text", split="val", n=10000),
        layouts=coco("cocotext*.json|TextOCR*.json", where(lambda row: row.get("set", "val") == "val"), reader=read_coco_text),
        prompt=fill("Detect all regions in the image that contain text and identify their content."),
        conventions={**TEXTS, "case_insensitive": FOLDED},
    ),
)
