"""SPHINX-X: tiling with skip tokens, a mixture of visual encoders, a projector and a language model, at any size.

``variants`` holds every member of the family as a value, composed of ``axes`` and ``encoders``; ``geometry`` says where a picture
lies and which views are all padding, ``anatomy`` what a variant consists of and costs; ``model`` reads like the paper's figure;
``checkpoint`` loads and saves folders, ``official`` those of the authors; ``plugin`` and ``inference`` answer requests; ``train``
and ``corpus`` make weights.
Importing this package imports nothing heavy.
"""
