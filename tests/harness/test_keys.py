"""Keys change with everything an answer depends on, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.media import digest
from harness.errors import MediaError
from harness.keys import canonical, data_fingerprint, described, media_group, request_key, run_fingerprint
from harness.types import FileSource, FramePlan, Generation, Image, Text, Video

PARTS = [{"image": "ab"}, {"text": "What is it?"}]
BASE = {"model": "m1", "kind": "generate", "choices": ("A", "B")}


GREEDY = Generation()


def key(parts: object = PARTS, generation: Generation = GREEDY, **changes: object) -> str:
    return request_key(parts, generation, **{**BASE, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        {"parts": [{"image": "ab"}, {"text": "What is it? "}]},
        {"parts": [{"image": "ac"}, {"text": "What is it?"}]},
        {"parts": [{"text": "What is it?"}, {"image": "ab"}]},
        {"parts": [{"video": "ab", "frames": {"count": 8}}, {"text": "What is it?"}]},
        {"generation": Generation(max_new_tokens=33)},
        {"generation": Generation(temperature=0.5)},
        {"generation": Generation(top_p=0.9)},
        {"generation": Generation(stop=("\n",))},
        {"generation": Generation(seed=1)},
        {"model": "m2"},
        {"kind": "loglikelihood"},
        {"choices": ("A", "B", "C")},
        {"ideal": "A"},
    ],
)
def test_key_changes_with_whatever_an_answer_depends_on(other: dict[str, object]) -> None:
    assert key(**other) != key()  # type: ignore[arg-type]


def test_every_generation_setting_is_in_the_key() -> None:
    other = {"max_new_tokens": 7, "temperature": 0.1, "top_p": 0.2, "stop": ("x",), "seed": 3}
    assert set(other) == set(Generation.__dataclass_fields__)
    assert len({key(), *(key(generation=replace(Generation(), **{name: value})) for name, value in other.items())}) == 6


def test_key_is_stable_across_versions() -> None:
    assert key() == "e75f9a97b1e2b0b92a961cbdb05af60e"


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_texts_never_run_into_each_other(first: list[str], second: list[str]) -> None:
    keys = [key([{"text": text} for text in texts]) for texts in (first, second)]
    assert (keys[0] == keys[1]) == (first == second)


def test_lone_surrogates_can_be_hashed() -> None:
    assert canonical(["\ud800"]) == b'["\\ud800"]'


def test_a_picture_is_named_by_its_bytes_not_by_its_place(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"same")
    first, second = (described(Image(FileSource(tmp_path / name)), digest) for name in ("a.png", "b.png"))
    assert first == second


def test_frames_of_a_clip_are_in_its_description(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"clip")
    source = FileSource(tmp_path / "a.mp4")
    plans = [FramePlan(), FramePlan(count=4), FramePlan(kind="middle"), FramePlan(start_s=1.0), FramePlan(end_s=2.0)]
    descriptions = [canonical(described(Video(source, plan), digest)) for plan in plans]
    assert len(set(descriptions)) == len(plans)


def test_missing_media_are_a_media_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone\.png"):
        described(Image(FileSource(tmp_path / "gone.png")), digest)


def test_requests_share_a_group_if_their_media_are_the_same_in_order() -> None:
    assert media_group(PARTS) == media_group([{"image": "ab"}, {"text": "Another question?"}])
    assert media_group([{"image": "a"}, {"image": "b"}]) != media_group([{"image": "b"}, {"image": "a"}])
    assert media_group([{"text": "no media"}]) == ""


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(TypeError, match="str is no part"):
        described("text", digest)  # type: ignore[arg-type]
    assert described(Text("a"), digest) == {"text": "a"}


def test_data_fingerprint_follows_annotations_but_not_the_place(tmp_path: Path) -> None:
    def prints(folder: str, text: str, picture: bytes) -> str:
        root = tmp_path / folder
        root.mkdir()
        (root / "a.json").write_text(text)
        (root / "a.png").write_bytes(picture)
        return data_fingerprint((path.name, path) for path in root.iterdir())

    first = prints("one", "[1]", b"12")
    assert prints("two", "[1]", b"12") == first
    assert prints("three", "[2]", b"12") != first
    assert prints("four", "[1]", b"123") != first
    assert prints("five", "[1]", b"34") == first, "the bytes of media are in the keys of the requests"


def test_run_fingerprint_does_not_depend_on_the_order_of_fields() -> None:
    assert run_fingerprint({"a": 1, "b": [2]}) == run_fingerprint({"b": [2], "a": 1})
    assert len(run_fingerprint({})) == 16
