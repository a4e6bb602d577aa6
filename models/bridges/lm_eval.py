"""Models of this harness as a model of lm-eval's: ``riddle`` in its registry, once this module is imported.

lm-eval looks for no plugins, so its command is called through here:
``python -m models.bridges.lm_eval --model riddle --model_args model=nano --tasks NAME``; in Python
``lm_eval.simple_evaluate(model="riddle", model_args="model=nano")`` after the import. How
requests are asked is in `harness.continuations`, for both directions. lm-eval is imported with this module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from harness.continuations import PROBE, answer_of, continues, generation_of
from harness.continuations import ended as cut_at
from harness.errors import ConfigError, ModelError
from harness.keys import Kind, described, media_group, request_key
from harness.model import LoglikelihoodModel, Model
from harness.types import Generation, Request, Response, Text
from models.bridges._ours import model_of

_log = logging.getLogger(__name__)


@register_model("riddle")
class RiddleLM(LM):  # type: ignore[misc]  # lm-eval's base has no types
    """A model of riddle's, asked by lm-eval."""

    def __init__(
        self, model: str | Model = "nano", batch_size: Any = None, device: Any = None, place: str | None = None, **settings: Any
    ) -> None:
        """Build the model.

        Args:
            model: its name in ``conf/model``, or the model itself.
            batch_size: lm-eval's; models here make their own batches.
            device: lm-eval's, which its command fills in unasked (``cuda:0``), so it is not used.
            place: the model's ``device``.
            settings: of the model, as ``riddle ls model NAME`` lists them.
        """
        super().__init__()
        chosen = {name: value for name, value in settings.items() if name != "max_batch_size"}
        if place is not None:
            chosen["device"] = place
        words = [f"model.{name}={value}" for name, value in chosen.items()]
        self.model = model_of(model, words) if isinstance(model, str) else model

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """Weigh continuations, those of one context together, and say whether a lone one is what the model would have said.

        Of one among several it is not said: ``exact_match`` of multiple choices is then 0, and a warning is logged.
        """
        if not self.model.capabilities.loglikelihood:
            raise ConfigError(f"model {self.model.name!r} cannot weigh choices; choose tasks that generate")
        found: dict[tuple[Any, ...], list[int]] = {}
        for place, one in enumerate(requests):
            found.setdefault((one.task_name, one.doc_id, one.args[0]), []).append(place)
        places = list(found.values())
        asked = [
            self._request(requests[group[0]].args[0], PROBE, "loglikelihood", [answer_of(requests[one].args[1]) for one in group])
            for group in places
        ]
        weights = self._responses(cast(LoglikelihoodModel, self.model).loglikelihood, asked)
        lone = [group[0] for group in places if len(group) == 1]
        said = self._said([(requests[place].args[0], PROBE) for place in lone])
        greedy = {place: continues(reply, requests[place].args[1]) for place, reply in zip(lone, said, strict=True)}
        if len(lone) < len(places):
            _log.warning("whether one choice of several is greedy is not known: exact_match of multiple choices means nothing")
        values: dict[int, float] = {}
        for group, one in zip(places, weights, strict=True):
            values |= zip(group, one.logprobs, strict=True)
        return [(values[place], greedy.get(place, False)) for place in range(len(requests))]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        """Refuse: chat models weigh answers to questions, not running text. Raises `ConfigError`."""
        raise ConfigError("loglikelihood_rolling: riddle's models weigh answers to questions, not running text")

    def generate_until(self, requests: list[Any]) -> list[str]:
        """Return replies, cut before the first stop."""
        return self._said([(one.args[0], generation_of(one.args[1])) for one in requests])

    def _said(self, asked: Sequence[tuple[str, Generation]]) -> list[str]:
        made = [self._request(context, generation, "generate") for context, generation in asked]
        replies = self._responses(self.model.generate, made)
        return [cut_at(reply.text, one.generation.stop) for reply, one in zip(replies, made, strict=True)]

    def _request(self, context: str, generation: Generation, kind: Kind, choices: Sequence[str] = ()) -> Request:
        parts = (Text(context),)
        identity = [described(part, lambda source: source.label) for part in parts]
        key = request_key(identity, generation, model=self.model.fingerprint, kind=kind, choices=choices)
        return Request(
            key=key, sample_id=key, parts=parts, generation=generation, choices=tuple(choices), group=media_group(identity)
        )

    def _responses(self, call: Callable[[Iterable[Request]], Iterator[Response]], asked: Sequence[Request]) -> list[Response]:
        """Ask each request once and return the responses in order. Raises `ModelError` where one failed."""
        found = {one.key: one for one in call(iter({one.key: one for one in asked}.values()))}
        for one in asked:
            response = found.get(one.key)
            if response is None or response.failure is not None:
                why = "no response came" if response is None or response.failure is None else response.failure.message
                raise ModelError(f"{self.model.name}: {why} (context {one.parts[0]!r:.200})")
        return [found[one.key] for one in asked]


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
