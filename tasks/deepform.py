"""DeepForm: who bought how much time for a political advertisement, read from a station's receipt; five properties a document.

Paper: Borchmann et al., DUE: End-to-End Document Understanding Benchmark, NeurIPS 2021 Datasets and Benchmarks.
Data: duebenchmark.com, DeepForm: test/document.jsonl, with the receipts as pictures in pngs/NAME.png (DUE has them as PDF; of a
longer one, render the page that is to be read); 300 documents, five questions each.
Licence: CC BY-NC-SA 4.0 (DUE); the receipts are public files.
Official scorer: due-benchmark/evaluator at 75c0f55, deval --metric F1 --ignore-case: F1 over pairs of property and value, pooled.
Differences: documents are joined by name, where the scorer goes by line. A model is asked for each property, as UReader asks, and
None or an empty reply says that there is none; in a file of answers in DUE's own form both are values. There, values of a
property that is neither among the five nor in the data are not counted.
"""

from __future__ import annotations

from harness.conventions import extraction
from harness.data.due import property_files, property_sample, property_value
from harness.prompts import PROPERTY, fill
from harness.task import Card, Task
from harness.types import Generation

PROPERTIES = ("advertiser", "flight_from", "flight_to", "gross_amount", "contract_num")

TASKS = (
    Task(
        name="deepform",
        card=Card.of(__doc__, split="test", n=1500),
        layouts=(property_files(*PROPERTIES),),
        to_sample=property_sample,
        prompt=fill(PROPERTY),
        conventions=extraction(by="property"),
        ideal=property_value,
        generation=Generation(max_new_tokens=20),
    ),
)
