"""Studies that are withdrawn, let in again and made again; what was withheld is screened again."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from sendit.errors import ServiceDown, ServiceRefused
from sendit.pipeline import operations
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Delivery, Event, Study
from sendit.pipeline.record.states import Job
from sendit.pipeline.stages import delivering, processing
from tests.support.growing import add, in_warehouse, stored, suffixes, traces, work
from tests.support.phantoms import accession_number, patient_id
from tests.support.shell import run
from tests.support.site import Site

WHY = "consent withdrawn"


@pytest.fixture
def folder(site: Site) -> Path:
    """A study that was delivered in two parts, and another one."""
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    add(site.data / "ACC9", 1, number=9)
    work(site)
    add(folder, 3)
    work(site)
    assert suffixes(site) == ["part2.tar.gz", "tar.gz", "tar.gz"]
    return folder


def batch(key: int = 1) -> Batch:
    return Batch.objects.get(pk=key)


def pseudonyms() -> tuple[str, str]:
    return batch().item_suid, batch().entity_suid


def test_of_a_withdrawn_study_nothing_is_left_at_its_destinations(site: Site, folder: Path) -> None:
    suids = pseudonyms()
    ran = run("withdraw", "1", "--reason", WHY)
    assert (ran.code, ran.lines) == (0, ["batch 1: withdrawn. 2 archives removed, with rows and reports."])
    assert (batch().state, batch().delivered) == ("WITHDRAWN", 3)
    assert suffixes(site) == ["tar.gz"] and in_warehouse(site) == [(1, 1, 1)]
    assert traces(site, *suids) == []
    assert len(list(folder.iterdir())) == 3, "originals are not touched"
    event = Event.objects.get(name="batch.withdrawn")
    assert (event.actor, event.fields) == ("command", {"state": "DONE", "reason": WHY})


def test_the_reason_is_not_in_the_log(site: Site, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run("withdraw", "1", "--reason", WHY)
    said = capfd.readouterr()
    assert WHY not in said.err
    assert WHY in run("batch_logs", "1").out


def test_a_withdrawn_study_stays_out(site: Site, folder: Path) -> None:
    run("withdraw", "1", "--reason", WHY)
    add(folder, 4)
    add(site.data / "ACC1.late1", 5)
    *_, late = work(site)
    assert (batch().state, late.state, late.filtered) == ("WITHDRAWN", "WITHDRAWN", 1)
    assert late.images.get().rule == "sendit: study withdrawn"
    assert suffixes(site) == ["tar.gz"]


def test_a_withdrawal_is_idempotent(site: Site, folder: Path) -> None:
    for _ in range(2):
        assert run("withdraw", "1", "--reason", WHY).code == 0
    assert Event.objects.filter(name="batch.withdrawn").count() == 1


@pytest.mark.parametrize("form", ["accession", "study", "patient", "folder"])
def test_studies_are_found_by_what_is_read_from_standard_input_also_after_a_purge(
    site: Site, folder: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {
        "accession": accession_number(1),
        "study": batch().item_suid,
        "patient": batch().entity_suid,
        "folder": "ACC1",
    }
    BatchIdentifiers.objects.all().delete()
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{words[form]}\nunknown\n"))
    ran = run("withdraw", "-", "--reason", WHY)
    assert (ran.code, ran.lines[-1]) == (1, "line 2 names no study that is known.")
    assert (batch().state, batch(2).state) == ("WITHDRAWN", "DONE")


def test_what_waits_is_withdrawn_too(site: Site) -> None:
    for number in (1, 2):
        add(site.data / f"ACC{number}", 1, number=number)
    first, second = site.queue()
    site.attempt(first, Job.PROCESS)
    assert run("withdraw", str(first), str(second), "--reason", WHY).code == 0
    assert {batch(first).state, batch(second).state} == {"WITHDRAWN"}
    assert list(site.outbox.iterdir()) == []
    work(site)
    assert stored(site) == []


@pytest.mark.parametrize("stage", ["processing", "delivering"])
def test_a_worker_that_has_a_batch_of_the_study_lets_nothing_out(
    site: Site, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(site.data / "ACC1", 1)
    module, job = {"processing": (processing, Job.PROCESS), "delivering": (delivering, Job.DELIVER)}[stage]
    if job is Job.DELIVER:
        site.process()
    else:
        site.queue()
        study = Study.objects.create(project="default", item_suid=suid_of(site))
        Batch.objects.update(study=study)
    name = "write_report" if job is Job.PROCESS else "write_parquet"
    real = getattr(module, name)

    def withdrawn_meanwhile(*arguments: Any) -> Any:
        withdrawal = operations.withdraw(1, WHY, site.projects, "somebody")
        assert withdrawal.at_work == (1,)
        return real(*arguments)

    monkeypatch.setattr(module, name, withdrawn_meanwhile)
    site.attempt(1, job)
    assert batch().state == "WITHDRAWN"
    assert stored(site) == [] and in_warehouse(site) == [] and list(site.outbox.iterdir()) == []


def suid_of(site: Site) -> str:
    from sendit.phi import Phi
    from sendit.pipeline.stages.identity import request_for

    names = site.ports.project.identity
    asked = request_for(names, Phi(patient_id(1).replace("-", "")), Phi(accession_number(1)), Phi(""), Phi(""))
    return site.ports.identity_service.identify(asked).items[0].suid


@pytest.mark.parametrize("error", [ServiceDown("StoreDown"), ServiceRefused("Retained")], ids=["down", "retained"])
def test_what_cannot_be_removed_is_said_and_removed_later(site: Site, folder: Path, error: Exception) -> None:
    store = site.ports.object_store
    site.replace(object_store=Keeping(error))
    ran = run("withdraw", "1", "--reason", WHY)
    assert (ran.code, "Something is still there" in ran.out) == (1, True)
    assert batch().state == "WITHDRAWN" and Delivery.objects.filter(batch=1, state="DONE").count() == 2
    assert "1 study" in run("status").out
    site.replace(object_store=store)
    assert run("withdraw", "--unfinished", "--reason", WHY).code == 0
    assert suffixes(site) == ["tar.gz"]


class Keeping:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def remove(self, name: str) -> None:
        raise self._error


def test_a_patient_who_opts_out_is_taken_back_and_kept_out(site: Site, folder: Path, tmp_path: Path) -> None:
    listed = tmp_path / "opted out.txt"
    listed.write_text(f"# kept by the broker\n{patient_id(1)}\n")
    site.set(OPT_OUT=listed)
    ran = run("withdraw", "--opt-out", "--reason", WHY)
    assert (ran.code, len(ran.lines)) == (0, 1)
    assert (batch().state, batch(2).state) == ("WITHDRAWN", "DONE")
    add(site.data / "other study of hers", 1, AccessionNumber="733700197377777", StudyInstanceUID="1.2.3.4")
    *_, other = work(site)
    assert other.state == "WITHDRAWN" and suffixes(site) == ["tar.gz"]


def test_a_list_of_patients_who_opted_out_that_cannot_be_read_stops_the_batch(site: Site, tmp_path: Path) -> None:
    site.set(OPT_OUT=tmp_path / "nothing")
    add(site.data / "ACC1", 1)
    (only,) = work(site)
    assert (only.state, only.errors[0]["code"]) == ("ERROR", "BadSetting")


# ---------------------------------------------------------------------------------------------- made again


def test_a_study_that_is_let_in_again_is_a_new_generation(site: Site, folder: Path) -> None:
    run("withdraw", "1", "--reason", WHY)
    assert run("readmit", "1", "--reason", "consent given").code == 0
    first, _ = work(site)
    assert (first.state, first.delivered) == ("DONE", 3)
    assert suffixes(site) == ["r2.tar.gz", "tar.gz"] and in_warehouse(site) == [(1, 1, 1), (2, 1, 3)]
    add(folder, 4)
    work(site)
    assert suffixes(site) == ["part2.r2.tar.gz", "r2.tar.gz", "tar.gz"]
    assert run("readmit", "1", "--reason", WHY).code == 1


def test_a_batch_that_was_withdrawn_before_its_study_was_known_can_be_let_in(site: Site) -> None:
    add(site.data / "ACC1", 1)
    site.queue()
    run("withdraw", "1", "--reason", WHY)
    assert run("readmit", "1", "--reason", "by mistake").code == 0
    (only,) = work(site)
    assert only.state == "DONE" and suffixes(site) == ["tar.gz"]


def test_a_study_that_is_made_again_takes_the_place_of_the_old_one(site: Site, folder: Path) -> None:
    add(site.data / "ACC1.late1", 4)
    work(site)
    dry = run("redeliver", "1", "--dry-run", "--reason", "recipe corrected")
    assert dry.lines[-1] == "1 study would be made again; 0 left alone." and batch().state == "DONE"
    assert run("redeliver", "1", "--reason", "recipe corrected").code == 0
    site.process()
    assert {"r2.tar.gz", "part2.r2.tar.gz"}.isdisjoint(suffixes(site)), "the old ones stand until the new ones do"
    site.attempt(1, Job.DELIVER)
    assert {"tar.gz", "part2.tar.gz", "part3.tar.gz", "r2.tar.gz"} <= set(suffixes(site))
    site.deliver()
    assert suffixes(site) == ["part2.r2.tar.gz", "r2.tar.gz", "tar.gz"]
    assert in_warehouse(site) == [(1, 1, 1), (2, 1, 3), (2, 2, 1)]
    rows = site.ports.warehouse.query("SELECT parts, image_count, generation FROM study ORDER BY generation").rows
    assert list(rows) == [(1, 1, 1), (2, 4, 2)]


def test_a_dry_run_says_what_the_recipe_of_now_changes(site: Site, folder: Path, tmp_path: Path) -> None:
    ask = ("redeliver", "1", "--dry-run", "--reason", "recipe corrected")
    assert any(line.endswith(" now: the same recipe.") for line in run(*ask).lines)
    recipe = tmp_path / "own.recipe"
    recipe.write_text("FORMAT dicom\nINCLUDE research\n%header\nREMOVE FilterType\n")
    site.set(STUDY_DEID=str(recipe))
    shown = run(*ask).lines
    assert "  +REMOVE FilterType" in shown and batch().state == "DONE"


def test_a_study_whose_originals_are_not_all_there_is_left_alone(site: Site, folder: Path) -> None:
    next(folder.iterdir()).unlink()
    ran = run("redeliver", "1", "2", "--reason", "recipe corrected")
    assert (ran.code, ran.lines[-1]) == (1, "1 study queued again; 1 left alone.")
    assert (batch().state, batch(2).state) == ("DONE", "QUEUE")


@pytest.mark.parametrize("which", ["--project", "--recipe"])
def test_studies_are_made_again_by_project_or_by_recipe(site: Site, folder: Path, which: str) -> None:
    value = "default" if which == "--project" else batch().recipe_sha256
    run("withdraw", "2", "--reason", WHY)
    ran = run("redeliver", which, value, "--reason", "recipe corrected")
    assert ran.lines[-1] == "1 study queued again; 0 left alone."
    work(site)
    assert suffixes(site) == ["r2.tar.gz"]


def test_a_study_that_is_made_again_and_has_nothing_left_is_gone(site: Site, folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "nothing"
    recipe.write_text("FORMAT dicom\n%filter greylist\nLABEL none\n  contains Modality CT\n%header\nBLANK PatientID\n")
    site.set(STUDY_DEID=recipe)
    run("redeliver", "1", "--reason", "recipe corrected")
    first, _ = work(site)
    assert first.state == "EMPTY" and suffixes(site) == ["tar.gz"]


# ---------------------------------------------------------------------------------------------- screened again


@pytest.fixture
def withheld(site: Site) -> Path:
    """A delivered study of which two files were withheld."""
    folder = site.data / "ACC1"
    add(folder, 1)
    add(folder, 2, BurnedInAnnotation="YES")
    (folder / "notes.txt").write_text("no image")
    (only,) = work(site)
    assert (only.state, only.delivered, only.filtered, only.errored) == ("DONE", 1, 1, 1)
    return folder


@pytest.mark.parametrize("by", ["--withheld", "--rule"])
def test_withheld_files_are_screened_again_on_request_and_go_out_as_the_next_part(
    site: Site, withheld: Path, tmp_path: Path, by: str
) -> None:
    rule = batch().images.get(outcome="filtered").rule
    recipe = tmp_path / "lenient"
    recipe.write_text("FORMAT dicom\nPROFILE Basic\n")
    site.set(STUDY_DEID=recipe)
    words = ["--withheld", "1"] if by == "--withheld" else ["--rule", rule]
    assert run("retry", *words, "--reason", "the rule was too strict").code == 0
    (only,) = work(site)
    assert (only.state, only.delivered, only.filtered, only.errored) == ("DONE", 2, 0, 1)
    assert suffixes(site) == ["part2.tar.gz", "tar.gz"]


def test_where_nothing_is_withheld_nothing_is_screened(site: Site, folder: Path) -> None:
    ran = run("retry", "--withheld", "1")
    assert (ran.code, ran.lines) == (1, ["batch 1: nothing to screen: left alone."])
    assert batch().state == "DONE"


def test_all_empty_batches_are_retried(site: Site) -> None:
    for number in (1, 2):
        add(site.data / f"ACC{number}", 1, number=number, BurnedInAnnotation="YES")
    work(site)
    assert run("retry", "--all-empty").lines[-1] == "2 batches queued again."
    shutil.rmtree(site.data)
