"""`status`: one glance that is right, whatever there is, and cheap, however much there is."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sendit.ground.daemon import PidFile
from sendit.pipeline.record.models import Batch, Image
from sendit.pipeline.record.states import WORKING, State
from sendit.pipeline.reports import overview as reports
from sendit.pipeline.reports import readiness, totals
from tests.support.phantoms import make_study
from tests.support.shell import Ran, run
from tests.support.site import Site


def line_of(ran: Ran, word: str) -> str:
    (line,) = [line for line in ran.lines if re.match(rf" *{word}\b", line)]
    return re.sub(r"  +", "  ", line.strip())


def status() -> dict[str, object]:
    return json.loads(run("status", "--json").out)


def make_batches(state: State, number: int = 1, **fields: object) -> list[Batch]:
    """Bare rows, as many as one likes."""
    leased = {"lease_token": "x.x.1.1.x", "lease_expires_at": timezone.now()} if state in WORKING else {}
    rows = [
        Batch(state=state, folder_digest=os.urandom(32).hex(), uid_digest="", **leased, **fields) for _ in range(number)
    ]
    return Batch.objects.bulk_create(rows)


def test_an_empty_site_is_fine(site: Site) -> None:
    ran = run("status")
    assert ran.code == 0
    assert [line.split() for line in ran.lines[: len(State)]] == [[state, "0"] for state in State]
    assert line_of(ran, "latest") == "latest  nothing"
    assert line_of(ran, "folders") == "folders  none new"


def test_batches_are_counted_by_state(site: Site) -> None:
    for number, state in enumerate(State, 1):
        make_batches(state, number)
    assert status()["states"] == {state: number for number, state in enumerate(State, 1)}
    assert reports.standing()[0] == Batch.objects.counts()


@pytest.mark.on_both_databases
def test_old_batches_are_counted_once_and_the_numbers_stay_right(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "MANY_BATCHES", 5)
    old = make_batches(State.DONE, 6, created_at=timezone.now() - timedelta(hours=2))
    waiting = make_batches(State.QUEUE, 3, created_at=timezone.now() - timedelta(hours=2))
    new = make_batches(State.DONE, 7)
    expected = dict.fromkeys(State, 0) | {State.DONE: 13, State.QUEUE: 3}
    for _ in range(2):  # the first counts them, the second knows
        assert reports.standing()[0] == expected
        assert totals.batches() == (waiting[-1].pk, 9)
    Batch.objects.filter(pk=old[0].pk).update(state=State.EMPTY)
    assert reports.standing()[0] == expected | {State.DONE: 12, State.EMPTY: 1}
    Batch.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert reports.standing()[0] == expected | {State.DONE: 12, State.EMPTY: 1}
    assert totals.batches() == (new[-1].pk, 16)


def test_where_batches_wait_the_oldest_is_named_with_its_age(site: Site) -> None:
    now = timezone.now()
    first, _ = make_batches(State.QUEUE, 2, changed_at=now - timedelta(minutes=7))
    make_batches(State.DONE)
    ran = run("status")
    assert line_of(ran, "QUEUE") == f"QUEUE  2  batch {first.pk} for 7 min"
    assert line_of(ran, "DONE") == "DONE  1"


def test_a_batch_in_error_needs_a_look_and_says_what_to_do(site: Site) -> None:
    site.study(1, patients=2)
    site.study(2)
    (site.data / "notes.txt").write_text("not a folder")
    (make_other(site) / "notes.txt").write_text("not DICOM")
    site.process()
    ran = run("status")
    assert ran.code == 1
    assert "  MixedPatients  batch 1 in ERROR\n    The folder holds more than one patient. Move it" in ran.out
    assert "  NotDicom  1 file of batch 3\n    The file is not DICOM." in ran.out
    assert line_of(ran, "has_error") == "has_error  2 batches: `sendit batch_logs --errors`"
    assert "    `sendit batch_logs 1 --reveal`\n" in ran.out and "    `sendit batch_logs 3 --reveal`\n" in ran.out


def test_a_batch_in_error_is_named_once_by_the_code_for_which_it_is(site: Site) -> None:
    """Not by those of its files, though each has one."""
    for number in (1, 2):
        folder = site.data / f"text {number}"
        folder.mkdir()
        (folder / "empty").touch()
        (folder / "notes.txt").write_text("not DICOM")
    mixed = site.study(3, patients=2)
    (mixed / "a note.txt").write_text("not DICOM")
    site.process()
    errors = status()["errors"]
    assert {code: (entry["stopped"], entry["files"]) for code, entry in errors.items()} == {
        "NothingReadable": ([2, 1], 0),
        "MixedPatients": ([3], 0),
    }
    assert "NothingReadable  2 batches (2, 1) in ERROR\n" in run("status").out


def test_what_a_service_refused_is_to_be_retried(site: Site) -> None:
    error = {"code": "NoSuchBucket", "tag": "", "count": 0, "stage": "deliver"}
    make_batches(State.ERROR, 1, has_error=True, errors=[error])
    assert "`sendit retry --code NoSuchBucket`" in run("status").out


def make_other(site: Site) -> os.PathLike[str]:
    return site.study(3)


def test_files_with_errors_alone_do_not_need_a_look_each_time(site: Site) -> None:
    (make_other(site) / "notes.txt").write_text("not DICOM")
    site.process()
    assert run("status").code == 0


def test_withheld_files_are_counted_by_rule(site: Site) -> None:
    site.study(1, BurnedInAnnotation="YES")
    folder = site.study(2)
    (folder / "link").symlink_to(next(folder.iterdir()))
    site.process()
    assert status()["withheld"] == {"burned-in annotation": 5, "sendit: link inside the folder": 1}
    assert re.search(
        r"Withheld by rule:\n +5  burned-in annotation\n +1  sendit: link inside the folder\n", run("status").out
    )


def test_throughput_is_that_of_what_was_delivered(site: Site) -> None:
    for number in (1, 2):
        site.study(number, images=4)
    site.process()
    site.deliver()
    found = status()
    assert (found["last_hour"]["batches"], found["last_hour"]["images"]) == (2, 8)
    assert found["latest"]["images"] == 8
    assert found["latest"]["images_per_second"] > 1
    assert re.fullmatch(r"last hour  2 batches, 8 images, 0\.3 MB", line_of(run("status"), "last hour"))


def test_workers_side_by_side_are_counted_once_and_a_night_not_at_all_delivered_or_not(site: Site) -> None:
    begin = timezone.now() - timedelta(days=1)
    spans = [(0, 10), (5, 15), (3600, 3610)]
    for state, (start, end) in zip((State.DONE, State.DONEPROCESSING, State.UPLOADING), spans, strict=True):
        make_batches(
            state,
            started_at=begin + timedelta(seconds=start),
            processed_at=begin + timedelta(seconds=end),
            delivered=10,
            found=10,
        )
    assert reports.latest() == reports.Throughput(batches=3, images=30, input_bytes=0, seconds=25.0)


def test_batches_that_wait_for_a_service_are_told_with_the_reason(site: Site) -> None:
    make_batches(State.QUEUE, 2, not_before=timezone.now() + timedelta(minutes=5), waits_for="NoSpace")
    ran = run("status")
    assert line_of(ran, "postponed").startswith("postponed  2 batches: NoSpace: The disk is full.")
    assert status()["postponed"] == {"NoSpace": 2}


def test_what_waits_is_told_with_its_time_and_its_reason(site: Site) -> None:
    until = timezone.now() + timedelta(minutes=5)
    make_batches(State.QUEUE, 2, not_before=until, waits_for="NoSpace")
    make_batches(State.QUEUE, 1, not_before=timezone.now() + timedelta(days=3), waits_for="NoSpace")  # is due
    ran = run("status")
    assert line_of(ran, "waits") == f"waits  2 batches at QUEUE for NoSpace, until {until:%Y-%m-%d %H:%M:%S} UTC"
    (wait,) = status()["waits"]
    assert (wait["state"], wait["code"], wait["batches"]) == ("QUEUE", "NoSpace", 2)


def test_lapsed_leases_are_told(site: Site) -> None:
    make_batches(State.PROCESSING)
    assert line_of(run("status"), "lapsed").startswith("lapsed  1 batch of dead workers")


def test_folders_that_are_no_batch_are_counted_not_named(site: Site) -> None:
    site.study(1)
    site.queue()
    for name in ("a.tmp7", "b.TMP", "c.err", "d", "e", ".hidden"):
        make_study(site.data / name)
    ran = run("status")
    assert line_of(ran, "folders") == "folders  2 new, 2 still being written (.tmp), 1 marked .err"


def test_what_lies_beside_the_study_folders_is_said(site: Site) -> None:
    site.study(1)
    site.queue()
    for name in ("a.dcm", "b.zip", "c.TAR.GZ", ".hidden"):
        (site.data / name).write_text("x")
    (site.data / "link").symlink_to(site.data / "a.dcm")
    for name in ("nested/a", "nested/b", "study/a"):
        (site.data / name).mkdir(parents=True)
    ran = run("status")
    stray = [line.split(None, 1)[1] for line in ran.lines if line.startswith("stray")]
    assert [line.split(" beside")[0].split(" only")[0] for line in stray] == [
        "1 file and 2 archives", "1 symbolic link", "1 new folder holds"
    ]  # fmt: skip
    found = status()["folders"]
    assert (found["files"], found["archives"], found["links"], found["of_folders"]) == (3, 2, 1, 1)


def test_free_space_is_told(site: Site) -> None:
    assert re.match(r"space  [\d.,]+ GB free of [\d.,]+ GB \(\d+ %\)", line_of(run("status"), "space"))
    assert status()["space"]["free_bytes"] > 0


def test_a_missing_data_folder_needs_a_look(site: Site) -> None:
    site.data.rmdir()
    ran = run("status")
    assert (ran.code, line_of(ran, "folders")) == (1, "folders  1 missing: see the settings of the data folders")


def test_delivery_that_is_off_is_told(site: Site) -> None:
    site.study(1)
    site.process()
    site.set(SEND_TO_GOOGLE=False)
    ran = run("status")
    assert line_of(ran, "delivery") == "delivery  off: batches rest at DONEPROCESSING"
    assert line_of(ran, "DONEPROCESSING").endswith("resting: SENDIT_SEND_TO_GOOGLE is off")


def test_a_watcher_is_told_by_its_pid(site: Site) -> None:
    pid_file = PidFile(site.var / "watcher.pid")
    pid_file.acquire()
    assert line_of(run("status"), "watcher") == f"watcher  runs (pid {os.getpid()})"
    os.utime(pid_file.path, (0, 0))
    hanging = run("status")
    assert hanging.code == 1
    assert f"hangs (pid {os.getpid()})" in line_of(hanging, "watcher")
    pid_file.release()
    assert line_of(run("status"), "watcher") == "watcher  not running"


def test_a_watcher_that_died_needs_a_look(site: Site) -> None:
    (site.var / "watcher.pid").write_text("4194305\n")
    ran = run("status")
    assert ran.code == 1
    assert "died without stopping" in line_of(ran, "watcher")


def test_the_listener_has_its_line_once_it_was_started(site: Site) -> None:
    assert "\nlistener" not in run("status").out
    pid_file = PidFile(site.var / "listener.pid", "Listener")
    pid_file.acquire()
    assert line_of(run("status"), "listener") == f"listener  runs (pid {os.getpid()})"
    pid_file.release()
    assert line_of(run("status"), "listener") == "listener  not running"
    pid_file.path.write_text("4194305\n")
    ran = run("status")
    assert ran.code == 1
    assert "died without stopping; `sendit start_listener` goes on" in line_of(ran, "listener")


def test_in_a_large_history_the_newest_files_count(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "RECENT_FILES", 10)
    (batch,) = make_batches(State.DONE)
    for rule, first in (("old", 0), ("new", 20)):
        Image.objects.bulk_create(
            Image(batch=batch, number=first + number, outcome="filtered", rule=rule) for number in range(20)
        )
    overview = reports.overview()
    assert (overview.withheld, overview.is_whole_history) == ((("new", 10),), False)


def test_every_question_is_answered_from_an_index_or_from_an_end_of_a_table(site: Site) -> None:
    """A million batches are as quick to ask as a hundred; `make bench` measures it."""
    for state in State:
        make_batches(state, 20)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        reports.overview()
    for query in asked.captured_queries:
        sql = query["sql"]
        with connection.cursor() as cursor:
            plan = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
        scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
        assert not scans or re.search(r"ORDER BY 1 (ASC|DESC) LIMIT 1", sql), (sql, plan)
        assert not [step for step in plan if "TEMP B-TREE" in step], (sql, plan)
    assert len(asked.captured_queries) < 30


def test_a_database_that_another_process_holds_is_said_to_be_locked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "BUSY_MILLISECONDS", 50)
    assert run("status").code == 0
    with sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        ran, shown = run("status"), run("status", "--json")
        other.execute("ROLLBACK")
    assert (ran.code, shown.code) == (1, 1), ran.err
    assert "The database is locked." in ran.out
    assert json.loads(shown.out)["database"] == "locked"
    assert run("status").code == 0


@pytest.mark.parametrize(
    ("says", "word"),
    [
        ("database or disk is full", "full"),
        ("disk I/O error", "full"),
        ("attempt to write a readonly database", "read-only"),
        ("something else", "not written to"),
    ],
)
def test_a_database_that_takes_no_writing_is_said_to_be_what_it_says(site: Site, says: str, word: str) -> None:
    """As SQLite says it; a trigger says it here."""
    assert run("status").code == 0
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TRIGGER no BEFORE UPDATE ON django_migrations BEGIN SELECT RAISE(ABORT, '{says}'); END")
    ran = run("status")
    assert ran.code == 1
    assert f"The database is {word}." in ran.out


def test_status_leaves_the_row_that_it_writes_as_it_was(site: Site) -> None:
    def rows() -> list[tuple[object, ...]]:
        with connection.cursor() as cursor:
            return cursor.execute("SELECT * FROM django_migrations ORDER BY id").fetchall()

    before = rows()
    assert run("status").code == 0
    assert rows() == before
