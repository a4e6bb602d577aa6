"""Reading the answer out of a reply, by the rules of the scorers that published numbers were made with.

A parser takes a reply and the sample and returns a `harness.types.Parsed`: the answer, or the reason there is none. It never
raises on any text, never guesses at random, and takes time linear in the reply. A rule is named after what it does; its
docstring names the scorer and the commit that it reproduces, quirks included, because a repaired rule would be another score.
"""
