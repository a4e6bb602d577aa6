"""Likeness of whole sentences: CIDEr, ROUGE-L and BLEU as pycocoevalcap 1.2 computes them on Penn Treebank tokens.

CIDEr weighs words by how rare they are among the references of the whole set, which a sample carries (`Corpus`). Not here: the
tokens (`harness.metrics.ptb`), METEOR (it needs word lists), BERTScore (it needs a model).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from harness.metrics.aggregate import Metric, combine, mean
from harness.metrics.functions import function_of
from harness.metrics.ptb import ptb_words
from harness.types import Parsed, Sample

ORDERS = 4
SIGMA = 6.0
HIGHEST = 10.0
"""CIDEr's largest value."""
_BETA = 1.2
_TINY, _SMALL = 1e-15, 1e-9

Gram = tuple[str, ...]


@lru_cache(maxsize=32768)
def tokens_of(text: str) -> tuple[str, ...]:
    """The tokens of a text (`ptb_words`), kept, as every reference is asked for them several times."""
    return tuple(ptb_words(text))


def words(text: str) -> tuple[str, ...]:
    """The words of a text; the tokens that hold a blank of their own, such as ``3 1/2``, are several."""
    return tuple(" ".join(tokens_of(text)).split())


def grams(tokens: Sequence[str]) -> Counter[Gram]:
    """How often each run of one to four words occurs."""
    return Counter(tuple(tokens[i : i + n]) for n in range(1, ORDERS + 1) for i in range(len(tokens) - n + 1))


@dataclass(frozen=True)
class Corpus:
    """In how many of ``size`` samples' references each n-gram occurs."""

    size: int
    occurs: Mapping[Gram, int]

    @classmethod
    def of(cls, references: Iterable[Sequence[str]]) -> Corpus:
        """Count over samples, each with its references."""
        occurs: Counter[Gram] = Counter()
        size = 0
        for texts in references:
            size += 1
            occurs.update({gram for text in texts for gram in grams(words(text))})
        return cls(size, occurs)

    def weights(self, counts: Mapping[Gram, int]) -> tuple[list[dict[Gram, float]], list[float]]:
        """The weighed n-grams of a text by their length, and the norm of each such vector."""
        vectors: list[dict[Gram, float]] = [{} for _ in range(ORDERS)]
        whole = math.log(self.size) if self.size else 0.0
        for gram, count in counts.items():
            vectors[len(gram) - 1][gram] = count * (whole - math.log(max(1, self.occurs.get(gram, 0))))
        return vectors, [math.sqrt(sum(weight * weight for weight in vector.values())) for vector in vectors]


def cider(prediction: str, references: Sequence[str], corpus: Corpus) -> float:
    """CIDEr-D of one text, 0 to 10 (the average is taken over samples).

        10/4 sum_n mean over references r of  e^(-(l(p) - l(r))^2 / 2 sigma^2)  min(g_n(p), g_n(r)) . g_n(r) / |g_n(p)| |g_n(r)|

    g_n: the n-grams, each count times log(size / samples with it in a reference); l: the number of bigrams, as the code has it;
    sigma 6. A set of one sample gives 0, since then no word is rare.

    Source: Vedantam et al., CVPR 2015, arXiv 1411.5726; pycocoevalcap 1.2 ``cider/cider_scorer.py``.
    """
    said = grams(words(prediction))
    vectors, norms = corpus.weights(said)
    length = max(len(words(prediction)) - 1, 0)
    total = 0.0
    for reference in references:
        other, other_norms = corpus.weights(grams(words(reference)))
        apart = length - max(len(words(reference)) - 1, 0)
        near = math.exp(-(apart**2) / (2 * SIGMA**2))
        for n in range(ORDERS):
            if norms[n] and other_norms[n]:
                both = sum(
                    min(weight, other[n][gram]) * other[n][gram] for gram, weight in vectors[n].items() if gram in other[n]
                )
                total += near * both / (norms[n] * other_norms[n])
    return HIGHEST * total / ORDERS / len(references) if references else 0.0


def rouge_l(prediction: str, references: Sequence[str]) -> float:
    """F-measure of the longest common subsequence of words, recall weighing 1.2, of the best precision and the best recall.

    Range 0 to 1. Two empty texts are alike: 1. Source: Lin, 2004; pycocoevalcap 1.2 ``rouge/rouge.py``.

    >>> rouge_l("the red bus", ["the red bus"]), rouge_l("", ["bus"])
    (1.0, 0.0)
    """
    from rapidfuzz.distance import LCSseq

    said = tokens_of(prediction) or ("",)
    shares = []
    for reference in references:
        true = tokens_of(reference) or ("",)
        common = LCSseq.similarity(said, true)
        shares.append((common / len(said), common / len(true)))
    precision, recall = (max(column) for column in zip(*shares, strict=True)) if shares else (0.0, 0.0)
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision) if precision and recall else 0.0


def bleu_counts(prediction: str, references: Sequence[str]) -> dict[str, float]:
    """What BLEU pools: n-grams said (``said1`` to ``said4``) and right of them (``right1``, ...), words said and asked for.

    Source: Papineni et al., ACL 2002; pycocoevalcap 1.2 ``bleu/bleu_scorer.py``, the reference closest in length.
    """
    said, true = words(prediction), [words(reference) for reference in references]
    allowed: Counter[Gram] = Counter()
    for tokens in true:
        allowed |= grams(tokens)
    right = grams(said) & allowed
    counts = {f"said{n}": float(max(0, len(said) - n + 1)) for n in range(1, ORDERS + 1)}
    counts |= {f"right{n}": 0.0 for n in range(1, ORDERS + 1)}
    for gram, count in right.items():
        counts[f"right{len(gram)}"] += count
    asked = min((abs(len(tokens) - len(said)), len(tokens)) for tokens in true)[1] if true else 0
    return {**counts, "words": float(len(said)), "asked": float(asked)}


def bleu(*means: float, order: int) -> float:
    """BLEU up to an order, of means (or sums) of right and said n-grams in turn, then of words said and asked for."""
    product = 1.0
    for right, said in zip(means[0 : 2 * order : 2], means[1 : 2 * order : 2], strict=True):
        product *= (max(right, 0.0) + _TINY) / (max(said, 0.0) + _SMALL)
    length, asked = means[-2:]
    ratio = (max(length, 0.0) + _TINY) / (max(asked, 0.0) + _SMALL)
    return float(product ** (1 / order) * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0))


def caption_score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """``cider`` as a share of its largest value, ``rouge_l``, and the counts of BLEU, which are above 1.

    The sample carries the corpus in ``fields["corpus"]``. A missing answer is an empty one, but earns nothing.
    """
    text = parsed.answer or ""
    similar = cider(text, sample.references, sample.fields["corpus"]) / HIGHEST
    rouge = 0.0 if parsed.answer is None else rouge_l(text, sample.references)
    return {"cider": min(max(similar, 0.0), 1.0), "rouge_l": rouge, **bleu_counts(text, sample.references)}


def _bleu_metric(order: int) -> Metric:
    counts = [mean(f"{kind}{n}") for n in range(1, order + 1) for kind in ("right", "said")]
    return Metric(name=f"bleu{order}", estimator=function_of(partial(bleu, order=order), *counts, mean("words"), mean("asked")))


METRICS = (
    Metric(name="cider", estimator=combine([(HIGHEST, mean("cider"))])),
    Metric(name="rouge_l", estimator=mean("rouge_l")),
    *(_bleu_metric(order) for order in range(1, ORDERS + 1)),
)
