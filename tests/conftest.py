"""What all tests share: how property tests search.

No deadline, since the first example may pay for an import on a busy machine. The same examples in every run, so that a failure is
of the change at hand; ``RIDDLE_SEARCH=1 pytest`` looks for new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("riddle", deadline=None, derandomize="RIDDLE_SEARCH" not in os.environ)
settings.load_profile("riddle")
