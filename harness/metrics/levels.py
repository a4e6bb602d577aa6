"""Averages of benchmarks whose parts stand on weighted levels, over the submitted and over all questions.

Not here: the estimators they are made of (`harness.metrics.aggregate`).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.metrics.aggregate import Estimator, Metric, combine, mean, submitted, weighted_mean_over


def level_metrics(score: str, by: str, levels: Mapping[str, Mapping[str, float]]) -> tuple[Metric, ...]:
    """Every average twice: over the samples with a reply, and under a name that ends in ``_over_all`` over all of them.

    The averages are ``avg_all`` (plain mean of the levels), ``paper_avg`` (plain mean of the parts), ``avg/LEVEL`` (weighted mean
    of its parts) and ``accuracy/PART``. An average is undefined where one of its parts is absent.

    Args:
        score: the per-sample score.
        by: the group that names a sample's part.
        levels: the parts of each level with their weights within it.
    """
    scored = mean(score)
    parts = [part for weights in levels.values() for part in weights]
    by_level = {level: weighted_mean_over(by, scored, weights) for level, weights in levels.items()}
    averages: dict[tuple[str, str], Estimator] = {
        ("avg_all", ""): combine([(1 / len(by_level), estimator) for estimator in by_level.values()]),
        ("paper_avg", ""): weighted_mean_over(by, scored, dict.fromkeys(parts, 1.0)),
        **{("avg", f"/{level}"): estimator for level, estimator in by_level.items()},
        **{("accuracy", f"/{part}"): mean(score, where={by: part}) for part in parts},
    }
    return (
        *(Metric(name=name + of, estimator=submitted(estimator)) for (name, of), estimator in averages.items()),
        *(Metric(name=f"{name}_over_all{of}", estimator=estimator) for (name, of), estimator in averages.items()),
    )
