"""How requests reach a model and what happens on the way.

``ahead`` works a bounded number of items ahead, ``collect`` is the generate phase (what to ask, what to store), ``stream`` the
exchange with a model, ``retry`` the back-off, ``guard`` how a run ends early.
"""
