"""`clean_up`: what goes, when, and above all what stays."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from django.conf import settings as djangos
from django.utils import timezone

from sendit.pipeline import cleaning
from sendit.pipeline.record import leases
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Event
from sendit.pipeline.record.processes import new_token
from sendit.projects.composition import Projects
from tests.support.phantoms import FILES, accession_number
from tests.support.processes import FORK
from tests.support.shell import Ran, run
from tests.support.site import Site


@pytest.fixture
def folder(site: Site) -> Path:
    """The study folder of a delivered batch; originals and identifiers are to go."""
    folder = site.study(1)
    site.process()
    site.deliver()
    site.set(ORIGINALS="delete", IDENTIFIERS="purge")
    return folder


def things(ran: Ran) -> list[str]:
    return [line for line in ran.lines if line.startswith("batch")]


def outbox(name: str) -> Path:
    path: Path = djangos.SITE.outbox_folder / name
    path.mkdir(parents=True)
    (path / "file").write_text("x")
    return path


# ---------------------------------------------------------------------------------------------- nothing by default


def test_by_default_originals_and_identifiers_stay(site: Site) -> None:
    folder = site.study(1)
    site.process()
    site.deliver()
    ran = run("clean_up")
    assert (ran.code, things(ran)) == (0, [])
    assert "Originals stay" in ran.out and "Identifiers stay" in ran.out
    assert len(list(folder.iterdir())) == 5
    assert BatchIdentifiers.objects.count() == 1


# ---------------------------------------------------------------------------------------------- outbox


@pytest.mark.parametrize("state", ["DONE", "EMPTY", "ERROR"])
def test_an_outbox_that_its_batch_does_not_need_goes(site: Site, state: str) -> None:
    site.study(1)
    site.process()
    Batch.objects.update(state=state)
    (line,) = things(run("clean_up"))
    assert re.fullmatch(r"batch 1: outbox \(6 files, 0\.\d MB\): removed\.", line)
    assert not (site.outbox / "1").exists()
    assert Event.objects.get(name="batch.outbox_cleaned").fields["files"] == 6


@pytest.mark.parametrize("state", ["DONEPROCESSING", "UPLOADING", "PROCESSING", "QUEUE"])
def test_an_outbox_that_may_be_needed_stays(site: Site, state: str) -> None:
    site.study(1)
    site.process()
    leased = {"lease_token": new_token(), "lease_expires_at": timezone.now() + timedelta(minutes=1)}
    Batch.objects.update(state=state, **(leased if state in ("PROCESSING", "UPLOADING") else {}))
    assert things(run("clean_up")) == []
    assert (site.outbox / "1").is_dir()


def test_an_outbox_of_no_batch_goes(site: Site) -> None:
    path = outbox("99")
    assert things(run("clean_up")) == ["batch 99: outbox (1 file, 0.0 MB): removed."]
    assert not path.exists()


def test_what_is_no_outbox_stays(site: Site) -> None:
    paths = [outbox("notes"), outbox(".1.tmp"), outbox("1.bak")]
    assert things(run("clean_up")) == []
    assert all(path.is_dir() for path in paths)


def test_a_draft_of_a_dead_worker_goes_and_of_a_living_one_stays(site: Site) -> None:
    site.study(1)
    (key,) = site.queue()
    draft = outbox(f".{key}.0123456789abcdef.tmp")
    lease = site.claim(key, leases.Job.PROCESS)
    assert lease is not None
    assert things(run("clean_up")) == []
    child = FORK.Process(target=lambda: None)
    child.start()
    dead = new_token().replace(f".{os.getpid()}.", f".{child.pid}.")
    child.join()
    Batch.objects.update(lease_token=dead)
    assert things(run("clean_up")) == [f"batch {key}: draft of the outbox (1 file, 0.0 MB): removed."]
    assert not draft.exists()


def test_a_draft_of_a_batch_that_nobody_works_on_goes(site: Site) -> None:
    site.study(1)
    (key,) = site.queue()
    draft = outbox(f".{key}.0123456789abcdef.tmp")
    run("clean_up")
    assert not draft.exists()


# ---------------------------------------------------------------------------------------------- originals


def test_originals_of_a_delivered_batch_go_when_told(folder: Path) -> None:
    ran = run("clean_up")
    assert ran.code == 0
    assert things(ran) == ["batch 1: originals (5 files, 0.2 MB): removed.", "batch 1: identifiers: removed."]
    assert list(folder.parent.iterdir()) == []
    assert list(Event.objects.order_by("-pk").values_list("name", flat=True)[:2]) == [
        "batch.identifiers_purged",
        "batch.originals_deleted",
    ]


def test_a_dry_run_says_exactly_what_would_go_and_removes_nothing(folder: Path) -> None:
    dry = run("clean_up", "--dry-run")
    assert len(list(folder.iterdir())) == 5
    assert BatchIdentifiers.objects.count() == 1
    wet = run("clean_up")
    assert [line.replace("would be removed", "removed") for line in things(dry)] == things(wet)


def test_a_second_run_has_nothing_to_do(folder: Path) -> None:
    run("clean_up")
    assert things(run("clean_up")) == []


def test_originals_go_and_identifiers_stay_where_it_is_set_so(folder: Path, site: Site) -> None:
    site.set(IDENTIFIERS="keep")
    assert things(run("clean_up")) == ["batch 1: originals (5 files, 0.2 MB): removed."]
    assert things(run("clean_up")) == []
    assert BatchIdentifiers.objects.count() == 1


def test_the_folder_that_went_is_not_a_new_batch_when_it_comes_again(folder: Path, site: Site) -> None:
    run("clean_up")
    site.study(1)
    (batch,) = site.process()
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 5, 5)
    assert batch.deliveries.count() == 1


def test_what_was_delivered_lately_waits(folder: Path) -> None:
    assert things(run("clean_up", "--older-than", "1")) == []
    Batch.objects.update(delivered_at=timezone.now() - timedelta(days=1, minutes=1))
    assert len(things(run("clean_up", "--older-than", "1"))) == 2
    assert not folder.exists()


@pytest.mark.parametrize("state", ["QUEUE", "DONEPROCESSING", "EMPTY", "ERROR"])
def test_originals_of_a_batch_that_is_not_done_stay(folder: Path, state: str) -> None:
    Batch.objects.update(state=state)
    assert things(run("clean_up")) == []
    assert folder.is_dir()


def test_originals_of_a_batch_with_an_error_stay(site: Site) -> None:
    folder = site.study(1)
    (folder / "notes").write_text("not DICOM")
    site.process()
    site.deliver()
    site.set(ORIGINALS="delete", IDENTIFIERS="purge")
    assert things(run("clean_up")) == []
    assert len(list(folder.iterdir())) == 6


def grow(folder: Path) -> None:
    (folder / "late").write_text("x")


def shrink(folder: Path) -> None:
    next(folder.iterdir()).unlink()


def rewrite(folder: Path) -> None:
    path = next(folder.iterdir())
    path.write_bytes(path.read_bytes()[::-1])


def lose_the_object(folder: Path) -> None:
    for path in djangos.SITE.store_folder.rglob("*.tar.gz"):
        path.unlink()


def spoil_the_object(folder: Path) -> None:
    for path in djangos.SITE.store_folder.rglob("*.tar.gz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)


DOUBTS: dict[Callable[[Path], None], str] = {
    grow: "the folder is not what was processed",
    shrink: "the folder is not what was processed",
    rewrite: "the folder is not what was processed",
    lose_the_object: "NoSuchObject",
    spoil_the_object: "the store's bytes are not the archive's",
}


@pytest.mark.parametrize("deed", DOUBTS, ids=lambda deed: deed.__name__)
@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["wet", "dry"])
def test_originals_stay_where_there_is_a_doubt(folder: Path, deed: Callable[[Path], None], options: list[str]) -> None:
    deed(folder)
    before = sorted(path.name for path in folder.iterdir())
    ran = run("clean_up", *options)
    assert ran.code == 1
    (line,) = things(ran)
    assert line.startswith(f"batch 1: originals: kept, {DOUBTS[deed]}")
    assert sorted(path.name for path in folder.iterdir()) == before
    assert BatchIdentifiers.objects.count() == 1
    lose_the_object(folder)  # what is spoiled cannot be searched for leaks


def test_who_writes_to_the_folder_at_the_last_moment_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = cleaning.plan(Projects(djangos.SITE), timedelta())
    originals = next(plan)
    assert isinstance(originals, cleaning.Removal)
    (folder / "late").write_text("x")
    assert originals.apply("command") == "the folder is not what was processed"
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]
    assert len(list(folder.iterdir())) == 6
    batch = Batch.objects.get()
    assert batch.state == "QUEUE" and batch.events.filter(name="batch.folder_grew", actor="command").exists()


def test_a_batch_that_is_no_longer_fine_at_the_last_moment_keeps_its_originals(folder: Path) -> None:
    originals = next(cleaning.plan(Projects(djangos.SITE), timedelta()))
    Batch.objects.update(has_error=True)
    assert isinstance(originals, cleaning.Removal)
    assert originals.apply("command") == "the batch is no longer DONE without an error"
    assert len(list(folder.iterdir())) == 5


def test_a_folder_that_a_person_removed_is_no_doubt(folder: Path) -> None:
    shutil.rmtree(folder)
    ran = run("clean_up")
    assert (ran.code, things(ran)) == (0, ["batch 1: identifiers: removed."])


def test_a_link_in_the_folder_is_no_doubt(site: Site) -> None:
    folder = site.study(1)
    (folder / "inside").symlink_to(next(folder.iterdir()))
    site.process()
    site.deliver()
    site.set(ORIGINALS="delete")
    assert things(run("clean_up")) == ["batch 1: originals (6 files, 0.2 MB): removed."]
    assert not folder.exists()


# ---------------------------------------------------------------------------------------------- withheld files


def withhold(path: Path) -> None:
    """Make the image one that a rule of `research` withholds."""
    ds = pydicom.dcmread(path)
    ds.BurnedInAnnotation = "YES"
    ds.save_as(path)


@pytest.fixture
def partly_withheld(site: Site) -> Path:
    """A delivered batch's folder, two images of which were withheld; what identifies is to go too."""
    folder = site.study(1)
    for path in sorted(folder.iterdir())[:2]:
        withhold(path)
    site.process()
    site.deliver()
    site.set(ORIGINALS="delete", IDENTIFIERS="purge")
    return folder


