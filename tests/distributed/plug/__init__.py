"""A plugin with the toy benchmark and a model that tells what it was asked, and dies when it is told to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.model import Capabilities
from harness.types import Request, Response
from tests.harness.fakes import toy_task

TASKS = (toy_task(), *(toy_task(name=f"toy_{number}") for number in range(10)))


class Teller:
    """Answers by the key; appends each sample asked, with its process, to ``log``.

    Args:
        die_after: the first process that has been asked so many dies of SIGKILL; a file beside ``log`` says that one has.
        batch: pulls so many before it answers.
    """

    def __init__(self, log: str, die_after: int = 0, pause_s: float = 0.0, batch: int = 3, name: str = "teller") -> None:
        self.name, self.fingerprint = name, f"{name}-1"
        self.capabilities = Capabilities(images=True, several_images=True, video=True)
        self.log, self.die_after, self.pause_s, self.batch = Path(log), die_after, pause_s, batch
        self.asked = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        waiting: list[Request] = []
        for request in requests:
            self._tell(request)
            waiting.append(request)
            if len(waiting) >= self.batch:
                yield from map(self._answer, waiting)
                waiting = []
        yield from map(self._answer, waiting)

    def _tell(self, request: Request) -> None:
        with self.log.open("a") as file:
            file.write(f"{request.sample_id} {os.getpid()}\n")
        self.asked += 1
        time.sleep(self.pause_s)
        if self.die_after and self.asked >= self.die_after:
            try:
                os.close(os.open(f"{self.log}.died", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)

    def _answer(self, request: Request) -> Response:
        if request.sample_id in ("toy-5", "toy-11"):
            raise ValueError("this sample always fails")
        return Response(key=request.key, text="AB?"[int(request.key[:4], 16) % 3], prompt_tokens=7, completion_tokens=1)
