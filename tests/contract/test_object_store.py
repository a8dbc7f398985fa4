"""The contract of every ObjectStore."""

from __future__ import annotations

import base64
import random
from functools import partial
from pathlib import Path

import google_crc32c
import pytest

from sendit.errors import BrokenPromise, ServiceRefused
from sendit.ports import ObjectStore, StoredObject
from tests.support.processes import at_once, killed_after, seconds_of

NAME = "Collection/IRB41449/Entity/12fa/12fa_20100209_12fb.tar.gz"
KILLS = 6
SOME = random.Random(2).randbytes(3_000_001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "archive", SOME)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_is_put_can_be_read_whole_and_in_part(object_store: ObjectStore, path: Path) -> None:
    object_store.put(NAME, path, {"batch": "7"})
    assert object_store.read(NAME, 0, len(SOME)) == SOME
    assert object_store.read(NAME, 1_048_575, 1_000) == SOME[1_048_575:1_049_575]
    assert object_store.read(NAME, len(SOME) - 1, 1) == SOME[-1:]


def test_the_answer_says_what_the_store_has(object_store: ObjectStore, path: Path) -> None:
    stored = object_store.put(NAME, path, {})
    assert (stored.name, stored.size_bytes) == (NAME, len(SOME))
    assert base64.b64decode(stored.crc32c) == google_crc32c.value(SOME).to_bytes(4, "big")
    assert stored.uri.endswith(NAME)


def test_a_repeated_put_changes_nothing(object_store: ObjectStore, path: Path, tmp_path: Path) -> None:
    first = object_store.put(NAME, path, {"batch": "7"})
    again = object_store.put(NAME, written(tmp_path / "made again", SOME), {"batch": "7"})
    assert first == again


@pytest.mark.parametrize(
    "other",
    [b"", SOME[:-1], SOME + b"\0", b"\0" + SOME[1:], SOME[:-1] + b"\0"],
    ids=["none", "less", "more", "first", "last"],
)
def test_other_bytes_never_take_an_objects_place(
    object_store: ObjectStore, path: Path, tmp_path: Path, other: bytes
) -> None:
    object_store.put(NAME, path, {})
    with pytest.raises(ServiceRefused, match="ObjectConflict"):
        object_store.put(NAME, written(tmp_path / "other", other), {})
    assert object_store.read(NAME, 0, len(SOME)) == SOME


def test_the_file_may_go_when_it_is_stored(object_store: ObjectStore, path: Path) -> None:
    object_store.put(NAME, path, {})
    path.unlink()
    assert object_store.read(NAME, 0, len(SOME)) == SOME


def test_an_empty_object_is_one(object_store: ObjectStore, tmp_path: Path) -> None:
    assert object_store.put(NAME, written(tmp_path / "empty", b""), {}).size_bytes == 0
    assert object_store.read(NAME, 0, 0) == b""


def test_racing_puts_of_the_same_bytes_all_succeed(object_store: ObjectStore, tmp_path: Path) -> None:
    paths = [written(tmp_path / str(number), SOME) for number in range(6)]
    answers = at_once(*(partial(object_store.put, NAME, path, {}) for path in paths))
    assert all(isinstance(answer, StoredObject) for answer in answers)
    assert len(set(answers)) == 1


def test_of_racing_puts_of_other_bytes_one_wins(object_store: ObjectStore, tmp_path: Path) -> None:
    contents = [bytes([number]) * 1_000_000 for number in range(6)]
    paths = [written(tmp_path / str(number), content) for number, content in enumerate(contents)]
    answers = at_once(*(partial(object_store.put, NAME, path, {}) for path in paths))
    [winner] = [number for number, answer in enumerate(answers) if isinstance(answer, StoredObject)]
    assert {getattr(answer, "code", "") for answer in answers} == {"", "ObjectConflict"}
    assert object_store.read(NAME, 0, 1_000_000) == contents[winner]


