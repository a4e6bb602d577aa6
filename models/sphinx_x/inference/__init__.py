"""Asking a model: from a stream of requests to a stream of responses, batched, exact, and on as many devices as it needs.

``pictures`` encodes, ``prompts`` and ``schedule`` say what runs together, ``engine`` runs it: ``decoder`` over the weights in
``layers`` with the keys and values in ``rows``, in ``flights``, until ``replies`` says that a reply has ended. ``routing``
watches experts; ``int8``, ``offload`` and ``cut`` with ``team`` are for models that do not fit. Importing this package imports
nothing.
"""
