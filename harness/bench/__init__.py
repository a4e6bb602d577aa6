"""Measurements of riddle itself, each a function that returns rows; run by `riddle bench NAME`."""
