"""The local engine: replies as transformers alone would give them, in any batch, order and company."""

from __future__ import annotations

import itertools
import logging
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.types import FileSource, FramePlan, Generation, Image, Request, Response, Text, Video
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.inference.replies import sample
from models.sphinx_x.inference.schedule import Prompt, Waiting, common_prefix, group_of, windows
from models.sphinx_x.model import SphinxX
from models.sphinx_x.template import STOP, answer_piece, open_prompt
from models.sphinx_x.tiling import views_of_prompt
from models.sphinx_x.tokenizer import Tokenizer
from tests.models.specimens import Bytes, mixed_requests, opened, picture, sparse_specimen, specimen

Specimen = tuple[SphinxX, Tokenizer]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=[specimen, sparse_specimen], ids=["dense", "experts"])
def built(request: pytest.FixtureRequest) -> Specimen:
    found: Specimen = request.param()
    return found


@pytest.fixture(scope="module")
def alone(built: Specimen) -> dict[str, Response]:
    """Replies to many requests, each asked alone."""
    return answers(built, mixed_requests(220, seed=1), max_batch=1, window=1)


@pytest.fixture(scope="module")
def dense() -> Specimen:
    return specimen()


def answers(built: Specimen, requests: list[Request], **options: object) -> dict[str, Response]:
    engine = Engine(*built, EngineOptions(**{"threads": 0, **options}))  # type: ignore[arg-type]
    return {response.key: replace(response, seconds=None) for response in engine.generate(requests)}


def question(words: str, *, key: str = "k", **settings: object) -> Request:
    return Request(key=key, sample_id=key, parts=(Text(words),), generation=Generation(**settings))  # type: ignore[arg-type]


def embeddings(built: Specimen, request: Request, ids: list[int]) -> torch.Tensor:
    """The prompt of one request on its own, through the model's public pieces, [1, positions, width]."""
    model, _ = built
    pictures = [opened(part.source) for part in request.parts if isinstance(part, Image)]
    return model.splice(model.encode(views_of_prompt(pictures, model.variant)), ids)[None]


@torch.inference_mode()
def reference(built: Specimen, request: Request) -> tuple[str, int]:
    """Greedy reply and its tokens by transformers' own forward pass over the whole sequence, without any cache."""
    model, tokenizer = built
    text = "\n".join(part.text for part in request.parts if isinstance(part, Text))
    sequence = embeddings(built, request, tokenizer.encode_prompt(text))
    ids: list[int] = []
    said = ""
    stops = (STOP, *request.generation.stop)
    while len(ids) < request.generation.max_new_tokens:
        ids.append(int(model(sequence, use_cache=False).logits[0, -1].argmax()))
        sequence = torch.cat([sequence, model.embed(torch.tensor([ids[-1:]]))], dim=1)
        said = tokenizer.decode(ids)
        if ids[-1] == tokenizer.eos or any(stop in said for stop in stops):
            break
    for stop in stops:
        said = said.split(stop)[0]
    return said.strip(), len(ids)


def test_replies_are_those_of_transformers_without_batch_or_cache(built: Specimen) -> None:
    requests = mixed_requests(60)
    for key, response in answers(built, requests).items():
        request = requests[int(key, 16)]
        assert (response.text, response.completion_tokens) == reference(built, request), request


@pytest.mark.parametrize("options", [{"max_batch": 16, "window": 50}, {"max_batch": 64}, {"batch_tokens": 300, "threads": 2}])
def test_replies_do_not_depend_on_batch_size_or_order(
    built: Specimen, alone: dict[str, Response], options: dict[str, int]
) -> None:
    requests = mixed_requests(220, seed=1)
    random.Random(str(options)).shuffle(requests)
    together = answers(built, requests, **options)
    assert together == alone
    assert len(alone) == 220
    assert len({response.text for response in alone.values()}) > 100
    assert {response.finish_reason for response in alone.values()} == {"stop", "length"}


