"""Models of the transformers library, on tiny random ones of eight families: replies, weights of choices, memory, identity."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf

from harness.cli import main
from harness.data.media import open_image
from harness.errors import ConfigError
from harness.types import FileSource, Generation, Image, Request, Response, Text, Video
from models.hf.frames import box_frame_of
from models.hf_chat import HFChat
from tests.models.hf_families import FAMILIES, save
from tests.models.specimens import Bytes, picture

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PaliGemma's processor

QUICK = ("qwen2_vl",)
EACH = [pytest.param(name, marks=() if name in QUICK else (pytest.mark.slow,)) for name in FAMILIES]
SIZES = ((48, 32), (24, 48), (32, 32))
CHOICES = ("Yes", "No", "red circle", "red square", "red")


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("hf")
    return lambda name: root / name if (root / name).is_dir() else save(name, root / name)


def built(folder: Path, **more: Any) -> HFChat:
    return HFChat(str(folder), **{"dtype": "float32", "device": "cpu", "max_batch": 4, "threads": 0, **more})


def requests(sees: bool, count: int = 10) -> list[Request]:
    """Questions of different lengths on one or two pictures of different sizes, some drawn, some with stop strings."""
    made = []
    for number in range(count):
        shown = (
            [Image(picture(*SIZES[number % 3], seed=number + place)) for place in range(1 + (number % 5 == 4))] if sees else []
        )
        words = "how many red circle left of the blue square"[: 10 + 7 * (number % 5)]
        settings = Generation(
            max_new_tokens=(3, 8, 12)[number % 3],
            stop=((), ("re", "th"))[number % 2],
            temperature=0.7 if number % 4 == 3 else 0.0,
            seed=number,
        )
        parts = (Text("You see.", "system"), *shown, Text(words)) if number % 3 == 1 else (*shown, Text(words))
        made.append(Request(key=f"k{number}", sample_id=f"s{number}", parts=parts, generation=settings, choices=CHOICES))
    return made


def answers(stream: Iterator[Response]) -> dict[str, Response]:
    return {response.key: replace(response, seconds=None) for response in stream}


def one(model: HFChat, *parts: Any, **generation: Any) -> Response:
    wanted = Request(key="q", sample_id="q", parts=parts, generation=Generation(**generation), choices=CHOICES)
    (response,) = model.generate(iter([wanted]))
    return response


@pytest.mark.parametrize("name", EACH)
def test_replies_are_those_of_transformers_itself_at_any_batch_size_and_in_any_order(
    name: str, folder_of: Callable[[str], Path]
) -> None:
    wanted = requests(name != "llama")
    model = built(folder_of(name))
    found = answers(model.generate(iter(wanted)))
    assert not [response.failure for response in found.values() if response.failure]
    assert answers(built(folder_of(name), max_batch=1).generate(iter(wanted))) == found
    assert answers(built(folder_of(name), max_batch=3, window=7, threads=2).generate(iter(wanted[::-1]))) == found
    assert len({response.text for response in found.values()}) > 5
    for request in wanted[:2]:
        assert found[request.key].text == _reference(folder_of(name), request)[0]
    most = {request.key: request.generation.max_new_tokens for request in wanted}
    assert all((response.completion_tokens or 0) <= most[key] for key, response in found.items())


@pytest.mark.parametrize("name", EACH)
def test_choices_weigh_what_a_forward_pass_gives_them(name: str, folder_of: Callable[[str], Path]) -> None:
    wanted = requests(name != "llama", 5)
    batched = answers(built(folder_of(name)).loglikelihood(iter(wanted)))
    alone = answers(built(folder_of(name), max_batch=1).loglikelihood(iter(wanted)))
    for request in wanted:
        assert len(batched[request.key].logprobs) == len(CHOICES)
        assert batched[request.key].logprobs == pytest.approx(alone[request.key].logprobs, abs=1e-3)
        assert batched[request.key].logprobs[4] > batched[request.key].logprobs[2]  # "red" begins "red circle"
    if name != "paligemma":  # whose prompt sees itself as a whole, so that one forward pass over both is not the same
        for request in wanted[:2]:
            assert batched[request.key].logprobs == pytest.approx(_reference(folder_of(name), request)[1], abs=1e-3)


@torch.inference_mode()
def _reference(folder: Path, request: Request) -> tuple[str, list[float]]:
    """The greedy reply by ``generate`` and the choices' log-probabilities by forward passes, one prompt at a time."""
    sees = folder.name != "llama"
    model = (tf.AutoModelForImageTextToText if sees else tf.AutoModelForCausalLM).from_pretrained(folder).eval()
    maker = FAMILIES[folder.name]()[1]
    pictures = [open_image(part.source) for part in request.parts if isinstance(part, Image)]
    words = [part for part in request.parts if isinstance(part, Text)]
    content: Any = [{"type": "image"} for _ in pictures] + [{"type": "text", "text": words[-1].text}]
    turns = [{"role": "user", "content": content if sees else words[-1].text}]
    if len(words) > 1:
        turns.insert(0, {"role": "system", "content": [{"type": "text", "text": words[0].text}] if sees else words[0].text})
    if maker.chat_template:
        text = maker.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    else:
        text = "<image>" * len(pictures) + "".join(word.text for word in words)

    def encoded(text: str) -> Any:
        made = maker(text=text, return_tensors="pt", **({"images": pictures} if sees else {}))
        return {name: value for name, value in made.items() if name not in ("labels", *(() if sees else ("token_type_ids",)))}

    start = encoded(text)
    said = model.generate(**start, do_sample=False, max_new_tokens=request.generation.max_new_tokens)
    tokenizer = getattr(maker, "tokenizer", maker)
    reply = tokenizer.decode(said[0, start["input_ids"].shape[1] :], skip_special_tokens=True)
    for stop in request.generation.stop:
        reply = reply.split(stop, 1)[0]
    weights = []
    for choice in request.choices:
        both = encoded(text + (" " if folder.name == "llava" else "") + choice)
        ids, before = both["input_ids"][0], start["input_ids"].shape[1]
        logprobs = model(**both).logits[0].log_softmax(-1)
        weights.append(float(sum(logprobs[place - 1, ids[place]] for place in range(before, len(ids)))))
    return reply.strip(), weights


