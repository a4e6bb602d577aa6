"""The benches of SPHINX-X for `riddle bench`: ``generate`` (with ``contest``, ``peer`` and ``meter``), ``views`` and ``routing``.

``noise`` makes models that nobody shipped. Importing this package imports nothing.
"""
