"""Requests as a model of the transformers library reads them: pictures decoded, text laid out by its own chat template.

Parts keep their order; a clip is so many pictures. A model without a template (a base model, PaliGemma) gets its picture tokens
and then the texts. Not here: how texts become token ids of a batch (`models.hf.engine`), except for the few tokens of closed
choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.data.media import open_image
from harness.errors import ConfigError, MediaError
from harness.types import Failure, Image, Part, Request, Text, Video
from models.hf.loading import Loaded

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_TOKENS = ("image_token", "video_token", "audio_token", "start_image_token", "end_image_token", "fake_image_token", "boi_token")
"""Attributes of processors that hold what stands for a picture in the text."""

Turn = dict[str, Any]
"""A role and its content, as chat templates take them."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is shown: the text with a mark for each picture, and the pictures.

    Attributes:
        special: whether the tokenizer adds its start token, because the template has written none.
        turns: the conversation that the text was made of.
    """

    text: str
    pictures: tuple[Picture, ...]
    special: bool
    turns: tuple[Turn, ...]

    @property
    def size(self) -> tuple[int, bool, int, int]:
        """What prompts that run together should have in common: number of pictures, start token, pixels, length."""
        return len(self.pictures), self.special, sum(one.width * one.height for one in self.pictures), len(self.text)


class Prompter:
    """Lays out requests for one model. Raises `ConfigError` if the model shows no way to."""

    def __init__(self, loaded: Loaded) -> None:
        self._tokenizer = loaded.tokenizer
        self._processor = loaded.processor
        self._templater = loaded.tokenizer if loaded.processor is None else loaded.processor
        self.template = getattr(self._templater, "chat_template", None) or getattr(self._tokenizer, "chat_template", None)
        self._mark = getattr(self._processor, "image_token", None) or getattr(self._tokenizer, "image_token", None)
        held = {getattr(self._processor, name, None) for name in _TOKENS}
        self._reserved = sorted(token for token in held if isinstance(token, str) and token)
        if self._processor is not None and not self.template and not self._mark:
            raise ConfigError("the model has neither a chat template nor a token that stands for a picture")

    def prompt(self, request: Request) -> Prompt | Failure:
        """Open a request's pictures and lay out its prompt; a picture that cannot be read is a failure of the request."""
        from jinja2 import TemplateError

        where = f"sample {request.sample_id}"
        for part in request.parts:
            if isinstance(part, Text) and (mark := next((one for one in self._reserved if one in part.text), None)):
                return Failure("model", f"{where}: the text holds {mark!r}, which stands for a picture")
        try:
            shown = [_shown(part) for part in request.parts]
        except MediaError as error:
            return Failure("media", str(error))
        turns = tuple(_turns(shown))
        try:
            text = self._laid_out(turns, open_=True)
        except TemplateError as error:
            return Failure("model", f"{where}: the chat template refuses the prompt ({error})")
        bos = self._tokenizer.bos_token
        pictures = tuple(one for several in shown if isinstance(several, tuple) for one in several)
        return Prompt(text, pictures, not (self.template and bos and text.startswith(bos)), turns)

    def tails(self, prompt: Prompt, request: Request) -> tuple[tuple[int, ...], ...] | Failure:
        """Return the tokens of each closed choice as a reply to the prompt, as the template itself joins an answer.

        They are those that follow the open prompt when both are encoded as one; where the border does not hold, those of the
        choice by itself.
        """
        tails = tuple(self._tail(prompt, choice) for choice in request.choices)
        if not tails or not all(tails):
            return Failure("model", f"sample {request.sample_id}: a choice has no tokens ({list(request.choices)!r:.200})")
        return tails

    def _tail(self, prompt: Prompt, choice: str) -> tuple[int, ...]:
        if not self.template:
            return tuple(self._ids(choice, False))
        joined = self._laid_out((*prompt.turns, _turn("assistant", choice)), open_=False)
        rest = joined[len(prompt.text) :] if joined.startswith(prompt.text) else choice
        piece = rest[: rest.index(choice) + len(choice)] if choice in rest else choice
        before, both = (self._ids(text, prompt.special) for text in (prompt.text, prompt.text + piece))
        return tuple(both[len(before) :] if both[: len(before)] == before else self._ids(piece, False))

    def _ids(self, text: str, special: bool) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=special)["input_ids"])

    def _laid_out(self, turns: Sequence[Turn], *, open_: bool) -> str:
        """The text of a conversation; an open one waits for an answer."""
        if not self.template:
            parts = [part for turn in turns for part in turn["content"]]
            marks = "".join(str(self._mark) for part in parts if part["type"] == "image")
            return marks + "".join(part["text"] for part in parts if part["type"] == "text")
        said: list[Turn] = list(turns)
        if self._processor is None:  # models of text alone take plain texts
            said = [{**turn, "content": "".join(part["text"] for part in turn["content"])} for turn in turns]
        words = {"chat_template": self.template, "tokenize": False, "add_generation_prompt": open_}
        return str(self._templater.apply_chat_template(said, **words))


def _turn(role: str, text: str) -> Turn:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _turns(shown: Sequence[Text | tuple[Picture, ...]]) -> list[Turn]:
    """Put neighbours of one role together; pictures are the user's."""
    turns: list[Turn] = []
    for part in shown:
        role = part.role if isinstance(part, Text) else "user"
        if not turns or turns[-1]["role"] != role:
            turns.append({"role": role, "content": []})
        turns[-1]["content"] += (
            [{"type": "text", "text": part.text}] if isinstance(part, Text) else [{"type": "image"} for _ in part]
        )
    return turns


def _shown(part: Part) -> Text | tuple[Picture, ...]:
    """A text as it is, the pictures of anything else. Raises `MediaError` if they cannot be read."""
    if isinstance(part, Text):
        return part
    if isinstance(part, Image):
        return (open_image(part.source),)
    if isinstance(part, Video):
        from harness.data.video import read_frames

        return tuple(read_frames(part.source, part.frames))
    raise TypeError(f"{type(part).__name__} is no part of a prompt (Text, Image or Video)")
