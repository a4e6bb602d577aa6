"""The vocabulary of a model trained here: learned from training conversations before the first step."""

from __future__ import annotations

import random
import re

from harness.world import NAMES
from models.sphinx_x.corpus.mini import LATE, converse, draw_training_world, pick_kind, texts, with_motley
from models.sphinx_x.corpus.templates import TRAIN_TEMPLATES
from models.sphinx_x.corpus.turns import PHRASES
from models.sphinx_x.tokenizer import Tokenizer, train_tokenizer

_PICTURES = 2000
_TURNS = 12
_REPEATS = 20
_PLAIN_WORDS = """the image photo picture scene video clip page document form sign chart table bar bars column row number digits
word text value what which where who how many much is are does do was there any this that these those it of in
on at to from by with and or not left right top bottom upper lower above below over under beside next middle
centre center corner side half part region area color colour colored coloured shape size object objects thing
things item items shown seen see visible contain contains appear appears present find found located position
placed lies stands moving moves move direction way goes going towards upwards downwards small large big little
highest lowest tallest shortest biggest smallest sum total difference add plus minus more less than larger
smaller greater higher answer question option options correct following written handwritten printed reads read
says say field name title line entry first second third one two three four five zero yes no please give tell
count exactly all"""
"""Everyday words that a question about such pictures may hold, so that unseen wordings stay cheap."""


def learn_vocabulary(size: int, seed: int, pictures: int = _PICTURES, motley: float = 0.0) -> Tokenizer:
    """A tokenizer of at most ``size`` ids from training conversations only."""
    rng, mixture = random.Random(seed), with_motley(LATE, motley)
    names = [name.lower() for name in NAMES]
    corpus = [" ".join(("", *_PLAIN_WORDS.split(), *names)), "\n".join(names)] * _REPEATS
    wordings = [re.sub(r"\{\d?\}", "", template) for many in TRAIN_TEMPLATES.values() for template in many]
    corpus += [f" {wording}" for wording in wordings] * _REPEATS
    for number in range(pictures):
        world = draw_training_world(pick_kind(mixture, rng), number, seed)
        corpus.append(texts(converse(world, rng, mixture, _TURNS)))
    return train_tokenizer(corpus, size, PHRASES)
