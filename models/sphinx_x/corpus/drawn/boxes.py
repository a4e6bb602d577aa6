"""The data sets of boxes, phrases and classes, drawn: COCO's family, OpenImages, ImageNet, grounding, layout, scene text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.world import SHAPES, Box, Page, Scene, Thing
from models.sphinx_x.corpus.drawn.paper import Paper

CATEGORIES = {shape: number for number, shape in enumerate(SHAPES, start=1)}
JOINTS = ("nose", "left_shoulder", "right_shoulder")


def _xywh(box: Box) -> list[int]:
    return [box.x0, box.y0, box.width, box.height]


def _corners(box: Box) -> list[int]:
    return [box.x0, box.y0, box.x1, box.y1]


def _image(number: int, world: Scene | Page, **facts: Any) -> dict[str, Any]:
    return {"id": number, "width": world.image.width, "height": world.image.height, **facts}


def _categories(**more: Any) -> list[dict[str, Any]]:
    return [{"id": number, "name": shape, **more} for shape, number in CATEGORIES.items()]


def _coco(images: list[Any], annotations: list[Any], categories: list[Any]) -> dict[str, Any]:
    numbered = [{"id": number, "iscrowd": 0, **one} for number, one in enumerate(annotations, start=1)]
    return {"info": {}, "licenses": [], "images": images, "annotations": numbered, "categories": categories}


def _scenes(annotations: str, pictures: str, named: Callable[[str], dict[str, str]]) -> Callable[[Paper], None]:
    """Return a writer of one data set in COCO's form; ``named`` gives what its images say of where their file is."""

    def write(paper: Paper) -> None:
        images, objects = [], []
        for number, scene in paper.scenes(pictures):
            images.append(_image(number, scene, **named(pictures.format(number))))
            objects += [
                {"image_id": number, "category_id": CATEGORIES[thing.shape], "bbox": _xywh(thing.box), "area": 1}
                for thing in scene.things
            ]
        paper.json(annotations, _coco(images, objects, _categories()))

    return write


def _below(folder: str) -> Callable[[str], dict[str, str]]:
    return lambda path: {"file_name": path.removeprefix(f"{folder}/")}


def _joints(thing: Thing) -> list[float]:
    """The nose in the middle of the upper edge, the shoulders in the middle of the sides, of which the right one is hidden."""
    box = thing.box
    x, y = box.centre
    return [x, box.y0, 2, box.x0, y, 2, 0, 0, 0]


def _people(annotations: str, pictures: str, folder: str) -> Callable[[Paper], None]:
    def write(paper: Paper) -> None:
        images, people = [], []
        for number, scene in paper.scenes(pictures):
            images.append(_image(number, scene, **_below(folder)(pictures.format(number))))
            people += [
                {"image_id": number, "category_id": 1, "bbox": _xywh(one.box), "keypoints": _joints(one), "num_keypoints": 2}
                for one in scene.things
            ]
        paper.json(annotations, _coco(images, people, [{"id": 1, "name": "person", "keypoints": list(JOINTS)}]))

    return write


def open_images(paper: Paper) -> None:
    """OpenImages: a table of fractions, and the names of its classes."""
    rows = ["ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"]
    for number, scene in paper.scenes("open_images/train/{:016x}.jpg"):
        width, height = scene.image.size
        for thing in scene.things:
            box = thing.box
            edges = (box.x0 / width, box.x1 / width, box.y0 / height, box.y1 / height)
            rows.append(f"{number:016x},xclick,/m/{thing.shape},1,{','.join(f'{edge:.6f}' for edge in edges)},0,0,0,0,0")
    paper.text("open_images/train-annotations-bbox.csv", "\n".join(rows) + "\n")
    names = "".join(f"/m/{shape},{shape.title()}\n" for shape in CATEGORIES)
    paper.text("open_images/class-descriptions-boxable.csv", names)


