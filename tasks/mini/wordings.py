"""How the mini benchmarks word their questions: every sentence template in one place, as data.

They follow the wordings of the benchmarks they stand in for. A training corpus must use none of them (a test compares the two
sets), so that a score on a mini benchmark says that a question was understood and not that its wording was remembered.
Fields: ``a_thing`` "an orange ring", ``thing``/``other`` "orange ring", ``a_shape`` "a ring", ``number`` "two" or "7".
"""

from __future__ import annotations

from typing import Final

_YES_NO: Final = " Please answer yes or no."

EVAL_TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    "pope": ("Is there {a_thing} in the image?",),
    "mme/existence": ("Is there {a_shape} in this image?" + _YES_NO,),
    "mme/count/one": ("Is there only one shape in the image?" + _YES_NO,),
    "mme/count": ("Are there a total of {number} shapes in the image?" + _YES_NO,),
    "mme/position/left": ("Is the {thing} on the left side of the {other}?" + _YES_NO,),
    "mme/position/right": ("Is the {thing} on the right side of the {other}?" + _YES_NO,),
    "mme/position/above": ("Is the {thing} above the {other}?" + _YES_NO,),
    "mme/position/below": ("Is the {thing} under the {other}?" + _YES_NO,),
    "mme/color": ("Is there {a_thing} in the image?" + _YES_NO,),
    "mme/OCR": ('Is the word in the logo "{word}"?' + _YES_NO,),
    "mme/numerical_calculation": ("Is the answer to the arithmetic question in the image {number}?" + _YES_NO,),
    "mmbench_en/attribute_recognition/colour": ("What color is the {shape} in the image?",),
    "mmbench_en/attribute_recognition/shape": ("Which shape in the image is {colour}?",),
    "mmbench_en/object_localization/count": ("How many shapes are there in the image?",),
    "mmbench_en/object_localization/place": ("Where is the {thing} located in the image?",),
    "mmbench_en/spatial_relationship": ("What is the position of the {thing} relative to the {other}?",),
    "mmbench_en/ocr": ("Which word is written in the image?",),
    "mmbench_en/attribute_comparison/highest": ("Which bar in the chart is the tallest?",),
    "mmbench_en/attribute_comparison/lowest": ("Which bar in the chart is the shortest?",),
    "mmbench_en/structuralized_imagetext_understanding": ("According to the chart, what is the value of bar {name}?",),
    "mathvista/number": ("Which number is written in the image?",),
    "mathvista/sum": ("What is the sum of the two numbers in the image?",),
    "mathvista/bar/colour": ("What is the value of the {colour} bar?",),
    "mathvista/bar/name": ("What is the value of the bar labeled {name}?",),
    "mathvista/choice/highest": ("Which of the bars has the largest value?",),
    "mathvista/choice/lowest": ("Which of the bars has the smallest value?",),
    "docvqa/field": ("What is the {name}?", "What is the value of {name}?", "What is the entry for {name}?"),
    "docvqa/table": ("What is the value in row {row} and column {column}?",),
    "refcoco/look": ("{colour} {shape}", "the {colour} {shape}"),
    "refcoco/size": ("{size} {colour} {shape}", "the {shape} that is {size}"),
    "refcoco/place": ("{side} {shape}", "the {side} {shape}", "{side} {colour} {shape}"),
    "refcoco+/look": ("{colour} {shape}", "{shape} that is {colour}", "the {shape} in {colour}"),
    "refcoco+/size": ("the {shape} that is {size}", "{size} {colour} {shape}"),
    "refcocog/look": ("{a_thing} in the picture", "the {shape} which is {colour}", "{a_shape} of {colour} color"),
    "refcocog/place": ("{a_thing} at the {side} of the picture",),
    "refcocog/beside": ("the {thing} {relation} the {other}",),
    "videobench/direction": ("In which direction does the {thing} move in the video?",),
    "videobench/mover": ("What is moving in the video?",),
    "videobench/colour": ("What color is the shape that moves in the video?",),
    "videobench/shape": ("Which shape is moving in the video?",),
    "videobench/count": ("How many shapes can be seen in the video?",),
    "okvqa/sides": ("How many straight sides does a shape of this kind have?",),
    "vqav2/presence": ("Is there {a_thing} in the photo?",),
    "vqav2/count": ("How many shapes are in the photo?",),
    "vqav2/colour": ("What color is the {shape} in the photo?",),
    "vizwiz/word": ("What does this say?",),
    "textvqa/word": ("What is the word on the sign?",),
    "textvqa/entry": ("What is printed beside {name}?",),
    "gqa/relation/left": ("Is the {thing} to the left of the {other}?",),
    "gqa/relation/right": ("Is the {thing} to the right of the {other}?",),
    "gqa/relation/above": ("Does the {thing} lie above the {other}?",),
    "gqa/relation/below": ("Does the {thing} lie below the {other}?",),
    "gqa/colour": ("Which color is the {shape}?",),
    "gqa/choose": ("Is the {shape} {first} or {second}?",),
    "scienceqa/highest": ("Which bar of the chart stands for the greatest amount?",),
    "scienceqa/lowest": ("Which bar of the chart stands for the least amount?",),
    "scienceqa/count": ("How many objects does the drawing hold?",),
    "iconqa/count": ("How many shapes are shown?",),
    "iconqa/same": ("Which picture shows as many shapes as the first one?",),
    "ocrvqa/title": ("What is the title of this book?",),
    "ocrvqa/check": ("Is the title of this book {word}?",),
    "ai2d/left": ("What lies to the left of the {other} in the diagram?",),
    "ai2d/right": ("What lies to the right of the {other} in the diagram?",),
    "ai2d/above": ("What lies above the {other} in the diagram?",),
    "ai2d/below": ("What lies below the {other} in the diagram?",),
    "chartqa/value": ("How high does bar {name} reach?",),
    "chartqa/highest": ("Which bar reaches the highest value?",),
    "chartqa/lowest": ("Which bar reaches the lowest value?",),
    "infovqa/entry": ("What does the infographic give for {name}?",),
    "infovqa/bar": ("What does the infographic give for bar {name}?",),
    "deepform/property": ("{name}",),
    "kleister_charity/property": ("{name}",),
    "wikitablequestions/cell": ("what is listed for {row} under {column}?",),
    "wikitablequestions/row": ("what is listed for {row} under {column} and {other}?",),
    "tabfact/cell": ("{row} has a {column} of {number}",),
    "visualmrc/entry": ("Which value stands beside {name} on the page?",),
    "mmbench_cn/count": ("图中有几个图形？",),
    "mmbench_cn/side": ("{thing}在{other}的哪一边？",),
    "mmbench_cn/colour": ("图中的{shape}是什么颜色？",),
    "ccbench/count": ("这幅图里一共有多少个图形？",),
    "ccbench/side": ("{other}的哪一边是{thing}？",),
    "seedbench/count": ("How many shapes are in this drawing?",),
    "seedbench/side": ("Where does the {thing} lie relative to the {other}?",),
    "qbench_a1/there": ("Is there {a_thing} in the drawing?",),
    "qbench_a1/count": ("How many objects are there in this drawing?",),
    "qbench_a1/colour": ("What color is the {shape} in the drawing?",),
    "mmvp/there": ("Is there {a_thing} shown in the picture?",),
    "hallusionbench/there": ("Is {a_thing} shown in the image?",),
    "hallusionbench/sides": ("Does a {shape} have {number} straight sides?",),
    "mmmu_val/count": ("How many shapes does the drawing hold?",),
    "mmmu_val/colour": ("Which color does the {shape} have?",),
    "mmmu_val/entry": ("What is the value beside {name}?",),
    "cmmmu/side": ("从{other}看，{thing}位于哪一边？",),
    "cmmmu/there": ("图中有{a_thing}。",),
    "cmmmu/count": ("图中图形的个数是多少？",),
    "tiny_lvlm_ehub/count": ("How many objects can be seen in the drawing?",),
    "tiny_lvlm_ehub/colour": ("Which is the color of the {shape} in the drawing?",),
    "tiny_lvlm_ehub/word": ("Which word can be seen on the sign?",),
    "tiny_lvlm_ehub/sides": ("How many straight sides can be seen?",),
    "tiny_lvlm_ehub/presence": ("Is there {a_thing} in this drawing?",),
    "aesbench/side": ("On which side of the {other} does the {thing} lie?",),
    "aesbench/count": ("How many shapes are there in this drawing?",),
    "aesbench/level": ("Are there many shapes in the drawing?",),
    "aesbench/describe": ("What is there in the drawing?",),
    "mathverse/facts": ("The chart shows the bars {facts}.",),
    "mathverse/value": ("Find the value of bar {name}.",),
    "mathverse/value/shown": ("Find the value of the bar that is named below the chart.",),
    "mathverse/choice/highest": ("Find the highest of the bars.",),
    "mathverse/choice/lowest": ("Find the lowest of the bars.",),
    "mathverse/choice/shown": ("Find the bar that is asked for below the chart.",),
    "sciverse/lite/side": ("To which side of the {other} does the {thing} lie?",),
    "sciverse/lite/colour": ("Which color does light from the {shape} have?",),
    "sciverse/lite/count": ("How many of the shapes can be counted?",),
    "sciverse/rich/side": ("Sides are seen by who looks at the picture. To which side of the {other} does the {thing} lie?",),
    "sciverse/rich/colour": ("Light keeps the color of what it comes from. Which color does light from the {shape} have?",),
    "sciverse/rich/count": ("Shapes count alike, large or small. How many of the shapes can be counted?",),
    "sciverse/professional/side": (
        "Sides are seen by who looks at the picture, and go from one middle to the other. To which side of the {other} does the "
        "{thing} lie?",
    ),
    "sciverse/professional/colour": (
        "Light keeps the color of what it comes from, and a shape has one color. Which color does light from the {shape} have?",
    ),
    "sciverse/professional/count": (
        "Shapes count alike, large or small, and no two overlap. How many of the shapes can be counted?",
    ),
    "sciverse/shown": ("Give the answer to what is asked below the drawing.",),
}  # fmt: skip
"""Benchmark/question kind to its templates (`str.format` fields).

RefCOCO's are the referring expressions themselves. Phrases such as "red circle" cannot be worded otherwise; they name pairs of
colour and shape that training never names, so that the sentence is new all the same.
"""


def wording(kind: str, **fields: str) -> str:
    """Return the first sentence of a kind, filled.

    >>> wording("pope", a_thing="an orange ring")
    'Is there an orange ring in the image?'
    """
    return EVAL_TEMPLATES[kind][0].format(**fields)
