"""Accuracy by the position of the right option."""

from harness.metrics.aggregate import Metric, Rows, aggregate, mean
from harness.metrics.positions import position_of, with_positions
from harness.scoring import score_reply
from harness.task import Convention
from harness.types import Parsed, Sample


def sample(number, right, options=("red", "blue")):
    return Sample(id=str(number), parts=(), question="?", options=options, references=(right,), cluster="", groups={}, fields={})


ALWAYS_A = Convention(
    parse=lambda reply, one: Parsed(reply),
    score=lambda parsed, one: {"correct": float(parsed.answer == one.references[0])},
    metrics=(Metric(name="accuracy", estimator=mean("correct")),),
    primary="accuracy",
)


def test_a_model_that_always_says_a_is_right_where_a_is():
    rows = Rows.of([score_reply(ALWAYS_A, sample(n, "AAB"[n % 3]), "A") for n in range(9)])
    found = {one.name: (one.value, one.n) for one in aggregate(rows, with_positions((), rows))}
    assert found == {"position/A": (1.0, 6), "position/B": (0.0, 3)}


def test_open_questions_have_no_position():
    assert position_of(sample(0, "A", options=())) == "" == position_of(sample(0, "C")) == position_of(sample(0, "red"))
    rows = Rows.of([score_reply(ALWAYS_A, sample(0, "A", options=()), "A")])
    assert with_positions((), rows) == ()