def test_frames_of_a_clip_are_so_many_pictures(folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [open_image(picture(32, 32, seed)) for seed in range(3)]
    monkeypatch.setattr("harness.data.video.read_frames", lambda source, plan: frames)
    model = built(folder_of("qwen2_vl"))
    clip = one(model, Video(FileSource(Path("clip.mp4"))), Text("what"), max_new_tokens=6)
    pictures = one(model, *(Image(picture(32, 32, seed)) for seed in range(3)), Text("what"), max_new_tokens=6)
    assert replace(clip, seconds=None) == replace(pictures, seconds=None) and clip.failure is None


def test_what_cannot_be_asked_fails_by_itself(folder_of: Callable[[str], Path]) -> None:
    model = built(folder_of("llava"))
    good = one(model, Image(picture(32, 32, 0)), Text("red"), max_new_tokens=4)
    broken = one(model, Image(Bytes(picture(32, 32, 0).data[:60], "cut.png")), Text("red"))
    marked = one(model, Image(picture(32, 32, 0)), Text("red <image> circle"))
    endless = one(model, Image(picture(32, 32, 0)), Text("red " * 5000))
    empty = one(model, Image(picture(32, 32, 0)), Text("red"), max_new_tokens=0)
    told = [response.failure for response in (broken, marked, endless, empty)]
    assert good.failure is None and all(told)
    kinds = [failure.kind for failure in told if failure]
    assert kinds == ["media", "model", "model", "model"]
    for failure, words in zip(told, ("cut.png", "stands for a picture", "does not fit", "leaves no reply"), strict=True):
        assert failure is not None and words in failure.message


def test_a_batch_that_does_not_fit_in_memory_is_halved_and_the_replies_stay(
    folder_of: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    wanted = requests(True)
    expected = answers(built(folder_of("llava")).generate(iter(wanted)))
    model = built(folder_of("llava"), max_batch=8)
    tight = _short_of_memory(model, above=2)
    caplog.set_level(logging.WARNING)
    assert answers(model.generate(iter(wanted))) == expected
    assert model.halvings and model.halvings[0] == 8 and max(tight[len(model.halvings) + 2 :]) <= 2
    assert "does not fit in memory; going on with batches of" in caplog.text
    hopeless = built(folder_of("llava"))
    _short_of_memory(hopeless, above=0)
    failures = [response.failure for response in hopeless.generate(iter(wanted[:3]))]
    assert len(failures) == 3 and all(failure is not None and failure.kind == "memory" for failure in failures)


def _short_of_memory(model: HFChat, above: int) -> list[int]:
    """Let generation run out of memory in batches of more than so many; the list tells how large each batch was."""
    inner = model._engine._loaded.model
    generate, tried = inner.generate, []

    def tight(**words: Any) -> Any:
        tried.append(len(words["input_ids"]))
        if tried[-1] > above:
            raise torch.OutOfMemoryError("CUDA out of memory (injected)")
        return generate(**words)

    inner.generate = tight
    return tried


def test_the_fingerprint_changes_when_answers_could(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    folder = folder_of("llava")
    first = built(folder)
    assert first.fingerprint == built(folder, max_batch=1, window=3, name="another").fingerprint
    others = [built(folder, dtype="bfloat16"), built(save("llava", tmp_path / "llava", seed=1))]
    (tmp_path / "llava" / "chat_template.jinja").write_text("{{ messages[0]['content'][0]['text'] }}")
    others.append(built(tmp_path / "llava"))
    others.append(built(folder, processor={"do_normalize": False}))
    assert len({first.fingerprint, *(other.fingerprint for other in others)}) == 5
    seen = [one(model, Image(picture(32, 32, 0)), Text("red"), max_new_tokens=8).text for model in (first, others[-1])]
    assert seen[0] != seen[1]
    assert first.name == "llava" and first.capabilities.several_images and first.capabilities.loglikelihood
    blind = built(folder_of("llama"))
    assert not blind.capabilities.images and not blind.capabilities.video


def test_known_families_declare_the_frame_of_their_boxes(folder_of: Callable[[str], Path]) -> None:
    """Written as their makers show it, the same box is read in pixels of a picture of 640 x 480."""
    from harness.catalog import Catalog
    from harness.plan import convention_of
    from harness.types import Sample

    model = built(folder_of("qwen2_vl"))
    assert model.capabilities.box_frame == "thousandths"
    assert built(folder_of("qwen2_vl"), box_frame="pixels").capabilities.box_frame == "pixels"
    with pytest.raises(ConfigError, match=r"model\.box_frame='degrees'"):
        built(folder_of("qwen2_vl"), box_frame="degrees")
    assert [box_frame_of(kind) for kind in ("internvl", "qwen2_5_vl", "llava")] == ["thousandths", None, None]
    task = Catalog().find_task("refcoco_val")
    sample = Sample(id="1", references=("64,96,320,240",), fields={"width": 640, "height": 480})
    written = (
        "<|box_start|>(100,200),(500,500)<|box_end|>",
        "<ref>x</ref><box>[[100, 200, 500, 500]]</box>",
    )  # Qwen2-VL, InternVL
    for frame, hit in ((model.capabilities.box_frame, 1.0), ("pixels", 0.0)):
        convention = convention_of(task, "official", frame)
        scores = [convention.score(convention.parse(reply, sample), sample) for reply in written]
        assert [next(iter(one.values())) for one in scores] == [hit, hit], (frame, scores)


def test_what_cannot_be_loaded_is_said(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.path=.*nowhere.*model\.download=true"):
        built(tmp_path / "nowhere")
    foreign = {"model_type": "odd", "auto_map": {"AutoConfig": "odd.Odd", "AutoModelForCausalLM": "odd.OddModel"}}
    (tmp_path / "config.json").write_text(json.dumps(foreign))
    (tmp_path / "odd.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ConfigError, match=r"model\.trust_remote_code=true"):
        built(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ConfigError):
        built(tmp_path)
    for wrong in ({"dtype": "int3"}, {"device": "tpu!"}, {"max_batch": 0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            built(folder_of("llava"), **wrong)


def test_a_saved_model_is_evaluated_from_the_command_line(
    folder_of: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"model.path={folder_of('qwen2_vl')}", "model.dtype=float32", "model.device=cpu", "task=pope", "mini.n=6"]
    places = [f"runs={tmp_path / 'runs'}", f"paths.data={tmp_path / 'data'}", "output=json"]
    for kind in ("generate", "loglikelihood"):
        assert main(["eval", "model=hf_chat", *words, *places, f"kind={kind}", "decoding.max_new_tokens=4"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["results"]
        assert (row["model"], row["n"], row["failed"]) == ("qwen2_vl", 18, 0)
    assert main(["ls", "model", "hf_chat"]) == 0
    assert "model.path=DIR" in capsys.readouterr().out
