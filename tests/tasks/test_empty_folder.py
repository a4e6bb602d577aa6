"""Every benchmark without its files: an error that names each layout and a file of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog import find_task, task_names
from harness.errors import DatasetError
from tests.tasks.reading import read


@pytest.mark.parametrize("name", task_names())
def test_an_empty_folder_is_an_error_that_names_the_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError) as error:
        read(name, tmp_path)
    for layout in find_task(name).layouts:
        assert layout.name in str(error.value) and layout.files[0].split("|")[0] in str(error.value)
