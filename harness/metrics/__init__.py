"""Pure scores of one prediction, and the aggregation of many scores into an estimate with an interval.

``choice``, ``number``, ``text``, ``vqa`` and ``grounding`` hold per-sample scores in [0, 1], one definition each;
``aggregate`` turns columns of scores into values with clustered standard errors. Not here: reading an answer out of a reply
(``harness.parsers``). Nothing is re-exported, so that a task file imports only what it needs.
"""
