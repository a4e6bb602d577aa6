"""What a model is: a function from a stream of requests to a stream of responses, in any order.

The engine offers what is still to be asked and stores what comes back. How requests are batched, sent or queued is the
model's own affair; pulling from the iterable is back-pressure, so a model takes no more than it can work on. A model never
sees a task's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from harness.boxes import Frame
from harness.types import Request, Response


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a model can be asked; checked against the task before the first sample."""

    images: bool = True
    several_images: bool = False
    video: bool = False
    loglikelihood: bool = False
    needs_ideal: bool = False
    """Set by the oracle only: its requests carry the benchmark's ideal reply, and its runs are marked as not a model."""
    box_frame: Frame | None = None
    """What the coordinates count that the model writes; None: what the benchmark's authors expect. It is never guessed."""


class Model(Protocol):
    """The seam between the engine and everything that can answer.

    Attributes:
        name: how the model appears in tables.
        fingerprint: changes whenever an answer could: weights, processor, template, precision, engine options that matter.

    A class that is no model but a yardstick (a constant, a guess) says so with ``kind = "baseline"``, which its runs record.
    One whose responses carry side records names these in ``traces`` (`harness.traces`); one that has more to say of itself than
    its settings do (what was pruned) says it in ``details``, plain values that its runs record.
    """

    name: str
    fingerprint: str
    capabilities: Capabilities

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield one response a request, in any order, as each is ready.

        A request that cannot be answered yields a response with a ``failure``; an exception that escapes is recorded by the
        engine against the requests in flight, which are then asked again one by one. `RunStopped` ends the run instead (a
        budget is spent, a key is refused), once everything that was answered has been yielded; the same command goes on.
        """
        ...


def shortcomings(model: object) -> Iterator[str]:
    """Yield what keeps an object from being a `Model`, for an error to its author."""
    for attribute, kind, example in (
        ("name", str, "a text"),
        ("fingerprint", str, "a text that changes whenever an answer could"),
        ("capabilities", Capabilities, "harness.Capabilities(images=True)"),
    ):
        value = getattr(model, attribute, None)
        if not isinstance(value, kind) or value == "":
            yield f"{type(model).__name__}.{attribute} must be {example}, found {value!r:.80}"
    if not callable(getattr(model, "generate", None)):
        yield f"{type(model).__name__} has no method generate(requests)"


class LoglikelihoodModel(Model, Protocol):
    """A model that can also weigh the choices of a closed question."""

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield responses whose ``logprobs`` hold the summed log-probability (nats) of each of the request's choices."""
        ...


class CountingModel(Model, Protocol):
    """A model that can say beforehand how long a prompt is; ``dry=true`` then shows what a run would cost."""

    def prompt_tokens(self, request: Request) -> int:
        """Return the tokens of the prompt, pictures included, as the model would see it."""
        ...
