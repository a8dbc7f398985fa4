"""Files and folders that are exchanged while their batch is worked on: nothing of what came later is delivered."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from sendit.ground.phi_field import digest
from sendit.pipeline.intake import contenders as intake
from sendit.pipeline.intake import folders
from sendit.pipeline.intake.folders import Entry, StudyFolder, fingerprint, list_folder
from sendit.pipeline.record.models import Batch
from sendit.pipeline.stages import processing
from sendit.pipeline.stages.archive import ArchiveWriter
from sendit.projects.project import DEFAULT
from tests.support.phantoms import make_study
from tests.support.site import Site

Deed = Callable[[], object]


def others_bytes(site: Site, file: Path) -> bytes:
    """Another patient's image of the same size."""
    elsewhere = site.data.parent / "elsewhere"
    (other,) = make_study(elsewhere, number=77, images=1)
    data = other.read_bytes()
    size = file.stat().st_size
    assert len(data) <= size + 4096
    return data[:size].ljust(size, b"\0")


def in_place(file: Path, data: bytes) -> None:
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_bytes(data)
    os.utime(file, ns=times)


def by_a_rename(file: Path, data: bytes) -> None:
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    new = file.parent.parent / "new.tmp"
    new.write_bytes(data)
    os.utime(new, ns=times)
    new.rename(file)


def before(monkeypatch: pytest.MonkeyPatch, place: object, name: str, deed: Deed) -> None:
    """The deed happens once, just before a function is called."""
    real, left = getattr(place, name), [deed]

    def wrapped(*args: object, **kwargs: object) -> object:
        while left:
            left.pop()()
        return real(*args, **kwargs)

    monkeypatch.setattr(place, name, wrapped)


def after_listing(monkeypatch: pytest.MonkeyPatch, deed: Deed) -> None:
    """The deed happens once, between the listing of a folder and the opening of its first file."""
    real, left = StudyFolder.entries, [deed]

    def wrapped(folder: StudyFolder) -> list[Entry]:
        entries = real(folder)
        while left:
            left.pop()()
        return entries

    monkeypatch.setattr(StudyFolder, "entries", wrapped)


def assert_queued_again(batch: Batch) -> None:
    assert (batch.state, batch.folder_changes, batch.delivered) == ("QUEUE", 1, 0)
    assert not batch.deliveries.exists()


@pytest.mark.parametrize("exchange", [in_place, by_a_rename])
def test_another_patients_bytes_of_the_same_size_and_time(
    site: Site, monkeypatch: pytest.MonkeyPatch, exchange: Callable[[Path, bytes], None]
) -> None:
    folder = site.study(1, images=3)
    file = sorted(folder.iterdir())[1]
    data, known = others_bytes(site, file), fingerprint(list_folder(str(folder)))
    before(monkeypatch, processing, "identify", lambda: exchange(file, data))
    (batch,) = site.process()
    assert fingerprint(list_folder(str(folder))) == known  # neither size nor time told it
    assert_queued_again(batch)


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "AccessionNumber"])
@pytest.mark.parametrize("long", [0, 20_000], ids=["short header", "header beyond the window"])
def test_another_patient_or_study_where_the_file_system_shows_no_change(
    site: Site, monkeypatch: pytest.MonkeyPatch, keyword: str, long: int
) -> None:
    folder = site.study(1, images=2)
    file = sorted(folder.iterdir())[0]
    for path in folder.iterdir():
        ds = dcmread(path)
        if long:
            ds.private_block(0x0009, "FILLER", create=True).add_new(1, "OB", bytes(long))
        ds.save_as(path)
    ds = dcmread(file)
    value = str(getattr(ds, keyword))
    setattr(ds, keyword, value[:-1] + ("1" if value[-1] != "1" else "2"))
    changed = site.data.parent / "changed.dcm"
    ds.save_as(changed)
    monkeypatch.setattr(folders, "_stamp", lambda status: (0, 0, 0, status.st_size))
    before(monkeypatch, processing, "identify", lambda: in_place(file, changed.read_bytes()))
    (batch,) = site.process()
    assert_queued_again(batch)


def test_a_file_that_is_written_to_while_it_is_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = site.study(1, images=2)
    file = sorted(folder.iterdir())[0]
    before(monkeypatch, ArchiveWriter, "add", lambda: in_place(file, file.read_bytes()[:-2] + b"\1\2"))
    (batch,) = site.process()
    assert_queued_again(batch)


