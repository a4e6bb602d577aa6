"""SPHINX-X: tiling with skip tokens, a mixture of two visual encoders, a projector and a language model, at any size.

``variants`` holds every member of the family as a value; ``model`` reads like the paper's figure; ``checkpoint`` loads and
saves folders; ``engine`` and ``plugin`` answer requests; ``train`` and ``corpus`` make weights. Importing this package
imports nothing heavy.
"""
