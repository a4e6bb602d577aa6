"""What an installed riddle is made of. The wheel is built and read in a slow test; the rest holds for the files it comes from."""

import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements):
    return {re.split(r"[\[<>=!~ ]", requirement, maxsplit=1)[0].lower().replace("_", "-") for requirement in requirements}


def test_the_core_installs_without_torch():
    assert not names(PROJECT["dependencies"]) & {"torch", "transformers", "tokenizers", "safetensors", "av"}
    assert "torch" in names(PROJECT["optional-dependencies"]["local"])
    extras = {"local", "train", "train-deepspeed", "train-logs", "video", "bridges", "corpus", "api", "serve", "vllm", "dev"}
    extras |= {"jobs", "ray", "remote", "search", "slurm"}
    assert set(PROJECT["optional-dependencies"]) == extras


def test_requirements_are_ranges_a_user_can_live_with():
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    assert not [requirement for one in lists for requirement in one if "==" in requirement]


def test_constraints_pin_everything_that_is_required_and_nothing_but_versions():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "names and versions only"
    pinned = names(lines)
    extras = PROJECT["optional-dependencies"]
    installed = ("local", "train", "video", "corpus", "api", "serve", "jobs", "dev")
    wanted = names([*PROJECT["dependencies"], *(one for name in installed for one in extras[name])])
    assert wanted - {"riddle-eval"} <= pinned
    assert "antlr4-python3-runtime==4.9.3" in lines
    assert "torch==2.13.0" in lines


def test_the_papers_of_the_project_agree_on_its_version():
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_continuous_integration_runs_what_people_run():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.rstrip().endswith("exec make test")
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


def test_make_says_what_it_would_do_without_doing_it():
    done = subprocess.run(["make", "-n", "demo", "VENV=nowhere"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "nowhere/bin/riddle eval -m model=nano,nano_moe,oracle,constant,chance suite=mini" in done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    clone = folder / "clone"  # built from a copy: setuptools leaves a build folder, whose old files would go into the next wheel
    for room in ("harness", "tasks", "models", "reports", "conf"):
        shutil.copytree(ROOT / room, clone / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, clone)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(clone)]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    (built,) = folder.glob("riddle_eval-*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_everything_that_runs_need_and_no_tests(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    rooms = {name.partition("/")[0] for name in held if ".dist-info" not in name}
    assert rooms == {"harness", "tasks", "models", "reports", "conf"}
    for pattern in ("conf/**/*.yaml", "models/sphinx_x/weights/**/*", "reports/templates/*", "tasks/*.py", "harness/**/*.py"):
        files = [file for file in ROOT.glob(pattern) if file.is_file() and "__pycache__" not in file.parts]
        needed = {file.relative_to(ROOT).as_posix() for file in files}
        assert needed, pattern
        assert needed <= held, sorted(needed - held)
    assert not [name for name in held if "test" in Path(name).name and name.endswith(".py")]


@pytest.mark.slow
def test_an_installed_wheel_works_from_an_empty_folder(wheel, tmp_path):
    """Installed beside this interpreter's packages, so nothing is downloaded."""
    venv.create(tmp_path / "env", with_pip=True, system_site_packages=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True, capture_output=True)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text("\n".join(packages))
    empty = tmp_path / "empty"
    empty.mkdir()
    for words in (["ls", "tasks"], ["eval", "model=nano", "task=pope", "limit=4", "mini.n=6"], ["report"]):
        done = subprocess.run([python.parent / "riddle", *words], cwd=empty, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (empty / "leaderboard" / "index.html").is_file()
