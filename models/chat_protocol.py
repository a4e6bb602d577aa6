"""The chat-completions protocol as data: a request as a JSON body, and what a server sends as a reply or as trouble.

Pure functions: nothing is sent here (`models.openai_chat`). A server is a stranger, so every field of what it sends is checked.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from itertools import chain, groupby
from typing import Any

from harness.types import FileSource, FinishReason, Image, Part, Request, Text, Video

SHOWN = 300
"""Characters of a server's message that stand in an error."""

RATE_LIMIT = "rate limit"
"""The kind of trouble that a server has with how much it is asked."""

MOST_TOKENS = 2**53
"""A server that claims more tokens than this has sent nonsense."""

TOP = 20
"""Likeliest first tokens that are asked for; the most that OpenAI's protocol allows."""

_MIME = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))
_FINISHED: Mapping[str, FinishReason] = {"length": "length", "content_filter": "filter"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered; token counts are None where it reports none, ``first`` holds the likeliest first tokens (nats)."""

    text: str
    finish_reason: FinishReason = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer.

    Attributes:
        kind: as `harness.types.Failure` has it.
        again: whether asking again may help, not before ``retry_after_s``.
        refused: the server takes no request from us at all (a wrong key).
        billed: whether tokens may have been spent.
    """

    kind: str
    message: str
    again: bool = True
    retry_after_s: float | None = None
    refused: bool = False
    billed: bool = False


def body_of(request: Request, model: str, limit_field: str, extra: Mapping[str, Any], *, files: bool = False) -> bytes:
    """Return the JSON body that asks a request. A clip is sent as its frames, a picture each.

    Args:
        request: parts, and how the answer is produced.
        model: the server's name of the model.
        limit_field: ``max_tokens``, or ``max_completion_tokens`` for servers that want that.
        extra: further fields of the body; None takes a field out, for servers that refuse one.
        files: name pictures that are files by their ``file:`` address, for a server that reads the same disk.

    Raises:
        MediaError: a picture or clip cannot be read.
    """
    generation = request.generation
    body = {
        "model": model,
        "messages": messages_of(request.parts, files=files),
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "seed": generation.seed,
        limit_field: generation.max_new_tokens,
        **({"stop": list(generation.stop)} if generation.stop else {}),
        **extra,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode("ascii")


def weighing(limit_field: str) -> dict[str, Any]:
    """Return the fields of a body that asks for the likeliest first tokens of a reply, not for the reply."""
    return {limit_field: 1, "temperature": 0.0, "top_p": None, "stop": None, "logprobs": True, "top_logprobs": TOP}


def messages_of(parts: Sequence[Part], *, files: bool = False) -> list[dict[str, Any]]:
    """Turn parts into messages, neighbours of one role together; a message of text alone is plain text."""
    messages = []
    for role, group in groupby(parts, key=lambda part: part.role if isinstance(part, Text) else "user"):
        content = list(chain.from_iterable(_content(part, files) for part in group))
        texts = [one["text"] for one in content if one["type"] == "text"]
        messages.append({"role": role, "content": "".join(texts) if len(texts) == len(content) else content})
    return messages


def _content(part: Part, files: bool) -> list[dict[str, Any]]:
    if isinstance(part, Text):
        return [{"type": "text", "text": part.text}]
    if isinstance(part, Image):
        if files and isinstance(part.source, FileSource):
            return [_picture(part.source.path.resolve().as_uri())]
        return [_picture(data_url(part.source.read()))]
    return [_picture(data_url(frame)) for frame in _frames(part)]


def _picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def data_url(data: bytes) -> str:
    """Return the encoded bytes of a picture as an address that holds them."""
    mime = next((mime for start, mime in _MIME if data.startswith(start)), "image/png")
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def _frames(part: Video) -> list[bytes]:
    """The frames of a clip as PNG, which loses nothing. Raises `MediaError`."""
    from harness.data.video import read_frames

    encoded = []
    for frame in read_frames(part.source, part.frames):
        file = BytesIO()
        frame.save(file, "PNG")
        encoded.append(file.getvalue())
    return encoded


def read_reply(raw: bytes) -> Reply | Trouble:
    """Read the body of a successful answer; anything but a text in the first choice is trouble of kind ``reply``."""
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return _malformed(f"no JSON ({error})")
    choices = payload.get("choices") if isinstance(payload, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return _malformed("no choices")
    message, finished = choices[0].get("message"), choices[0].get("finish_reason")
    text = message.get("content") if isinstance(message, dict) else None
    finish_reason = _FINISHED.get(finished, "stop") if isinstance(finished, str) else "stop"
    if text is None and finish_reason == "filter":
        text = ""
    if not isinstance(text, str):
        return _malformed(f"content is {type(text).__name__}, not text")
    usage = payload.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    prompt, said = (_tokens(counts.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    return Reply(text, finish_reason, prompt, said, tuple(_first_tokens(choices[0])))


def _first_tokens(choice: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The likeliest first tokens that a server sent along, as far as they are well-formed."""
    found: Any = choice
    for step in ("logprobs", "content", 0, "top_logprobs"):
        known = isinstance(found, Mapping) if isinstance(step, str) else isinstance(found, list) and len(found) > 0
        found = (found.get(step) if isinstance(found, Mapping) else found[0]) if known else None
    for one in found if isinstance(found, list) else ():
        token, weight = (one.get("token"), one.get("logprob")) if isinstance(one, Mapping) else (None, None)
        if isinstance(token, str) and isinstance(weight, int | float) and math.isfinite(weight) and weight <= 1e-3:
            yield token, float(weight)


def weights_of(choices: Sequence[str], first: Sequence[tuple[str, float]]) -> tuple[float, ...] | str:
    """Weigh closed choices by the first tokens of a reply (nats); or say why that cannot be.

    A choice has the probability of all tokens that it, and no other choice, begins with. One whose tokens are not among those
    that were sent gets the weight of the least likely of them, which is as much as it can have.

    >>> weights_of(("Yes", "No"), [("Yes", -0.1), (" No", -2.5), ("Maybe", -7.0)])
    (-0.1, -2.5)
    """
    if not first:
        return "the server sent no log-probabilities (does it offer them for this model?)"
    shares: dict[str, list[float]] = {choice: [] for choice in choices}
    for token, weight in first:
        word = token.strip()
        meant = [choice for choice in choices if choice.strip() == word] or [
            choice for choice in choices if word and choice.strip().startswith(word)
        ]
        if len(meant) > 1:
            return f"the first token {token!r} does not tell {meant[0]!r} from {meant[1]!r}"
        if meant:
            shares[meant[0]].append(weight)
    if not any(shares.values()):
        return f"no choice is among the {len(first)} likeliest first tokens"
    least = min(weight for _, weight in first)
    return tuple(_total(several) if (several := shares[choice]) else least for choice in choices)


def _total(weights: Sequence[float]) -> float:
    """Logarithm of the sum of probabilities."""
    most = max(weights)
    return most + math.log(math.fsum(math.exp(weight - most) for weight in weights))


def _malformed(what: str) -> Trouble:
    return Trouble("reply", f"the server's answer is not as the protocol has it: {what}", billed=True)


def _tokens(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def trouble_of(status: int, headers: Mapping[str, str], raw: bytes) -> Trouble:
    """Say what an unsuccessful status means: 408, 409, 425, 429 and 5xx may pass, 401 and 403 never do."""
    said = " ".join(raw.decode("utf-8", "replace").split())[:SHOWN]
    again = status in (408, 409, 425, 429) or status >= 500
    kind = RATE_LIMIT if status == 429 else "server"
    return Trouble(kind, f"HTTP {status}: {said or 'no message'}", again, retry_after_s(headers), status in (401, 403))


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a server asks for (``retry-after-ms``, or ``retry-after`` in seconds or as a date), else None."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        when = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
