"""The authors' published folders: their layouts, names, shards and tokenizers, and the way to ours and back.

``layout`` reads ``config.json`` and ``meta.json`` as a variant; ``names`` and ``encoders`` say which tensor of theirs is which of
ours; ``shards`` reads and writes the files; ``convert`` ties these together; ``hub`` starts a model from transformers folders of
its parts. Importing this package imports nothing.
"""
