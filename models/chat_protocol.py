"""The chat-completions protocol as data: a request as a JSON body, and what a server sends as a reply or as trouble.

Pure functions: nothing is sent here (`models.openai_chat`). A server is a stranger, so every field of what it sends is checked.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any

from harness.errors import CapabilityError
from harness.types import FinishReason, Image, Part, Request, Text

SHOWN = 300
"""Characters of a server's message that stand in an error."""

MOST_TOKENS = 2**53
"""A server that claims more tokens than this has sent nonsense."""

_MIME = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))
_FINISHED: Mapping[str, FinishReason] = {"length": "length", "content_filter": "filter"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered; token counts are None where it reports none."""

    text: str
    finish_reason: FinishReason = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


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


def body_of(request: Request, model: str, limit_field: str, extra: Mapping[str, Any]) -> bytes:
    """Return the JSON body that asks a request.

    Args:
        request: parts, and how the answer is produced.
        model: the server's name of the model.
        limit_field: ``max_tokens``, or ``max_completion_tokens`` for servers that want that.
        extra: further fields of the body; None takes a field out, for servers that refuse one.

    Raises:
        MediaError: a picture cannot be read.
        CapabilityError: a part is a clip, for which the protocol has no form.
    """
    generation = request.generation
    body = {
        "model": model,
        "messages": messages_of(request.parts),
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "seed": generation.seed,
        limit_field: generation.max_new_tokens,
        **({"stop": list(generation.stop)} if generation.stop else {}),
        **extra,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode("ascii")


def messages_of(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Turn parts into messages, neighbours of one role together; a message of text alone is plain text."""
    messages = []
    for role, group in groupby(parts, key=lambda part: part.role if isinstance(part, Text) else "user"):
        content = [_content(part) for part in group]
        texts = [one["text"] for one in content if one["type"] == "text"]
        messages.append({"role": role, "content": "".join(texts) if len(texts) == len(content) else content})
    return messages


def _content(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        data = part.source.read()
        mime = next((mime for start, mime in _MIME if data.startswith(start)), "image/png")
        return {"type": "image_url", "image_url": {"url": f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"}}
    raise CapabilityError(f"{part.source.label}: chat completions take no clips")


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
    return Reply(text, finish_reason, _tokens(counts.get("prompt_tokens")), _tokens(counts.get("completion_tokens")))


def _malformed(what: str) -> Trouble:
    return Trouble("reply", f"the server's answer is not as the protocol has it: {what}", billed=True)


def _tokens(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def trouble_of(status: int, headers: Mapping[str, str], raw: bytes) -> Trouble:
    """Say what an unsuccessful status means: 408, 409, 425, 429 and 5xx may pass, 401 and 403 never do."""
    said = " ".join(raw.decode("utf-8", "replace").split())[:SHOWN]
    again = status in (408, 409, 425, 429) or status >= 500
    kind = "rate limit" if status == 429 else "server"
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
