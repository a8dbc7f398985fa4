"""Files that are whole or not there, and disks that say no."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from sendit.durable import disk, draft_of, locked, make_folder, place, private, read_only, sweep_drafts
from sendit.errors import ServiceDown
from tests.support.processes import at_once, killed_after


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


def hold(path: Path, shared: bool, seconds: float) -> Callable[[], tuple[float, float]]:
    """From when to when a process held the lock."""

    def held() -> tuple[float, float]:
        with locked(path, shared=shared):
            began_at = time.monotonic()
            time.sleep(seconds)
            return began_at, time.monotonic()

    return held


def overlap(spans: list[tuple[float, float]]) -> int:
    ordered = sorted(spans)
    return sum(later[0] < earlier[1] for earlier, later in pairwise(ordered))


def test_a_lock_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    spans = at_once(*[hold(tmp_path / "lock", False, 0.1)] * 4)
    assert overlap(spans) == 0  # type: ignore[arg-type]
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_shared_lock_is_held_together_but_not_with_one_who_is_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    *sharers, alone = at_once(*[hold(path, True, 1.0)] * 3, hold(path, False, 0.1))
    assert overlap(sharers) == 2  # type: ignore[arg-type]
    assert all(overlap([sharer, alone]) == 0 for sharer in sharers)  # type: ignore[list-item]


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert killed_after(0.5, hold(path, False, 60))
    with locked(path, patience_seconds=0):
        assert path.exists()


def test_patience_ends_while_another_holds_the_lock_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    def wait(patience_seconds: float) -> float:
        began_at = time.monotonic()
        with locked(path, patience_seconds=patience_seconds):
            return time.monotonic() - began_at

    with locked(path):
        began_at = time.monotonic()
        with pytest.raises(TimeoutError):
            wait(0.3)
        assert time.monotonic() - began_at >= 0.3
    _, waited = at_once(hold(path, False, 0.5), lambda: time.sleep(0.2) or wait(30))  # type: ignore[func-returns-value]
    assert 0.1 < waited < 20  # type: ignore[operator]