def test_close_calls_are_decided_by_the_request_on_its_own(built: Specimen, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = mixed_requests(40, seed=9)
    plain = answers(built, requests)
    decided: list[int] = []
    alone = Engine._alone
    monkeypatch.setattr(Engine, "_alone", lambda engine, reply: decided.append(alone(engine, reply)) or decided[-1])
    monkeypatch.setattr("models.sphinx_x.inference.replies.CLOSE", math.inf)
    assert answers(built, requests) == plain
    assert len(decided) == sum(response.completion_tokens or 0 for response in plain.values())


def test_loglikelihood_is_that_of_transformers_in_any_batch(built: Specimen) -> None:
    model, tokenizer = built
    requests = mixed_requests(24, seed=2)
    found = {
        size: {r.key: r.logprobs for r in Engine(*built, EngineOptions(max_batch=size)).loglikelihood(requests)}
        for size in (1, 32)
    }
    for request in requests:
        expected = []
        for choice in request.choices:
            text = open_prompt(next(part.text for part in request.parts if isinstance(part, Text)))
            prompt = tokenizer.encode(text)
            ids = [tokenizer.bos, *tokenizer.encode(text + answer_piece(choice).removesuffix(STOP))]
            with torch.inference_mode():
                logprobs = model(embeddings(built, request, ids)).logits[0].log_softmax(-1)
            tail = ids[1 + len(prompt) :]
            expected.append(sum(float(logprobs[place - 1 - len(tail), token]) for place, token in enumerate(tail)))
        for size in found:
            assert found[size][request.key] == pytest.approx(expected, abs=1e-4), (size, request.key)


def test_a_damaged_picture_fails_its_own_requests_only(dense: Specimen) -> None:
    requests = mixed_requests(40, seed=3)
    broken = Bytes(picture(48, 48, 1).data[:60], "broken.png")
    damaged = [
        Request(key=f"bad{i}", sample_id=f"bad{i}", parts=(Image(broken), Text("red")), generation=Generation(), group="bad")
        for i in range(3)
    ]
    found = answers(dense, [*requests[:20], *damaged, *requests[20:]])
    assert found == answers(dense, requests) | {request.key: found[request.key] for request in damaged}
    for request in damaged:
        failure = found[request.key].failure
        assert failure is not None and failure.kind == "media" and "broken.png" in failure.message
        assert found[request.key].finish_reason == "error"


def test_each_group_of_pictures_is_encoded_once_even_across_windows(dense: Specimen, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = dense
    counts: list[int] = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda views: counts.append(len(views)) or encode(views))
    requests = mixed_requests(60, seed=4)
    answers(dense, requests, window=7)
    shown = {group_of(request): sum(isinstance(part, Image) for part in request.parts) for request in requests}
    assert sum(counts) == sum(shown.values())


def test_experts_see_every_token_once_and_no_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.sphinx_x.inference.replies.CLOSE", 0.0)  # no second look at close calls
    built = sparse_specimen()
    model, _ = built
    seen: list[int] = []
    gate = model.language_model.model.layers[0].mlp.gate
    hook = gate.register_forward_hook(lambda module, inputs, output: seen.append(len(output[2])))
    requests = [request for request in mixed_requests(60, seed=5) if group_of(request)]
    single = {group_of(request): request for request in requests}
    found = answers(built, list(single.values()))
    hook.remove()
    # the last token of a reply is never read
    assert sum(seen) == sum((r.prompt_tokens or 0) + (r.completion_tokens or 0) - 1 for r in found.values())


def test_an_endless_stream_is_pulled_only_as_far_as_needed(dense: Specimen) -> None:
    pulled: list[Request] = []

    def endless() -> Iterator[Request]:
        for number in itertools.count():
            request = question("red", key=str(number), max_new_tokens=1)
            pulled.append(request)
            yield request

    stream = Engine(*dense, EngineOptions(window=32)).generate(endless())
    assert not pulled
    for _ in range(100):
        next(stream)
    assert len(pulled) < 100 + 32 * 20
    stream.close()


def test_skip_tokens_make_prompts_of_wide_pictures_shorter(dense: Specimen) -> None:
    shown = {size: Image(picture(*size, 0)) for size in ((48, 48), (48, 24))}
    requests = [
        Request(key=str(size), sample_id="s", parts=(image, Text("red")), generation=Generation(), group=str(size))
        for size, image in shown.items()
    ]
    found = answers(dense, requests)
    variant = dense[0].variant
    square, wide = (found[str(size)].prompt_tokens or 0 for size in shown)
    assert square - wide == 2 * (variant.view_tokens(1) - variant.skip_tokens)


def test_a_reply_is_cut_before_the_earliest_stop_string(dense: Specimen) -> None:
    whole = answers(dense, [question("how many red", max_new_tokens=20)])["k"]
    assert len(whole.text) > 6
    late, early = whole.text[5], whole.text[3:5]
    cut = answers(dense, [question("how many red", max_new_tokens=20, stop=(late, early))])["k"]
    assert cut.finish_reason == "stop"
    assert cut.text == whole.text[: min(whole.text.index(late), whole.text.index(early))].strip()
    assert (cut.completion_tokens or 0) < (whole.completion_tokens or 0)


def test_sampling_follows_key_and_seed_and_not_the_company(dense: Specimen) -> None:
    def sampled(seed: int) -> list[Request]:
        generation = Generation(max_new_tokens=8, temperature=0.9, top_p=0.9, seed=seed)
        return [replace(request, generation=generation) for request in mixed_requests(40, seed=6)]

    first = answers(dense, sampled(0), max_batch=1)
    assert answers(dense, sampled(0), max_batch=32) == first
    other = answers(dense, sampled(1))
    assert sum(first[key].text != other[key].text for key in first) > 20


def test_draws_follow_the_distribution_within_the_nucleus() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    draws = [sample(logits, Generation(temperature=1.0, top_p=0.7), f"key {i}", 0) for i in range(4000)]
    # the third token is dropped: 0.8 of the probability comes before it
    assert set(draws) == {0, 1}
    assert math.isclose(draws.count(0) / 4000, 0.5 / 0.8, abs_tol=0.03)
    assert {sample(logits, Generation(temperature=1.0, top_p=0.0), str(i), 0) for i in range(50)} == {0}


@pytest.mark.parametrize("words", [600, 5000])
def test_a_prompt_that_does_not_fit_is_a_failure_with_its_numbers(dense: Specimen, words: int) -> None:
    failure = answers(dense, [question("red " * words)])["k"].failure
    assert failure is not None and failure.kind == "length"
    assert "512 positions" in failure.message and "sample k" in failure.message


def test_a_long_prompt_may_be_cut_from_the_left_and_says_so(dense: Specimen, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = answers(dense, [question("red " * 600, max_new_tokens=12)], long_prompts="cut")["k"]
    assert found.failure is None
    assert found.prompt_tokens == 512 - 12
    assert "sample k" in caplog.text and "cut by" in caplog.text


def test_requests_that_ask_nothing_are_failures(dense: Specimen) -> None:
    failure = answers(dense, [question("red", max_new_tokens=0)])["k"].failure
    assert failure is not None and "max_new_tokens=0" in failure.message
    response = next(Engine(*dense).loglikelihood([question("red")]))
    assert response.failure is not None and "no choices" in response.failure.message


def test_half_precision_answers_everything() -> None:
    model, tokenizer = specimen()
    requests = mixed_requests(30, seed=7)
    found = answers((model.to(torch.bfloat16), tokenizer), requests)
    assert len(found) == 30
    assert all(response.failure is None for response in found.values())


def test_the_engine_leaves_the_weights_as_they_were() -> None:
    model, tokenizer = specimen()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Engine(model, tokenizer)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("setting", ["max_batch", "batch_tokens", "window", "encode_batch"])
def test_options_below_one_are_refused_by_name(setting: str) -> None:
    with pytest.raises(ConfigError, match=rf"model\.{setting}=0"):
        EngineOptions(**{setting: 0})


def test_an_unknown_treatment_of_long_prompts_is_refused() -> None:
    with pytest.raises(ConfigError, match="'shorten'"):
        EngineOptions(long_prompts="shorten")  # type: ignore[arg-type]


@st.composite
def prompts(draw: st.DrawFn) -> list[Prompt]:
    count = draw(st.integers(1, 40))
    found = []
    for number in range(count):
        group = draw(st.sampled_from(["", "a", "b", "c"]))
        ids = (0, *draw(st.lists(st.integers(0, 2), min_size=1, max_size=6)))
        room = draw(st.integers(0, 5))
        found.append(Prompt(question("?", key=str(number)), ids, group, 7 if group else 0, room, number=number))
    return found


@given(prompts(), st.integers(1, 9), st.integers(1, 200))
def test_batches_hold_every_prompt_once_within_their_bounds(given_prompts: list[Prompt], rows: int, tokens: int) -> None:
    waiting = Waiting(given_prompts, rows)
    batches = []
    while waiting:
        batches.append(waiting.take(rows, tokens, some=False) or waiting.take(rows, tokens))
    planned = [prompt.number for batch in batches for group in batch for prompt in group.prompts]
    assert sorted(planned) == list(range(len(given_prompts)))
    for batch in batches:
        assert len(batch) * max(len(group.prompts) for group in batch) <= rows
        used = sum(group.prefix + len(group.prompts) * group.suffix for group in batch)
        assert used <= tokens or len(batch) == 1
        for group in batch:
            shared = {prompt.ids[: group.shared] for prompt in group.prompts}
            assert len(shared) == 1
            assert group.shared >= 1
            assert all(len(prompt.ids) > group.shared for prompt in group.prompts)


def test_what_is_weighed_is_never_shared() -> None:
    weighed = Prompt(question("?"), (0, 1, 2, 3), "", 0, 0, tail=2)
    assert common_prefix([weighed]) == 1
    assert common_prefix([weighed, weighed]) == 1


def test_windows_bound_requests_and_distinct_pictures() -> None:
    requests = mixed_requests(100, seed=8)
    cut = list(windows(requests, 10, 4))
    assert [request.key for window in cut for request in window] == [request.key for request in requests]
    for window in cut:
        shown = {group_of(request): sum(isinstance(part, Image) for part in request.parts) for request in window}
        assert len(window) <= 10
        assert sum(shown.values()) <= 4 or len(shown) == 1


def clip(path: Path, frames: int) -> Video:
    """An mp4 of coloured frames, as a part that shows four of them."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width = stream.height = 48
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            image = opened(picture(48, 48, number))
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))
    return Video(FileSource(path), FramePlan(count=4))


def test_a_clip_is_its_frames_in_order(dense: Specimen, tmp_path: Path) -> None:
    from harness.data.video import read_frames

    film = clip(tmp_path / "clip.mp4", 12)
    frames = []
    for number, frame in enumerate(read_frames(film.source, film.frames)):
        frame.save(tmp_path / f"{number}.png")
        frames.append(Image(FileSource(tmp_path / f"{number}.png")))
    shown = {"film": (film,), "frames": tuple(frames), "backwards": tuple(reversed(frames))}
    requests = [
        Request(key=key, sample_id=key, parts=(*parts, Text("red")), generation=Generation(max_new_tokens=20), group=key)
        for key, parts in shown.items()
    ]
    found = answers(dense, requests)
    assert replace(found["film"], key="") == replace(found["frames"], key="")
    assert found["backwards"].text != found["frames"].text


def test_a_damaged_clip_is_a_failure_of_its_requests(dense: Specimen, tmp_path: Path) -> None:
    whole = clip(tmp_path / "clip.mp4", 12)
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "clip.mp4").read_bytes()[:400])
    requests = [
        Request(
            key=key,
            sample_id=key,
            parts=(Video(FileSource(tmp_path / name), whole.frames), Text("red")),
            generation=Generation(),
            group=key,
        )
        for key, name in (("sound", "clip.mp4"), ("cut", "cut.mp4"), ("gone", "gone.mp4"))
    ]
    found = answers(dense, requests)
    assert found["sound"].failure is None
    for key in ("cut", "gone"):
        failure = found[key].failure
        assert failure is not None and failure.kind == "media" and f"{key}.mp4" in failure.message
