"""`batch_logs`: what happened to a batch, without an identifier unless asked."""

from __future__ import annotations

import json
import os
import re

import pytest

from sendit.pipeline.management.commands.batch_logs import ranges
from sendit.pipeline.record.models import Batch, BatchIdentifiers
from tests.support.phantoms import WORD, accession_number, make_study
from tests.support.shell import run
from tests.support.site import Site


@pytest.fixture
def odd(site: Site) -> Batch:
    """A batch with a file of each outcome."""
    folder = site.study(1, images=3)
    for number in (1, 2):
        (folder / f"{WORD} notes {number}").write_text("not DICOM")
    (folder / "zz link").symlink_to(next(folder.iterdir()))
    (batch,) = site.process()
    return batch


def test_without_a_batch_it_says_so(site: Site) -> None:
    assert run("batch_logs").out == "No batch yet.\n"
    assert run("batch_logs", "--errors").out == "No batch has an error.\n"
    assert run("batch_logs", "--json").out == ""
    assert run("batch_logs", "--number", str(10**20)).code == 0


def test_a_batch_shows_its_state_numbers_errors_events_and_files(odd: Batch) -> None:
    ran = run("batch_logs", str(odd.pk))
    assert ran.code == 0
    assert ran.lines[:3] == [
        "batch 1  DONEPROCESSING  has_error",
        "  files   found 6  delivered 3  filtered 1  errored 2",
        "  error   NotDicom [2] in import: The file is not DICOM. "
        "Move it out of the folder, or export the study again.",
    ]
    assert [line[23:].split()[0] for line in ran.lines[3:7]] == [
        "batch.found",
        "batch.queued",
        "batch.claimed",
        "batch.processed",
    ]
    assert ran.lines[7:9] == [
        "  error     NotDicom                        files 4-5",
        "  filtered  sendit: link inside the folder  file 6",
    ]


@pytest.mark.shows_identifiers
def test_names_are_shown_to_who_asks_for_them(odd: Batch) -> None:
    ran = run("batch_logs", str(odd.pk), "--reveal", reveals=True)
    assert f"  folder  {odd.folder.reveal()}" in ran.lines
    assert re.search(rf"error +NotDicom +4  {WORD} notes 1\n", ran.out)


@pytest.mark.shows_identifiers
def test_a_name_cannot_move_the_cursor(site: Site) -> None:
    folder = site.study(1)
    os.mkdir(os.fsencode(folder) + b"/\x1b[2J\n\xff")
    (folder / os.fsdecode(b"\x1b[2J\n\xff") / "a").write_text("not DICOM")
    site.process()
    ran = run("batch_logs", "--reveal", reveals=True)
    assert "\\x1b[2J\\x0a\\xff/a" in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("form", ["{pk}", "pk:{pk}", "{uid}", "uid:{uid}", "{suid}"])
def test_a_batch_is_named_by_its_key_its_folder_or_its_pseudonym(odd: Batch, form: str) -> None:
    identity = form.format(pk=odd.pk, uid=accession_number(1), suid=odd.item_suid)
    assert run("batch_logs", identity).lines[0].startswith(f"batch {odd.pk} ")


def test_an_accession_number_that_is_a_key_too_has_to_be_said_which(site: Site) -> None:
    for name in ("2", "one"):
        make_study(site.data / name)
    site.queue()
    ran = run("batch_logs", "2")
    assert ran.code == 2
    assert ran.err == "The ID given as number 1 fits several batches; say one of pk:1, pk:2."
    assert [run("batch_logs", identity).lines[0][:7] for identity in ("pk:2", "uid:2")] == ["batch 2", "batch 1"]


@pytest.mark.parametrize("identity", ["77", "pk:77", "uid:77", "no such", "9" * 30, "", "pk:x"])
def test_an_id_that_nothing_has_is_wrong_use_and_not_repeated(odd: Batch, identity: str) -> None:
    ran = run("batch_logs", str(odd.pk), identity)
    assert (ran.code, ran.err) == (2, "No batch matches the ID given as number 2.")


def test_without_an_id_the_newest_come_first(site: Site) -> None:
    for number in range(3):
        site.study(number)
    site.queue()
    shown = [line for line in run("batch_logs", "--number", "2").lines if line.startswith("batch")]
    assert shown == ["batch 3  QUEUE", "batch 2  QUEUE"]


def test_only_those_with_errors_may_be_asked_for(odd: Batch, site: Site) -> None:
    site.study(2)
    site.process()
    shown = [line for line in run("batch_logs", "--errors").lines if line.startswith("batch")]
    assert shown == ["batch 1  DONEPROCESSING  has_error"]


@pytest.mark.parametrize("arguments", [["1", "--errors"], ["1", "--number", "3"], ["--number", "0"]])
def test_options_that_make_no_sense_are_wrong_use(odd: Batch, arguments: list[str]) -> None:
    assert run("batch_logs", *arguments).code == 2


def test_programs_get_an_object_a_line(odd: Batch) -> None:
    (line,) = run("batch_logs", "--json").lines
    found = json.loads(line)
    assert (found["batch"], found["found"], found["has_error"]) == (1, 6, True)
    assert {"outcome": "error", "reason": "NotDicom", "tag": "", "numbers": [4, 5]} in found["files"]
    assert [event["event"] for event in found["events"]][-1] == "batch.processed"


@pytest.mark.shows_identifiers
def test_what_was_purged_is_said_to_be(odd: Batch) -> None:
    BatchIdentifiers.objects.all().delete()
    ran = run("batch_logs", "--reveal", reveals=True)
    assert "  folder  (purged)" in ran.lines
    assert "4  (purged)" in ran.out


def test_numbers_in_a_row_are_one_range() -> None:
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert ranges([]) == ""