def say(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Be an operator at a terminal who gives this answer."""
    monkeypatch.setattr("sys.stdin", TtyInput(f"{answer}\n"))


class TtyInput(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--yes"]], ids=str)
def test_a_folder_with_files_that_were_withheld_stays(partly_withheld: Path, options: list[str]) -> None:
    ran = run("clean_up", *options)
    assert things(ran) == ["batch 1: originals: kept, 2 files were withheld and never delivered."]
    assert "1 folder stays because of withheld files" in ran.out
    assert ran.code == 0
    assert len(list(partly_withheld.iterdir())) == 5
    assert BatchIdentifiers.objects.count() == 1


def test_a_timer_that_agrees_removes_withheld_files_too(partly_withheld: Path) -> None:
    dry = run("clean_up", "--include-withheld", "--dry-run")
    assert things(dry)[0] == "batch 1: originals (5 files, 0.2 MB): would be removed."
    assert partly_withheld.is_dir()
    ran = run("clean_up", "--include-withheld", "--yes")
    assert things(ran) == ["batch 1: originals (5 files, 0.2 MB): removed.", "batch 1: identifiers: removed."]
    assert not partly_withheld.exists()


@pytest.mark.parametrize(("answer", "stays"), [("y", False), ("yes", False), ("", True), ("n", True), ("what", True)])
def test_the_operator_is_asked_with_a_count(
    partly_withheld: Path, monkeypatch: pytest.MonkeyPatch, answer: str, stays: bool
) -> None:
    say(monkeypatch, answer)
    ran = run("clean_up", "--include-withheld")
    assert "1 folder has 2 files that a rule withheld." in ran.out
    assert partly_withheld.exists() is stays


def test_where_nobody_can_answer_nothing_is_removed(partly_withheld: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    ran = run("clean_up", "--include-withheld")
    assert (ran.code, partly_withheld.exists()) == (2, True)
    assert "--yes" in ran.err


def test_there_is_no_question_without_withheld_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run("clean_up", "--include-withheld").code == 0
    assert not folder.exists()


def test_a_batch_that_is_delivered_while_the_operator_thinks_stays(
    partly_withheld: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def think(question: str) -> str:
        late = site.study(2)
        withhold(sorted(late.iterdir())[0])
        site.process()
        site.deliver()
        return "y"

    monkeypatch.setattr("sys.stdin", TtyInput())
    monkeypatch.setattr("builtins.input", think)
    run("clean_up", "--include-withheld")
    assert [path.name for path in site.data.iterdir()] == [accession_number(2)]


def test_copies_links_and_dicomdirs_are_not_missed(site: Site) -> None:
    folder = site.study(1)
    first = sorted(folder.iterdir())[0]
    shutil.copy(first, folder / "copy")
    (folder / "link").symlink_to(first.name)
    shutil.copy(FILES / "dicomdirtests" / "DICOMDIR", folder / "DICOMDIR")
    (batch,) = site.process()
    assert (batch.delivered, batch.filtered, batch.errors) == (5, 3, [])
    site.deliver()
    site.set(ORIGINALS="delete")
    assert things(run("clean_up")) == ["batch 1: originals (8 files, 0.3 MB): removed."]


# ---------------------------------------------------------------------------------------------- cut short


class Cut(Exception):
    """In place of kill -9."""


@pytest.mark.parametrize("nth", range(1, 11))
def test_cut_short_anywhere_it_finishes_the_next_time(folder: Path, nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nth change of the file system, or of the database, is not made, and nothing after it."""
    left = [nth]

    def counting(real: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **options: object) -> object:
            left[0] -= 1
            if left[0] <= 0:
                raise Cut
            return real(*args, **options)

        return wrapped

    for module, name in ((os, "unlink"), (os, "rmdir"), (os, "rename"), (cleaning.history, "record_by")):
        monkeypatch.setattr(module, name, counting(getattr(module, name)))
    cut = False
    try:
        for item in cleaning.plan(Projects(djangos.SITE), timedelta()):
            assert isinstance(item, cleaning.Removal)
            item.apply("command")
    except Cut:
        cut = True
    monkeypatch.undo()
    assert cut
    assert run("clean_up").code == 0
    assert things(run("clean_up")) == []
    assert list(folder.parent.iterdir()) == []
    assert BatchIdentifiers.objects.count() == 0


def test_what_may_not_be_removed_is_kept_without_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    ran = run("clean_up")
    assert ran.code == 1
    assert "kept, the operating system says EACCES" in ran.out
    monkeypatch.undo()
    assert things(run("clean_up"))[0] == "batch 1: rest of the originals (5 files, 0.2 MB): removed."


@pytest.mark.parametrize("days", ["-1", "nan"])
def test_a_number_of_days_that_is_none_is_wrong_use(site: Site, days: str) -> None:
    assert run("clean_up", "--older-than", days).code == 2


def test_an_outbox_of_a_batch_that_was_taken_up_meanwhile_stays(site: Site) -> None:
    site.study(1)
    site.process()
    Batch.objects.update(state="ERROR")
    removal = next(cleaning.plan(Projects(djangos.SITE), timedelta()))
    Batch.objects.update(state="DONEPROCESSING")
    assert isinstance(removal, cleaning.Removal)
    assert removal.apply("command") == "the batch is taken up again"
    assert (site.outbox / "1").is_dir()
