"""``riddle eval dry=true``: what would be asked, word for word, and what a run would cost. No model is asked.

Tokens are counted by the model itself where it can (`harness.model.CountingModel`); for the whole benchmark they are the
mean of the first samples times the number of requests, and said to be an estimate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from harness.commands.places import Place
from harness.commands.tables import entries
from harness.model import Model
from harness.plan import Planned, Settings, Source, plan
from harness.task import Task
from harness.types import Image, Part, Request, Video

SHOWN = 3
"""Samples shown word for word."""


def preview(task: Task, model: Model, place: Place, settings: Settings) -> dict[str, Any]:
    """Return the first requests of a benchmark, and the cost of all of them.

    Raises:
        DatasetError: the data are not there or do not fit.
    """
    source = Source.find(task, place.where, settings.limit)
    count: Callable[[Request], int] | None = getattr(model, "prompt_tokens", None)
    first = [_asked(one, count) for one in islice(plan(source, settings, model.fingerprint), SHOWN)]
    cost: Counter[str] = Counter()
    for sample in source.samples():
        cost.update(_media(settings.shown(task.query(sample, settings.prompt).parts)))
        cost["requests"] += 1
    if settings.control == "blind":
        cost["images"] = cost["clips"] = cost["frames"] = 0
    limit = settings.generation.get("max_new_tokens", task.generation.max_new_tokens)
    counted = [one["prompt_tokens"] for one in first if one["prompt_tokens"] is not None]
    prompt_tokens = round(sum(counted) / len(counted) * cost["requests"]) if counted else None
    named = {name: cost[name] for name in ("requests", "images", "clips", "frames")}
    return {
        "kind": "preview",
        "task": task.name,
        "model": model.name,
        "data": place.name,
        "layout": source.layout.name,
        "samples": first,
        "cost": {**named, "prompt_tokens_estimate": prompt_tokens, "reply_tokens_at_most": cost["requests"] * limit},
    }


def _asked(planned: Planned, count: Callable[[Request], int] | None) -> dict[str, Any]:
    request = planned.request
    readable = count is not None and planned.failure is None
    return {
        "sample": planned.sample.id,
        "parts": planned.parts,
        "choices": list(request.choices),
        "max_new_tokens": request.generation.max_new_tokens,
        "references": list(planned.sample.references),
        "prompt_tokens": count(request) if readable and count is not None else None,
        "problem": planned.failure.message if planned.failure else None,
    }


def _media(parts: tuple[Part, ...]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in parts:
        if isinstance(part, Image):
            counts["images"] += 1
        elif isinstance(part, Video):
            counts["clips"] += 1
            counts["frames"] += part.frames.count
    return counts


def shown(result: Mapping[str, Any]) -> str:
    """Return a preview as text."""
    cost = result["cost"]
    media = ", ".join(f"{cost[name]:,} {name}" for name in ("images", "clips", "frames") if cost[name]) or "no media"
    prompt = cost["prompt_tokens_estimate"]
    tokens = f"about {prompt:,} prompt tokens" if prompt is not None else "prompt tokens unknown (the model does not count them)"
    head = f"{result['task']} on {result['data']} ({result['layout']}) with {result['model']}"
    price = f"{cost['requests']:,} requests, {media}, {tokens}, at most {cost['reply_tokens_at_most']:,} reply tokens"
    return "\n\n".join([head, *(_sample(sample) for sample in result["samples"]), f"a run costs {price}; nothing was asked"])


def _sample(sample: Mapping[str, Any]) -> str:
    lines = [("sample", sample["sample"])]
    for part in sample["parts"]:
        name = next(name for name in ("text", "image", "video") if name in part)
        lines.append((name, str(part[name])))
    lines.append(("answers", ", ".join(sample["references"])))
    if sample["prompt_tokens"] is not None:
        lines.append(("tokens", f"{sample['prompt_tokens']:,}"))
    if sample["problem"]:
        lines.append(("problem", sample["problem"]))
    return entries([(f"  {name}", text) for name, text in lines])
