"""ScreenSpot: where on this screen is what the instruction wants? A click is right if it lies in the element.

Paper: Cheng et al., SeeClick: Harnessing GUI Grounding for Advanced Visual GUI Agents, ACL 2024, arXiv 2401.10935.
Data: njucckevin/SeeClick: screenspot_{mobile,desktop,web}.json and screenspot_imgs/; boxes are x,y,width,height in pixels. 1,272
instructions: mobile 273 text and 229 icon, desktop 194 and 140, web 230 and 206. ScreenSpot-v2, a later correction, is not this.
Licence: Apache-2.0 (as the copy on the Hugging Face hub states it).
Official scorer: njucckevin/SeeClick at 0ef37ac, pretrain/screenspot_test.py: accuracy of text and of icon on each platform. The
average of the six is what tables print.
Differences: the model's frame is undone if it declares one (SPHINX answers in the padded square); the scorer knows fractions of
the picture, and thousandths where the reply says box. mean_of_types and accuracy by platform are the two readings of papers that
print one number a platform.
"""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

from harness.conventions import clicks, ideal_click
from harness.data.expressions import expression_key, expression_sample
from harness.data.sources import layout
from harness.data.steps import columns, from_file_name, media, picture_facts, pixel_box
from harness.fetch.sources import VLMEVALKIT, Offer, WebFile, on_hub
from harness.prompts import BOX_OF_FRACTIONS, fill
from harness.task import Card, Task
from harness.types import Generation, Record, Sample

PROMPT = 'In this UI screenshot, what is the position of the element corresponding to the command "{question}" (with point)?'
DESCRIBED = "this sentence describes"
BOX_IN_PAIR = BOX_OF_FRACTIONS.replace("0 and 1.", "0 and 1 with two decimal places of precision (e.g., 0.15).").replace(
    f"coordinate of the region {DESCRIBED}", "coordinates of the region that corresponds to the command"
)
CALL = (
    "You are a GUI agent. You are given a task and a screenshot of the screen. You need to perform pyautogui click/moveTo action "
    "to complete the task. The answer format is `pyautogui.click(x=?, y=?), x and y is necessary`\n"
    "Please complete the following tasks by clicking using `pyautogui.click`:\n{question}"
)
PLATFORMS = {"ios": "mobile", "android": "mobile", "macos": "desktop", "windows": "desktop"}
"""By the source of the data; all others are web."""
TABLE = VLMEVALKIT.replace("VLMEval", "benchmarks/GUI/ScreenSpot/ScreenSpot_{}.tsv")
TABLES = {"Mobile": "a5b5299843a75c9b9574c47bc13b2c53", "Desktop": "e6e7bac21b6b2475276404fce2458132",
          "Web": "e51d168c14b8582427cf3107d236cfc5"}  # fmt: skip
"""VLMEvalKit's address of a platform's table, and the checksums."""


def key(record: Record) -> str:
    """Instruction, box and picture."""
    return expression_key(record, PurePosixPath(record["image_path"]).stem)


named = partial(layout, repeats={"same": key})
FILED = (
    columns(question="instruction|question", image_path="img_filename|image_path|file_name"),
    from_file_name("platform", "(?i)mobile|desktop|web"),
)
CORNERED = pixel_box("box", "bbox", "corner_and_size")
LAYOUTS = (
    named(
        "official",
        *(f"screenspot_{name}.json" for name in ("mobile", "desktop", "web")),
        steps=(*FILED, media(below="screenspot_imgs"), picture_facts, CORNERED),
    ),
    named("vlmevalkit_tsv", *(f"ScreenSpot_{name}.tsv" for name in TABLES), steps=(*FILED, picture_facts, CORNERED)),
    named("hf_parquet", "**/test-*.parquet", steps=(*FILED, picture_facts, pixel_box("box", "bbox", "unit"))),
)


def to_sample(record: Record) -> Sample:
    """Map a record; instructions on a screen are its cluster."""
    platform = record["platform"].lower() or PLATFORMS.get(record["data_source"], "web")
    kind = record["data_type"]
    groups = {"cell": f"{platform}/{kind}", "platform": platform, "data_type": kind, "data_source": record["data_source"]}
    return expression_sample(record, key(record), groups=groups, fields={"index": str(record.get("index", ""))})


TASKS = (
    Task(
        name="screenspot",
        card=Card.of(__doc__, split="mobile, desktop, web", n=1272),
        layouts=LAYOUTS,
        sources=(
            on_hub("rootsautomation/ScreenSpot", "**/test-*.parquet"),
            Offer(
                layout="vlmevalkit_tsv",
                parts=tuple(WebFile(url=TABLE.format(name), digest=f"md5:{md5}") for name, md5 in TABLES.items()),
            ),
        ),
        to_sample=to_sample,
        prompt=fill(PROMPT),
        prompts={
            "sphinx": fill("Please provide the bounding box coordinate of the region this sentence describes: {question}."),
            "lmms_eval": fill(BOX_IN_PAIR),
            "vlmevalkit": fill(CALL),
        },
        conventions=clicks(),
        ideal=ideal_click,
        generation=Generation(max_new_tokens=64),
    ),
)
