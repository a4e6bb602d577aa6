"""Kleister Charity: name, number, address, date and sums of a British charity, read from its annual report.

Paper: Stanislawek et al., Kleister: Key Information Extraction Datasets Involving Long Documents with Complex Layouts,
ICDAR 2021, arXiv 2105.05796; in the form of DUE (Borchmann et al., NeurIPS 2021 Datasets and Benchmarks).
Data: duebenchmark.com, KleisterCharity: test/document.jsonl, with the reports as pictures in pngs/NAME.png (DUE has them as PDF
of many pages; render the page that is to be read); 609 documents, eight questions each.
Licence: CC BY-NC-SA 4.0 (DUE); the reports are public.
Official scorer: due-benchmark/evaluator at 75c0f55, deval --metric F1 --ignore-case: F1 over pairs of property and value, pooled.
Differences: documents are joined by name, where the scorer goes by line. A model is asked for each property, as UReader asks, and
None or an empty reply says that there is none; in a file of answers in DUE's own form both are values. There, values of a
property that is neither among the eight nor in the data are not counted.
"""

from __future__ import annotations

from harness.conventions import extraction
from harness.data.due import property_files, property_sample, property_value
from harness.prompts import PROPERTY, fill
from harness.task import Card, Task
from harness.types import Generation

PROPERTIES = (
    *("address__post_town", "address__postcode", "address__street_line", "charity_name", "charity_number"),
    *("income_annually_in_british_pounds", "report_date", "spending_annually_in_british_pounds"),
)

TASKS = (
    Task(
        name="kleister_charity",
        card=Card.of(__doc__, split="test", n=4872),
        layouts=(property_files(*PROPERTIES),),
        to_sample=property_sample,
        prompt=fill(PROPERTY),
        conventions=extraction(by="property"),
        ideal=property_value,
        generation=Generation(max_new_tokens=25),
    ),
)
