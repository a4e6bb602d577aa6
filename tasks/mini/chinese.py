"""Chinese words for what the worlds show, for the mini benchmarks that ask in Chinese."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tasks.mini.closed import Closed

WORDS: Final = {
    **{"one": "一个", "two": "两个", "three": "三个", "four": "四个", "five": "五个"},
    **{"left": "左边", "right": "右边", "above": "上边", "below": "下边", "Yes": "有", "No": "没有"},
    **{"red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "cyan": "青色", "blue": "蓝色"},
    **{"purple": "紫色", "black": "黑色"},
    **{"circle": "圆形", "square": "方形", "triangle": "三角形", "star": "星形", "cross": "十字", "ring": "圆环"},
    **{"heart": "心形", "diamond": "菱形"},
}


def said(text: str) -> str:
    """Translate a name, word by word.

    >>> said("a red ring"), said("left")
    ('红色圆环', '左边')
    """
    return "".join(WORDS[word] for word in text.split() if word not in ("a", "an"))


def in_chinese(one: Closed) -> Closed:
    """The same question with options and names in Chinese."""
    mixed = replace(one.options, texts=tuple(map(said, one.options.texts)))
    return replace(one, options=mixed, fields={name: said(text) for name, text in one.fields.items()})
