"""A clip in a report is a strip of the frames that the model was shown: of the part that was asked about, from any source."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.catalog import find_task
from harness.data.video import read_frames
from harness.plan import Settings, Source, plan
from harness.types import Video
from reports.pictures import STRIP_HEIGHT, Thumbnail, Thumbnails
from tasks.mini import write

pytest.importorskip("av")


def test_the_strip_holds_the_frames_that_were_shown(tmp_path: Path) -> None:
    write(tmp_path, ["mvbench"], n=20)
    source = Source.find(find_task("mvbench"), [tmp_path / "mvbench"])
    seen = set()
    for settings in (Settings(), Settings(frames={"kind": "rate", "per_second": 2.0})):
        for planned in plan(source, settings, "m"):
            part, stored = planned.request.parts[0], json.loads(json.dumps(planned.parts[0]))
            assert isinstance(part, Video)
            shown = read_frames(part.source, part.frames)
            made = Thumbnails().get(stored, 10**6)
            assert isinstance(made, Thumbnail), made
            seen.add((Path(part.source.label).suffix, part.frames.start_s is not None, len(shown)))
            strip = Image.open(BytesIO(base64.b64decode(made.uri.partition(",")[2]))).convert("RGB")
            side = strip.width // len(shown)
            assert abs(strip.height - STRIP_HEIGHT) <= 1 and abs(side - STRIP_HEIGHT - 2) <= 1
            for place in (0, len(shown) // 2, len(shown) - 1):
                own = np.asarray(strip.crop((place * side + 2, 2, place * side + 100, 100)).resize((32, 32))).astype(int)
                size = shown[place].width * 98 // 112
                frame = np.asarray(shown[place].crop((2, 2, size, size)).resize((32, 32))).astype(int)
                assert np.abs(own - frame).mean() < 12, (stored, place)
    assert {(suffix, part) for suffix, part, _ in seen} == {
        (".mp4", True),
        (".mp4", False),
        (".webm", False),
        (".avi", False),
        ("", True),
    }
    assert len({n for *_, n in seen}) > 1
