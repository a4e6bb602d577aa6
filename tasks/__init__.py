"""The benchmarks: one short flat file a family, composed from harness pieces, read top to bottom like its section in a paper.

A task file has a docstring (what is asked, paper, data, licence, official scorer, differences), the prompt as a literal,
``to_sample`` (the only place that knows column names) and ``TASKS``. It loads nothing, calls no model, writes no file and has no
loop over samples. ``harness.catalog`` finds the files by scanning this folder; nothing is listed here.
"""