def test_a_put_that_was_killed_is_repeated_as_if_it_had_not_been(object_store: ObjectStore, tmp_path: Path) -> None:
    content = random.Random(3).randbytes(9_000_000)
    path = written(tmp_path / "large", content)
    seconds = seconds_of(partial(object_store.put, "Collection/whole.tar.gz", path, {}))
    killed = 0
    for number in range(KILLS):
        name = f"Collection/killed/{number}.tar.gz"
        killed += killed_after(seconds * number / KILLS, partial(object_store.put, name, path, {}))
        assert object_store.put(name, path, {}).size_bytes == len(content)
        assert object_store.read(name, 0, len(content)) == content
    assert killed


class Enough(Exception):
    """What a caller raises who does not want to go on."""


def test_a_put_ends_when_its_check_says_so(object_store: ObjectStore, tmp_path: Path) -> None:
    path = written(tmp_path / "large", random.Random(3).randbytes(10_000_000))
    looks = iter([None, Enough()])

    def check() -> None:
        if enough := next(looks):
            raise enough

    with pytest.raises(Enough):
        object_store.put(NAME, path, {}, check)
    with pytest.raises(ServiceRefused, match="NoSuchObject"):
        object_store.read(NAME, 0, 1)
    assert object_store.put(NAME, path, {}).size_bytes == 10_000_000


@pytest.mark.parametrize("offset, length", [(0, len(SOME) + 1), (len(SOME), 1), (10**12, 5)])
def test_a_read_beyond_the_end_is_refused(object_store: ObjectStore, path: Path, offset: int, length: int) -> None:
    object_store.put(NAME, path, {})
    with pytest.raises(ServiceRefused, match="NoSuchObject"):
        object_store.read(NAME, offset, length)


@pytest.mark.parametrize("name", ["nothing", "Collection", "Collection/IRB41449/Entity"])
def test_what_was_never_put_cannot_be_read(object_store: ObjectStore, path: Path, name: str) -> None:
    object_store.put(NAME, path, {})
    with pytest.raises(ServiceRefused, match="NoSuchObject"):
        object_store.read(name, 0, 1)


@pytest.mark.parametrize(
    "name",
    ["", "/", "/etc/x", "a//b", "a/", "../a", "a/../../b", "./a", ".metadata/a", "a\nb", "a\0b", "a" * 2_000, "\udc80"],
)
def test_a_name_that_leads_elsewhere_is_our_bug(object_store: ObjectStore, path: Path, name: str) -> None:
    with pytest.raises(BrokenPromise, match="ObjectName"):
        object_store.put(name, path, {})
    with pytest.raises(BrokenPromise, match="ObjectName"):
        object_store.read(name, 0, 1)


# ---------------------------------------------------------------------------------------------- remove


def test_what_is_removed_is_gone_and_may_come_again(object_store: ObjectStore, path: Path, tmp_path: Path) -> None:
    object_store.put(NAME, path, {})
    other = NAME.replace("12fb", "12fc")
    object_store.put(other, path, {})
    object_store.remove(NAME)
    with pytest.raises(ServiceRefused, match="NoSuchObject"):
        object_store.read(NAME, 0, 1)
    assert object_store.read(other, 0, len(SOME)) == SOME
    object_store.put(NAME, written(tmp_path / "other", SOME[:100]), {})
    assert object_store.read(NAME, 0, 100) == SOME[:100]


def test_what_is_gone_already_is_removed_without_an_error(object_store: ObjectStore, path: Path) -> None:
    object_store.remove(NAME)
    object_store.put(NAME, path, {})
    object_store.remove(NAME)
    object_store.remove(NAME)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b"])
def test_only_objects_can_be_removed(object_store: ObjectStore, name: str) -> None:
    with pytest.raises(BrokenPromise, match="ObjectName"):
        object_store.remove(name)


def test_a_removal_that_was_killed_can_be_repeated(object_store: ObjectStore, path: Path) -> None:
    object_store.put(NAME, path, {})
    whole = seconds_of(partial(object_store.remove, NAME))
    for number in range(KILLS):
        object_store.put(NAME, path, {})
        killed_after(whole * number / KILLS, partial(object_store.remove, NAME))
        object_store.remove(NAME)
        with pytest.raises(ServiceRefused, match="NoSuchObject"):
            object_store.read(NAME, 0, 1)
