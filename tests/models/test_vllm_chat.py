"""The plug to vLLM, against a stand-in with the calls and fields that it uses; how vLLM then answers only a GPU tells."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.types import FileSource, Generation, Image, Request, Text
from models.vllm_chat import VLLMChat
from tests.models.specimens import picture


@dataclass(kw_only=True)
class SamplingParams:
    max_tokens: int
    temperature: float
    top_p: float
    stop: list[str] | None
    seed: int | None


@dataclass
class LLM:
    model: str
    revision: str | None
    dtype: str
    limit_mm_per_prompt: dict[str, int]
    max_model_len: int | None = None
    calls: list[tuple[Any, Any]] = field(default_factory=list)

    def chat(self, messages: Any, sampling_params: Any = None, use_tqdm: bool = True) -> list[Any]:
        self.calls.append((messages, sampling_params))
        replies = [
            SimpleNamespace(text=f" {number} ", token_ids=[1, 2], finish_reason=("stop", "length")[number % 2])
            for number, _ in enumerate(messages)
        ]
        return [SimpleNamespace(prompt_token_ids=[1, 2, 3], outputs=[reply]) for reply in replies]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vllm")
    module.__dict__.update(LLM=LLM, SamplingParams=SamplingParams, __version__="0.0")
    monkeypatch.setitem(sys.modules, "vllm", module)


def request(key: str, *parts: Any, **generation: Any) -> Request:
    return Request(key=key, sample_id=key, parts=parts, generation=Generation(**generation))


@pytest.mark.usefixtures("stand_in")
def test_requests_are_handed_over_in_order_a_window_at_a_time() -> None:
    model = VLLMChat("org/one", window=2, engine={"max_model_len": 64})
    broken = request("b", Image(FileSource(Path("nowhere.png"))))
    wanted = [
        request("0", Image(picture(8, 8, 0)), Text("red?"), max_new_tokens=5, stop=(".",)),
        broken,
        request("1", Text("blue?"), temperature=0.5, top_p=0.9, seed=3),
        request("2", Text("green?")),
    ]
    found = {response.key: response for response in model.generate(iter(wanted))}
    assert found["b"].failure is not None and found["b"].failure.kind == "media"
    assert [(found[key].text, found[key].finish_reason) for key in "012"] == [("0", "stop"), ("0", "stop"), ("1", "length")]
    assert (found["0"].prompt_tokens, found["0"].completion_tokens) == (3, 2)
    (first, greedy), (second, drawn) = model._llm.calls
    assert first[0][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,") and len(second) == 2
    assert greedy == [SamplingParams(max_tokens=5, temperature=0.0, top_p=1.0, stop=["."], seed=None)]
    assert drawn[0].temperature == 0.5 and drawn[0].top_p == 0.9 and drawn[0].seed is not None
    assert model._llm.limit_mm_per_prompt == {"image": 8} and model.capabilities.several_images


@pytest.mark.usefixtures("stand_in")
def test_the_fingerprint_covers_what_vllm_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    told = [VLLMChat("a/b"), VLLMChat("a/b", dtype="half"), VLLMChat("a/b", engine={"max_model_len": 9}), VLLMChat(str(tmp_path))]
    told += [VLLMChat("a/b", revision="main")]
    assert len({model.fingerprint for model in told}) == 5
    assert VLLMChat("a/b", window=3).fingerprint == told[0].fingerprint and told[0].name == "b"


def test_without_vllm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ConfigError, match=r"riddle-eval\[vllm\]"):
        VLLMChat("org/one")


@pytest.mark.gpu
@pytest.mark.network
def test_vllm_itself_answers() -> None:
    pytest.importorskip("vllm")
    model = VLLMChat("HuggingFaceTB/SmolVLM-256M-Instruct", engine={"max_model_len": 4096})
    (response,) = model.generate(iter([request("0", Image(picture(64, 64, 0)), Text("What is it?"), max_new_tokens=8)]))
    assert response.text and response.failure is None