def imagenet(paper: Paper) -> None:
    """ImageNet: a folder a class, named by its first thing."""
    for number, scene in paper.scenes(""):
        key = f"n{CATEGORIES[scene.things[0].shape]:08d}"
        paper.save(scene, f"imagenet/ILSVRC/Data/CLS-LOC/train/{key}/{key}_{number}.jpg")
    lines = [f"n{number:08d} {shape}, plane figure\n" for shape, number in CATEGORIES.items()]
    paper.text("imagenet/LOC_synset_mapping.txt", "".join(lines))


def visual_genome(paper: Paper) -> None:
    """Visual Genome: regions with phrases; every second picture lies in the second folder."""
    records = []
    for number, scene in paper.scenes(""):
        paper.save(scene, f"visual_genome/VG_100K{'' if number % 2 else '_2'}/{number}.jpg")
        regions = [
            {"region_id": at, "image_id": number, "phrase": f"a {thing.size} {thing.colour} {thing.shape}."}
            | dict(zip(("x", "y", "width", "height"), _xywh(thing.box), strict=True))
            for at, thing in enumerate(scene.things)
        ]
        records.append({"id": number, "regions": regions})
    paper.json("visual_genome/region_descriptions.json", records)


def _refs(folder: str, split_by: str) -> Callable[[Paper], None]:
    """RefCOCO's expressions as JSON, and the COCO file of their objects."""

    def write(paper: Paper) -> None:
        images: list[Any] = []
        objects: list[Any] = []
        refs: list[Any] = []
        for number, scene in paper.scenes("coco/train2014/COCO_train2014_{:012d}.jpg"):
            images.append(_image(number, scene, file_name=f"COCO_train2014_{number:012d}.jpg"))
            for thing in scene.things:
                objects.append({"image_id": number, "category_id": CATEGORIES[thing.shape], "bbox": _xywh(thing.box)})
                said = [f"the {thing.colour} {thing.shape}", f"{thing.size} {thing.colour} one"]
                refs.append(
                    {
                        "ref_id": len(refs),
                        "ann_id": len(objects),
                        "image_id": number,
                        "split": "val" if len(refs) % 5 == 4 else "train",
                    }
                    | {"sentences": [{"sent_id": at, "sent": sent} for at, sent in enumerate(said)]}
                )
        paper.json(f"refer/{folder}/refs({split_by}).json", refs)
        paper.json(f"refer/{folder}/instances.json", _coco(images, objects, _categories()))

    return write


def flickr30k(paper: Paper) -> None:
    """Flickr30k Entities: sentences with marked phrases, XML with boxes of the same numbers."""
    for number, scene in paper.scenes("flickr30k/flickr30k-images/{}.jpg"):
        phrases = [f"[/EN#{at}/other a {thing.colour} {thing.shape}]" for at, thing in enumerate(scene.things, start=1)]
        paper.text(f"flickr30k/Sentences/{number}.txt", f"{' and '.join(phrases)} on [/EN#0/notvisual the ground] .\n")
        edges = ("xmin", "ymin", "xmax", "ymax")
        objects = [
            f"<object><name>{at}</name><bndbox>"
            + "".join(f"<{edge}>{value}</{edge}>" for edge, value in zip(edges, _corners(thing.box), strict=True))
            + "</bndbox></object>"
            for at, thing in enumerate(scene.things, start=1)
        ]
        width, height = scene.image.size
        size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        none = "<object><name>0</name><scene>0</scene><nobndbox>1</nobndbox></object>"
        paper.text(f"flickr30k/Annotations/{number}.xml", f"<annotation>{size}{''.join(objects)}{none}</annotation>\n")


def _documents(annotations: str, pictures: str, folder: str) -> Callable[[Paper], None]:
    """A data set of page layouts in COCO's form: every field a text, the title a title."""

    def write(paper: Paper) -> None:
        images, parts = [], []
        for number, page in paper.pages(pictures):
            images.append(_image(number, page, **_below(folder)(pictures.format(number))))
            parts += [{"image_id": number, "category_id": 1, "bbox": _xywh(field.box)} for field in page.fields]
            if page.title:
                parts.append({"image_id": number, "category_id": 2, "bbox": _xywh(_around(_title(page)))})
        paper.json(annotations, _coco(images, parts, [{"id": 1, "name": "text"}, {"id": 2, "name": "title"}]))

    return write


