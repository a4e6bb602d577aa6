"""Members of a JSON document that are passed over are not held, and empty ones end where they should."""

from io import StringIO
from pathlib import Path

import pytest

from harness.data.json_stream import CHUNK, JsonStream


@pytest.mark.parametrize("before", ["[]", "{}", "[1, [2]]", '{"a": []}', "3", '"x"', "null", "[[], {}]"])
def test_a_member_behind_any_value_is_found(before):
    stream = JsonStream(StringIO(f'{{"skipped": {before}, "wanted": [1, 2]}}'), Path("f"))
    stream.enter_member("wanted")
    assert list(stream.items()) == [1, 2]


def test_a_long_list_that_is_passed_over_is_not_held_whole():
    stream = JsonStream(StringIO(f'{{"skipped": [{", ".join(["[0]"] * CHUNK)}], "wanted": []}}'), Path("f"))
    held = []
    fill = stream._fill

    def watched():
        fill()
        held.append(len(stream._buffer))

    stream._fill = watched
    stream.enter_member("wanted")
    assert list(stream.items()) == [] and max(held) < 2 * CHUNK
