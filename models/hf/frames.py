"""In which frame families of models write boxes: what their makers say, by ``model_type`` of the configuration.

Left out on purpose, so that they are scored as before unless ``model.box_frame`` says otherwise: Qwen2.5-VL writes pixels of the
picture as its processor resized it (QwenLM/Qwen3-VL issue 676), LLaVA-1.5 fractions of a padded square which the library's
processor does not make (haotian-liu/LLaVA issue 606), PaliGemma, Florence-2 and Kosmos-2 tokens of their own. No frame of
`harness.boxes` is any of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.boxes import Frame

BOX_FRAMES: Final[Mapping[str, Frame]] = {
    "qwen2_vl": "thousandths",  # QwenLM/Qwen3-VL issue 189; qwen-vl-finetune/tools/process_bbox.ipynb, convert_to_qwen2vl_format
    "qwen3_vl": "thousandths",  # the same function (issue 1486); "relative coordinates ranging from 0 to 1000" (issue 1741)
    "qwen3_vl_moe": "thousandths",
    "internvl": "thousandths",  # internvl.readthedocs.io, Chat Data Format, Grounding / Detection Data
}


def box_frame_of(model_type: str) -> Frame | None:
    """Return the frame of a family's boxes; None where it is unknown, or none that `harness.boxes` has."""
    return BOX_FRAMES.get(model_type)
