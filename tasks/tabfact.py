"""TabFact: does a table from Wikipedia, as a picture, entail a statement (1) or refute it (0)?

Paper: Chen et al., TabFact: A Large-scale Dataset for Table-based Fact Verification, ICLR 2020, arXiv 1909.02164; tables as
pictures by DUE (Borchmann et al., NeurIPS 2021 Datasets and Benchmarks).
Data: duebenchmark.com, TabFact: test/document.jsonl, with the tables as pictures in pngs/NAME.png; 12,779 statements on 1,695
tables. Or wenhuchen/Table-Fact-Checking tokenized_data/test_examples.json with the same pictures.
Licence: CC BY 4.0 (statements); the tables are Wikipedia's.
Official scorer: due-benchmark/evaluator at 75c0f55, deval --metric F1 over pairs of statement and label.
Differences: tables are joined by name, where the scorer goes by line. accuracy counts statements without an answer as wrong, and
is F1 where each has exactly one. The scorer knows 1 and 0 alone, and true is wrong: strict reads words. UReader draws labels at
random for tables without a picture, and stops at replies other than true and false; here both are wrong.
"""

from __future__ import annotations

from harness.conventions import verification
from harness.data.due import labelled_statements, statement_files, statement_sample
from harness.fetch.sources import Offer, on_github
from harness.prompts import fill
from harness.task import Card, Task
from harness.types import Generation

ASKS = "{question}\nDoes the table support this statement? Answer "

TASKS = (
    Task(
        name="tabfact",
        card=Card.of(__doc__, split="test", n=12779),
        layouts=(statement_files(), labelled_statements("test_examples.json|tokenized_data/test_examples.json")),
        sources=(
            Offer(
                layout="table_fact_checking",
                parts=on_github("wenhuchen/Table-Fact-Checking", "master", "tokenized_data/test_examples.json"),
                note="without pictures: for replies made elsewhere; the branch as it is now",
            ),
        ),
        to_sample=statement_sample,
        prompt=fill(ASKS + "1 for yes or 0 for no."),
        prompts={"plain": fill("{question}"), "words": fill(ASKS + "true or false.")},
        conventions=verification(),
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: ("1", "0"),
        generation=Generation(max_new_tokens=10),
    ),
)