@pytest.mark.parametrize("what", ["a link", "a pipe", "a folder", "nothing"])
def test_a_file_that_is_something_else_when_it_is_opened(
    site: Site, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    folder = site.study(1, images=2)
    file = sorted(folder.iterdir())[0]
    (outside,) = make_study(site.data.parent / "elsewhere", number=77, images=1)

    def exchange() -> None:
        file.unlink()
        if what == "a link":
            file.symlink_to(outside)
        elif what == "a pipe":
            os.mkfifo(file)
        elif what == "a folder":
            file.mkdir()

    after_listing(monkeypatch, exchange)
    (batch,) = site.process()
    assert_queued_again(batch)
    Batch.objects.update(not_before=batch.created_at)
    (batch,) = site.process()
    codes = set(batch.images.filter(outcome="error").values_list("code", flat=True))
    assert batch.state == "DONEPROCESSING" and batch.delivered == 1
    assert codes == {"a link": {"LinkOutsideFolder"}, "a pipe": {"NotAFile"}}.get(what, set())


def test_a_sub_folder_that_becomes_a_link_to_another_study(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = site.study(1, images=2)
    (folder / "sub" / "deeper").mkdir(parents=True)
    for path in [path for path in folder.iterdir() if path.is_file()]:
        path.rename(folder / "sub" / "deeper" / path.name)
    outside = site.data.parent / "outside"

    def exchange() -> None:
        (folder / "sub").rename(outside)
        (folder / "sub").symlink_to(outside)

    after_listing(monkeypatch, exchange)
    (batch,) = site.process()
    assert_queued_again(batch)
    Batch.objects.update(not_before=batch.created_at)
    (batch,) = site.process()
    assert (batch.state, list(batch.images.values_list("code", flat=True))) == ("ERROR", ["LinkOutsideFolder"])


def test_a_study_folder_that_becomes_a_link_is_gone(site: Site) -> None:
    folder = site.study(1, images=2)
    site.queue()
    outside = site.data.parent / "outside"
    folder.rename(outside)
    folder.symlink_to(outside)
    (batch,) = site.process()
    assert (batch.state, batch.errors[0]["code"], batch.found) == ("ERROR", "FolderGone", 0)


def test_sub_folders_are_opened_one_after_another_and_let_go(site: Site) -> None:
    folder = site.study(1, images=6)
    for number, path in enumerate(sorted(folder.iterdir())):
        (folder / f"{number % 3}" / "x").mkdir(parents=True, exist_ok=True)
        path.rename(folder / f"{number % 3}" / "x" / path.name)
    (batch,) = site.process()
    assert (batch.state, batch.delivered) == ("DONEPROCESSING", 6)
    left = [os.path.realpath(f"/proc/self/fd/{handle}") for handle in os.listdir("/proc/self/fd")]
    assert [path for path in left if path.startswith(str(folder))] == []


def test_the_stored_fingerprint_has_the_form_of_the_last_release(site: Site) -> None:
    """A restored folder has other inodes and times of change, and is the same."""
    folder = site.study(1, images=2)
    (batch,) = site.process()
    lines = [f"file {path.stat().st_size} {path.stat().st_mtime_ns} {path.name}\0" for path in sorted(folder.iterdir())]
    assert batch.fingerprint == digest("".join(lines).encode())


def test_a_folder_that_was_restored_after_processing_is_delivered(site: Site) -> None:
    folder = site.study(1, images=2)
    site.process()
    for path in list(folder.iterdir()):
        by_a_rename(path, path.read_bytes())
    (batch,) = site.deliver()
    assert batch.state == "DONE"


def test_start_queue_takes_a_folder_with_a_path_that_is_too_long(site: Site) -> None:
    site.set(QUEUE_SETTLE_SECONDS=0.1)
    folder = site.study(1, images=1)
    here = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    for path in [folder, *folder.iterdir()]:
        os.utime(path, (1e9, 1e9))
    site.call("start_queue")
    batch = Batch.objects.get()
    assert (batch.state, batch.delivered) == ("DONEPROCESSING", 1)
    assert list(batch.images.filter(outcome="error").values_list("code", flat=True)) == ["Unreadable"]


@pytest.mark.parametrize("number", ["EIO", "ESTALE"])
def test_start_queue_takes_a_folder_that_its_disk_says_an_error_of(
    site: Site, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    site.set(QUEUE_SETTLE_SECONDS=0.1)
    folder = site.study(1, images=1)
    (folder / "bad").mkdir()
    for path in [folder, *folder.iterdir()]:
        os.utime(path, (1e9, 1e9))
    real = os.scandir

    def scandir(path: object = ".") -> object:
        name = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.fspath(path)  # type: ignore[call-overload]
        if name.endswith("/bad"):
            raise OSError(getattr(errno, number), "as a disk says it")
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", scandir)
    assert intake.add_up_to(None, [str(site.data)], DEFAULT, settle_seconds=0.1).number == 1
    (batch,) = site.process()
    assert (batch.state, batch.delivered, batch.errored) == ("DONEPROCESSING", 1, 1)