def _title(page: Page) -> list[Box]:
    return [glyph.box for glyph in page.glyphs[: len(page.title.replace(" ", ""))]]


def _around(boxes: Sequence[Box]) -> Box:
    return Box(min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes))


def doc_bank(paper: Paper) -> None:
    """DocBank: a line a token, in thousandths of the page."""
    for number, page in paper.pages("doc_bank/DocBank_500K_ori_img/{}_ori.jpg"):
        width, height = page.image.size
        lines: list[str] = []
        for field in page.fields:
            box = field.box
            edges = (box.x0 * 1000 // width, box.y0 * 1000 // height, box.x1 * 1000 // width, box.y1 * 1000 // height)
            label = "paragraph" if len(lines) < 2 else "table"
            lines.append("\t".join([field.value, *map(str, edges), "0", "0", "0", "Font", label]))
        paper.text(f"doc_bank/DocBank_500K_txt/{number}.txt", "\n".join(lines) + "\n")


def icdar(paper: Paper) -> None:
    """ICDAR 2015: four corners and a word a line, behind a byte-order mark; one region that nobody can read."""
    for number, sign in paper.signs("icdar/ch4_training_images/img_{}.jpg"):
        box = sign.box
        corners = (box.x0, box.y0, box.x1, box.y0, box.x1, box.y1, box.x0, box.y1)
        lines = [f"{','.join(map(str, corners))},{sign.word}", "0,0,4,0,4,4,0,4,###"]
        name = f"icdar/ch4_training_localization_transcription_gt/gt_img_{number}.txt"
        paper.text(name, "\ufeff" + "\r\n".join(lines) + "\r\n")


def ctw1500(paper: Paper) -> None:
    """CTW1500: fourteen points and a text a line."""
    for number, sign in paper.signs("ctw1500/train_images/{:04d}.jpg"):
        box = sign.box
        upper = [(box.x0 + box.width * at // 6, box.y0) for at in range(7)]
        points = upper + [(x, box.y1) for x, _ in reversed(upper)]
        line = ",".join(f"{x},{y}" for x, y in points) + f",####{sign.word}"
        paper.text(f"ctw1500/gt_ctw1500/{number:04d}.txt", line + "\n")


BOXES: dict[str, Callable[[Paper], None]] = {
    "v3det": _scenes("v3det/v3det_2023_v1_train.json", "v3det/images/a00000066/{}.jpg", _below("v3det")),
    "open_images": open_images,
    "lvis": _scenes(
        "lvis/lvis_v1_train.json",
        "coco/train2017/{:012d}.jpg",
        lambda path: {"coco_url": f"http://example.org/{path.removeprefix('coco/')}"},
    ),
    "coco_detection": _scenes(
        "coco/annotations/instances_train2017.json", "coco/train2017/{:012d}.jpg", _below("coco/train2017")
    ),
    "objects365": _scenes("objects365/zhiyuan_objv2_train.json", "objects365/train/patch0/{}.jpg", _below("objects365/train")),
    "unipose": _people("unikpt/unikpt_train.json", "unikpt/images/{}.jpg", "unikpt"),
    "coco_pose": _people("coco/annotations/person_keypoints_train2017.json", "coco/train2017/{:012d}.jpg", "coco/train2017"),
    "imagenet": imagenet,
    "visual_genome": visual_genome,
    "refcoco": _refs("refcoco", "unc"),
    "refcoco+": _refs("refcoco+", "unc"),
    "refcocog": _refs("refcocog", "umd"),
    "flickr30k": flickr30k,
    "doc_bank": doc_bank,
    "m6doc": _documents("m6doc/annotations/instances_train2017.json", "m6doc/train2017/{}.jpg", "m6doc/train2017"),
    "publaynet": _documents("publaynet/train.json", "publaynet/train/{}.jpg", "publaynet/train"),
    "doclaynet": _documents("doclaynet/COCO/train.json", "doclaynet/PNG/{}.png", "doclaynet/PNG"),
    "icdar": icdar,
    "ctw1500": ctw1500,
}
"""Data set -> what draws it."""
