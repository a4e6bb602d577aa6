"""The data sets of text, drawn: dialogues, mathematics and code, questions, captions, instructions, made corpora."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from harness.world import Scene, Table
from models.sphinx_x.corpus.drawn.paper import Paper

TRAIN2014 = "coco/train2014/COCO_train2014_{:012d}.jpg"
TRAIN2017 = "coco/train2017/{:012d}.jpg"


def _colour_question(scene: Scene) -> tuple[str, str]:
    """A question about a thing whose shape occurs once, or about the number of things."""
    shapes = [thing.shape for thing in scene.things]
    for thing in scene.things:
        if shapes.count(thing.shape) == 1:
            return f"What color is the {thing.shape}?", thing.colour
    return "How many things are there?", str(len(scene.things))


def _sentence(scene: Scene) -> str:
    return " and ".join(f"a {thing.colour} {thing.shape}" for thing in scene.things).capitalize() + "."


def ultrachat(paper: Paper) -> None:
    """UltraChat: texts that alternate; one chat ends with a question."""
    chats = [
        {"id": str(at), "data": [f"What is {at} + 1?", str(at + 1), "And twice that?", str(2 * at + 2)]} for at in range(paper.n)
    ]
    chats[-1]["data"] = [*chats[-1]["data"], "Thanks!"]
    paper.lines("ultrachat/train_0.jsonl", chats)


def open_orca(paper: Paper) -> None:
    """OpenOrca: a parquet file with a system prompt, which half of the rows leave empty."""
    import pyarrow
    from pyarrow import parquet

    rows = [
        {"id": f"niv.{at}", "system_prompt": "Be brief." * (at % 2), "question": f"Spell {at}.", "response": f"It is {at}."}
        for at in range(paper.n)
    ]
    (paper.root / "open_orca").mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), paper.root / "open_orca/1M-GPT4-Augmented.parquet")


def _pairs(path: str, question: str, answer: str) -> Callable[[Paper], None]:
    def write(paper: Paper) -> None:
        paper.json(path, [{question: f"Compute {at} * {at}.", answer: f"{at} * {at} = {at * at}."} for at in range(paper.n)])

    return write


def flan_mini(paper: Paper) -> None:
    """Flan-mini: conversations without pictures."""
    paper.json("flan_mini/flan_mini.json", [_talk(str(at), f"Is {at} even?", "no" if at % 2 else "yes") for at in range(paper.n)])


def _talk(name: str, question: str, answer: str, image: str | None = None) -> dict[str, Any]:
    marker = "<image>\n" if image else ""
    said = [{"from": "human", "value": marker + question}, {"from": "gpt", "value": answer}]
    return {"id": name, **({"image": image} if image else {}), "conversations": said}


def _balanced(folder: str, questions: str, annotations: str, chosen: bool) -> Callable[[Paper], None]:
    """VQAv2 and OKVQA: questions and the answers of ten people apart."""

    def write(paper: Paper) -> None:
        asked, told = [], []
        for number, scene in paper.scenes(TRAIN2014):
            for at, (question, answer) in enumerate([_colour_question(scene), ("Is this a picture?", "yes")]):
                facts = {"question_id": number * 1000 + at, "image_id": number}
                asked.append({**facts, "question": question})
                people = [{"answer": answer if person < 9 else "maybe", "answer_id": person + 1} for person in range(10)]
                told.append({**facts, "answers": people, **({"multiple_choice_answer": answer} if chosen else {})})
        paper.json(f"{folder}/{questions}", {"info": {}, "questions": asked})
        paper.json(f"{folder}/{annotations}", {"info": {}, "annotations": told})

    return write


def gqa(paper: Paper) -> None:
    """GQA: an object of questions by their id."""
    records = {}
    for number, scene in paper.scenes("gqa/images/{}.jpg"):
        question, answer = _colour_question(scene)
        records[f"{number:08d}"] = {
            "imageId": str(number),
            "question": question,
            "answer": answer,
            "fullAnswer": f"It is {answer}.",
        }
    paper.json("gqa/train_balanced_questions.json", records)


def visual_genome_qa(paper: Paper) -> None:
    """Visual Genome: questions and answers of each picture."""
    records = []
    for number, scene in paper.scenes("visual_genome/VG_100K/{}.jpg"):
        question, answer = _colour_question(scene)
        records.append(
            {"id": number, "qas": [{"qa_id": number, "image_id": number, "question": question, "answer": f"{answer}."}]}
        )
    paper.json("visual_genome/question_answers.json", records)


def clevr(paper: Paper) -> None:
    """CLEVR: questions with the name of their picture."""
    asked = []
    for number, scene in paper.scenes("CLEVR_v1.0/images/train/CLEVR_train_{:06d}.png"):
        asked.append({"image_filename": f"CLEVR_train_{number:06d}.png", "question": "How many things are there?"})
        asked[-1]["answer"] = str(len(scene.things))
    paper.json("CLEVR_v1.0/questions/CLEVR_train_questions.json", {"info": {}, "questions": asked})


def chartqa(paper: Paper) -> None:
    """ChartQA: questions of people, and made ones."""
    human, augmented = [], []
    for number, chart in paper.charts("chartqa/train/png/{}.png"):
        bar = chart.bars[0]
        human.append({"imgname": f"{number}.png", "query": f"What is the value of {bar.name}?", "label": str(bar.value)})
        augmented.append({"imgname": f"{number}.png", "query": f"What color is {bar.name}?", "label": bar.colour})
    paper.json("chartqa/train/train_human.json", human)
    paper.json("chartqa/train/train_augmented.json", augmented)


def dvqa(paper: Paper) -> None:
    """DVQA: a list of questions about bar charts."""
    asked = []
    for number, chart in paper.charts("dvqa/images/bar_train_{:08d}.png"):
        facts = {"image": f"bar_train_{number:08d}.png", "question_id": number}
        asked.append({**facts, "question": "How many bars are there?", "answer": str(len(chart.bars))})
    paper.json("dvqa/train_qa.json", asked)


def _forms(path: str, pictures: str, column: str, below: str) -> Callable[[Paper], None]:
    """DocVQA and InfographicsVQA: questions about pages, with a list of answers."""

    def write(paper: Paper) -> None:
        asked = []
        for number, page in paper.pages(pictures):
            for at, field in enumerate(page.fields[:2]):
                facts = {"questionId": number * 10 + at, column: pictures.format(number).removeprefix(below)}
                asked.append({**facts, "question": f"What is the {field.name}?", "answers": [field.value]})
        paper.json(path, {"dataset_split": "train", "data": asked})

    return write


def textvqa(paper: Paper) -> None:
    """TextVQA: ten answers a question."""
    asked = []
    for number, sign in paper.signs("textvqa/train_images/{:016x}.jpg"):
        answers = [sign.word.lower()] * 9 + ["unanswerable"]
        asked.append({"image_id": f"{number:016x}", "question": "What does the sign say?", "answers": answers})
    paper.json("textvqa/TextVQA_0.5.1_train.json", {"dataset_type": "train", "data": asked})


def visual_mrc(paper: Paper) -> None:
    """VisualMRC: pages with several questions each, whose texts lie deeper."""
    records = []
    for number, page in paper.pages("visual_mrc/images/{}.png"):
        asked = [
            {"question": {"text": f"What is the {one.name}?"}, "answer": {"text": f"It is {one.value}."}} for one in page.fields
        ]
        records.append({"id": number, "image_filename": f"images/{number}.png", "qa_data": asked})
    paper.lines("visual_mrc/data/train.jsonl", records)


def _due(name: str, told: Callable[[Table], Sequence[tuple[str, str]]]) -> Callable[[Paper], None]:
    """A data set of the DUE benchmark: documents with keys and values."""

    def write(paper: Paper) -> None:
        records = []
        for number, table in paper.tables(f"due/{name}/png/doc-{{}}.png"):
            entries = [{"key": key, "values": [{"value": value, "value_variants": [value]}]} for key, value in told(table)]
            records.append({"name": f"doc-{number}", "language": "en", "split": "train", "annotations": entries})
        paper.lines(f"due/{name}/train/document.jsonl", records)

    return write


def _cells(table: Table) -> list[tuple[str, str]]:
    return [(f"{table.names[0]}_{column}", value) for column, value in zip(table.columns, table.rows[0], strict=True)]


def _cell_questions(table: Table) -> list[tuple[str, str]]:
    return [(f"What is {key.replace('_', ' in column ')}?", value) for key, value in _cells(table)]


def _statements(table: Table) -> list[tuple[str, str]]:
    (key, value), *_ = _cells(table)
    told = f"{key.replace('_', ' has in column ')} the value"
    return [(f"{told} {value}.", "1"), (f"{told} {value}0.", "0")]


def coco_caption(paper: Paper) -> None:
    """COCO captions: two a picture."""
    images: list[Any] = []
    told: list[Any] = []
    for number, scene in paper.scenes(TRAIN2017):
        images.append({"id": number, "file_name": f"{number:012d}.jpg"})
        for text in (_sentence(scene), f"A drawing of {_sentence(scene).lower()}"):
            told.append({"image_id": number, "id": len(told) + 1, "caption": text})
    paper.json("coco/annotations/captions_train2017.json", {"images": images, "annotations": told})


def laion_gpt4v(paper: Paper) -> None:
    """LAION-GPT4V: long captions, with the names under which the pictures were fetched."""
    scenes = paper.scenes("laion_gpt4v/images/{}.jpg")
    paper.lines(
        "laion_gpt4v/train.jsonl", [{"image": f"{n}.jpg", "caption": f"The image shows {_sentence(s)}"} for n, s in scenes]
    )


def _instructions(path: str, pictures: str, below: str = "") -> Callable[[Paper], None]:
    """LLaVA's form, with pictures named relative to ``below``."""

    def write(paper: Paper) -> None:
        talks = [
            _talk(str(number), "What do you see?", _sentence(scene), pictures.format(number).removeprefix(below))
            for number, scene in paper.scenes(pictures)
        ]
        (paper.lines if PurePosixPath(path).suffix == ".jsonl" else paper.json)(path, talks)

    return write


