"""What holds for the whole repository: who may import whom, what the public names are, what stands in no file."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).parent.parent
ROOMS = ("harness", "tasks", "models", "reports")
MAY_IMPORT = {
    "harness": {"harness"},
    "tasks": {"tasks", "harness"},
    "models": {"models", "harness"},
    "reports": {"reports", "harness"},
    "conf": set(),
}
HEAVY = {
    *("numpy", "scipy", "pandas", "pyarrow", "sklearn", "PIL", "av", "matplotlib", "openpyxl", "rapidfuzz"),
    *("torch", "transformers", "tokenizers", "safetensors", "hydra", "omegaconf", "rich", "jinja2"),
}
LIGHT = [
    "harness/__init__.py", "harness/types.py", "harness/task.py", "harness/model.py", "harness/errors.py",
    "harness/config/common.py", "harness/catalog.py", "harness/cli.py", "harness/names.py", "harness/schema.py",
    "harness/build.py", "harness/plan.py", "harness/conventions.py",
    "harness/prompts.py", "harness/boxes.py", "harness/data/sources.py", "harness/data/steps.py",
    "models/__init__.py", "models/sphinx_x/__init__.py", "models/sphinx_x/plugin.py", "models/hf_chat.py",
    "models/sphinx_x/inference/__init__.py", "models/sphinx_x/bench/__init__.py",
    "models/vllm_chat.py", "models/openai_chat.py", "models/chat_protocol.py", "tasks/__init__.py", "reports/__init__.py",
    *(f"models/sphinx_x/{name}.py" for name in ("axes", "encoders", "variants", "geometry", "anatomy", "bench/views")),
    *(str(file.relative_to(ROOT)) for folder in ("harness/commands", "harness/parsers", "harness/metrics", "tasks")
      for file in sorted((ROOT / folder).glob("*.py"))),
]  # fmt: skip


def sources(room):
    return sorted(file for file in (ROOT / room).rglob("*.py") if "_vendor" not in file.parts)


def imports(tree):
    """Yield the modules that a file imports anywhere, also inside of functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide which room they reach"
            yield str(node.module)


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    if listed.returncode or not files:
        pytest.skip("not a git checkout")
    return [file for file in files if file.is_file()]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_what_they_may(room):
    ours = {*ROOMS, "conf", "tests"}
    for file in sources(room):
        reached = {name.partition(".")[0] for name in imports(ast.parse(file.read_text(encoding="utf-8")))} & ours
        assert reached <= MAY_IMPORT[room], f"{file.relative_to(ROOT)} imports {sorted(reached - MAY_IMPORT[room])}"


def test_the_model_is_not_taught_by_its_training():
    """Training imports the model, never the reverse: evaluating needs nothing of training."""
    folder = ROOT / "models" / "sphinx_x"
    for file in sorted([*folder.glob("*.py"), *(folder / "inference").glob("*.py")]):
        reached = [name for name in imports(ast.parse(file.read_text(encoding="utf-8"))) if "sphinx_x.train" in name]
        assert not reached, f"{file.relative_to(ROOT)} imports {reached}"


@pytest.mark.parametrize("name", dict.fromkeys(LIGHT))
def test_light_modules_import_heavy_packages_only_inside_of_functions(name):
    body = ast.parse((ROOT / name).read_text(encoding="utf-8")).body
    top = ast.Module(body=[node for node in body if isinstance(node, ast.Import | ast.ImportFrom)], type_ignores=[])
    assert not {module.partition(".")[0] for module in imports(top)} & HEAVY


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_says_what_it_is_for(room):
    silent = [file for file in sources(room) if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))]
    assert not silent


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_from_data_is_executed_and_only_the_command_line_prints(room):
    for file in sources(room):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{file}:{node.lineno}"
                assert node.func.id != "print" or file.name == "cli.py", f"{file}:{node.lineno} prints"
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not {"pickle", "marshal", "shelve"} & set(imports(ast.Module(body=[node], type_ignores=[]))), file


def test_the_public_names_are_these():
    assert sorted(harness.__all__) == harness.__all__
    assert set(harness.__all__) == {
        *("Capabilities", "Card", "Convention", "Generation", "HarnessError", "Layout", "Metric", "Model", "Request"),
        *("Response", "Result", "Sample", "Settings", "Task", "evaluate", "find_task", "load_results", "score_run"),
    }
    assert all(getattr(harness, name) is not None for name in harness.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        harness.no_such_name  # noqa: B018


def test_no_file_names_a_place_on_somebodys_machine():
    place = re.compile(r"(?<![\w.$}/])/(?:work|home|root|Users|mnt|scratch)/\w")
    for file in tracked():
        if file.suffix in (".py", ".yaml", ".toml", ".md", ".cff", ".txt", ".html", ".j2", "") and "golden" not in file.parts:
            found = place.search(file.read_text(encoding="utf-8", errors="ignore"))
            assert not found, f"{file.relative_to(ROOT)} names {found[0] if found else ''}"


def test_conf_holds_values_only():
    assert [file.name for file in (ROOT / "conf").rglob("*.py")] == ["__init__.py"]


def test_tracked_files_are_small_enough_for_a_clone():
    """The weights of the two shipped models are the only large files, under 40 MB together."""
    sizes = {file.relative_to(ROOT).as_posix(): file.stat().st_size for file in tracked()}
    weights = sum(size for name, size in sizes.items() if name.startswith("models/sphinx_x/weights/"))
    assert weights < 40_000_000
    assert not [name for name, size in sizes.items() if size > 3_000_000 and not name.startswith("models/sphinx_x/weights/")]
