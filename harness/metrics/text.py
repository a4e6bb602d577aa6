"""Similarity of short texts: ANLS as the DocVQA organisers compute it, and the reading of the DUE benchmark.

And exact match of short texts, in the foldings that scorers apply first. Not here: normalisations that belong to one benchmark's
answers (`harness.metrics.vqa`). Two functions for ANLS instead of one with switches, because the two published rules differ in
what is compared, in the divisor and at the threshold, and the same replies score 57.6 under one and 49.1 under the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import punctuation

from harness.task import Score
from harness.types import Parsed, Sample

_NO_MARKS = str.maketrans("", "", punctuation)


def anls(prediction: str, references: Sequence[str], threshold: float = 0.5) -> float:
    """Average normalised Levenshtein similarity of one answer, the organisers' rule (the average is taken over samples).

        s = max over references of 1 - d(clean(prediction), clean(reference)) / max(|prediction|, |reference|)
        score = s if s >= threshold else 0

    Range 0 to 1, 1 for equal texts. ``clean`` strips, lower-cases and collapses white space; the divisor counts the characters
    of the *raw* upper-cased strings, so stray padding raises a score slightly. A similarity of exactly ``threshold`` is kept.
    Empty against empty is 1. Without references the score is 0 (the organisers' script fails).

    Source: Biten et al., ICDAR 2019 ST-VQA; ``infographicsvqa_eval.py`` of the RRC organisers as in
    Alpha-VLLM/LLaMA2-Accessory@3777c43.

    >>> anls("itc  limited ", ["ITC Limited"]), anls("abxx", ["abcd"]), anls("axxx", ["abcd"]), anls("", [""])
    (1.0, 0.5, 0.0, 1.0)
    """
    from rapidfuzz.distance import Levenshtein

    cleaned = " ".join(prediction.lower().split())
    length = len(prediction.upper())
    best = 0.0
    for reference in references:
        longest = max(length, len(reference.upper()))
        # Above the cut-off the distance comes back as cut-off + 1, which is below the threshold as well.
        limit = int(longest * (1 - threshold)) + 1
        distance = Levenshtein.distance(" ".join(reference.lower().split()), cleaned, score_cutoff=limit)
        best = max(best, 1 - (distance / longest if longest else 0.0))
    return best if best >= threshold else 0.0


def due_anls(prediction: str, references: Sequence[str], threshold: float = 0.5, fold: Callable[[str], str] = str.upper) -> float:
    """ANLS as the DUE benchmark computes it: raw strings, one case, and nothing for a similarity of exactly ``threshold``.

        s = max over references of 1 - d(fold(prediction), fold(reference)) / max(|fold(prediction)|, |fold(reference)|)
        score = s if s > threshold else 0

    Range 0 to 1. Padding and line breaks cost. ``fold`` makes one case: ``str.upper`` in DUE; pix2struct, UReader and others
    lower-case, which differs for letters such as the German sharp s. Empty against empty is 1 (pix2struct divides by zero);
    without references the score is 0.

    Source: due-benchmark/evaluator, ``due_evaluator/scorers/anls_scorer.py`` with ``ignore_case``;
    google-research/pix2struct, ``pix2struct/metrics.py:anls_metric``.

    >>> due_anls("ITC Limited", ["itc limited"]), due_anls("abxx", ["abcd"]), due_anls(" no ", ["no"])
    (1.0, 0.0, 0.0)
    """
    from rapidfuzz.distance import Levenshtein

    folded = fold(prediction)
    best = 0.0
    for reference in references:
        other = fold(reference)
        longest = max(len(folded), len(other))
        distance = Levenshtein.distance(folded, other)
        best = max(best, 1 - (distance / longest if longest else 0.0))
    return best if best > 1 - threshold else 0.0


def equals(fold: Callable[[str], str] = str, strip: bool = False) -> Callable[[str, Sequence[str]], float]:
    """Exact match of folded texts: 1 if ``fold`` makes the answer (without white space at its ends if ``strip``) a reference.

    >>> equals()("Yes", ["yes"]), equals(lowered)(" Yes", ["yes"]), equals(without_periods)("3.5", ["35"])
    (0.0, 1.0, 1.0)
    """

    def measure(prediction: str, references: Sequence[str]) -> float:
        return float(fold(prediction.strip() if strip else prediction) in map(fold, references))

    return measure


def lowered(text: str) -> str:
    """Strip and lower-case: open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py, method ``accuracy``, at e8e78f0."""
    return text.strip().lower()


def without_periods(text: str) -> str:
    """Delete every period, strip, lower-case, so that 3.5 is 35.

    Source: Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/utils/metric.py evaluate_exact_match_accuracy.
    """
    return lowered(text.replace(".", ""))


def without_final_periods(text: str) -> str:
    """Delete periods at the end and lower-case: haotian-liu/LLaVA scripts/convert_gqa_for_eval.py at c121f04."""
    return text.rstrip(".").lower()


def without_marks(text: str) -> str:
    """Lower-case and delete all ASCII punctuation, so that a t-shirt is a tshirt.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/api/metrics.py exact_match with ignore_case and ignore_punctuation, at 75571cf.
    """
    return text.lower().translate(_NO_MARKS)


def without_blanks(text: str) -> str:
    """Delete white space and dollar signs, lower-case, and drop a final period: for formulas, ``$(-2, 1]$.`` is ``(-2,1]``."""
    return "".join(text.lower().replace("$", "").split()).removesuffix(".")


def text_score(name: str, measure: Callable[[str, Sequence[str]], float]) -> Score:
    """The score ``name``: what a measure of a text against its references gives, and 0 where there is no answer."""

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        return {name: 0.0 if parsed.answer is None else measure(parsed.answer, sample.references)}

    return score
