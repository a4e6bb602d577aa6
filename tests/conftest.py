"""What all tests share: property tests have no deadline, since the first example may pay for an import on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("riddle", deadline=None)
settings.load_profile("riddle")
