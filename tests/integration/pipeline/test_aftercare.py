"""Folders that change when their batch is done: the batch is queued again, at a bounded cost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sendit.pipeline.intake import aftercare
from sendit.pipeline.intake.aftercare import LISTINGS, Aftercare
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Event
from tests.support.site import Site


@pytest.fixture
def folder(site: Site) -> Path:
    """The folder of a delivered batch."""
    folder = site.study(1)
    (folder / "sub").mkdir()
    site.process()
    site.deliver()
    return folder


def look(care: Aftercare | None = None) -> Batch:
    for _ in (care or Aftercare(0)).round():
        pass
    return Batch.objects.get()


def growths() -> int:
    return Event.objects.filter(name="batch.folder_grew", actor="watcher").count()


def test_a_folder_that_rests_is_left_alone(folder: Path) -> None:
    care = Aftercare(0)
    for _ in range(3):
        assert look(care).state == "DONE"


@pytest.mark.parametrize("place", ["late", "sub/late"])
def test_a_batch_is_queued_again_when_a_file_came(folder: Path, place: str) -> None:
    care = Aftercare(0)
    look(care)
    (folder / place).write_text("x")
    assert look(care).state == "QUEUE"
    (folder / "later").write_text("x")
    assert (look(care).state, growths()) == ("QUEUE", 1)


def test_a_change_while_nobody_watched_is_noticed(folder: Path) -> None:
    (folder / "late").write_text("x")
    assert look().state == "QUEUE"


def test_a_file_that_was_written_in_place_is_noticed(folder: Path) -> None:
    care = Aftercare(0)
    look(care)
    path = next(path for path in folder.iterdir() if path.is_file())
    path.write_bytes(path.read_bytes() + b"x")
    assert look(care).state == "QUEUE"


def test_a_folder_that_is_still_written_to_is_waited_for(folder: Path) -> None:
    care = Aftercare(3600)
    look(care)
    (folder / "late").write_text("x")
    assert look(care).state == "DONE"
    care._settle_seconds = 0
    assert look(care).state == "QUEUE"


def test_a_folder_that_changes_again_and_again_is_taken_up_each_time(site: Site, folder: Path) -> None:
    care = Aftercare(0)
    for number in range(3):
        (folder / f"late {number}").write_text("x")
        assert look(care).state == "QUEUE"
        site.process()
        assert (look(care).state, look(care).errored) == ("DONE", number + 1)
    assert growths() == 3


def test_an_empty_batch_is_looked_after_too(site: Site) -> None:
    folder = site.study(1, BurnedInAnnotation="YES")
    site.process()
    (folder / "late").write_text("x")
    assert look().state == "QUEUE"


def test_a_folder_that_is_gone_or_was_emptied_is_no_change(folder: Path) -> None:
    care = Aftercare(0)
    look(care)
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert look(care).state == look().state == "DONE"
    folder.rmdir()
    assert look(care).state == look().state == "DONE"


def test_what_was_purged_is_not_looked_after(folder: Path) -> None:
    BatchIdentifiers.objects.all().delete()
    (folder / "late").write_text("x")
    assert look().state == "DONE"


def test_a_round_lists_few_folders_and_all_have_their_turn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(25):
        site.study(number, images=1)
    site.process()
    site.deliver()
    listed: list[str] = []
    real = aftercare.list_folder
    monkeypatch.setattr(aftercare, "list_folder", lambda folder: listed.append(folder) or real(folder))
    care = Aftercare(0)
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
    for _ in Aftercare(0).round():
        pass
    assert list(Batch.objects.order_by("pk").values_list("state", flat=True)) == ["DONE", "QUEUE", "QUEUE"]
