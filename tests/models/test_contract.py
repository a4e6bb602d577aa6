"""What every model owes the engine: one response a request, under its key, whatever the order, and no exception."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model import Model
from harness.types import Generation, Image, Request, Response, Text
from models.chance import Chance
from models.constant import Constant
from models.hf_chat import HFChat
from models.oracle import Oracle
from models.sphinx_x import checkpoint
from models.sphinx_x.plugin import SphinxXModel
from tests.models.hf_families import save
from tests.models.specimens import Bytes, mixed_requests, picture, sparse_specimen, specimen

Build = Callable[[], Model]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("weights")
    checkpoint.save(root / "micro", *specimen())
    checkpoint.save(root / "micro_moe", *sparse_specimen())
    save("llava", root / "llava")
    return root


@pytest.fixture(params=["constant", "oracle", "chance", "micro", "micro_moe", pytest.param("llava", marks=pytest.mark.slow)])
def build(request: pytest.FixtureRequest, folders: Path) -> Build:
    builders: dict[str, Build] = {
        "constant": Constant,
        "oracle": Oracle,
        "chance": Chance,
        "micro": lambda: SphinxXModel(str(folders / "micro")),
        "micro_moe": lambda: SphinxXModel(str(folders / "micro_moe")),
        "llava": lambda: HFChat(str(folders / "llava"), dtype="float32", device="cpu"),
    }
    return builders[request.param]


def requests_with_ideals(count: int) -> list[Request]:
    return [replace(request, ideal="yes") for request in mixed_requests(count)]


def answered(model: Model, requests: list[Request]) -> dict[str, Response]:
    """Responses by key without their times; a key that comes twice is an error."""
    found: dict[str, Response] = {}
    for response in model.generate(iter(requests)):
        assert response.key not in found
        found[response.key] = replace(response, seconds=None)
    return found


def test_every_request_is_answered_once_under_its_key(build: Build) -> None:
    requests = requests_with_ideals(70)
    found = answered(build(), requests)
    assert found.keys() == {request.key for request in requests}
    assert all(response.failure is None for response in found.values())


def test_two_builds_answer_alike_in_any_order(build: Build) -> None:
    requests = requests_with_ideals(70)
    first, second = build(), build()
    straight = answered(first, requests)
    random.Random(0).shuffle(requests)
    assert answered(second, requests) == straight
    assert answered(first, requests) == straight
    assert first.fingerprint == second.fingerprint


def test_no_request_gets_no_response(build: Build) -> None:
    assert answered(build(), []) == {}


def test_requests_are_pulled_in_the_thread_that_asks(build: Build) -> None:
    threads: set[int] = set()

    def stream() -> Iterator[Request]:
        for request in requests_with_ideals(30):
            threads.add(threading.get_ident())
            yield request

    assert len(list(build().generate(stream()))) == 30
    assert threads == {threading.get_ident()}


def test_a_damaged_picture_is_a_failure_where_pictures_are_opened_and_never_an_exception(build: Build) -> None:
    model = build()
    sources = [Bytes(picture(48, 48, 1).data[:50], "cut short"), Bytes(b"", "empty"), Bytes(b"GIF89a nothing", "no picture")]
    damaged = [
        Request(
            key=source.label,
            sample_id=source.label,
            parts=(Image(picture(32, 32, 0)), Image(source), Text("red")),
            generation=Generation(),
            ideal="yes",
            group=source.label,
        )
        for source in sources
    ]
    sound = requests_with_ideals(10)
    found = answered(model, [*sound[:5], *damaged, *sound[5:]])
    assert found.keys() == {request.key for request in (*sound, *damaged)}
    looks = isinstance(model, SphinxXModel | HFChat)
    for source in sources:
        failure = found[source.label].failure
        assert (failure is not None) == looks
        if failure is not None:
            assert failure.kind == "media" and source.label in failure.message
    assert {key: found[key] for key in (request.key for request in sound)} == answered(model, sound)


def test_identity_is_stated(build: Build) -> None:
    model = build()
    assert model.name
    assert len(model.fingerprint) == 32 and int(model.fingerprint, 16) >= 0
    assert model.capabilities.images and model.capabilities.video
