import shutil

import pytest

from harness.catalog import Catalog
from harness.commands import listing


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in the place of ours, whose files hold the names of their tasks, and a cache of its own."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "one.py").write_text("first")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(listing, "package_folder", lambda name: files)
    monkeypatch.setattr(listing, "_rows", lambda catalog: [{"name": file.read_text()} for file in sorted(files.glob("*.py"))])
    return files


def names(rows):
    return [row["name"] for row in rows]


def test_kept_rows_are_those_that_were_computed(folder, monkeypatch):
    computed = listing.task_rows(Catalog())
    monkeypatch.setattr(listing, "_rows", lambda catalog: pytest.fail("kept rows should have been used"))
    assert listing.task_rows(Catalog()) == computed
    assert names(computed) == ["first"]


def test_a_new_file_and_a_changed_one_are_seen_at_once(folder):
    assert names(listing.task_rows(Catalog())) == ["first"]
    (folder / "two.py").write_text("second")
    assert names(listing.task_rows(Catalog())) == ["first", "second"]
    (folder / "two.py").write_text("another")
    assert names(listing.task_rows(Catalog())) == ["first", "another"]
    (folder / "one.py").unlink()
    assert names(listing.task_rows(Catalog())) == ["another"]


def test_a_damaged_or_unwritable_cache_does_no_harm(folder, tmp_path, monkeypatch):
    expected = listing.task_rows(Catalog())
    (tmp_path / "cache" / "riddle" / "tasks.json").write_text("{broken")
    assert listing.task_rows(Catalog()) == expected
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert listing.task_rows(Catalog()) == expected


def test_tasks_of_the_users_own_are_never_kept(folder, tmp_path):
    listing.task_rows(Catalog(task_dirs=(folder,)))
    assert not (tmp_path / "cache").exists()
