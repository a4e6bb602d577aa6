"""What all tests share: how property tests search, and that torch computes in one thread.

Two threads that wait for one another on a busy machine take a hundred times as long as one. Property tests have no deadline,
since the first example may pay for an import, and try the same examples in every run, so that a failure is of the change at
hand; ``RIDDLE_SEARCH=1 pytest`` looks for new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the first test imports torch
settings.register_profile("riddle", deadline=None, derandomize="RIDDLE_SEARCH" not in os.environ)
settings.load_profile("riddle")
