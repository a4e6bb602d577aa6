"""The data sets of the paper's mixture, drawn once: three pictures each, in their original layouts."""

from pathlib import Path

import pytest
import yaml

from models.sphinx_x.corpus.drawn import draw_layouts
from models.sphinx_x.corpus.mixture import read_mixture

PAPER = Path(__file__).parents[3] / "conf" / "mixture" / "paper.yaml"


@pytest.fixture(scope="session")
def paper():
    """The settings of the paper's mixture."""
    return yaml.safe_load(PAPER.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def data_sets(paper):
    """All data sets of the mixture by name."""
    _, groups = read_mixture(paper)
    return {name: one for group in groups.values() for name, one in group.sets.items()}


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A root with all data sets; nobody may write to it."""
    root = tmp_path_factory.mktemp("drawn")
    draw_layouts(root, 3)
    return root
