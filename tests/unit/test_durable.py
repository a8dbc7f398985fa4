"""Files that are whole or not there, and disks that say no."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sendit.durable import disk, draft_of, make_folder, place, private, read_only, sweep_drafts
from sendit.errors import ServiceDown


@pytest.mark.parametrize(
    "number, code",
    [(errno.ENOSPC, "NoSpace"), (errno.EDQUOT, "NoSpace"), (errno.EACCES, "DiskRefused"), (None, "DiskRefused")],
)
def test_what_the_disk_says_is_told_without_the_path(number: int | None, code: str) -> None:
    with pytest.raises(ServiceDown) as caught, disk("object store"):
        raise OSError(number, "no", "/data/a name")
    assert caught.value.code == code
    assert "a name" not in str(caught.value) and "object store" in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), disk("object store"):
        raise KeyError


def test_a_placed_file_has_its_name_and_its_draft_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    draft = draft_of(path)
    draft.write_text("after")
    place(draft, path)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("file", "after")]


def test_no_two_drafts_are_the_same(tmp_path: Path) -> None:
    assert len({draft_of(tmp_path / "file") for _ in range(100)}) == 100


def test_only_the_files_own_drafts_are_swept(tmp_path: Path) -> None:
    path = tmp_path / "a[1]*.gz"
    own, others = draft_of(path), [path, tmp_path / ".a[1]*.gz", draft_of(tmp_path / "a1.gz"), tmp_path / "x.tmp"]
    for each in (own, *others):
        each.touch()
    sweep_drafts(path)
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_folders_and_files_are_the_owners_alone(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a/b/c") == [tmp_path, tmp_path / "a", tmp_path / "a/b"]
    assert make_folder(tmp_path / "a/b/c") == []
    assert [oct(each.stat().st_mode & 0o777) for each in (tmp_path / "a", tmp_path / "a/b/c")] == ["0o700"] * 2
    for opener, mode in ((private, 0o600), (read_only, 0o400)):
        path = tmp_path / opener.__name__
        with open(path, "xb", opener=opener) as stream:
            stream.write(b"content")
        assert (path.stat().st_mode & 0o777, path.read_bytes()) == (mode, b"content")
