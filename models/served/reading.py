"""What a chat-completions body asks, as a request of the harness. Whoever sends it is a stranger, so every field is checked.

Pictures come inside of the body (``data:`` addresses). No address is fetched and no file is opened: a server that does is a way
into the network and the disk it stands in. Fields that would change the answer and are not supported are refused, never ignored.
Not here: HTTP (`models.served.app`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.media import digest, read_header
from harness.errors import MediaError
from harness.keys import described, media_group, request_key
from harness.types import Generation, Image, Part, Request, Text

_ROLES = {"system": "system", "developer": "system", "user": "user"}

_UNSUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "logprobs": (None, False),
    "tools": (None, []),
    "functions": (None, []),
    "logit_bias": (None, {}),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
}
"""Fields that would change an answer, with the values that ask for nothing."""


class Refusal(Exception):
    """Why a request is not answered, in the words of OpenAI's errors."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def body(self) -> dict[str, Any]:
        """Return the error as OpenAI's protocol has it."""
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
        kind = kinds.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The most that one request may ask.

    Attributes:
        images: pictures; pixels: of all of them together, by their headers, before any is decoded.
        new_tokens: of a reply, and what stands for a limit that is not given.
    """

    images: int = 32
    pixels: int = 50_000_000
    new_tokens: int = 1024


@dataclass(frozen=True, slots=True)
class Posted:
    """The encoded bytes of a picture that came with a request."""

    data: bytes
    label: str

    def read(self) -> bytes:
        """Return the bytes."""
        return self.data

    def locator(self) -> dict[str, Any]:
        """Return a name that leads nowhere: the bytes are kept by nobody."""
        return {"kind": "posted", "digest": hashlib.blake2b(self.data, digest_size=16).hexdigest()}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and whether its reply is wanted as a stream of events."""

    request: Request
    stream: bool
    usage: bool


def read_body(raw: bytes, served: str, fingerprint: str, bounds: Bounds) -> Asked:
    """Read the body of a chat completion.

    Args:
        raw: JSON.
        served: the name of the model that answers.
        fingerprint: its fingerprint; equal requests get one key, and so one answer.
        bounds: the most that may be asked.

    Raises:
        Refusal: it is not as the protocol has it, asks for something that is not supported, or for too much.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is no JSON ({error})") from error
    if not isinstance(body, dict):
        raise Refusal(400, "the body is no JSON object")
    if body.get("model") != served:
        asked = f"{body.get('model')!r:.80}"
        raise Refusal(404, f"the model {asked} is not served here; say {served!r}", param="model", code="model_not_found")
    for name, harmless in _UNSUPPORTED.items():
        if body.get(name) not in harmless:
            raise Refusal(400, f"{name} is not supported here", param=name, code="unsupported_parameter")
    parts = tuple(_parts(body.get("messages"), bounds))
    generation = _generation(body, bounds)
    identity = [described(part, digest) for part in parts]
    key = request_key(identity, generation, model=fingerprint)
    request = Request(key=key, sample_id=key[:8], parts=parts, generation=generation, group=media_group(identity))
    options = body.get("stream_options")
    return Asked(request, body.get("stream") is True, isinstance(options, dict) and options.get("include_usage") is True)


def _parts(messages: Any, bounds: Bounds) -> Iterator[Part]:
    """The parts of all messages in order."""
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, "messages must be a list of at least one message", param="messages")
    images = pixels = 0
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            advice = "a model here answers one question: its messages are of role user, or system before them"
            raise Refusal(400, f"{where}: role {role!r:.40} is not supported; {advice}", param="messages")
        for part in _content(message.get("content"), where, _ROLES[role]):
            if isinstance(part, Image):
                images += 1
                if images > bounds.images:
                    raise Refusal(400, f"more than {bounds.images} pictures", param="messages", code="too_many_images")
                pixels += _pixels(part, where)
                if pixels > bounds.pixels:
                    what = f"the pictures have more than {bounds.pixels} pixels together"
                    raise Refusal(400, what, param="messages", code="image_too_large")
            yield part


def _content(content: Any, where: str, role: Any) -> Iterator[Part]:
    entries = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(entries, list) or not entries:
        raise Refusal(400, f"{where}: content must be a text or a list of parts", param="messages")
    for place, entry in enumerate(entries):
        here = f"{where}.content[{place}]"
        kind = entry.get("type") if isinstance(entry, dict) else None
        if kind == "text" and isinstance(entry.get("text"), str):
            if any("\ud800" <= letter <= "\udfff" for letter in entry["text"]):
                raise Refusal(400, f"{here}: the text holds half a surrogate pair", param="messages")
            yield Text(entry["text"], role)
        elif kind == "image_url" and role == "user":
            yield Image(Posted(_inside(entry.get("image_url"), here), here))
        else:
            raise Refusal(400, f"{here}: must be a text, or in a user's message a picture (image_url)", param="messages")


def _inside(image_url: Any, where: str) -> bytes:
    """The bytes that a ``data:`` address holds."""
    url = image_url.get("url") if isinstance(image_url, dict) else None
    head, comma, text = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        what = "pictures must come as data:image/...;base64,...; addresses are not fetched and files not opened"
        raise Refusal(400, f"{where}: {what}", param="messages", code="invalid_image_url")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(400, f"{where}: not base64 ({error})", param="messages", code="invalid_image_url") from error


def _pixels(part: Image, where: str) -> int:
    try:
        header = read_header(part.source)
    except MediaError as error:
        raise Refusal(400, str(error), param="messages", code="invalid_image") from error
    return header.width * header.height


def _generation(body: Mapping[str, Any], bounds: Bounds) -> Generation:
    most = bounds.new_tokens
    limits = [body[name] for name in ("max_completion_tokens", "max_tokens") if body.get(name) is not None]
    limit = _number(limits[0] if limits else most, "max_tokens", 1, most, whole=True)
    temperature = _number(_or(body, "temperature", 0.0), "temperature", 0, 2)
    top_p = _number(_or(body, "top_p", 1.0), "top_p", 0, 1)
    if top_p == 0:
        raise Refusal(400, "top_p must be above 0", param="top_p")
    drawn = random.SystemRandom().randrange(2**31) if temperature > 0 else 0  # without a seed, every draw is its own
    seed = _number(_or(body, "seed", drawn), "seed", -(2**63), 2**63 - 1, whole=True)
    stops = _or(body, "stop", [])
    stops = [stops] if isinstance(stops, str) else stops
    if not isinstance(stops, list) or len(stops) > 16 or not all(isinstance(stop, str) for stop in stops):
        raise Refusal(400, "stop must be a text or a list of at most 16", param="stop")
    return Generation(int(limit), float(temperature), float(top_p), tuple(stops), int(seed))


def _or(body: Mapping[str, Any], name: str, default: Any) -> Any:
    """A field's value; null is as good as none."""
    value = body.get(name)
    return default if value is None else value


def _number(value: Any, name: str, least: float, most: float, *, whole: bool = False) -> float:
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise Refusal(400, f"{name} must be {kind} from {least} to {most}, found {value!r:.40}", param=name)
    return value
