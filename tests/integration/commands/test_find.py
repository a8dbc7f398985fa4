"""`find`: whatever one knows of a study leads to its batches; what identifies is shown for a reason only."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sendit.audit.models import AuditRow
from sendit.pipeline.record.models import Batch
from tests.support.phantoms import accession_number, patient_id, uid
from tests.support.shell import Ran, run
from tests.support.site import Site


@pytest.fixture
def delivered(site: Site) -> Site:
    """Two studies of two patients, delivered, and one that is an error."""
    for number in (1, 2):
        site.study(number, images=2)
    site.study(3, images=2, patients=2)
    site.process()
    site.deliver()
    return site


def find(monkeypatch: pytest.MonkeyPatch, *wanted: str, reveals: bool = False) -> Ran:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(wanted)))
    return run("find", "-", *(["--reveal", "--reason", "the ward asked"] if reveals else []), reveals=reveals)


def delivered_uid(column: str) -> str:
    sql = f"SELECT {column} FROM instance i JOIN dicom d USING (object_name) WHERE d.CodedAccessionNumberID = '%s'"
    return str(json.loads(run("query", "--format", "json", sql % Batch.objects.get(pk=1).item_suid).out)[0][column])


KNOWN: dict[str, Callable[[Site], str]] = {
    "primary key": lambda site: "pk:1",
    "accession number": lambda site: accession_number(1),
    "Patient ID": lambda site: patient_id(1),
    "pseudonym of the study": lambda site: Batch.objects.get(pk=1).item_suid,
    "pseudonym of the patient": lambda site: Batch.objects.get(pk=1).entity_suid,
    "original study": lambda site: uid(1),
    "original series": lambda site: uid(1, 1),
    "original image": lambda site: uid(1, 1, 2),
    "new series": lambda site: delivered_uid("SeriesInstanceUID"),
    "new image": lambda site: delivered_uid("SOPInstanceUID"),
    "folder": lambda site: str(site.data / accession_number(1)),
    "file": lambda site: str(next((site.data / accession_number(1)).iterdir())),
}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_whatever_is_known_leads_to_the_batch(
    delivered: Site, monkeypatch: pytest.MonkeyPatch, known: Callable[[Site], str]
) -> None:
    ran = find(monkeypatch, known(delivered))
    assert (ran.code, ran.out) == (0, "1  batch 1  DONE  found 2  delivered 2  filtered 0  errored 0\n")


def test_identifiers_that_were_purged_still_lead_there(delivered: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered.set(IDENTIFIERS="purge")
    run("clean_up")
    ran = find(monkeypatch, accession_number(1), patient_id(2), uid(1))
    assert [line.split()[:3] for line in ran.lines] == [["1", "batch", "1"], ["2", "batch", "2"], ["3", "batch", "1"]]


def test_lines_that_nothing_matches_are_told_by_number(delivered: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = find(monkeypatch, "unknown", accession_number(1), "", "1.2.3", "---", "' OR 1=1", "pk:99")
    assert ran.code == 1
    assert [line for line in ran.lines if "No batch matches." in line] == [
        f"{number}  No batch matches." for number in (1, 3, 4, 5, 6)
    ]


def test_a_batch_in_error_is_found_by_its_folder(delivered: Site, tmp_path: Path) -> None:
    (tmp_path / "wanted").write_text(accession_number(3))
    assert "1  batch 3  ERROR  found 2" in run("find", str(tmp_path / "wanted")).out


def test_what_identifies_is_shown_for_a_reason_that_is_kept(delivered: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("find", "-", "--reveal").code == 2
    ran = find(monkeypatch, accession_number(2), reveals=True)
    assert ran.out.endswith(f"  {delivered.data / accession_number(2)}\n")
    row = AuditRow.objects.latest("number")
    assert (row.act, row.reason, row.objects_seen) == ("search", "the ward asked", [["batch", 2]])


def test_a_site_that_asks_dasher_looks_through_what_is_not_purged(
    delivered: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sendit.pipeline.checks.dasher", lambda **_: [])
    delivered.set(ANONYMIZE_RESTFUL=True, STANFORD_CLIENT_SECRETS="/nowhere")
    (delivered.data / accession_number(1)).rename(delivered.data / "renamed")
    from sendit.pipeline.reports import finding

    assert [match.batch for match in finding.find(finding.Phi(patient_id(1)), delivered.ports)] == [1]
    assert finding.find(finding.Phi("unknown"), delivered.ports) == []
