"""A model class of VLMEvalKit's as a model of this harness: ``model=vlmeval model.model=NAME`` of its ``supported_VLM``.

It runs in a process of its own, by an interpreter that has VLMEvalKit (`harness.foreign`), and is asked one question after
another. Its prompts for single benchmarks (``use_custom_prompt``) are not used: what is asked is the task's. It decodes as its
class says (``model.settings={max_new_tokens: 64}``), whatever the run's own settings of generation are. Not here: our models over
there (`models.bridges.vlmeval`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, MediaError
from harness.foreign.client import ForeignError, python_of, shared
from harness.keys import hash_of
from harness.model import Capabilities
from harness.names import nearest
from harness.types import Failure, Image, Request, Response, Text

PYTHON = "RIDDLE_VLMEVAL_PYTHON"
FAILED = "Failed to obtain answer"
"""How a reply of its API models begins in place of an answer."""

SUFFIXES = {b"\xff\xd8": ".jpg", b"RIFF": ".webp", b"GIF8": ".gif", b"BM": ".bmp"}
"""What VLMEvalKit tells the type of a picture by, for the first bytes of files that are no PNG."""


class VLMEvalModel:
    """A model of VLMEvalKit's.

    Args:
        model: its name in ``supported_VLM``.
        python: the interpreter that has VLMEvalKit; the environment variable `PYTHON` names it otherwise, else it is this one.
        settings: arguments of its class.
        dataset: the name of a data set that it is told, as some classes choose system prompts and lengths by it.
        name: how the model appears in tables.

    Raises:
        ConfigError: VLMEvalKit is not there, or has no such model.
    """

    def __init__(
        self,
        *,
        model: str,
        python: str | None = None,
        settings: Mapping[str, Any] | None = None,
        dataset: str | None = None,
        name: str | None = None,
    ) -> None:
        self.model, self.dataset, self.settings = model, dataset, dict(settings or {})
        self.program = shared(python or python_of(PYTHON), Path(__file__).with_name("bridges") / "_vlmeval_models.py")
        self.name = name or f"vlmeval-{model}"
        self.fingerprint = hash_of(["vlmeval", 1, model, dataset, self.settings, self._version()], 8)
        self.capabilities = Capabilities(images=True, several_images=True)

    def _version(self) -> str:
        """Make sure that VLMEvalKit and the model are there; return its version."""
        try:
            about = self.program.ask("describe", name=self.model)
        except ForeignError as error:
            missing = error.kind == "ModuleNotFoundError"
            cure = f"; set {PYTHON} (or model.python) to an interpreter that has ms-vlmeval" if missing else ""
            raise ConfigError(f"model=vlmeval: {self.program.python} cannot import VLMEvalKit ({error}){cure}") from error
        if "known" in about:
            near = " or ".join(map(repr, nearest(self.model, about["known"]))) or "none near it"
            raise ConfigError(f"unknown model of VLMEvalKit {self.model!r} (did you mean {near}?)")
        return str(about["version"])

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield replies in order. Where the model's process dies, what it was asked fails, and the next is asked of a new one."""
        for request in requests:
            with tempfile.TemporaryDirectory() as folder:
                yield self._response(request, Path(folder))

    def _response(self, request: Request, folder: Path) -> Response:
        try:
            message = [_written(part, folder / str(place)) for place, part in enumerate(request.parts)]
            text = self.program.ask(
                "generate", name=self.model, settings=self.settings, message=message, dataset=self.dataset
            )  # fmt: skip
        except MediaError as error:
            return Response(key=request.key, finish_reason="error", failure=Failure("media", str(error)))
        except ForeignError as error:
            return Response(key=request.key, finish_reason="error", failure=Failure("model", str(error)))
        if text.startswith(FAILED):
            return Response(key=request.key, finish_reason="error", failure=Failure("model", text, transient=True))
        return Response(key=request.key, text=text)


def _written(part: object, path: Path) -> dict[str, str]:
    """A part of a message in VLMEvalKit's form: pictures are files."""
    if isinstance(part, Text):
        return {"type": "text", "value": part.text, **({"role": "system"} if part.role == "system" else {})}
    if not isinstance(part, Image):
        raise MediaError("a clip: this bridge sends pictures and texts")
    data = part.source.read()
    file = path.with_suffix(next((suffix for mark, suffix in SUFFIXES.items() if data.startswith(mark)), ".png"))
    file.write_bytes(data)
    return {"type": "image", "value": os.fspath(file)}
