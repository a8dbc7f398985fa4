"""The cached queue, as WIRE 2 has it: which folders, how many, when it looks for new ones, and what it says."""

from __future__ import annotations

import os
import pty
import re
from pathlib import Path

import pytest
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sendit.errors import Misconfigured
from sendit.ground.terminal import rates
from sendit.pipeline.intake import contenders as intake
from sendit.pipeline.intake.contenders import Contender, admit
from sendit.pipeline.management.commands.start_queue import folders_to_look_in
from sendit.pipeline.record.models import Batch
from sendit.pipeline.reports.progress import Tally
from sendit.projects.project import DEFAULT
from tests.support.phantoms import accession_number, leaks_in, make_study
from tests.support.site import Site


def counts() -> dict[str, int]:
    return {state: count for state, count in Batch.objects.counts().items() if count}


def test_one_batch_by_default_and_the_oldest_first(site: Site) -> None:
    for number, age in ((1, 10), (2, 30), (3, 20)):
        os.utime(site.study(number, images=1), (1e9 - age, 1e9 - age))
    out = site.call("start_queue")
    assert "1 new folder queued." in out
    assert counts() == {"DONEPROCESSING": 1}
    assert Batch.objects.get().uid.reveal() == accession_number(2)
    assert "1 batch rests at DONEPROCESSING; deliver with `sendit upload_finished`." in out


def test_new_folders_are_looked_for_only_when_none_is_queued(site: Site) -> None:
    site.study(1, images=1)
    site.queue()
    site.study(2, images=1)
    out = site.call("start_queue", "--number", "all")
    assert "queued." not in out and counts() == {"DONEPROCESSING": 1}
    site.call("start_queue", "--number", "all")
    assert counts() == {"DONEPROCESSING": 2}


def test_number_caps_what_is_added_and_what_is_started(site: Site) -> None:
    for number in range(5):
        site.study(number, images=1)
    site.call("start_queue", "--number", "2")
    assert counts() == {"DONEPROCESSING": 2}
    site.queue()
    site.call("start_queue", "--number", "2")
    assert counts() == {"DONEPROCESSING": 4, "QUEUE": 1}


def test_the_number_is_counted_over_all_workers(site: Site) -> None:
    site.set(WORKERS=4)
    for number in range(9):
        site.study(number, images=1)
    site.queue()
    out = site.call("start_queue", "--number", "5")
    assert counts() == {"DONEPROCESSING": 5, "QUEUE": 4}
    assert "5 batches in" in out and out.count("worker.started") == 4


def test_nothing_to_do_is_no_error(site: Site) -> None:
    out = site.call("start_queue")
    assert "0 new folders queued." in out and "No batch yet." in out


@pytest.mark.parametrize("number", ["0", "-1", "many", ""])
def test_a_number_that_is_none_is_wrong_use(site: Site, number: str) -> None:
    with pytest.raises(CommandError) as raised:
        site.call("start_queue", "--number", number)
    assert raised.value.returncode == 2


def looked_in(site: Site, subfolder: str | None = None) -> list[str]:
    return intake.existing(folders_to_look_in(site.ports, subfolder))


def test_a_subfolder_is_over_input_folders_and_those_are_over_the_data_subfolder(site: Site) -> None:
    for name in ("a", "b", "c", "d"):
        make_study(site.data / name / f"ST-{name}", images=1)
    assert looked_in(site) == [str(site.data)]
    site.set(DATA_SUBFOLDER="a")
    assert looked_in(site) == [str(site.data / "a")]
    site.set(DATA_INPUT_FOLDERS=("b", str(site.data / "c")))
    assert looked_in(site) == [str(site.data / "b"), str(site.data / "c")]
    assert looked_in(site, "d") == [str(site.data / "d")]
    assert looked_in(site, str(site.data)) == [str(site.data)]
    assert intake.add_up_to(None, looked_in(site), DEFAULT, settle_seconds=0).number == 2
    assert {batch.uid.reveal() for batch in Batch.objects.all()} == {"ST-b", "ST-c"}


@pytest.mark.parametrize("setting", ["--subfolder", "SENDIT_DATA_INPUT_FOLDERS", "SENDIT_DATA_SUBFOLDER"])
def test_a_folder_that_is_not_there_is_said_by_its_settings_name(site: Site, setting: str) -> None:
    if setting != "--subfolder":
        site.set(**{setting.removeprefix("SENDIT_"): ("no",) if setting.endswith("FOLDERS") else "no"})
    with pytest.raises(Misconfigured, match=rf"NoSuchFolder \({setting}: {site.data}/no\)"):
        looked_in(site, "no" if setting == "--subfolder" else None)


