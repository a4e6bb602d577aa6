"""Fetching a benchmark's own files: what is offered where, downloads that resume, archives that stay in their folder.

A task file declares its offers (`harness.fetch.sources`), and ``riddle data fetch`` takes one up (`harness.fetch.offers`). A run
uses nothing of this: data are read from disk, and only this package opens connections for them.
"""
