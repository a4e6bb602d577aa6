"""Studies: questions that several finished runs answer together, each as tidy tables, figures and findings in words.

One module a study with the same shape, ``STUDY = Study(...)`` (`reports.studies.study`): ``load`` makes tables of finished
runs, ``draw`` makes figures of the tables, ``find`` says what they mean. What is written, and how, is in
``reports.studies.build``. A study reads run folders only; it loads no model and opens no benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STUDIES: Final[Mapping[str, str]] = {
    "experts": "reports.studies.experts:STUDY",
    "routing": "reports.studies.routing:STUDY",
    "pruning": "reports.studies.pruning:STUDY",
    "scaling": "reports.studies.scaling:STUDY",
}
"""Name to ``module:value`` of every study."""