def test_a_recipe_that_is_wrong_stops_the_command_and_no_batch(site: Site) -> None:
    site.study(1, images=1)
    site.queue()
    site.set(STUDY_DEID="no such recipe")
    with pytest.raises(Misconfigured, match="UnknownRecipe"):
        site.call("start_queue")
    assert counts() == {"QUEUE": 1}


def test_who_asks_for_clean_pixels_is_not_given_a_recipe_that_leaves_them(site: Site) -> None:
    site.set(ANONYMIZE_PIXELS=True, STUDY_DEID="basic")
    done = site.run("start_queue")
    assert done.returncode == 2 and "sendit.E002" in done.stderr


def test_a_recipe_that_calls_functions_is_refused_before_anything_is_queued(site: Site, tmp_path: Path) -> None:
    site.study(1, images=1)
    recipe = tmp_path / "our.recipe"
    recipe.write_text("FORMAT dicom\n%header\nREPLACE StudyDescription func:tidy\n")
    site.set(STUDY_DEID=f"research,{recipe}")
    with pytest.raises(Misconfigured, match="UnknownFunction"):
        site.call("start_queue")
    assert counts() == {}


def test_it_says_what_happened_and_why_and_its_exit_code_says_whether_to_look(site: Site) -> None:
    site.study(1, images=2, patients=2)
    site.study(2, images=3)
    done = site.run("start_queue", "--number", "all")
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(r"batch\.processed batch=\d images=3 filtered=0 errors=0", done.stdout)
    assert re.search(r"2 batches in [\d.]+ s: 3 images · 0\.1 MB( · [\d.]+ images/s)?", done.stdout)
    assert "DONEPROCESSING 1  ERROR 1" in done.stdout
    assert re.search(
        r"Batch \d is in ERROR, MixedPatients: The folder holds .* `sendit batch_logs \d --reveal`", done.stdout
    )


def test_what_is_slow_is_not_nothing() -> None:
    done = [(0, 0, 0), (1, 250_000_000, 0), (20_001, 1_300_000_000, 3)]
    tally = Tally(lambda: done.pop(0))
    tally._began_at -= 100
    tally.look()
    assert str(tally) == "1 image · 250 MB · 2.5 MB/s"
    tally.look()
    assert str(tally) == "20,001 images · 1,300 MB · 200 images/s · 13 MB/s"


def test_a_rate_that_says_nothing_is_not_said() -> None:
    assert rates(0.9, images=500, bytes_=10**9) == []
    assert rates(100, images=5, bytes_=10**9) == ["10 MB/s"]
    upload = Tally(lambda: (2_420, 30_000_000, 1), is_upload=True)
    upload._began_at -= 10
    assert str(upload) == "2,420 images · 30 MB · 3.0 MB/s"


def test_events_are_json_where_the_setting_says_so(site: Site) -> None:
    site.set(LOG_FORMAT="json")
    site.study(1, images=1)
    assert '"event": "batch.processed", "batch": 1' in site.call("start_queue")


def test_a_terminal_gets_a_moving_line_and_no_events(site: Site) -> None:
    site.study(1, images=4)
    ours, theirs = pty.openpty()
    pool = site.start("start_queue", stdout=theirs, stderr=theirs, text=False)
    os.close(theirs)
    shown = _read_all(ours)
    assert pool.wait(timeout=30) == 0
    assert "1 batch left" in shown and "4 images" in shown and "DONEPROCESSING 1" in shown
    assert "batch.processed" not in shown and leaks_in(shown) == []


def _read_all(terminal: int) -> str:
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:  # the other end is closed
        pass
    return shown.decode()


def test_a_site_makes_its_database_by_itself(site: Site) -> None:
    (site.var / "sendit.sqlite3").unlink()
    site.study(1, images=1)
    done = site.run("start_queue")
    assert (done.returncode, done.stderr) == (0, "")


def test_two_folders_of_one_name_are_two_batches(site: Site) -> None:
    for base in ("a", "b"):
        make_study(site.data / base / "ST-1", number=1, images=1)
    site.set(DATA_INPUT_FOLDERS=("a", "b"))
    site.queue()
    assert Batch.objects.for_uid("ST-1").count() == 2


@pytest.mark.on_both_databases
def test_a_folder_costs_three_statements_and_a_question_in_one_transaction_without_a_savepoint(site: Site) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert admit(Contender("/nowhere", 0, DEFAULT))
    statements = [re.sub(r"^\d+ times: ", "", asked["sql"]).split()[0] for asked in asked.captured_queries]
    assert statements == ["BEGIN", "INSERT", "INSERT", "SELECT", "INSERT", "COMMIT"]  # asks for what the listener left
