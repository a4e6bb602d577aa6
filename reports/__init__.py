"""What people read, computed from finished runs only: no model and no network is needed for any of it.

Comparisons look up in the catalog how a benchmark counts; everything else needs no task either.
"""
