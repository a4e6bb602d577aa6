"""Controls take the pictures away or deal them out wrongly, the same way every time."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pictures

from harness.controls import blind, swapped
from harness.data.grey import GREY, GreyClip, GreyPicture
from harness.data.media import digest, open_image
from harness.errors import ConfigError, MediaError
from harness.plan import Settings
from harness.run import evaluate
from harness.types import FileSource, FramePlan, Image, Part, Request, Sample, Text, Video
from tests.harness.fakes import FakeModel, png, toy_task, write_toy


def picture(tmp_path: Path, size: tuple[int, int]) -> FileSource:
    path = tmp_path / "a.jpg"
    Pictures.effect_noise(size, 60).convert("RGB").save(path)
    return FileSource(path)


def test_blind_keeps_the_size_and_nothing_else(tmp_path: Path) -> None:
    grey = open_image(GreyPicture(picture(tmp_path, (31, 17))))
    assert grey.size == (31, 17)
    assert grey.getcolors() == [(31 * 17, GREY)]


def test_blind_leaves_texts_and_order(tmp_path: Path) -> None:
    source = picture(tmp_path, (4, 4))
    parts = blind((Text("a"), Image(source), Text("b"), Image(source)))
    assert [type(part).__name__ for part in parts] == ["Text", "Image", "Text", "Image"]
    assert digest(parts[1].source) == digest(parts[3].source) != digest(source)  # type: ignore[union-attr]
    assert "grey in place of" in parts[1].source.label  # type: ignore[union-attr]


def test_blind_says_whose_size_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"a\.png: not a picture"):
        GreyPicture(FileSource(tmp_path / "a.png")).read()
    with pytest.raises(MediaError, match=r"b\.png"):
        GreyPicture(FileSource(tmp_path / "b.png")).read()


def test_blind_does_not_draw_a_bomb(tmp_path: Path) -> None:
    for side in (9_600, 12_000, 100_000):
        (tmp_path / "a.png").write_bytes(png(0, claims=side))
        with pytest.raises(MediaError, match="above the limit"):
            GreyPicture(FileSource(tmp_path / "a.png")).read()


def test_blind_clips_have_grey_frames_in_the_size_of_the_clip(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in range(10):
            out.mux(stream.encode(av.VideoFrame.from_image(Pictures.new("RGB", (64, 48), (value * 20, 0, 0)))))
        out.mux(stream.encode())
    (part,) = blind((Video(FileSource(tmp_path / "a.mp4"), FramePlan(count=3, start_s=0.5)),))
    assert isinstance(part, Video)
    assert part.frames == FramePlan(count=3)
    assert part.source.read() == part.source.read(), "the same bytes every time, so that a run can go on"
    with av.open(BytesIO(part.source.read())) as clip:
        frames = [frame.to_image() for frame in clip.decode(video=0)]
    assert [frame.size for frame in frames] == [(64, 48)] * 3
    low, high = frames[0].convert("L").getextrema()
    assert 120 <= low <= high <= 136
    assert part.source.locator()["of"] == {"kind": "file", "path": str(tmp_path / "a.mp4")}
    assert part.source.label == f"3 grey frames in place of {tmp_path}/a.mp4"
    (tmp_path / "b.mp4").write_bytes(b"no clip")
    with pytest.raises(MediaError, match=r"b\.mp4: not a readable clip"):
        GreyClip(FileSource(tmp_path / "b.mp4"), 2).read()


class Named:
    """Media whose bytes are its name."""

    def __init__(self, name: str) -> None:
        self.label = name

    def read(self) -> bytes:
        return self.label.encode()

    def locator(self) -> dict[str, str]:
        return {"kind": "named", "name": self.label}


def sample(i: int, *media: Part) -> Sample:
    return Sample(id=f"s{i}", parts=media)


def samples(names: str) -> list[Sample]:
    return [sample(i, Image(Named(name)), Text("?")) for i, name in enumerate(names)]


def seen(swap: list[Sample]) -> str:
    return "".join(part.source.label for one in swap for part in one.parts if isinstance(part, Image))


@pytest.mark.parametrize(
    ("before", "after"), [("abcd", "bcda"), ("aabbc", "bbcca"), ("aba", "bab"), ("aab", "bba"), ("abaa", "babb")]
)
def test_swapped_gives_the_next_different_picture(before: str, after: str) -> None:
    assert seen(list(swapped(samples(before), digest))) == after


@given(st.text("abc", min_size=2, max_size=12).filter(lambda names: len(set(names)) > 1))
def test_swapped_never_gives_the_right_picture_and_keeps_the_order(names: str) -> None:
    swap = list(swapped(samples(names), digest))
    assert [one.id for one in swap] == [f"s{i}" for i in range(len(names))]
    assert all(own != given for own, given in zip(names, seen(swap), strict=True))


def test_swapped_needs_two_pictures() -> None:
    with pytest.raises(ConfigError, match="at least two different pictures"):
        list(swapped(samples("aaa"), digest))


def test_swapped_leaves_samples_without_pictures() -> None:
    texts = [sample(i, Text("?")) for i in range(3)]
    assert list(swapped(texts, digest)) == texts
    mixed = [sample(0, Image(Named("a"))), sample(1, Text("?")), sample(2, Image(Named("b")))]
    assert [one.parts for one in swapped(mixed, digest)][1] == (Text("?"),)
    assert seen(list(swapped(mixed, digest))) == "ba"


def test_swapped_fills_every_place_and_keeps_clips_clips() -> None:
    first = sample(0, Image(Named("a")), Image(Named("b")), Video(Named("v")))
    second = sample(1, Image(Named("c")), Text("?"), Video(Named("w"), FramePlan(start_s=1.0)))
    swap = list(swapped([first, second], digest))
    assert seen(swap[:1]) == "cc"
    assert swap[0].parts[2] == second.parts[2]
    assert seen(swap[1:]) == "a"


def test_swapped_holds_few_samples() -> None:
    taken = 0

    def stream() -> object:
        nonlocal taken
        for one in samples("aabbccddee" * 10):
            taken += 1
            yield one

    given = 0
    for given, _ in enumerate(swapped(stream(), digest), start=1):  # type: ignore[arg-type]
        assert taken - given <= 3 or taken == 100


def test_an_unreadable_picture_lends_nothing(tmp_path: Path) -> None:
    gone = sample(1, Image(FileSource(tmp_path / "gone.png")))
    swap = list(swapped([sample(0, Image(Named("a"))), gone, sample(2, Image(Named("b")))], digest))
    assert seen(swap) == "bba"


@pytest.mark.parametrize("control", ["blind", "swapped"])
def test_a_controlled_run_asks_anew_and_is_marked(tmp_path: Path, control: str) -> None:
    data = write_toy(tmp_path / "data", n=8, pictures=4)
    plain = FakeModel()
    evaluate(toy_task(), plain, data, runs=tmp_path / "runs")
    shown: list[str] = []

    def answer(request: Request) -> str:
        part = request.parts[0]
        assert isinstance(part, Image)
        shown.append(digest(part.source))
        return "A"

    result = evaluate(toy_task(), FakeModel(answer), data, Settings(control=control), tmp_path / "runs")  # type: ignore[arg-type]
    assert (result.run["control"], result.reused) == (control, 0)
    own = [digest(FileSource(data / f"images/{i % 4}.png")) for i in range(8)]
    if control == "blind":
        assert len(set(shown)) == 1
    else:
        assert shown == [own[(i + 1) % 8] for i in range(8)]
    assert all(mine != given for mine, given in pairwise([*own, *own])) and not any(
        a == b for a, b in zip(own, shown, strict=True)
    )
