"""A tiny package ``vlmeval`` with the few names that the bridge uses, for tests of the protocol; nothing of it is copied."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

COLOURS = ("red", "green", "blue", "white")

FILES = {
    "__init__.py": "import os\nprint('chatter')\nos.write(1, b'chatter of C\\n')\n",
    "smp/__init__.py": """
import os
import pandas as pd

def load(path):
    return pd.read_csv(path, sep="\\t")

def dump(data, path):
    data.to_csv(path, sep="\\t", index=False)

def get_pred_file_path(folder, model, dataset):
    return os.path.join(folder, f"{model}_{dataset}.tsv")

def download_file(url, filename=None):
    raise AssertionError("it downloads")
""",
    "smp/status_report.py": """
def flatten_summary_metrics(table):
    return {f"split={row['split']}|Overall": float(row["Overall"]) for _, row in table.iterrows()}
""",
    "dataset/__init__.py": """
import base64
import os
import no_such_package_of_tests
from no_such_package_of_tests.below import Thing
from vlmeval.smp import download_file, dump, load
import pandas as pd

class ImageMCQDataset:
    TYPE, MODALITY = "MCQ", "IMAGE"
    DATASET_URL = {"Colours": "https://example.org/Colours.tsv"}
    DATASET_MD5 = {"Colours": "0" * 32}

    @classmethod
    def supported_datasets(cls):
        return list(cls.DATASET_URL)

    def __init__(self, dataset):
        self.dataset_name, root = dataset, os.environ["LMUData"]
        if self.DATASET_MD5.get(dataset):
            download_file(self.DATASET_URL[dataset])
        self.data = load(os.path.join(root, dataset + ".tsv"))
        self.pictures = os.path.join(root, "images")

    def build_prompt(self, line):
        os.makedirs(self.pictures, exist_ok=True)
        path = os.path.join(self.pictures, f"{line['index']}.png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(line["image"]))
        print("building", line["index"])
        options = "".join(f"{one}. {line[one]}\\n" for one in "AB")
        return [dict(type="image", value=path), dict(type="text", value=f"Question: {line['question']}\\n{options}")]

    def evaluate(self, file, **judge):
        assert judge["model"] == "exact_matching"
        if os.path.exists(os.environ.get("DIE_ONCE", "")):
            os.remove(os.environ["DIE_ONCE"])
            print("the end is near")
            os._exit(4)
        data = load(file)
        data["hit"] = [int(str(said)[:1] == right) for said, right in zip(data["prediction"], data["answer"])]
        dump(data, file.replace(".tsv", "_exact_matching_result.tsv"))
        return pd.DataFrame({"split": ["none"], "Overall": [data["hit"].mean()]})

    @classmethod
    def report_primary_metric(cls, stated):
        return {"Overall Acc": stated["split=none|Overall"] * 100}

class Clips(ImageMCQDataset):
    MODALITY = "VIDEO"
    DATASET_URL = {"Clips": ""}

class Wanting(ImageMCQDataset):
    DATASET_URL, DATASET_MD5 = {"Wanting": ""}, {}

    def evaluate(self, file, **judge):
        return Thing.of.something(file)

DATASET_CLASSES = [ImageMCQDataset, Clips, Wanting]
SUPPORTED_DATASETS = [name for one in DATASET_CLASSES for name in one.supported_datasets()]
""",
    "vlm/__init__.py": "",
    "vlm/base.py": """
class BaseModel:
    def __init__(self):
        pass

    def generate(self, message, dataset=None):
        return self.generate_inner(message, dataset)
""",
    "config.py": """
import os
import no_such_package_of_tests
from vlmeval.vlm.base import BaseModel

class First(BaseModel):
    def __init__(self, letter="A", mortal=""):
        self.letter, self.mortal = letter, mortal

    def generate_inner(self, message, dataset=None):
        print("thinking")
        assert [one["type"] for one in message] == ["image", "text"]
        assert open(message[0]["value"], "rb").read(4) == b"\\x89PNG"
        if os.path.exists(self.mortal) and "thing 2" in message[1]["value"]:
            os.remove(self.mortal)
            print("out of memory")
            os._exit(3)
        return f"{self.letter}, I say"

supported_VLM = {"first_letter": First}
""",
    "run.py": """
import sys
from vlmeval.config import supported_VLM

def main():
    name, picture = sys.argv[sys.argv.index("--model") + 1], sys.argv[sys.argv.index("--data") + 1]
    message = [dict(type="image", value=picture), dict(type="text", value="Is it red?")]
    print(name, "says", supported_VLM[name]().generate(message))
""",
}


def write_package(root: Path) -> Path:
    """Write the package below a folder, which then goes onto PYTHONPATH."""
    for name, text in FILES.items():
        path = root / "vlmeval" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def write_table(path: Path, n: int = 6) -> Path:
    """Write a TSV in VLMEvalKit's columns: questions of two options about squares; the answers are A B A B ..."""
    lines = ["index\tquestion\tA\tB\tanswer\tcategory\timage"]
    for number in range(n):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), COLOURS[number % len(COLOURS)]).save(buffer, "PNG")
        picture = base64.b64encode(buffer.getvalue()).decode()
        lines.append(f"{number}\tWhat of thing {number}?\tone\ttwo\t{'AB'[number % 2]}\tkind {number % 3}\t{picture}")
    path.write_text("\n".join(lines) + "\n")
    return path
