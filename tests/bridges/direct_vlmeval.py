"""What VLMEvalKit itself says of replies, without the bridge: a program for its own environment, run by the tests.

``python direct_vlmeval.py LOOP.py CASES.json``, where LOOP is the file of `harness.foreign.loop` (only for its placeholders) and
CASES lists the name of a class, a TSV file in ``LMUData``, and the replies to its rows. It writes the values as JSON.
"""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path

OPTIONAL = ("torchvision", "decord", "jieba")


def main(loop: str, file: str) -> None:
    spec = importlib.util.spec_from_file_location("placeholders", loop)
    placeholders = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(placeholders)
    kit = placeholders.load("vlmeval.dataset", OPTIONAL, ("pandas",))
    from vlmeval.smp import dump

    for case in json.loads(Path(file).read_text()):
        dataset = getattr(kit, case["class"])(dataset=Path(case["tsv"]).stem)
        data = dataset.data.copy()
        data["prediction"] = case["replies"]
        data.pop("image")
        with tempfile.TemporaryDirectory() as folder:
            table = f"{folder}/model_{dataset.dataset_name}.xlsx"
            dump(data, table)
            found = dataset.evaluate(table, model="exact_matching")
        rows = found.to_dict("records")
        sys.stdout.write("SAID " + json.dumps(rows) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
