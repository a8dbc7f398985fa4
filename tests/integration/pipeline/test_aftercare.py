"""Folders that change when their batch is done: noticed, once, at a bounded cost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sendit.pipeline.intake import aftercare
from sendit.pipeline.intake.aftercare import LISTINGS, Aftercare
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Event
from tests.support.shell import run
from tests.support.site import Site

NOTICE = {"code": "FolderChangedAfterDelivery", "tag": "", "count": 1, "stage": "watch"}


@pytest.fixture
def folder(site: Site) -> Path:
    """The folder of a delivered batch."""
    folder = site.study(1)
    (folder / "sub").mkdir()
    site.process()
    site.deliver()
    return folder


def look(care: Aftercare | None = None) -> Batch:
    for _ in (care or Aftercare()).round():
        pass
    return Batch.objects.get()


def notices() -> int:
    return Event.objects.filter(name="batch.folder_changed_after_delivery").count()


def test_a_folder_that_rests_gets_no_notice(folder: Path) -> None:
    care = Aftercare()
    for _ in range(3):
        assert not look(care).has_error


@pytest.mark.parametrize("place", ["late", "sub/late"])
def test_a_file_that_came_is_noticed_once(folder: Path, place: str) -> None:
    care = Aftercare()
    look(care)
    (folder / place).write_text("x")
    batch = look(care)
    assert (batch.state, batch.has_error, batch.errors) == ("DONE", True, [NOTICE])
    (folder / "later").write_text("x")
    assert look(care).errors == look().errors == [NOTICE]
    assert notices() == 1


def test_a_change_while_nobody_watched_is_noticed(folder: Path) -> None:
    (folder / "late").write_text("x")
    assert look().errors == [NOTICE]


def test_a_file_that_was_written_in_place_is_noticed(folder: Path) -> None:
    care = Aftercare()
    look(care)
    path = next(path for path in folder.iterdir() if path.is_file())
    path.write_bytes(path.read_bytes() + b"x")
    assert look(care).has_error


def test_an_error_that_a_batch_has_already_is_kept(site: Site) -> None:
    folder = site.study(1)
    (folder / "notes").write_text("not DICOM")
    site.process()
    site.deliver()
    (folder / "late").write_text("x")
    assert [error["code"] for error in look().errors] == ["NotDicom", "FolderChangedAfterDelivery"]


def test_an_empty_batch_is_looked_after_too(site: Site) -> None:
    folder = site.study(1, BurnedInAnnotation="YES")
    site.process()
    (folder / "late").write_text("x")
    assert (look().state, look().errors) == ("EMPTY", [NOTICE])


def test_a_folder_that_is_gone_is_no_change(folder: Path) -> None:
    care = Aftercare()
    look(care)
    shutil.rmtree(folder)
    assert not look(care).has_error
    assert not look().has_error


def test_a_batch_that_was_processed_again_is_as_it_is_now(site: Site) -> None:
    folder = site.study(1, BurnedInAnnotation="YES")
    site.process()
    care = Aftercare()
    look(care)
    (folder / "late").symlink_to(next(folder.iterdir()))
    run("retry", "1")
    site.process()
    assert (look(care).state, look(care).has_error) == ("EMPTY", False)


def test_what_was_purged_is_not_looked_after(folder: Path) -> None:
    BatchIdentifiers.objects.all().delete()
    (folder / "late").write_text("x")
    assert not look().has_error


def test_a_round_lists_few_folders_and_all_have_their_turn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(25):
        site.study(number, images=1)
    site.process()
    site.deliver()
    listed: list[str] = []
    real = aftercare.list_folder
    monkeypatch.setattr(aftercare, "list_folder", lambda folder: listed.append(folder) or real(folder))
    care = Aftercare()
    for _ in range(3):
        before = len(listed)
        for _ in care.round():
            pass
        assert len(listed) - before <= LISTINGS
    assert len(set(listed)) == 25


def test_only_the_newest_are_looked_after(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftercare, "NEWEST", 2)
    folders = [site.study(number, images=1) for number in range(3)]
    site.process()
    site.deliver()
    for folder in folders:
        (folder / "late").write_text("x")
    for _ in Aftercare().round():
        pass
    assert list(Batch.objects.order_by("pk").values_list("has_error", flat=True)) == [False, True, True]
