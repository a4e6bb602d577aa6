r"""The one conversation template of SPHINX: a system sentence, then turns of Human and Assistant ended by ``###``.

Not here: tokenisation, and where the picture goes (always right after the start-of-text token, see ``model.splice``). The
open prompt ends with `` Assistant:`` without a trailing space; an answer's own piece is ``" {answer}\n###"``.
"""

from __future__ import annotations

from collections.abc import Sequence

SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
SEPARATOR = "###"
STOP = "\n###"
"""Signals the end of an answer."""

HUMAN = " Human:"
ASSISTANT = " Assistant:"
IMAGE_MARKER = "<image>"


def question_piece(question: str) -> str:
    """One human turn and the opening of the answer to it."""
    return f"{HUMAN} {question.replace(IMAGE_MARKER, '').strip()}{STOP}{ASSISTANT}"


def answer_piece(answer: str) -> str:
    """What the model is to write after `question_piece`: the answer and the signal that ends it."""
    return f" {answer}{STOP}"


def conversation(turns: Sequence[tuple[str, str | None]]) -> str:
    """All turns as one string; the last answer may be None, which leaves the prompt open."""
    text = f"{SYSTEM}\n\n{SEPARATOR}"
    for question, answer in turns:
        text += question_piece(question)
        if answer is not None:
            text += answer_piece(answer)
    return text


def open_prompt(question: str) -> str:
    """The prompt of a single question."""
    return conversation([(question, None)])


def cut_reply(text: str) -> str:
    """The answer within generated text: everything before the end signal, outer spaces removed."""
    return text.split(STOP)[0].strip()
