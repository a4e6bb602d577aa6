"""Whether one of several candidates for an answer holds a right one: MMMU's and CMMMU's open questions, TinyLVLM-eHub's words.

Not here: where the candidates come from (`harness.parsers.tails`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.metrics.vqa import PYTHON3, normalise_answer
from harness.parsers.tails import Value


def holding(candidates: Iterable[Value], right: Sequence[Value]) -> int:
    """How many candidates are right: a number that equals one of ``right``, or a text within which one stands.

    Source: MMMU-Benchmark/MMMU mmmu/utils/eval_utils.py eval_open, for which one is enough.

    >>> holding(["category", 2.5], ["cat"]), holding([17.0], [7.0])
    (1, 0)
    """
    texts = [one for one in right if isinstance(one, str)]
    return sum(any(one in value for one in texts) if isinstance(value, str) else value in right for value in candidates)


def word_in(prediction: str, references: Sequence[str]) -> float:
    """1 if a reference stands in the prediction between word boundaries, both normalised as the VQA challenge does; else 0.

    A reference that is an article only is normalised to nothing, which stands in any reply that is not empty.
    Source: OpenGVLab/Multi-Modality-Arena tiny_lvlm_evaluation/utils/tools.py VQAEval.evaluate.

    >>> word_in("It is not a cat.", ["Cat"]), word_in("cats", ["cat"]), word_in("two dogs", ["2"])
    (1.0, 0.0, 1.0)
    """
    said = normalise_answer(prediction, PYTHON3)
    return float(any(re.search(rf"\b{re.escape(normalise_answer(one, PYTHON3))}\b", said) for one in references))