TALK: dict[str, Callable[[Paper], None]] = {
    "ultrachat": ultrachat,
    "flan_mini": flan_mini,
    "open_orca": open_orca,
    "meta_math_qa": _pairs("meta_math_qa/MetaMathQA-395K.json", "query", "response"),
    "math_instruct": _pairs("math_instruct/MathInstruct.json", "instruction", "output"),
    "wizard_coder": _pairs("wizard_coder/EvolInstruct-Code-80k.json", "instruction", "output"),
    "vqav2": _balanced(
        "vqav2", "v2_OpenEnded_mscoco_train2014_questions.json", "v2_mscoco_train2014_annotations.json", chosen=True
    ),
    "okvqa": _balanced("okvqa", "OpenEnded_mscoco_train2014_questions.json", "mscoco_train2014_annotations.json", chosen=False),
    "gqa": gqa,
    "visual_genome_qa": visual_genome_qa,
    "clevr": clevr,
    "chartqa": chartqa,
    "dvqa": dvqa,
    "docvqa": _forms("docvqa/train_v1.0.json", "docvqa/documents/{}.png", "image", "docvqa/"),
    "infographics_vqa": _forms(
        "infographics_vqa/infographicsVQA_train_v1.0.json",
        "infographics_vqa/images/{}.jpeg",
        "image_local_name",
        "infographics_vqa/images/",
    ),
    "textvqa": textvqa,
    "visual_mrc": visual_mrc,
    "deepform": _due("DeepForm", _cells),
    "kleister_charity": _due("KleisterCharity", _cells),
    "wiki_table_questions": _due("WikiTableQuestions", _cell_questions),
    "tabfact": _due("TabFact", _statements),
    "coco_caption": coco_caption,
    "sharegpt4v": _instructions("sharegpt4v/sharegpt4v_instruct_gpt4-vision_cap100k.json", TRAIN2017),
    "laion_gpt4v": laion_gpt4v,
    "llava": _instructions("llava/llava_instruct_150k.json", TRAIN2017, "coco/train2017/"),
    "lvis_instruct4v": _instructions("lvis_instruct4v/lvis_instruct4v_220k.json", TRAIN2017),
    "llavar": _instructions("llavar/llava_instruct_150k_llavar_20k.json", "llavar/images/{}.jpg", "llavar/images/"),
    "paper_text": _instructions("paper_text/pages.jsonl", "paper_text/pages/{}.png", "paper_text/"),
    **{
        f"marks_{kind}": _instructions(f"marks/{kind}.jsonl", f"marks/{kind}/{{}}.png")
        for kind in ("natural", "screens", "ocr", "documents", "panels")
    },
}
"""Data set -> what draws it."""
